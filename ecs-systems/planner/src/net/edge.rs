//! What a way from a node to the next is, with all that limits it.

use crate::cost::Bounds;
use crate::{Limit, Policy};
use payecs_units::{Blocks, ChannelDirection, Msat, Ppm};

/// A limit that isn't there.
pub(super) const BOUNDLESS: Msat = Msat(u64::MAX);

/// One way from a node to the next, with all that limits it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) direction: ChannelDirection,
    /// What its near end asks for forwarding; nothing where the near end is us.
    pub(crate) fee_base: Msat,
    pub(crate) fee_rate: Ppm,
    pub(crate) cltv_delta: Blocks,
    /// Least and most for one HTLC, as announced.
    pub(crate) min: Msat,
    pub(crate) max: Msat,
    /// The least single HTLC that it refused lately.
    pub(crate) refused: Msat,
    /// Size of the channel; for our own what can be spent (or received, at the end of a circle).
    pub(crate) capacity: Msat,
    pub(crate) bounds: Bounds,
    /// Ours from other plans.
    pub(crate) in_flight: Msat,
    pub(crate) slots: u32,
    /// Edges of one direction (announced and hinted) share what they carry: the same number.
    pub(crate) lane: u32,
    /// How it is favoured.
    pub(crate) bias: i8,
    /// Why it may not be used at all.
    pub(crate) blocked: Option<Limit>,
}

impl Edge {
    /// One that asks for nothing, of which nothing is known.
    pub(super) fn plain(
        direction: ChannelDirection,
        (from, to): (u32, u32),
        capacity: Msat,
    ) -> Self {
        Self {
            from,
            to,
            direction,
            fee_base: Msat::ZERO,
            fee_rate: Ppm(0),
            cltv_delta: Blocks(0),
            min: Msat::ZERO,
            max: BOUNDLESS,
            refused: BOUNDLESS,
            capacity,
            bounds: Bounds { lo: Msat::ZERO, hi: capacity },
            in_flight: Msat::ZERO,
            slots: u32::MAX,
            lane: 0,
            bias: 0,
            blocked: None,
        }
    }

    /// The edge on the terms of a policy.
    pub(super) fn under(self, policy: &Policy) -> Self {
        Self {
            fee_base: policy.fee_base_msat,
            fee_rate: policy.fee_rate,
            cltv_delta: policy.cltv_delta,
            min: policy.htlc_minimum_msat,
            max: policy.htlc_maximum_msat,
            blocked: (!policy.enabled).then_some(Limit::Excluded).or(self.blocked),
            ..self
        }
    }
}

/// An edge that a search may go back over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) number: u32,
    pub(crate) edge: Edge,
    /// Whether the edge is as if nothing had been learned of it, and nothing excluded.
    pub(crate) is_bare: bool,
}
