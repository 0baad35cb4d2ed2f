//! Breadth first through every state that can be reached, each once.

use crate::{
    cases,
    choice::{Choice, Outage, choices},
    graph::{Edge, Graph, Node, every_walk_ends, key},
    guards::Guards,
    laws,
    machine::{Breach, Machine, State},
    payers,
    situation::Situation,
};
use ecs_core::{EntityId, Systems};
use ecs_systems::flow::Amend;
use std::collections::{BTreeMap, BTreeSet};

/// What a walk saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) crashes: usize,
    /// How payments ended, and how often that was seen.
    pub(crate) ends: BTreeMap<i32, usize>,
    /// The cases of `cases.rs` that came up.
    pub(crate) cases: BTreeSet<&'static str>,
    /// The bound on states was reached.
    pub(crate) cut: bool,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states, transitions, crashes, ends, cut, cases: _ } = self;
        let cut = if *cut { " (cut)" } else { "" };
        write!(out, "{states} states, {transitions} transitions, {crashes} crashes{cut}; ends:")?;
        ends.iter().try_for_each(|(end, states)| write!(out, " {end} ({states})"))
    }
}

/// A breach with the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) breach: Breach,
    pub(crate) path: Vec<Choice>,
}

/// What a choice made of a state.
pub(crate) struct Made {
    pub(crate) node: Node,
    pub(crate) met: Guards,
    /// The nodes after each record, and what was met on the way there: from these one may crash.
    pub(crate) mids: Vec<(Node, Guards)>,
}

/// Makes a choice in the state of a node, and judges what it comes to.
pub(crate) fn make(machine: &mut Machine, node: &Node, choice: &Choice) -> Result<Made, Breach> {
    let from = node.state.as_ref().expect("kept until it has been walked from");
    match (&node.mid, choice) {
        (Some(_), Choice::Crash(_, _, outage)) => machine.crash(from, *outage)?,
        _ => machine.choose(from, choice)?,
    }
    let met = machine.take_met();
    laws::judge(machine)?;
    let state = machine.keep();
    let made = Made { node: arrived(machine, state), met, mids: Vec::new() };
    let crash = Choice::Crash(Box::new(choice.clone()), 0, Outage::Kept);
    let Some(left) = from.env.left.after(&crash).filter(|_| crashes_within(choice)) else {
        return Ok(made);
    };
    let mids = machine.step_through(from, choice)?.into_iter().enumerate();
    let mids = mids.map(|(records, (mut mid, met))| {
        mid.env.left = left;
        (between(mid, choice, records), met)
    });
    Ok(Made { mids: mids.collect(), ..made })
}

/// The node of the state the machine is in.
fn arrived(machine: &Machine, state: State) -> Node {
    let left = state.env.left;
    let mut todo = choices(machine);
    if left.crashes > 0 && left.total > 0 {
        todo.push(Choice::Nothing);
    }
    let payments = &machine.env.payments;
    let app = &machine.app;
    let stuck = |payment: &EntityId| {
        let systems = app.get::<Systems>(*payment);
        systems.is_none_or(|systems| laws::is_stuck_draft(machine, *payment, systems))
    };
    let others = machine.situation.payers.is_some();
    let paid = !payments.is_empty() && payments.iter().all(stuck);
    let over = if others { payers::is_over(machine) } else { paid };
    let ends = payments.iter().filter_map(|payment| machine.end_of(*payment));
    let ends = ends.chain(payers::end_of(machine).filter(|_| others)).collect();
    let (cases, edges) = (cases::seen(machine), Vec::new());
    Node { state: Some(state), mid: None, todo, over, ends, cases, edges, came: None }
}

/// The node of a state after so many records of a choice: what can happen there is a crash.
fn between(state: State, choice: &Choice, records: usize) -> Node {
    let open = state.env.last_on_its_way().is_some();
    let lost = (open || !state.asked.is_empty()).then_some(Outage::Lost);
    let long = state.env.may_grow_old().then_some(Outage::Long);
    let crash = |outage| Choice::Crash(Box::new(choice.clone()), records, outage);
    let todo = [Some(Outage::Kept), lost, long].into_iter().flatten().map(crash).collect();
    let mid = Some(choice.clone());
    let (ends, cases, edges) = (Vec::new(), Vec::new(), Vec::new());
    Node { state: Some(state), mid, todo, over: false, ends, cases, edges, came: None }
}

