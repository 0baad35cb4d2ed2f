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

#[cfg(test)]
mod tests;

use crate::ahead::Ahead;
use crate::cost::{delay_cost, failure_cost};
use crate::net::{Edge, Net, Way};
use crate::path::{HOPS_MAX, Load, Path};
use crate::rng::scramble;
use payecs_units::{Blocks, MicroPercent, Msat, ShortChannelId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most labels kept at one node, and made in one search: beyond them, the dearest are dropped and
/// the answer is no longer surely the best.
const LABELS_PER_NODE_MAX: u32 = 32;
const LABELS_MAX: usize = 1_000_000;
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
}

impl Question {
    /// Whether nothing but the fee counts.
    fn is_of_fees(&self) -> bool {
        self.per_nat == Msat::ZERO && self.risk == MicroPercent(0)
    }
}

/// What must arrive at a node so that the rest of the way works.
#[derive(Clone, Copy, Debug)]
struct Label {
    amount: Msat,
    /// What is no fee: delay and the chance to fail.
    side: u64,
    cltv: Blocks,
    hops: u32,
    node: u32,
    /// The edge that leads on from here, and the label it leads to.
    edge: u32,
    parent: u32,
    /// In a circle: the channel that ends it, which can't also begin it.
    last: Option<ShortChannelId>,
    /// Orders equal labels by the seed of the request.
    tie: u64,
    /// The label settled at the same node before.
    before: u32,
    /// What is still ahead at least: the way from us to the node.
    ahead: u64,
    /// Whether nothing that was learned of the edge is counted yet.
    is_bare: bool,
}

impl Label {
    fn total(&self) -> u128 {
        u128::from(self.amount.0) + u128::from(self.side) + u128::from(self.ahead)
    }

    fn is_no_worse(&self, other: &Self, exact: bool) -> bool {
        let cheaper = self.amount <= other.amount && self.side <= other.side;
        cheaper && (!exact || (self.cltv <= other.cltv && self.hops <= other.hops))
    }
}

/// The path of least fee + delay cost + failure cost within the limits, on top of `load`.
///
/// Limits of delay and hops rarely bind: a first search ignores them. Where it finds nothing, there
/// is nothing; where its path keeps them, that is the best one. Else a second search keeps them,
/// and compares labels by delay and hops too.
pub(crate) fn cheapest(net: &Net<'_>, load: &Load, question: &Question) -> Option<Path> {
    cheapest_by(net, load, question, &net.ahead(question.amount, question.risk))
}

/// The same by bounds on what is ahead. Which bounds changes how long it takes, and which of equal
/// paths it is.
pub(crate) fn cheapest_by(
    net: &Net<'_>,
    load: &Load,
    question: &Question,
    ahead: &Ahead,
) -> Option<Path> {
    let edges = Search::new(net, load, question, ahead, false).run()?;
    let path = Path::priced(net, &edges, question.amount)?;
    if path.delay() <= question.delay_max && edges.len() <= HOPS_MAX {
        return Some(path);
    }
    let edges = Search::new(net, load, question, ahead, true).run()?;
    Path::priced(net, &edges, question.amount)
}

struct Search<'a> {
    net: &'a Net<'a>,
    load: &'a Load,
    question: &'a Question,
    ahead: &'a Ahead,
    /// Whether delay and hops are limited, and compared.
    exact: bool,
    labels: Vec<Label>,
    /// For each node the label settled last.
    settled: Vec<u32>,
    heap: BinaryHeap<Reverse<(u128, u64, u32)>>,
}

impl<'a> Search<'a> {
    fn new(
        net: &'a Net<'a>,
        load: &'a Load,
        question: &'a Question,
        ahead: &'a Ahead,
        exact: bool,
    ) -> Self {
        Self {
            net,
            load,
            question,
            ahead,
            exact,
            labels: Vec::with_capacity(LABELS_USUAL),
            settled: vec![NONE; net.nodes_count as usize],
            heap: BinaryHeap::with_capacity(LABELS_USUAL),
        }
    }

    /// The edges of the best path in travelling order.
    fn run(mut self) -> Option<Vec<u32>> {
        let root = Label {
            amount: self.question.amount,
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
        };
        if root.cltv > self.question.delay_max {
            return None;
        }
        self.push(root);
        while let Some(Reverse((_, _, index))) = self.heap.pop() {
            let label = self.labels[index as usize];
            if label.node == self.net.start {
                return Some(self.edges_from(&label));
            }
            if self.is_dominated(&label) {
                continue;
            }
            let Some(label) = self.weighed(index, label) else { continue };
            let head = &mut self.settled[label.node as usize];
            self.labels[index as usize].before = *head;
            *head = index;
            let net = self.net;
            for (edge, near) in net.ways_to(label.node) {
                if self.is_needless(&label, near) {
                    continue;
                }
                let way = net.way(edge, near, label.node);
                if let Some(next) = way.and_then(|way| self.extended(index, &label, &way))
                    && !self.is_dominated(&next)
                {
                    self.push(next);
                }
            }
        }
        None
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
        self.labels[index as usize] = whole;
        if whole.total() == label.total() {
            return Some(whole);
        }
        self.heap.push(Reverse((whole.total(), whole.tie, index)));
        None
    }

    fn push(&mut self, label: Label) {
        if self.labels.len() < LABELS_MAX {
            let index = crate::graph::number(self.labels.len());
            self.heap.push(Reverse((label.total(), label.tie, index)));
            self.labels.push(label);
        }
    }

    /// Whether `label` would be dominated at `node` even if it cost nothing to go there.
    fn is_needless(&self, label: &Label, node: u32) -> bool {
        let settled = self.settled[node as usize] != NONE;
        settled && label.parent != NONE && self.is_dominated(&Label { node, ..*label })
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
        let need = amount.checked_add(amount.forwarding_fee(edge.fee_base, edge.fee_rate)?)?;
        let ahead = if edge.from == self.net.start { 0 } else { self.ahead.of(edge.from)? };
        let fee_ahead = if self.question.is_of_fees() { ahead } else { 0 };
        let fee = need.checked_sub(self.question.amount)?.checked_add(Msat(fee_ahead))?;
        if fee > self.question.fee_max {
            return None;
        }
        let (cltv, hops) = (label.cltv.checked_add(edge.cltv_delta)?, label.hops + 1);
        if self.exact && (cltv > self.question.delay_max || hops as usize > HOPS_MAX) {
            return None;
        }
        let per_nat = self.question.per_nat;
        let failing = match per_nat {
            Msat::ZERO => 0,
            _ if way.is_bare => 0,
            _ => failure_cost(edge.bounds.neg_ln_micro(flying, amount)?, per_nat)?,
        };
        let waiting = delay_cost(need, edge.cltv_delta, self.question.risk)?;
        Some(Label {
            amount: need,
            side: label.side.checked_add(failing)?.checked_add(waiting)?,
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
