//! A graph as a store.

use crate::message::{
    CHANNEL_AMOUNT, CHANNEL_ANNOUNCEMENT, CHANNEL_UPDATE, Chain, DIRECTION_ONE, DISABLED,
    HAS_MAXIMUM, STORE_UUID,
};
use crate::record::{COMPLETED, VERSION, checksum};
use payecs_planner::{Channel, Graph, Policy};
use payecs_units::{ChannelDirection, Direction, ShortChannelId};

const MSAT_PER_SATOSHI: u64 = 1_000;
const SIGNATURE_BYTES: usize = 64;
const CHAIN: Chain = [0; 32];

/// A channel that the format has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The capacity is no whole number of satoshi.
    #[error("channel {scid}: its capacity is no whole number of satoshi")]
    Capacity {
        /// Which one.
        scid: ShortChannelId,
    },
    /// A fee base of 2³² msat or more, or a delta of 2¹⁶ blocks or more.
    #[error("{direction}: its fee base or delta is above what an update can say")]
    Policy {
        /// Of which direction.
        direction: ChannelDirection,
    },
}

/// The store of a graph, in version 16: `read` makes the same graph of it. For tests and
/// simulations: signatures, chain, timestamps and the keys of the funding output are zero.
///
/// # Errors
/// [`Unwritable`], of the first such channel.
pub fn write(graph: &Graph) -> Result<Vec<u8>, Unwritable> {
    let mut store = vec![VERSION];
    let mut uuid = STORE_UUID.to_be_bytes().to_vec();
    uuid.extend([0; 32]);
    append(&mut store, &uuid);
    for channel in graph.channels() {
        let scid = channel.short_channel_id;
        append(&mut store, &announcement(&channel));
        if channel.capacity.0 % MSAT_PER_SATOSHI != 0 {
            return Err(Unwritable::Capacity { scid });
        }
        let mut amount = CHANNEL_AMOUNT.to_be_bytes().to_vec();
        amount.extend((channel.capacity.0 / MSAT_PER_SATOSHI).to_be_bytes());
        append(&mut store, &amount);
        for direction in [Direction::Zero, Direction::One] {
            let direction = ChannelDirection { scid, direction };
            if let Some(policy) = graph.policy(direction) {
                let update =
                    update(direction, policy, 0, &CHAIN).ok_or(Unwritable::Policy { direction })?;
                append(&mut store, &update);
            }
        }
    }
    Ok(store)
}

fn append(store: &mut Vec<u8>, message: &[u8]) {
    let length = u16::try_from(message.len()).expect("our messages are short");
    store.extend(COMPLETED.to_be_bytes());
    store.extend(length.to_be_bytes());
    store.extend(checksum(0, message).to_be_bytes());
    store.extend([0; 4]);
    store.extend(message);
}

fn announcement(channel: &Channel) -> Vec<u8> {
    let mut message = CHANNEL_ANNOUNCEMENT.to_be_bytes().to_vec();
    message.extend([0; 4 * SIGNATURE_BYTES]);
    // No features.
    message.extend([0; 2]);
    message.extend(CHAIN);
    message.extend(channel.short_channel_id.0.to_be_bytes());
    message.extend(channel.node_a.0);
    message.extend(channel.node_b.0);
    // The two keys of the funding output.
    message.extend([0; 66]);
    message
}

/// A message without a signature. `None`: it has no room for the policy.
pub(crate) fn update(
    way: ChannelDirection,
    policy: &Policy,
    timestamp_s: u32,
    chain: &Chain,
) -> Option<Vec<u8>> {
    let mut message = CHANNEL_UPDATE.to_be_bytes().to_vec();
    message.extend([0; SIGNATURE_BYTES]);
    message.extend(chain);
    message.extend(way.scid.0.to_be_bytes());
    message.extend(timestamp_s.to_be_bytes());
    let one = if way.direction == Direction::One { DIRECTION_ONE } else { 0 };
    let disabled = if policy.enabled { 0 } else { DISABLED };
    message.extend([HAS_MAXIMUM, one | disabled]);
    message.extend(u16::try_from(policy.cltv_delta.0).ok()?.to_be_bytes());
    message.extend(policy.htlc_minimum_msat.0.to_be_bytes());
    message.extend(u32::try_from(policy.fee_base_msat.0).ok()?.to_be_bytes());
    message.extend(policy.fee_rate.0.to_be_bytes());
    message.extend(policy.htlc_maximum_msat.0.to_be_bytes());
    Some(message)
}
