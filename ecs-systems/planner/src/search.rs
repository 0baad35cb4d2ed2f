//! The cheapest path for one part: from the destination backward, so that fees are exact.
//!
//! A label is what must arrive at a node, and what the rest of the way costs. Going one edge back
//! never makes any of it smaller (an HTLC below a minimum is raised to it), so a label that is no
//! better than another at the same node in every respect can be dropped: what is left is exact,
//! visits no node twice, and meets every limit that can be met.
//!
//! Labels are taken up in the order of what they cost and what is ahead of them at least
//! ([`crate::ahead`]). What was learned of an edge, and what is excluded, never makes it cheaper:
//! it is looked up once the label over that edge is next, which most never are.

mod label;
#[cfg(test)]
mod tests;

use crate::ahead::Ahead;
use crate::cost::{biased, delay_at_least, delay_cost, delay_rate_q32, failure_cost};
use crate::graph::Toll;
use crate::net::{Edge, Net, Way};
use crate::path::{Load, Path};
use crate::rng::scramble;
use label::Label;
use payecs_units::{Blocks, MicroPercent, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most labels kept at one node: beyond them, the dearest are dropped and the answer is no longer
/// surely the best.
const LABELS_PER_NODE_MAX: u32 = 32;
/// Most labels that any search may make.
pub(crate) const LABELS_MAX: usize = 1_000_000;
/// So many arcs are looked at from us outward for each on the way back: that is quicker.
const OUTWARD: u64 = 4;
/// Room for as many labels as most searches make.
const LABELS_USUAL: usize = 512;
/// No label, no edge.
const NONE: u32 = u32::MAX;

/// What a path is to deliver, within which limits, and what counts how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) amount: Msat,
    pub(crate) fee_max: Msat,
    pub(crate) delay_max: Blocks,
    /// What −ln P = 1 is worth.
    pub(crate) per_nat: Msat,
    pub(crate) risk: MicroPercent,
    /// A search that makes more labels is given up.
    pub(crate) labels_max: usize,
}

impl Question {
    /// Whether nothing but the fee counts.
    fn is_of_fees(&self) -> bool {
        self.per_nat == Msat::ZERO && self.risk == MicroPercent(0)
    }

    /// Whether it counts how edges are favoured: not where nothing but the fee counts.
    pub(crate) fn counts_biases(&self, net: &Net<'_>) -> bool {
        net.is_biased() && !self.is_of_fees()
    }
}

/// The path of least fee + delay cost + failure cost within the limits, on top of `load`.
///
/// Limits of delay and hops rarely bind: a first search ignores them. Where it finds nothing, there
/// is nothing; where its path keeps them, that is the best one. Else a second search keeps them,
/// and compares labels by delay and hops too.
pub(crate) fn cheapest(net: &Net<'_>, load: &Load, question: &Question) -> Option<Path> {
    cheapest_by(net, load, question, &mut Ahead::of_question(net, question))
}

/// The same by bounds on what is ahead. Which bounds changes how long it takes, and which of equal
/// paths it is.
pub(crate) fn cheapest_by(
    net: &Net<'_>,
    load: &Load,
    question: &Question,
    ahead: &mut Ahead<'_>,
) -> Option<Path> {
    let edges = Search::new(net, load, question, ahead, false).run()?;
    let path = Path::priced(net, &edges, question.amount)?;
    if path.delay() <= question.delay_max && edges.len() <= net.hops_max() {
        return Some(path);
    }
    let edges = Search::new(net, load, question, ahead, true).run()?;
    Path::priced(net, &edges, question.amount)
}

struct Search<'a, 'b> {
    net: &'a Net<'a>,
    load: &'a Load,
    question: &'a Question,
    ahead: &'a mut Ahead<'b>,
    delay_rate_q32: u64,
    /// How many arcs were looked at.
    work: u64,
    /// What some path costs: no dearer label is of use.
    limit: u64,
    /// Whether it counts how edges are favoured.
    is_biased: bool,
    /// Whether delay and hops are limited, and compared.
    exact: bool,
    labels: Vec<Label>,
    /// For each node the label settled last.
    settled: Vec<u32>,
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
}

impl<'a, 'b> Search<'a, 'b> {
    fn new(
        net: &'a Net<'a>,
        load: &'a Load,
        question: &'a Question,
        ahead: &'a mut Ahead<'b>,
        exact: bool,
    ) -> Self {
        Self {
            net,
            load,
            question,
            ahead,
            delay_rate_q32: delay_rate_q32(question.amount, question.risk),
            work: 0,
            limit: u64::MAX,
            is_biased: question.counts_biases(net),
            exact,
            labels: Vec::with_capacity(LABELS_USUAL),
            settled: vec![NONE; net.nodes_count as usize],
            heap: BinaryHeap::with_capacity(LABELS_USUAL),
        }
    }

