//! What LND's `describegraph` answers: an item for each channel, with a policy of each of its ends.

use super::{Making, fields::Item};
use crate::import::ImportError;
use payecs_planner::Policy;
use payecs_units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId};

const MSAT_PER_SATOSHI: u64 = 1_000;

pub(super) fn take(making: &mut Making, item: &Item<'_>) -> Result<(), ImportError> {
    // As on the wire: block, transaction and output in 64 bits.
    let scid = ShortChannelId(item.number("channel_id")?);
    let ends = [item.node("node1_pub")?, item.node("node2_pub")?];
    let capacity = item.number("capacity")?.checked_mul(MSAT_PER_SATOSHI).map(Msat);
    let capacity = capacity.ok_or_else(|| item.wrong("capacity", "is more than 2^64-1 msat"))?;
    if capacity == Msat::ZERO {
        making.leave_out("channels whose capacity nobody knows");
        return Ok(());
    }
    let added = making.edges.add_channel(scid, ends[0], ends[1], capacity);
    added.map_err(|error| ImportError::Graph { place: item.place(), error })?;
    for (name, from, to) in [("node1_policy", 0, 1), ("node2_policy", 1, 0)] {
        let Some(announced) = item.inner(name)? else { continue };
        let way = way(scid, ends[from], ends[to]);
        let policy = policy(&announced, capacity)?;
        making.edges.set_policy(way, policy).expect("the channel was just added");
    }
    Ok(())
}

fn way(scid: ShortChannelId, from: NodeId, to: NodeId) -> ChannelDirection {
    ChannelDirection { scid, direction: Direction::between(&from, &to) }
}

/// A policy. Without `max_htlc_msat`, or where it is 0, the whole capacity may go. Fees that a node
/// takes off what comes in by other channels (`inbound_fee…`) are nothing that BOLT 7 has.
fn policy(item: &Item<'_>, capacity: Msat) -> Result<Policy, ImportError> {
    let maximum = Msat(item.number_or("max_htlc_msat", 0)?);
    Ok(Policy {
        enabled: !item.flag_or("disabled", false)?,
        fee_base_msat: Msat(item.number("fee_base_msat")?),
        fee_rate: item.ppm("fee_rate_milli_msat")?,
        cltv_delta: item.blocks("time_lock_delta")?,
        htlc_minimum_msat: Msat(item.number_or("min_htlc", 0)?),
        htlc_maximum_msat: if maximum == Msat::ZERO { capacity } else { maximum },
    })
}
