//! What Core Lightning's `listchannels` answers: an item for each direction that has an update.

use super::{Making, fields::Item};
use crate::import::ImportError;
use payecs_planner::{Graph, GraphBuilder, Policy};
use payecs_units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId};
use std::collections::BTreeMap;

/// The bit of `channel_flags` of a direction that can't be used.
const DISABLED: u64 = 2;

/// The directions so far, by channel.
#[derive(Debug, Default)]
pub(super) struct Channels(BTreeMap<ShortChannelId, Known>);

/// What is known of a channel.
#[derive(Debug)]
struct Known {
    nodes: [NodeId; 2],
    capacity: Msat,
    /// Each with when it was announced, in seconds since 1970.
    policies: [Option<(u64, Policy)>; 2],
}

impl Channels {
    pub(super) fn into_graph(self) -> Graph {
        let mut builder = GraphBuilder::new();
        for (scid, Known { nodes: [node_a, node_b], capacity, policies }) in self.0 {
            let added = builder.add_channel(scid, node_a, node_b, capacity);
            added.expect("each channel once, and its ends differ");
            for (direction, policy) in [Direction::Zero, Direction::One].into_iter().zip(policies) {
                if let Some((_, policy)) = policy {
                    let way = ChannelDirection { scid, direction };
                    builder.set_policy(way, policy).expect("the channel was just added");
                }
            }
        }
        builder.build()
    }
}

pub(super) fn take(making: &mut Making, item: &Item<'_>) -> Result<(), ImportError> {
    if !item.flag_or("public", true)? {
        making.leave_out("directions of channels that are not announced");
        return Ok(());
    }
    let scid = item.scid("short_channel_id")?;
    let (source, destination) = (item.node("source")?, item.node("destination")?);
    if source == destination {
        return Err(item.wrong("destination", "is the same node as `source`"));
    }
    let direction = Direction::between(&source, &destination);
    let bit = u64::from(direction.bit());
    if item.number_or("direction", bit)? != bit {
        let what = format!("is not {bit}, which `source` and `destination` come to");
        return Err(item.wrong("direction", what));
    }
    let capacity = capacity(item)?;
    let at = item.number_or("last_update", 0)?;
    let policy = policy(item)?;
    let nodes = [source.min(destination), source.max(destination)];
    let channels = &mut making.channels.0;
    let new = || Known { nodes, capacity, policies: [None, None] };
    let known = channels.entry(scid).or_insert_with(new);
    let differs = |what| ImportError::Contradiction { place: item.place(), scid, what };
    if known.nodes != nodes {
        return Err(differs("an end"));
    }
    if known.capacity != capacity {
        return Err(differs("the capacity"));
    }
    let place = &mut known.policies[usize::from(direction.bit())];
    let is_newest = place.as_ref().is_none_or(|(before, _)| *before <= at);
    let had_one = place.is_some();
    if is_newest {
        *place = Some((at, policy));
    }
    if had_one {
        making.leave_out("directions with a newer update");
    }
    Ok(())
}

fn capacity(item: &Item<'_>) -> Result<Msat, ImportError> {
    let capacity = if item.has("amount_msat") {
        item.msat("amount_msat")?
    } else if item.has("satoshis") {
        let satoshi = item.number("satoshis")?;
        let msat = satoshi.checked_mul(1_000).map(Msat);
        msat.ok_or_else(|| item.wrong("satoshis", "is more than 2^64-1 msat"))?
    } else {
        return Err(item.wrong("amount_msat", "is missing"));
    };
    if capacity == Msat::ZERO {
        return Err(item.wrong("amount_msat", "is 0: no channel is that small"));
    }
    Ok(capacity)
}

fn policy(item: &Item<'_>) -> Result<Policy, ImportError> {
    let by_flags = item.number_or("channel_flags", 0)? & DISABLED == 0;
    let capacity = capacity(item)?;
    let minimum = "htlc_minimum_msat";
    let maximum = "htlc_maximum_msat";
    Ok(Policy {
        enabled: item.flag_or("active", by_flags)?,
        fee_base_msat: Msat(item.number("base_fee_millisatoshi")?),
        fee_rate: item.ppm("fee_per_millionth")?,
        cltv_delta: item.blocks("delay")?,
        htlc_minimum_msat: if item.has(minimum) { item.msat(minimum)? } else { Msat::ZERO },
        htlc_maximum_msat: if item.has(maximum) { item.msat(maximum)? } else { capacity },
    })
}
