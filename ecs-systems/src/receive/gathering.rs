//! The set that gathers the HTLCs of one hash.

use super::sets::Sets;
use crate::{
    components::{Refusing, Set, SetComplete, SetEnough, SetReceived},
    port::{Receipt, ReceiptState, Receipts},
};
use bevy_ecs::{
    prelude::{Has, Query, Res, With},
    query::QueryData,
    system::SystemParam,
};
use ecs_core::{Entities, Id, Systems};
use payecs_units::{PaymentHash, Timestamp};

/// A set that has not ended.
#[derive(QueryData, Debug)]
pub(crate) struct LiveSet {
    pub(crate) id: &'static Id,
    pub(crate) set: &'static Set,
    /// Absent where it crosses no channel.
    pub(crate) received: Option<&'static SetReceived>,
    enough: Has<SetEnough>,
    complete: Has<SetComplete>,
    refusing: Has<Refusing>,
}

/// The sets that have not ended, found by their hash.
#[derive(SystemParam, Debug)]
pub(crate) struct LiveSets<'w, 's> {
    index: Res<'w, Sets>,
    entities: Res<'w, Entities>,
    sets: Query<'w, 's, LiveSet, With<Systems>>,
}

/// Whether a hash has a set, and whether that takes another HTLC.
pub(crate) enum Gathering<'q> {
    /// There is none.
    Absent,
    /// It takes another.
    Open(LiveSetItem<'q, 'q>),
    /// It is complete, refused, or crosses no channel.
    Closed,
}

/// The set of a hash.
pub(crate) fn gathering<'q>(sets: &'q LiveSets<'_, '_>, hash: &PaymentHash) -> Gathering<'q> {
    let mut found = Gathering::Absent;
    let of_hash = sets.index.of(hash).iter().filter_map(|id| sets.entities.get(*id));
    for set in of_hash.filter_map(|entity| sets.sets.get(entity).ok()) {
        if set.enough || set.complete || set.refusing || set.received.is_none() {
            return Gathering::Closed;
        }
        found = Gathering::Open(set);
    }
    found
}

/// The receipt that HTLCs of a hash can pay at `at`, or why there is none, in words for our log.
/// An open set may still become complete when its receipt has expired.
pub(crate) fn payable(
    receipts: &dyn Receipts,
    hash: &PaymentHash,
    gathering: &Gathering<'_>,
    at: Timestamp,
) -> Result<Receipt, &'static str> {
    let receipt = receipts.find(hash).ok_or("no receipt of this hash")?;
    match receipt.state {
        ReceiptState::Unpaid => {}
        ReceiptState::Settling => return Err("the receipt is being paid"),
        ReceiptState::Paid => return Err("the receipt was paid"),
        ReceiptState::Cancelled => return Err("the receipt was cancelled"),
    }
    match gathering {
        Gathering::Closed => Err("the set of this receipt is complete, or refused"),
        Gathering::Absent if at >= receipt.expires_at => Err("the receipt has expired"),
        Gathering::Absent | Gathering::Open(_) => Ok(receipt),
    }
}

/// Refuses an HTLC, in words for our log: its payer is told the same whatever is wrong.
pub(crate) fn refuse(why: &str) -> ecs_core::Step {
    tracing::info!(target: "payflow::receive", why, "HTLC refused");
    ecs_core::Step::advance().attach(&Refusing(crate::port::PayeeFailure::DETAILS))
}
