//! Lines that a Step writes beside the Components: into the books, and among the receipts.

use crate::{
    components::Parent,
    port::{
        AddReceiptError, Books, Ends, IssuedReceipt, LedgerEntry, ReceiptState, Receipts,
        ReceiptsBook,
    },
    refusal::{LEDGER_INVARIANT, PAY_DESTINATION_PERM_FAIL, from_ledger},
};
use bevy_ecs::world::World;
use ecs_core::{Entities, EntityId, Inputs, Json, Record, Refusal, Step};
use payecs_units::{Msat, PaymentHash, ReceiptId, Sealed, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::any::Any;

/// The name of all lines for the receipts.
const RECEIPTS: &str = "receipts:line";

/// What happens to a receipt of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub enum ReceiptLine {
    /// It is there from now on.
    Issue(Box<IssuedReceipt>),
    /// It is withdrawn.
    Withdraw {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// It expires.
    Expire {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// It is taken away.
    Delete {
        /// Its hash.
        payment_hash: PaymentHash,
        /// Its hash is not free again.
        keep_tombstone: bool,
    },
    /// It is over, and taken away as it is as old as it may get.
    Clean {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// Its preimage came, with the decision about its set.
    Reveal {
        /// Its hash.
        payment_hash: PaymentHash,
        /// The preimage.
        preimage: Sealed,
    },
    /// What its invoice is for is forgotten.
    Undescribe {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// Its preimage leaves.
    Release {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// Its preimage did not leave after all.
    Restore {
        /// Its hash.
        payment_hash: PaymentHash,
    },
    /// It is paid.
    Settle {
        /// Its hash.
        payment_hash: PaymentHash,
        /// What came in.
        amount_msat: Msat,
    },
}

/// Adds typed lines to a [`Step`].
pub trait RecordEntry {
    /// A line for the books.
    #[must_use]
    fn keep(self, entry: &LedgerEntry) -> Self;

    /// A line for the receipts.
    #[must_use]
    fn receipt(self, line: &ReceiptLine) -> Self;
}

impl RecordEntry for Step {
    fn keep(self, entry: &LedgerEntry) -> Self {
        self.record(ledger_record(entry))
    }

    fn receipt(self, line: &ReceiptLine) -> Self {
        self.record(receipt_record(line))
    }
}

/// A line for the receipts.
#[must_use]
pub fn receipt_record(line: &ReceiptLine) -> Record {
    Record::new(RECEIPTS, Json::carrying(line))
}

/// The name of the receipt with that number of a command. It is in the record, as the entropy is.
#[must_use]
pub fn receipt_id(entropy: &[u8; 32], number: u64) -> ReceiptId {
    let digest = Sha256::new().chain_update("payecs receipt id\0").chain_update(entropy);
    ReceiptId(digest.chain_update(number.to_be_bytes()).finalize().into())
}

/// A line for the books.
#[must_use]
pub fn ledger_record(entry: &LedgerEntry) -> Record {
    let body = Json::carrying(entry);
    let shown = entry.without_preimage(&body);
    Record::new(entry.system(), body).showing(shown)
}

/// Writes a record's lines: what concerns receipts is looked at first, then the books write their
/// whole batch or nothing, then the receipts follow. Answers which payment they are written for.
///
/// # Errors
/// What the books refuse, with its code; a receipt that is not in the state for its line, 203; one
/// that can't be issued, -32602.
///
/// # Panics
/// If the world has no books or no receipts; if a receipt refuses what it was just fit for.
pub fn keep(
    world: &mut World,
    subject: Option<EntityId>,
    records: &[Record],
) -> Result<Option<EntityId>, Refusal> {
    let (lines, entries): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.system == RECEIPTS);
    let lines = read::<ReceiptLine>(&lines)?;
    let entries = read::<LedgerEntry>(&entries)?;
    let at = Timestamp(world.resource::<Inputs>().now_ms);
    let payment = subject.map(|subject| payment_of(world, subject));
    for line in &lines {
        must_be_fit(&*world.resource::<ReceiptsBook>().0, line, at)?;
    }
    // Without a line for the books too, so that each record is one batch of the ledger.
    let mut books = world.resource_mut::<Books>();
    let before = books.0.entries();
    books.0.commit(&entries, payment, at).map_err(|error| from_ledger(&error))?;
    let is_end = entries.iter().any(LedgerEntry::is_end);
    world.get_resource_or_init::<Ends>().note(before, is_end);
    for line in &lines {
        let receipts = &mut world.resource_mut::<ReceiptsBook>().0;
        let written = match line {
            ReceiptLine::Issue(issued) => {
                receipts.issue(issued, at).map_err(|error| error.to_string())
            }
            ReceiptLine::Withdraw { payment_hash } => receipts.withdraw(payment_hash, at),
            ReceiptLine::Expire { payment_hash } => receipts.expire(payment_hash),
            ReceiptLine::Delete { payment_hash, keep_tombstone } => {
                receipts.delete(payment_hash, *keep_tombstone)
            }
            ReceiptLine::Clean { payment_hash } => receipts.clean(payment_hash),
            ReceiptLine::Reveal { payment_hash, preimage } => {
                receipts.reveal(payment_hash, preimage)
            }
            ReceiptLine::Undescribe { payment_hash } => receipts.undescribe(payment_hash),
            ReceiptLine::Release { payment_hash } => receipts.release(payment_hash),
            ReceiptLine::Restore { payment_hash } => receipts.restore(payment_hash),
            ReceiptLine::Settle { payment_hash, amount_msat } => {
                receipts.settle(payment_hash, *amount_msat, at)
            }
        };
        assert!(written.is_ok(), "a receipt refused what it was fit for: {written:?}");
    }
    Ok(payment)
}

/// The payment an Entity works for: its parent, or itself.
fn payment_of(world: &World, subject: EntityId) -> EntityId {
    let entity = world.resource::<Entities>().get(subject);
    entity.and_then(|entity| world.get::<Parent>(entity)).map_or(subject, |parent| parent.0)
}

/// Reads lines. What a System has written from a value is that value: in debug builds its text is
/// read too, as a start reads it from the ledger.
fn read<T: DeserializeOwned + Clone + Any + PartialEq>(
    records: &[&Record],
) -> Result<Vec<T>, Refusal> {
    let read = |record: &&Record| {
        let line = record.body.read::<T>().map_err(|error| {
            Refusal::new(LEDGER_INVARIANT, format!("unreadable `{}` line: {error}", record.system))
        })?;
        debug_assert!(
            record.body.decode::<T>().is_ok_and(|again| again == line),
            "a `{}` line reads as it was written",
            record.system
        );
        Ok(line)
    };
    records.iter().map(read).collect()
}

fn must_be_fit(receipts: &dyn Receipts, line: &ReceiptLine, at: Timestamp) -> Result<(), Refusal> {
    let (hash, states): (&PaymentHash, &[ReceiptState]) = match line {
        ReceiptLine::Issue(issued) => {
            let unfit = |error: AddReceiptError| Refusal::invalid(error.to_string());
            return receipts.check(issued).map_err(unfit);
        }
        ReceiptLine::Withdraw { payment_hash } => {
            (payment_hash, &[ReceiptState::Unpaid, ReceiptState::Cancelled])
        }
        ReceiptLine::Delete { payment_hash, .. } => {
            (payment_hash, &[ReceiptState::Unpaid, ReceiptState::Paid, ReceiptState::Cancelled])
        }
        ReceiptLine::Expire { payment_hash } => {
            let is_due = receipts.find(payment_hash).is_some_and(|receipt| {
                receipt.state == ReceiptState::Unpaid && receipt.expires_at <= at
            });
            let unfit = || Refusal::invalid("the receipt does not expire");
            return is_due.then_some(()).ok_or_else(unfit);
        }
        ReceiptLine::Clean { payment_hash } => {
            let is_over = receipts.find(payment_hash).is_some_and(|receipt| match receipt.state {
                ReceiptState::Paid | ReceiptState::Cancelled => true,
                ReceiptState::Settling => false,
                ReceiptState::Unpaid => receipt.expires_at <= at,
            });
            let unfit = || Refusal::invalid("the receipt is not over");
            return is_over.then_some(()).ok_or_else(unfit);
        }
        ReceiptLine::Undescribe { payment_hash } => {
            let facts = receipts.facts(payment_hash);
            let invoice = facts.as_ref().and_then(|facts| facts.invoice.as_ref());
            let is_described = invoice.is_some_and(|it| it.issued.description.is_some());
            let unfit = || Refusal::invalid("the receipt has no invoice with a description");
            return is_described.then_some(()).ok_or_else(unfit);
        }
        ReceiptLine::Reveal { payment_hash, .. } | ReceiptLine::Release { payment_hash } => {
            (payment_hash, &[ReceiptState::Unpaid])
        }
        ReceiptLine::Restore { payment_hash } => (payment_hash, &[ReceiptState::Settling]),
        ReceiptLine::Settle { payment_hash, .. } => {
            (payment_hash, &[ReceiptState::Unpaid, ReceiptState::Settling])
        }
    };
    if receipts.find(hash).is_some_and(|receipt| states.contains(&receipt.state)) {
        return Ok(());
    }
    Err(Refusal::new(PAY_DESTINATION_PERM_FAIL, "The receipt can no longer be paid"))
}

#[cfg(test)]
mod tests;
