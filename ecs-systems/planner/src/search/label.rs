//! What a search knows of the rest of a way.

use payecs_units::{Blocks, Msat, ShortChannelId};

/// What must arrive at a node so that the rest of the way works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) amount: Msat,
    /// What of the amount counts as it is: all of it. Where edges are favoured, what arrives, or
    /// the largest minimum on the way: no fee makes up for a minimum, so that less never costs
    /// more.
    pub(super) floor: Msat,
    /// What counts beside that: delay and the chance to fail. Where edges are favoured, fees too,
    /// all as much as that makes of it.
    pub(super) side: u64,
    pub(super) cltv: Blocks,
    pub(super) hops: u32,
    pub(super) node: u32,
    /// The edge that leads on from here, and the label it leads to.
    pub(super) edge: u32,
    pub(super) parent: u32,
    /// In a circle: the channel that ends it, which can't also begin it.
    pub(super) last: Option<ShortChannelId>,
    /// Orders equal labels by the seed of the request.
    pub(super) tie: u64,
    /// The label settled at the same node before.
    pub(super) before: u32,
    /// What is still ahead at least: the way from us to the node.
    pub(super) ahead: u64,
    /// Whether nothing that was learned of the edge is counted yet.
    pub(super) is_bare: bool,
}

impl Label {
    pub(super) fn total(&self) -> u64 {
        self.cost().saturating_add(self.ahead)
    }

    /// What the rest of the way costs, and what arrives.
    fn cost(&self) -> u64 {
        self.floor.0.saturating_add(self.side)
    }

    pub(super) fn is_no_worse(&self, other: &Self, exact: bool) -> bool {
        let cheaper =
            self.amount <= other.amount && self.side <= other.side && self.cost() <= other.cost();
        cheaper && (!exact || (self.cltv <= other.cltv && self.hops <= other.hops))
    }
}