/// A walk under way.
pub(crate) struct Walk {
    pub(crate) machine: Machine,
    pub(crate) seen: Seen,
    pub(crate) graph: Graph,
    /// States stay with their nodes, and what was met with their edges, to come back to.
    keeps: bool,
    states_max: usize,
}

impl Walk {
    pub(crate) fn new(situation: &Situation, order: &[&str], amend: Amend, max: usize) -> Self {
        Self {
            machine: Machine::new(situation, order, amend),
            seen: Seen::default(),
            graph: Graph::default(),
            keeps: false,
            states_max: max,
        }
    }

    /// A walk that others start from: it keeps its states, and notes where guards matter.
    pub(crate) fn kept(mut self) -> Self {
        self.machine.note_met();
        Self { keeps: true, ..self }
    }

    /// Walks everywhere from the beginning of a situation.
    pub(crate) fn walk_all(&mut self) -> Result<(), Found> {
        let begin = self.machine.keep();
        let node = arrived(&self.machine, begin);
        self.enter(node, None);
        let mut next = 0;
        while next < self.graph.nodes.len() {
            self.walk_on_from(next)?;
            next += 1;
        }
        if self.seen.cut {
            return Ok(());
        }
        let nodes = &self.graph.nodes;
        let from = |(from, node): (usize, &Node)| node.ways(from).collect::<Vec<_>>();
        let ways: Vec<(usize, usize, bool)> = nodes.iter().enumerate().flat_map(from).collect();
        let over: Vec<bool> = nodes.iter().map(|node| node.over).collect();
        every_walk_ends(&ways, over).map_err(|breach| Found { breach, path: Vec::new() })
    }

    fn walk_on_from(&mut self, number: usize) -> Result<(), Found> {
        let todo = std::mem::take(&mut self.graph.nodes[number].todo);
        for choice in todo {
            self.seen.transitions += 1;
            self.seen.crashes += usize::from(self.graph.nodes[number].mid.is_some());
            let made = make(&mut self.machine, &self.graph.nodes[number], &choice);
            let Made { node, met, mids } = made.map_err(|breach| {
                let path = self.graph.way_to(number).into_iter().chain([choice.clone()]).collect();
                Found { breach, path }
            })?;
            let came = Some((number, choice.clone()));
            let to = self.enter(node, came.clone());
            let mids = mids.into_iter().map(|(mid, met)| (self.enter(mid, came.clone()), met));
            let mids = mids.collect();
            self.graph.nodes[number].edges.push(Edge { choice, to, met, mids });
        }
        if !self.keeps {
            self.graph.nodes[number].state = None;
        }
        Ok(())
    }

    /// Notes a node, unless all that can be done there is done elsewhere.
    fn enter(&mut self, mut node: Node, came: Option<(usize, Choice)>) -> usize {
        let state = node.state.as_ref().expect("it was reached just now");
        let (key, left) = (key(state, node.mid.is_some()), state.env.left);
        if let Some(known) = self.graph.find(key, left) {
            return known;
        }
        if node.mid.is_none() && !self.graph.knows(key) {
            self.seen.states += 1;
            self.seen.cases.extend(&node.cases);
            node.ends.iter().for_each(|end| *self.seen.ends.entry(*end).or_default() += 1);
        }
        if self.graph.nodes.len() >= self.states_max {
            self.seen.cut = true;
            node.todo.clear();
        }
        node.came = came;
        self.graph.add(key, left, node)
    }
}

fn crashes_within(choice: &Choice) -> bool {
    matches!(
        choice,
        Choice::Plan(..)
            | Choice::Part(..)
            | Choice::Decode(..)
            | Choice::Signer(..)
            | Choice::Approve(..)
            | Choice::Cancel(_)
            | Choice::Start(_)
            | Choice::Arrive(..)
            | Choice::Comes(_)
            | Choice::Decide(_)
            | Choice::Resolved(..)
            | Choice::Nothing
    )
}