    /// The edges of the best path in travelling order.
    fn run(mut self) -> Option<Vec<u32>> {
        let root = self.root();
        if root.cltv > self.question.delay_max {
            return None;
        }
        self.push(root);
        while let Some(Reverse((_, _, index))) = self.heap.pop() {
            let label = self.labels[index as usize];
            if self.labels.len() > self.question.labels_max {
                return None;
            }
            if label.node == self.net.start {
                return Some(self.edges_from(&label));
            }
            if self.is_dominated(&label) {
                continue;
            }
            let Some(label) = self.looked_ahead(index, label) else { continue };
            let Some(label) = self.weighed(index, label) else { continue };
            let head = &mut self.settled[label.node as usize];
            self.labels[index as usize].before = *head;
            *head = index;
            self.spread(index, &label);
        }
        None
    }

    fn root(&self) -> Label {
        Label {
            amount: self.question.amount,
            floor: self.question.amount,
            side: 0,
            cltv: self.net.request.final_cltv_blocks,
            hops: 0,
            node: self.net.goal,
            edge: NONE,
            parent: NONE,
            last: None,
            tie: scramble(self.net.request.seed),
            before: NONE,
            ahead: 0,
            is_bare: false,
        }
    }

    /// What the way costs that was found from us outward, where it keeps all limits.
    fn found_outward(&self) -> Option<u64> {
        let (arcs, peer) = self.ahead.way_to(self.net.goal)?;
        let announced = |label: Label, arc: &u32| {
            let way = Way { number: *arc, edge: self.net.edge(*arc), is_bare: false };
            self.extended(0, &label, &way)
        };
        let label = arcs.iter().try_fold(self.root(), announced)?;
        let ours = self.net.more_to(peer).filter(|(_, from)| *from == self.net.start);
        let ways = ours.map(|(number, _)| self.net.more_way(number));
        ways.filter_map(|way| Some(self.extended(0, &label, &way)?.total())).min()
    }

    /// Goes back over every edge that ends where `label` is.
    fn spread(&mut self, index: u32, label: &Label) {
        let net = self.net;
        let is_home = net.is_home(label.node);
        self.work += 1;
        for (edge, toll) in net.tolls_to(label.node) {
            self.work += 1;
            if !is_home && self.is_needless(label, edge, toll) {
                continue;
            }
            let way = net.way(edge, toll.far, label.node);
            self.go_back(index, label, way);
        }
        for (edge, _) in net.more_to(label.node) {
            self.go_back(index, label, Some(net.more_way(edge)));
        }
    }

    fn go_back(&mut self, index: u32, label: &Label, way: Option<Way>) {
        if let Some(next) = way.and_then(|way| self.extended(index, label, &way))
            && !self.is_dominated(&next)
        {
            self.push(next);
        }
    }

    /// The label with what is known of the way ahead by now; `None` where that forbids it, or is
    /// more than was known, so that others may come first.
    fn looked_ahead(&mut self, index: u32, label: Label) -> Option<Label> {
        self.ahead.look_until(self.work.saturating_mul(OUTWARD));
        if self.limit == u64::MAX {
            self.limit = self.found_outward().unwrap_or(u64::MAX);
        }
        if label.parent == NONE {
            return Some(label);
        }
        let ahead = self.ahead.of(label.node)?;
        if ahead <= label.ahead {
            return Some(label);
        }
        let label = Label { ahead, ..label };
        if self.is_too_dear(label.amount, ahead) {
            return None;
        }
        self.again(index, label);
        None
    }

    /// Puts a label back that others may come before.
    fn again(&mut self, index: u32, label: Label) {
        self.labels[index as usize] = label;
        if label.total() <= self.limit {
            self.heap.push(Reverse((label.total(), label.tie, index)));
        }
    }

    /// Whether a way that needs so much here, with so much ahead, costs more than it may.
    fn is_too_dear(&self, need: Msat, ahead: u64) -> bool {
        // What is ahead is no fee alone.
        let ahead = if self.question.is_of_fees() { ahead } else { 0 };
        let fee = need.0.saturating_sub(self.question.amount.0).saturating_add(ahead);
        fee > self.question.fee_max.0
    }

    /// The label with what is known of its edge; `None` where that forbids it, or makes it dearer
    /// so that others may come first.
    fn weighed(&mut self, index: u32, label: Label) -> Option<Label> {
        if !label.is_bare {
            return Some(label);
        }
        let parent = self.labels[label.parent as usize];
        let way = Way { number: label.edge, edge: self.net.edge(label.edge), is_bare: false };
        let whole = self.extended(label.parent, &parent, &way)?;
        if whole.total() == label.total() {
            self.labels[index as usize] = whole;
            return Some(whole);
        }
        self.again(index, whole);
        None
    }

