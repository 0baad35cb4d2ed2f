//! What the way from our peers to a node costs at least. A search that goes back from the
//! destination looks first where what it has spent and what is ahead come to least.
//!
//! It is found out from our peers outward. In a small graph that is all of it, fees and delay only,
//! and kept with the graph: most plans set out from the same peers with the same class of amounts
//! as one before. Whether it was kept changes no answer. In a large graph the chance to fail is
//! counted too, and it is found out only as far as a search has use for: beyond, all that is said
//! is how far that was.

use crate::Graph;
use crate::cost::{biased, delay_rate_q32};
use crate::net::Net;
use crate::search::Question;
use payecs_units::{MicroPercent, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most answers that are kept with a graph: beyond them, the one not asked for longest goes.
const KEPT_MAX: usize = 32;
/// Leading bits of an amount that its class has in common: no amount is half again as large as the
/// least of its class.
const CLASS_BITS: u32 = 2;
/// There is no way.
const UNREACHABLE: u64 = u64::MAX;
/// No arc.
const NONE: u32 = u32::MAX;
/// A graph with so many arcs at most is small.
const SMALL_ARCS: u32 = 16_384;

/// All that the least costs depend on, beside the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Departure {
    /// The nodes that our channels lead to, sorted.
    peers: Vec<u32>,
    /// What arrives at least.
    amount: Msat,
    risk: MicroPercent,
    /// What −ln P = 1 is worth; nothing where the chance to fail isn't counted.
    per_nat: Msat,
}

/// The least amount of a class.
fn class_of(amount: Msat) -> Msat {
    let low_bits = (u64::BITS - amount.0.leading_zeros()).saturating_sub(CLASS_BITS);
    Msat(amount.0 >> low_bits << low_bits)
}

/// What was found out from a departure, outward.
#[derive(Debug)]
struct Found {
    departure: Departure,
    /// Whether it counts how arcs are favoured.
    is_biased: bool,
    /// Our own number, where it is for us alone: no way goes through us.
    home: Option<u32>,
    delay_rate_q32: u64,
    /// The least cost to each node as far as it was found; exact up to the last node settled.
    least: Vec<u64>,
    /// The arc that a node was reached by.
    by: Vec<u32>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Found {
    fn new(graph: &Graph, departure: Departure) -> Self {
        let mut least = vec![UNREACHABLE; graph.nodes_count()];
        let mut heap = BinaryHeap::new();
        for peer in &departure.peers {
            least[*peer as usize] = 0;
            heap.push(Reverse((0, *peer)));
        }
        let delay_rate_q32 = delay_rate_q32(departure.amount, departure.risk);
        let by = vec![NONE; graph.nodes_count()];
        let (is_biased, home) = (false, None);
        Self { departure, is_biased, home, delay_rate_q32, least, by, heap }
    }

    /// Finds the next node: its cost, and at how many arcs was looked. `None` where there is no
    /// other.
    fn settle(&mut self, net: &Net<'_>) -> Option<(u64, u64)> {
        let Departure { amount, per_nat, .. } = self.departure;
        let graph = net.graph();
        while let Some(Reverse((cost, node))) = self.heap.pop() {
            if cost > self.least[node as usize] {
                continue;
            }
            let mut work = 1;
            if self.home == Some(node) {
                return Some((cost, work));
            }
            for (arc, toll) in graph.arcs_out(node) {
                work += 1;
                let known = &mut self.least[toll.far as usize];
                if *known <= cost || !toll.is_open_for(amount) {
                    continue;
                }
                let bias = if self.is_biased { net.bias(arc) } else { 0 };
                let after = |hop: u64| cost.checked_add(biased(bias, hop));
                let Some(hop) = toll.least(amount, self.delay_rate_q32) else { continue };
                if after(hop).is_none_or(|bare| bare >= *known) {
                    continue;
                }
                let loss =
                    if per_nat == Msat::ZERO { Some(0) } else { net.loss(arc, amount, per_nat) };
                let there = loss.and_then(|loss| after(hop.checked_add(loss)?));
                if let Some(there) = there.filter(|there| there < known) {
                    *known = there;
                    self.by[toll.far as usize] = arc;
                    self.heap.push(Reverse((there, toll.far)));
                }
            }
            return Some((cost, work));
        }
        None
    }
}

/// What one search sees of what was found.
#[derive(Debug)]
pub(crate) struct Ahead<'a> {
    net: &'a Net<'a>,
    found: Option<Found>,
    is_kept: bool,
    /// All nodes are seen up to this cost, at the price of looking at so many arcs.
    radius: u64,
    work: u64,
    /// Whether there is no further node.
    is_all: bool,
}

