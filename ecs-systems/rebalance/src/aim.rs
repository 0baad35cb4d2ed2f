//! How much has to go which way.

use crate::Order;
use ecs_systems::{
    planner::{Exclusion, LocalChannel},
    units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId},
};

/// A channel that is no more than so many percent of its size off its target is level.
pub const LEVEL_PERCENT: u64 = 1;

/// Which way the amount crosses the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To us: there is too little to spend.
    In,
    /// Away from us: there is too much.
    Out,
}

impl Way {
    /// Its name, as callers are told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One payment that brings the channel nearer to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Which way it crosses the channel.
    pub way: Way,
    /// What it moves.
    pub amount_msat: Msat,
    /// What it may cost.
    pub fee_budget_msat: Msat,
    /// The channel it leaves through, if that is the one.
    pub first_hop: Option<ShortChannelId>,
    /// The peer it comes back from, if it comes back through the one.
    pub last_hop: Option<NodeId>,
    /// The other channels with that peer, towards us.
    pub exclude: Vec<Exclusion>,
}

/// Why nothing can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AimError {
    /// We have no such channel.
    NoChannel,
    /// Its peer is away, or it takes no HTLCs now.
    NotInUse,
    /// There is no other channel that could give or take anything.
    NoOther,
}

/// What the next payment of an order is, once `tried` have failed; `None`: the channel is level.
/// Each try is for half of the one before. No more is aimed at than the channels have now, fees
/// included; halves and shares are rounded down.
///
/// # Errors
/// Nothing can be moved over the channel at the moment.
pub fn aim(
    order: &Order,
    us: &NodeId,
    channels: &[LocalChannel],
    tried: u32,
) -> Result<Option<Aim>, AimError> {
    let is_it = |it: &&LocalChannel| it.short_channel_id == order.short_channel_id;
    let channel = channels.iter().find(is_it).ok_or(AimError::NoChannel)?;
    if !channel.usable {
        return Err(AimError::NotInUse);
    }
    let ours = channel.spendable_msat;
    let (way, missing) = match order.target_msat.checked_sub(ours) {
        Some(missing) => (Way::In, missing),
        None => (Way::Out, ours.saturating_sub(order.target_msat)),
    };
    if missing <= tolerance(channel) {
        return Ok(None);
    }
    let others = || channels.iter().filter(|it| it.usable && !is_it(it));
    let (gives, takes) = match way {
        Way::In => (all(others().map(|it| it.spendable_msat)), channel.receivable_msat),
        Way::Out => (ours, all(others().map(|it| it.receivable_msat))),
    };
    let wanted = Msat(missing.0.checked_shr(tried).unwrap_or(0)).min(takes);
    let amount_msat = wanted.min(gives.saturating_sub(budget(order, wanted.min(gives))));
    if amount_msat == Msat::ZERO {
        return Err(AimError::NoOther);
    }
    let parallel = others().filter(|it| it.peer == channel.peer);
    let towards_us = |it: &LocalChannel| {
        let direction = Direction::between(&it.peer, us);
        Exclusion::Channel(ChannelDirection { scid: it.short_channel_id, direction })
    };
    Ok(Some(Aim {
        way,
        amount_msat,
        fee_budget_msat: budget(order, amount_msat),
        first_hop: (way == Way::Out).then_some(order.short_channel_id),
        last_hop: (way == Way::In).then_some(channel.peer),
        exclude: match way {
            Way::In => parallel.map(towards_us).collect(),
            Way::Out => Vec::new(),
        },
    }))
}

/// What may be off.
fn tolerance(channel: &LocalChannel) -> Msat {
    let size = all([channel.spendable_msat, channel.receivable_msat].into_iter());
    Msat(size.0 / 100 * LEVEL_PERCENT)
}

/// What moving so much may cost.
fn budget(order: &Order, amount: Msat) -> Msat {
    let share = amount.share(order.maxfee_share).unwrap_or(Msat(u64::MAX));
    order.maxfee_msat.map_or(share, |max| max.min(share))
}

/// What they come to; 2⁶⁴−1 msat, which is more than there is, where that is not enough.
fn all(amounts: impl Iterator<Item = Msat>) -> Msat {
    Msat::sum(amounts).unwrap_or(Msat(u64::MAX))
}
