//! What planning is asked.

use crate::{Layer, Policy};
use payecs_units::{
    Blocks, ChannelDirection, MicroPercent, Msat, NodeId, Ppm, ShortChannelId, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Most hops of any route: what fits into an onion (BOLT 4) with room for what the last one is
/// told, where that is what every payment tells.
pub const HOPS_MAX: u32 = 20;

/// Something a route must not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exclusion {
    /// A node: neither forwards nor is the first or last hop's other end (payer and payee aside).
    Node(NodeId),
    /// One direction of a channel.
    Channel(ChannelDirection),
}

/// A channel that is not announced, from the invoice (BOLT 11, field `r`): from `node` onward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HintHop {
    /// The node at the near end.
    pub pubkey: NodeId,
    /// The channel (or an alias of it).
    pub short_channel_id: ShortChannelId,
    /// Fee for each HTLC.
    pub fee_base_msat: Msat,
    /// Fee in proportion to the amount.
    pub fee_proportional_millionths: Ppm,
    /// Blocks the near node keeps between the expiries.
    pub cltv_expiry_delta: Blocks,
}

/// A chain of unannounced channels that ends at the destination.
pub type RouteHint = Vec<HintHop>;

/// What one of our own channels can do at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalChannel {
    /// The channel.
    pub short_channel_id: ShortChannelId,
    /// The node at the other end.
    pub peer: NodeId,
    /// What can be spent in one HTLC or several now, reserve and commitment fees taken off.
    pub spendable_msat: Msat,
    /// What could be received.
    pub receivable_msat: Msat,
    /// Smallest HTLC the peer takes.
    pub htlc_minimum_msat: Msat,
    /// Largest HTLC the peer takes.
    pub htlc_maximum_msat: Msat,
    /// How many more HTLCs fit.
    pub free_slots: u32,
    /// How much more may be in HTLCs too small for an output of their own.
    pub dust_room_msat: Msat,
    /// Whether the peer is connected and the channel in use.
    pub usable: bool,
}

/// One question to the planner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The payer: us.
    pub source: NodeId,
    /// The payee. The same as `source` asks for a circle (two hops at least, no channel twice).
    pub destination: NodeId,
    /// What the payee gets, over all routes; above zero.
    pub amount_msat: Msat,
    /// Most that all routes together may cost in fees.
    pub fee_budget_msat: Msat,
    /// Longest expiry of any first hop, `final_cltv_blocks` included.
    pub delay_max_blocks: Blocks,
    /// What the payee asks for on its HTLC (BOLT 11, field `c`), our safety margin included.
    pub final_cltv_blocks: Blocks,
    /// Most routes; above zero.
    pub parts_max: u32,
    /// Most hops of each route: so many as fit into the onion with what its last hop is told.
    /// [`HOPS_MAX`] where less isn't said; more isn't granted.
    #[serde(default = "hops_usual", skip_serializing_if = "is_usual")]
    pub hops_max: u32,
    /// What locked-up money costs, per year: turns delay into a cost.
    pub risk_factor_micro_percent: MicroPercent,
    /// What no route may use.
    pub exclude: Vec<Exclusion>,
    /// Unannounced channels at the far end.
    pub hints: Vec<RouteHint>,
    /// What holds for directions in place of what is announced or hinted, as their nodes said to
    /// this payer alone. Of two entries for one direction the later counts; one for a channel that
    /// is neither announced nor hinted counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<(ChannelDirection, Policy)>,
    /// What the payer counts with beside what is announced and learned.
    #[serde(default, skip_serializing_if = "Layer::is_empty")]
    pub layer: Layer,
    /// Our channels as they are now; every first hop is one of them. Not written where there are
    /// none: whoever has the routes chosen may say them last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local: Vec<LocalChannel>,
    /// Whether the channels that the source announces are first hops too, where `local` doesn't say
    /// more of them: free, and as unknown as any other. For a source that isn't us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced_first_hops: bool,
    /// Only this channel as first hop.
    pub first_hop: Option<ShortChannelId>,
    /// Only this node before the destination.
    pub last_hop: Option<NodeId>,
    /// The moment of asking: knowledge decays towards it.
    pub now: Timestamp,
    /// Routes expire later than they must, as if the way went on over up to three channels behind
    /// the destination (BOLT 7's shadow route), as far as they may take that long. Nothing else
    /// changes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shadow: bool,
    /// Breaks ties between equal routes, so that not all payers choose the same, and draws how long
    /// the shadow is.
    pub seed: u64,
}

impl PlanRequest {
    /// Most hops of a route.
    pub(crate) fn hops_allowed(&self) -> usize {
        self.hops_max.min(HOPS_MAX) as usize
    }

    /// What holds for a direction in place of what is announced or hinted, where its node said so.
    pub(crate) fn told(&self, direction: ChannelDirection) -> Option<&Policy> {
        let told = self.policies.iter().rfind(|(way, _)| *way == direction);
        told.map(|(_, policy)| policy)
    }
}

fn hops_usual() -> u32 {
    HOPS_MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual(hops_max: &u32) -> bool {
    *hops_max == HOPS_MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