impl<'a> Ahead<'a> {
    /// Nothing is known, nor will be.
    pub(crate) fn nothing(net: &'a Net<'a>) -> Self {
        Self { net, found: None, is_kept: false, radius: 0, work: 0, is_all: true }
    }

    /// As suits the graph.
    pub(crate) fn of_question(net: &'a Net<'a>, question: &Question) -> Self {
        if net.graph().arcs_count() <= SMALL_ARCS {
            Self::kept(net, question)
        } else {
            Self::weighed(net, question)
        }
    }

    /// Fees and delay of ways to all nodes, for the class of the amount. How arcs are favoured
    /// counts for one request alone: then nothing is kept.
    pub(crate) fn kept(net: &'a Net<'a>, question: &Question) -> Self {
        if question.counts_biases(net) {
            return Self::weighed(net, question);
        }
        let Some(peers) = net.peers() else { return Self::nothing(net) };
        let amount = class_of(question.amount);
        let departure = Departure { peers, amount, risk: question.risk, per_nat: Msat::ZERO };
        let graph = net.graph();
        let found = graph.kept().take(&departure).unwrap_or_else(|| {
            let mut found = Found::new(graph, departure);
            while found.settle(net).is_some() {}
            found
        });
        let radius = UNREACHABLE;
        Self { found: Some(found), is_kept: true, radius, ..Self::nothing(net) }
    }

    /// All that ways cost, looked for while the search goes on.
    pub(crate) fn weighed(net: &'a Net<'a>, question: &Question) -> Self {
        let Some(peers) = net.peers() else { return Self::nothing(net) };
        let Question { amount, risk, per_nat, .. } = *question;
        let departure = Departure { peers, amount, risk, per_nat };
        let (is_biased, home) = (question.counts_biases(net), net.home());
        let found = Found { is_biased, home, ..Found::new(net.graph(), departure) };
        Self { found: Some(found), is_all: false, ..Self::nothing(net) }
    }

    /// Looks on until so many arcs were looked at. More is known of the cost of any node then.
    pub(crate) fn look_until(&mut self, work: u64) {
        let Some(found) = &mut self.found else { return };
        while self.work < work && !self.is_all {
            match found.settle(self.net) {
                Some((radius, work)) => {
                    self.radius = radius;
                    self.work += work;
                }
                None => self.is_all = true,
            }
        }
    }

    /// The least cost to the node with this number, 0 where nothing is known about it; `None`
    /// where no way leads there.
    pub(crate) fn of(&self, node: u32) -> Option<u64> {
        let Some(found) = &self.found else { return Some(0) };
        let Some(least) = found.least.get(node as usize).copied() else { return Some(0) };
        match least {
            UNREACHABLE if self.is_all => None,
            least if self.is_all => Some(least),
            least => Some(least.min(self.radius)),
        }
    }
}

impl Ahead<'_> {
    /// The arcs of the way found to a node, the last first, and the peer that it begins at. `None`
    /// as long as a cheaper one may be found.
    pub(crate) fn way_to(&self, node: u32) -> Option<(Vec<u32>, u32)> {
        let found = self.found.as_ref().filter(|_| !self.is_kept)?;
        let least = *found.least.get(node as usize)?;
        if least == UNREACHABLE || least > self.radius {
            return None;
        }
        let (mut arcs, mut at) = (Vec::new(), node);
        while found.by[at as usize] != NONE {
            let arc = found.by[at as usize];
            arcs.push(arc);
            at = self.net.graph().arc_ends(arc).0;
        }
        Some((arcs, at))
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        if let Some(found) = self.found.take().filter(|_| self.is_kept) {
            self.net.graph().kept().put(found);
        }
    }
}

/// What was found out about one graph, what was asked for last at the end. It follows from the
/// graph: a copy has none, and all are equal.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Found>>);

impl Kept {
    /// What is kept of a departure; nobody else has it meanwhile.
    fn take(&self, departure: &Departure) -> Option<Found> {
        let mut kept = self.lock();
        let place = kept.iter().rposition(|found| found.departure == *departure)?;
        Some(kept.remove(place))
    }

    fn put(&self, found: Found) {
        let mut kept = self.lock();
        if kept.iter().any(|other| other.departure == found.departure) {
            return;
        }
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(found);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}
