//! The messages of a store, as far as a graph needs them.

use crate::record::at;
use payecs_planner::Policy;
use payecs_units::{Blocks, Direction, Msat, NodeId, Ppm, ShortChannelId};

pub(crate) const CHANNEL_ANNOUNCEMENT: u16 = 256;
pub(crate) const CHANNEL_UPDATE: u16 = 258;
pub(crate) const CHANNEL_AMOUNT: u16 = 4101;
pub(crate) const DELETE_CHANNEL: u16 = 4103;
pub(crate) const ENDED: u16 = 4105;
pub(crate) const STORE_UUID: u16 = 4107;

/// The type, then four signatures.
pub(crate) const ANNOUNCED_FEATURES_AT: usize = 2 + 4 * 64;
/// The type, then a signature.
pub(crate) const UPDATED_CHAIN_AT: usize = 2 + 64;
/// The bit of `message_flags` with which `htlc_maximum_msat` is there.
pub(crate) const HAS_MAXIMUM: u8 = 1;
/// The bit of `channel_flags` that says which direction.
pub(crate) const DIRECTION_ONE: u8 = 1;
/// The bit of `channel_flags` of a direction that can't be used.
pub(crate) const DISABLED: u8 = 2;

/// Which block chain a message is about: its genesis block.
pub type Chain = [u8; 32];

/// A message that means something for a graph.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Announcement(Announcement),
    Update(Update),
    Amount {
        satoshi: u64,
    },
    Closed(ShortChannelId),
    Ended,
    /// Of a type that no graph needs.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    pub(crate) chain: Chain,
    pub(crate) scid: ShortChannelId,
    pub(crate) nodes: [NodeId; 2],
}

#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) chain: Chain,
    pub(crate) scid: ShortChannelId,
    pub(crate) direction: Direction,
    /// Seconds since 1970.
    pub(crate) timestamp: u32,
    pub(crate) policy: Policy,
    /// Whether the policy says its largest HTLC; else that is the capacity.
    pub(crate) has_maximum: bool,
}

impl Message {
    /// `None` where it is too short for its type. What follows is not looked at: later versions of
    /// a message are longer.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        Some(match u16::from_be_bytes(at(bytes, 0)?) {
            CHANNEL_ANNOUNCEMENT => Self::Announcement(announcement(bytes)?),
            CHANNEL_UPDATE => Self::Update(update(bytes)?),
            CHANNEL_AMOUNT => Self::Amount { satoshi: u64::from_be_bytes(at(bytes, 2)?) },
            DELETE_CHANNEL => Self::Closed(ShortChannelId(u64::from_be_bytes(at(bytes, 2)?))),
            ENDED => Self::Ended,
            _ => Self::Other,
        })
    }
}

fn announcement(bytes: &[u8]) -> Option<Announcement> {
    let features = usize::from(u16::from_be_bytes(at(bytes, ANNOUNCED_FEATURES_AT)?));
    let rest = bytes.get(ANNOUNCED_FEATURES_AT + 2 + features..)?;
    Some(Announcement {
        chain: at(rest, 0)?,
        scid: ShortChannelId(u64::from_be_bytes(at(rest, 32)?)),
        nodes: [NodeId(at(rest, 40)?), NodeId(at(rest, 73)?)],
    })
}

fn update(bytes: &[u8]) -> Option<Update> {
    let rest = bytes.get(UPDATED_CHAIN_AT..)?;
    let [message_flags, channel_flags] = at(rest, 44)?;
    let has_maximum = message_flags & HAS_MAXIMUM != 0;
    let maximum = if has_maximum { u64::from_be_bytes(at(rest, 64)?) } else { u64::MAX };
    let one = channel_flags & DIRECTION_ONE != 0;
    Some(Update {
        chain: at(rest, 0)?,
        scid: ShortChannelId(u64::from_be_bytes(at(rest, 32)?)),
        timestamp: u32::from_be_bytes(at(rest, 40)?),
        direction: if one { Direction::One } else { Direction::Zero },
        policy: Policy {
            enabled: channel_flags & DISABLED == 0,
            cltv_delta: Blocks(u16::from_be_bytes(at(rest, 46)?).into()),
            htlc_minimum_msat: Msat(u64::from_be_bytes(at(rest, 48)?)),
            fee_base_msat: Msat(u32::from_be_bytes(at(rest, 56)?).into()),
            fee_rate: Ppm(u32::from_be_bytes(at(rest, 60)?)),
            htlc_maximum_msat: Msat(maximum),
        },
        has_maximum,
    })
}
