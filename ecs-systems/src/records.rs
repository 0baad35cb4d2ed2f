//! Lines that a Step writes beside the Components: into the books, and among the receipts.

use crate::{
    components::Parent,
    port::{Books, LedgerEntry, ReceiptState, ReceiptsBook},
    refusal::{LEDGER_INVARIANT, PAY_DESTINATION_PERM_FAIL, from_ledger},
};
use bevy_ecs::world::World;
use ecs_core::{Entities, EntityId, Inputs, Json, Record, Refusal, Step};
use payecs_units::{Msat, PaymentHash, Timestamp};
use serde::{Deserialize, Serialize};

/// The line that settles a receipt.
const SETTLE_RECEIPT: &str = "receipts:settle";

/// A receipt of ours is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleReceipt {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What came in.
    pub amount_msat: Msat,
}

/// Adds typed lines to a [`Step`].
pub trait RecordEntry {
    /// A line for the books.
    #[must_use]
    fn keep(self, entry: &LedgerEntry) -> Self;

    /// A line for the receipts.
    #[must_use]
    fn settle_receipt(self, settle: &SettleReceipt) -> Self;
}

impl RecordEntry for Step {
    fn keep(self, entry: &LedgerEntry) -> Self {
        self.record(ledger_record(entry))
    }

    fn settle_receipt(self, settle: &SettleReceipt) -> Self {
        self.record(Record::new(SETTLE_RECEIPT, Json::of(settle)))
    }
}

/// A line for the books.
#[must_use]
pub fn ledger_record(entry: &LedgerEntry) -> Record {
    Record::new(entry.system(), Json::of(entry)).showing(entry.shown())
}

/// Writes a record's lines: what settles receipts is looked at first, then the books write their
/// whole batch or nothing, then the receipts follow.
///
/// # Errors
/// What the books refuse, with its code; a receipt that can't be settled, 203.
///
/// # Panics
/// If the world has no books or no receipts; if a receipt refuses what it was just payable for.
pub fn keep(
    world: &mut World,
    subject: Option<EntityId>,
    records: &[Record],
) -> Result<(), Refusal> {
    let (settles, entries): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.system == SETTLE_RECEIPT);
    let settles = read::<SettleReceipt>(&settles)?;
    let entries = read::<LedgerEntry>(&entries)?;
    let at = Timestamp(world.resource::<Inputs>().now_ms);
    let payment = subject.map(|subject| payment_of(world, subject));
    for settle in &settles {
        must_be_unpaid(world, settle)?;
    }
    if !entries.is_empty() {
        let mut books = world.resource_mut::<Books>();
        books.0.commit(&entries, payment, at).map_err(|error| from_ledger(&error))?;
    }
    for settle in &settles {
        let receipts = &mut world.resource_mut::<ReceiptsBook>().0;
        let settled = receipts.settle(&settle.payment_hash, settle.amount_msat, at);
        assert!(settled.is_ok(), "an unpaid receipt refused to be settled: {settled:?}");
    }
    Ok(())
}

/// The payment an Entity works for: its parent, or itself.
fn payment_of(world: &World, subject: EntityId) -> EntityId {
    let entity = world.resource::<Entities>().get(subject);
    entity.and_then(|entity| world.get::<Parent>(entity)).map_or(subject, |parent| parent.0)
}

fn read<T: for<'de> Deserialize<'de>>(records: &[&Record]) -> Result<Vec<T>, Refusal> {
    let read = |record: &&Record| {
        record.body.decode().map_err(|error| {
            Refusal::new(LEDGER_INVARIANT, format!("unreadable `{}` line: {error}", record.system))
        })
    };
    records.iter().map(read).collect()
}

fn must_be_unpaid(world: &World, settle: &SettleReceipt) -> Result<(), Refusal> {
    let receipt = world.resource::<ReceiptsBook>().0.find(&settle.payment_hash);
    if receipt.is_some_and(|receipt| receipt.state == ReceiptState::Unpaid) {
        return Ok(());
    }
    Err(Refusal::new(PAY_DESTINATION_PERM_FAIL, "The receipt can no longer be paid"))
}

#[cfg(test)]
mod tests;
