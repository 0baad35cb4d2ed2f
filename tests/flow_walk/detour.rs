//! The flow without one of its guards, walked everywhere.
//!
//! It goes as the whole flow goes, except where the guard matters. So the walk of the whole flow is
//! gone over again without running anything; only the choices on whose way the guard was met are
//! made anew, and what they newly lead to is walked from like any other state.

use crate::{
    choice::Choice,
    explore::{Found, Made, Walk, make},
    graph::{Graph, Node, every_walk_ends, key, way},
    guards::{self, Guards},
    machine::{Breach, Machine},
};
use payflow_default::flow::DEFAULT_FLOW;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most states that one flow without a guard has beside those of the whole flow.
const OWN_STATES_MAX: usize = 20_000;

/// A walk without a guard. Nodes of the whole flow keep their numbers; those that it alone has are
/// counted on from there.
struct Detour<'a> {
    base: &'a Graph,
    guard: usize,
    machine: Machine,
    own: Graph,
    came: BTreeMap<usize, Option<(usize, Choice)>>,
    todo: VecDeque<usize>,
    ways: Vec<(usize, usize, bool)>,
    made: usize,
}

/// The guards that matter anywhere on a walk.
pub(crate) fn met(walk: &Walk) -> Guards {
    let edges = walk.graph.nodes.iter().flat_map(|node| &node.edges);
    edges.fold(Guards::default(), |met, edge| {
        edge.mids.iter().fold(met.and(edge.met), |met, (_, mid)| met.and(*mid))
    })
}

/// Walks everywhere without the guard: how many choices were made anew, or the first breach.
pub(crate) fn detour(walk: &Walk, guard: usize) -> Result<usize, Found> {
    let amend = guards::without(guards::all()[guard]);
    let mut detour = Detour {
        base: &walk.graph,
        guard,
        machine: Machine::new(&walk.machine.situation, DEFAULT_FLOW, amend),
        own: Graph::default(),
        came: BTreeMap::from([(0, None)]),
        todo: VecDeque::from([0]),
        ways: Vec::new(),
        made: 0,
    };
    while let Some(number) = detour.todo.pop_front() {
        detour.walk_on_from(number)?;
    }
    detour.judge_all().map_err(|breach| Found { breach, path: Vec::new() })?;
    Ok(detour.made)
}

impl Detour<'_> {
    fn node(&self, number: usize) -> &Node {
        let own = || &self.own.nodes[number - self.base.nodes.len()];
        self.base.nodes.get(number).unwrap_or_else(own)
    }

    fn walk_on_from(&mut self, number: usize) -> Result<(), Found> {
        let Some(node) = self.base.nodes.get(number) else {
            let own = number - self.base.nodes.len();
            let choices = std::mem::take(&mut self.own.nodes[own].todo);
            return choices.into_iter().try_for_each(|choice| self.make(number, &choice));
        };
        for edge in &node.edges {
            if edge.met.has(self.guard) {
                self.make(number, &edge.choice)?;
                continue;
            }
            self.go(number, edge.to, &edge.choice, edge.choice.is_answer());
            for (mid, _) in &edge.mids {
                self.go(number, *mid, &edge.choice, false);
            }
        }
        Ok(())
    }

    /// Goes a way that is known to be there.
    fn go(&mut self, from: usize, to: usize, choice: &Choice, answer: bool) {
        self.ways.push((from, to, answer));
        if let std::collections::btree_map::Entry::Vacant(new) = self.came.entry(to) {
            new.insert(Some((from, choice.clone())));
            self.todo.push_back(to);
        }
    }

    /// Makes a choice without the guard.
    fn make(&mut self, from: usize, choice: &Choice) -> Result<(), Found> {
        self.made += 1;
        let base = self.base.nodes.len();
        let node = self.base.nodes.get(from);
        let node = node.unwrap_or_else(|| &self.own.nodes[from - base]);
        let made = make(&mut self.machine, node, choice).and_then(|made| self.bounded(made));
        let Made { node, mids, .. } = made.map_err(|breach| {
            let way = self.way_to(from).into_iter().chain([choice.clone()]);
            Found { breach, path: way.collect() }
        })?;
        let to = self.number_of(node);
        self.go(from, to, choice, choice.is_answer());
        for (mid, _) in mids {
            let to = self.number_of(mid);
            self.go(from, to, choice, false);
        }
        Ok(())
    }

    fn bounded(&self, made: Made) -> Result<Made, Breach> {
        if self.own.nodes.len() < OWN_STATES_MAX {
            return Ok(made);
        }
        let what = format!("{OWN_STATES_MAX} states and no end");
        Err(Breach { law: "every walk can end", what })
    }

    /// The number of a node, in the walk of the whole flow if it is known there.
    fn number_of(&mut self, node: Node) -> usize {
        let state = node.state.as_ref().expect("it was reached just now");
        let (key, left) = (key(state, node.mid.is_some()), state.env.left);
        let base = self.base.nodes.len();
        let own = || Some(base + self.own.find(key, left)?);
        let known = self.base.find(key, left).or_else(own);
        known.unwrap_or_else(|| base + self.own.add(key, left, node))
    }

    fn way_to(&self, number: usize) -> Vec<Choice> {
        way(number, |number| {
            let (from, choice) = self.came.get(&number)?.clone()?;
            Some((from, self.node(number).mid.is_none().then_some(choice)))
        })
    }

    /// What only the whole walk shows: every payment can come to an end, and to every end that the
    /// situation allows.
    fn judge_all(&self) -> Result<(), Breach> {
        let nodes = self.base.nodes.len() + self.own.nodes.len();
        let over = |number| !self.came.contains_key(&number) || self.node(number).over;
        every_walk_ends(&self.ways, (0..nodes).map(over).collect())?;
        let situation = &self.machine.situation;
        let seen: BTreeSet<i32> =
            self.came.keys().flat_map(|number| &self.node(*number).ends).copied().collect();
        let missing = situation.ends.iter().find(|end| !seen.contains(end));
        match missing.filter(|_| situation.third.is_empty()) {
            Some(end) => Err(Breach {
                law: "a payment can end in every way that it should",
                what: format!("no payment ends with {end}"),
            }),
            None => Ok(()),
        }
    }
}