    fn push(&mut self, label: Label) {
        if label.total() <= self.limit {
            let index = crate::graph::number(self.labels.len());
            self.heap.push(Reverse((label.total(), label.tie, index)));
            self.labels.push(label);
        }
    }

    /// Whether going on over an arc can't lead to anything, by what is read of it first.
    fn is_needless(&self, label: &Label, arc: u32, toll: &Toll) -> bool {
        if !toll.is_open_for(label.amount) {
            return true;
        }
        let Some(fee) = toll.fee(label.amount) else { return true };
        let amount = Msat(label.amount.0.saturating_add(fee));
        let waiting = delay_at_least(self.delay_rate_q32, toll.cltv_delta());
        let (floor, more) = if self.is_biased {
            (label.floor, biased(self.net.bias(arc), fee.saturating_add(waiting)))
        } else {
            (amount, waiting)
        };
        let side = label.side.saturating_add(more);
        let Some(ahead) = self.ahead.of(toll.far) else { return true };
        if floor.0.saturating_add(side).saturating_add(ahead) > self.limit {
            return true;
        }
        // A circle's first channel matters to its last one.
        if label.parent == NONE || self.settled[toll.far as usize] == NONE {
            return false;
        }
        let cltv = label.cltv.checked_add(toll.cltv_delta()).unwrap_or(label.cltv);
        let hops = label.hops + 1;
        self.is_dominated(&Label { node: toll.far, amount, floor, side, cltv, hops, ..*label })
    }

    /// Whether the labels settled at its node make `label` needless. In a circle it takes one that
    /// ends by the same channel, or two that end by different ones: one of them can go on whatever
    /// channel begins the circle.
    fn is_dominated(&self, label: &Label) -> bool {
        let mut other_last = None;
        let mut seen = 0;
        let mut next = self.settled[label.node as usize];
        while next != NONE {
            let settled = &self.labels[next as usize];
            if settled.is_no_worse(label, self.exact) {
                let last = settled.last;
                if last == label.last || other_last.is_some_and(|it| it != last) {
                    return true;
                }
                other_last = Some(last);
            }
            seen += 1;
            next = settled.before;
        }
        seen >= LABELS_PER_NODE_MAX
    }

    /// The label at the near end of `way` when the way goes on with `label` at its far end;
    /// `None` where a limit forbids it.
    fn extended(&self, index: u32, label: &Label, way: &Way) -> Option<Label> {
        let edge = &way.edge;
        let at_goal = label.parent == NONE;
        let amount = if at_goal { label.amount } else { label.amount.max(edge.min) };
        let flying = self.load.room(edge, amount)?;
        let channel = edge.direction.scid;
        let last = match label.last {
            None => (at_goal && self.net.is_circle()).then_some(channel),
            Some(last) if last == channel => return None,
            last => last,
        };
        let fee = amount.forwarding_fee(edge.fee_base, edge.fee_rate)?;
        let need = amount.checked_add(fee)?;
        let ahead = if edge.from == self.net.start { 0 } else { self.ahead.of(edge.from)? };
        if self.is_too_dear(need, ahead) {
            return None;
        }
        let (cltv, hops) = (label.cltv.checked_add(edge.cltv_delta)?, label.hops + 1);
        if self.exact && (cltv > self.question.delay_max || hops as usize > self.net.hops_max()) {
            return None;
        }
        let per_nat = self.question.per_nat;
        let failing = match per_nat {
            Msat::ZERO => 0,
            _ if way.is_bare => 0,
            _ => failure_cost(edge.bounds.neg_ln_micro(flying, amount)?, per_nat)?,
        };
        let waiting = delay_cost(need, edge.cltv_delta, self.question.risk)?;
        let beside = failing.checked_add(waiting)?;
        let (floor, more) = if self.is_biased {
            (label.floor.max(edge.min), biased(edge.bias, fee.0.checked_add(beside)?))
        } else {
            (need, beside)
        };
        Some(Label {
            amount: need,
            floor,
            side: label.side.checked_add(more)?,
            cltv,
            hops,
            node: edge.from,
            edge: way.number,
            parent: index,
            last,
            tie: scramble(label.tie ^ identity(edge)),
            before: NONE,
            ahead,
            is_bare: way.is_bare,
        })
    }

    fn edges_from(&self, label: &Label) -> Vec<u32> {
        let mut edges = Vec::with_capacity(label.hops as usize);
        let mut at = label;
        while at.parent != NONE {
            edges.push(at.edge);
            at = &self.labels[at.parent as usize];
        }
        edges
    }
}

/// The same for an edge whatever its place in the net.
fn identity(edge: &Edge) -> u64 {
    scramble(edge.direction.scid.0 << 1 | u64::from(edge.direction.direction.bit()))
}
