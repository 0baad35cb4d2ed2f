//! The states of a walk as nodes, and the choices between them as edges.

use crate::{
    choice::{Budget, Choice},
    guards::Guards,
    laws,
    machine::{Breach, State},
    world,
};
use ecs_core::EntityId;
use ecs_systems::port::{Ledger, Receipts};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// What a choice leads to.
pub(crate) struct Edge {
    pub(crate) choice: Choice,
    pub(crate) to: usize,
    /// The guards without which it might lead elsewhere.
    pub(crate) met: Guards,
    /// The states between its records, with the guards without which they might be others.
    pub(crate) mids: Vec<(usize, Guards)>,
}

/// A state that was reached.
pub(crate) struct Node {
    pub(crate) state: Option<State>,
    /// The choice between whose records the state is; what comes next is a crash.
    pub(crate) mid: Option<Choice>,
    /// What may happen there.
    pub(crate) todo: Vec<Choice>,
    /// Every payment is over.
    pub(crate) over: bool,
    /// How payments ended.
    pub(crate) ends: Vec<i32>,
    /// What is seen there that is worth a name.
    pub(crate) cases: Vec<&'static str>,
    pub(crate) edges: Vec<Edge>,
    /// Whence it was reached first, and by what.
    pub(crate) came: Option<(usize, Choice)>,
}

impl Node {
    /// The steps from it, as from, to, and whether by an answer.
    pub(crate) fn ways(&self, from: usize) -> impl Iterator<Item = (usize, usize, bool)> {
        self.edges.iter().flat_map(move |edge| edge.ways(from))
    }
}

impl Edge {
    /// The same of one edge.
    pub(crate) fn ways(&self, from: usize) -> impl Iterator<Item = (usize, usize, bool)> {
        let whole = (from, self.to, self.choice.is_answer());
        let mids = self.mids.iter().map(move |(mid, _)| (from, *mid, false));
        [whole].into_iter().chain(mids)
    }
}

/// Nodes by the keys of their states.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    known: BTreeMap<u64, Vec<(usize, Budget)>>,
}

impl Graph {
    /// The node of that state from which at least as much can be done.
    pub(crate) fn find(&self, key: u64, left: Budget) -> Option<usize> {
        let known = self.known.get(&key)?.iter();
        known.copied().find_map(|(number, more)| more.covers(left).then_some(number))
    }

    /// Whether the state is known, whatever can be done there.
    pub(crate) fn knows(&self, key: u64) -> bool {
        self.known.contains_key(&key)
    }

    pub(crate) fn add(&mut self, key: u64, left: Budget, node: Node) -> usize {
        let number = self.nodes.len();
        self.known.entry(key).or_default().push((number, left));
        self.nodes.push(node);
        number
    }

    /// The fewest choices that lead to a node.
    pub(crate) fn way_to(&self, number: usize) -> Vec<Choice> {
        let came = |number: usize| {
            let node = &self.nodes[number];
            node.came.clone().map(|(from, choice)| (from, node.mid.is_none().then_some(choice)))
        };
        way(number, came)
    }
}

/// The choices on the way to a node; `came` says whence, and by what if that counts.
pub(crate) fn way(
    mut number: usize,
    came: impl Fn(usize) -> Option<(usize, Option<Choice>)>,
) -> Vec<Choice> {
    let mut way = Vec::new();
    while let Some((from, choice)) = came(number) {
        way.extend(choice);
        number = from;
    }
    way.reverse();
    way
}

/// From every node an end can be reached, and answers alone never go round in a circle. Each way is
/// from, to, and whether by an answer; `over` says where walks end.
pub(crate) fn every_walk_ends(
    ways: &[(usize, usize, bool)],
    over: Vec<bool>,
) -> Result<(), Breach> {
    let law = "every walk can end";
    if answers_go_round(ways, over.len()) {
        return Err(Breach { law, what: "answers alone go round in a circle".to_owned() });
    }
    let mut ends = over;
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); ends.len()];
    for (from, to, _) in ways {
        before[*to].push(*from);
    }
    let mut todo: Vec<usize> = (0..ends.len()).filter(|number| ends[*number]).collect();
    while let Some(number) = todo.pop() {
        for from in &before[number] {
            if !std::mem::replace(&mut ends[*from], true) {
                todo.push(*from);
            }
        }
    }
    match ends.iter().position(|end| !end) {
        Some(number) => Err(Breach { law, what: format!("state {number} reaches no end") }),
        None => Ok(()),
    }
}

/// Whether some state comes again by answers alone: Kahn's order leaves something over.
fn answers_go_round(ways: &[(usize, usize, bool)], nodes: usize) -> bool {
    let mut into = vec![0_usize; nodes];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to, _) in ways.iter().filter(|(_, _, answer)| *answer) {
        into[*to] += 1;
        after[*from].push(*to);
    }
    let mut free: Vec<usize> = (0..nodes).filter(|number| into[*number] == 0).collect();
    let mut ordered = 0;
    while let Some(number) = free.pop() {
        ordered += 1;
        for to in &after[number] {
            into[*to] -= 1;
            if into[*to] == 0 {
                free.push(*to);
            }
        }
    }
    ordered < nodes
}

/// What tells a state from all others. Numbers that only count are left out, and what is rare: a
/// state that was entered with more of it left has been walked from already.
pub(crate) fn key(state: &State, mid: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    mid.hash(&mut hasher);
    for entity in &state.snapshot.entities {
        entity.entity.get().hash(&mut hasher);
        for (name, json) in &entity.components {
            match &**name {
                "lightningd:systems" => laws::list_key(json).hash(&mut hasher),
                "lightningd:systems:final" | "lightningd:nonce" => {}
                _ => (name, json.text()).hash(&mut hasher),
            }
        }
        for effect in &entity.outstanding {
            laws::effect_key(effect).hash(&mut hasher);
        }
        (&entity.notes.muted, entity.notes.own_systems_only).hash(&mut hasher);
    }
    for effect in &state.asked {
        laws::effect_key(effect).hash(&mut hasher);
    }
    let env = &state.env;
    let payments: Vec<u32> = env.payments.iter().copied().map(EntityId::get).collect();
    (payments, env.now_ms, env.receipt_paid, &env.ends).hash(&mut hasher);
    (&env.htlcs, env.blocks, env.closed).hash(&mut hasher);
    let receipt = state.receipts.find(&world::preimage(1).hash());
    let receipt = receipt.map(|receipt| (receipt.state as u8, receipt.preimage_known));
    (receipt, &env.decided).hash(&mut hasher);
    for (key, offer) in &env.offers {
        (key, offer).hash(&mut hasher);
    }
    for (account, balance) in state.books.trial_balance() {
        let sums = [balance.debits_pending_msat, balance.debits_posted_msat];
        (account, sums.map(|sum| sum.0)).hash(&mut hasher);
        let sums = [balance.credits_pending_msat, balance.credits_posted_msat];
        sums.map(|sum| sum.0).hash(&mut hasher);
    }
    hasher.finish()
}
