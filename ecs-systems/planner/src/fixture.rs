//! Small networks for tests.

use crate::{Graph, GraphBuilder, HOPS_MAX, Layer, LocalChannel, PlanRequest, Policy};
use payecs_units::{
    Blocks, ChannelDirection, Direction, MicroPercent, Msat, NodeId, Ppm, ShortChannelId, Timestamp,
};

/// A node for a letter; ids are in the order of letters.
pub(crate) fn node(letter: char) -> NodeId {
    let mut bytes = [2; 33];
    bytes[32] = u8::try_from(letter).unwrap();
    NodeId(bytes)
}

/// `channel` from `from` to `to`.
pub(crate) fn way(channel: u64, from: char, to: char) -> ChannelDirection {
    let direction = Direction::between(&node(from), &node(to));
    ChannelDirection { scid: ShortChannelId(channel), direction }
}

pub(crate) fn policy(base: u64, rate: u32, delta: u32) -> Policy {
    Policy {
        enabled: true,
        fee_base_msat: Msat(base),
        fee_rate: Ppm(rate),
        cltv_delta: Blocks(delta),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(u64::MAX),
    }
}

/// A graph from rows `(channel, from, to, capacity, policy)`; the way back has no policy. A row
/// for a channel that is there sets the policy that way.
pub(crate) fn graph(rows: &[(u64, char, char, u64, Policy)]) -> Graph {
    let mut builder = GraphBuilder::new();
    for (channel, from, to, capacity, policy) in rows {
        let scid = ShortChannelId(*channel);
        let _ = builder.add_channel(scid, node(*from), node(*to), Msat(*capacity));
        builder.set_policy(way(*channel, *from, *to), policy.clone()).unwrap();
    }
    builder.build()
}

/// A channel of ours that can spend and receive this.
pub(crate) fn local(channel: u64, peer: char, spendable: u64, receivable: u64) -> LocalChannel {
    LocalChannel {
        short_channel_id: ShortChannelId(channel),
        peer: node(peer),
        spendable_msat: Msat(spendable),
        receivable_msat: Msat(receivable),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(u64::MAX),
        free_slots: 30,
        dust_room_msat: Msat(u64::MAX),
        usable: true,
    }
}

/// From A to `to`, with limits that don't bind.
pub(crate) fn request(to: char, amount: u64, local: Vec<LocalChannel>) -> PlanRequest {
    PlanRequest {
        source: node('A'),
        destination: node(to),
        amount_msat: Msat(amount),
        fee_budget_msat: Msat(amount),
        delay_max_blocks: Blocks(2_016),
        final_cltv_blocks: Blocks(18),
        parts_max: 10,
        hops_max: HOPS_MAX,
        risk_factor_micro_percent: MicroPercent(10_000_000),
        exclude: Vec::new(),
        hints: Vec::new(),
        policies: Vec::new(),
        layer: Layer::default(),
        shadow: false,
        local,
        announced_first_hops: false,
        first_hop: None,
        last_hop: None,
        now: Timestamp(1_000_000),
        seed: 0,
    }
}
