//! Where a paycode stands: what its receipt says, and its set.

use crate::{
    components::SetHeld,
    methods::now,
    port::{Receipt, ReceiptState},
    receive::sets::Sets,
};
use ecs_core::{Engine, EntityId, Systems};
use payecs_units::PaymentHash;
use serde::{Deserialize, Serialize};

/// Where a paycode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::methods) enum Status {
    /// It waits.
    Unpaid,
    /// A set for it is there and not booked yet.
    Receiving,
    /// A complete set waits for a decision.
    Held,
    /// Paid; never again.
    Paid,
    /// Its time is over, and no set is there.
    Expired,
    /// Withdrawn.
    Cancelled,
}

/// Where a receipt stands at the moment of the command. A set that came in time keeps it from
/// expiring.
pub(in crate::methods) fn status(engine: &Engine, receipt: &Receipt) -> Status {
    match receipt.state {
        ReceiptState::Paid => Status::Paid,
        ReceiptState::Cancelled => Status::Cancelled,
        ReceiptState::Settling => Status::Receiving,
        ReceiptState::Unpaid => match live_set(engine, &receipt.payment_hash) {
            Some(set) if engine.get::<SetHeld>(set).is_some() => Status::Held,
            Some(_) => Status::Receiving,
            None if now(engine) >= receipt.expires_at => Status::Expired,
            None => Status::Unpaid,
        },
    }
}

/// The set of a hash that has not ended, if there is one.
pub(in crate::methods) fn live_set(
    engine: &Engine,
    payment_hash: &PaymentHash,
) -> Option<EntityId> {
    let sets = engine.resource::<Sets>()?.of(payment_hash);
    sets.iter().rev().copied().find(|set| engine.get::<Systems>(*set).is_some())
}
