//! What the books say of a payment that was collected.

use super::{
    changes::Given,
    failed,
    told::{Attempts, Told},
};
use crate::{
    methods::past::{PastPayment, payments},
    port::{Books, BooksReader, HistoryError, HoldState, LedgerEntry, PastEntry},
    refusal::from_ledger,
};
use bevy_ecs::world::World;
use ecs_core::{EntityId, ErrorObject, Json, Recall, Recalled};
use payecs_units::PaymentHash;

/// Most entries of the ledger that are looked through, the newest first.
const LOOKED_THROUGH_MAX: u64 = 1_000_000;
/// Entries that are read at a time.
const READ_AT_ONCE: u16 = 1_024;
/// Who says it.
const BOOKS: &str = "books";

pub(super) fn recall(world: &World, id: EntityId) -> Option<Recall> {
    let reader = world.get_resource::<Books>()?.0.reader();
    Some(Box::new(move || find(&reader, id).map_err(|error| from_ledger(&error.into()))))
}

/// What the newest entry of that Entity says which begins or ends a payment.
fn find(reader: &BooksReader, id: EntityId) -> Result<Option<Recalled>, HistoryError> {
    let mut look = reader.look()?;
    let mut until = reader.count();
    let from_least = until.saturating_sub(LOOKED_THROUGH_MAX);
    while until > from_least {
        let from = until.saturating_sub(READ_AT_ONCE.into()).max(from_least);
        let entries = look.entries(from, READ_AT_ONCE.into())?;
        let mut before = entries.iter().rev().filter(|entry| entry.index < until);
        match before.find_map(|entry| about(entry, id)) {
            Some(Found::Draft(error)) => return Ok(error.map(draft)),
            Some(Found::Payment(hash)) => {
                let mut of_hash = payments(hash, look.lines_of(&hash)?).into_values();
                let last = of_hash.rfind(|paying| paying.claim.entity == id);
                return Ok(last.map(|paying| told(&paying)));
            }
            None => until = from,
        }
    }
    Ok(None)
}

/// What an entry says of the payment of an Entity.
enum Found {
    Payment(PaymentHash),
    Draft(Option<ErrorObject>),
}

fn about(entry: &PastEntry, id: EntityId) -> Option<Found> {
    entry.lines.iter().find_map(|line| match line {
        LedgerEntry::Claim(claim) if claim.entity == id => {
            Some(Found::Payment(claim.payment.payment_hash))
        }
        LedgerEntry::FailDraft { answer, .. } if entry.entity == Some(id) => {
            Some(Found::Draft(answer.clone()))
        }
        LedgerEntry::Claim(_)
        | LedgerEntry::FailDraft { .. }
        | LedgerEntry::Opening { .. }
        | LedgerEntry::Adjust { .. }
        | LedgerEntry::Backup
        | LedgerEntry::Reconciled { .. }
        | LedgerEntry::Reserve { .. }
        | LedgerEntry::Dispatch { .. }
        | LedgerEntry::PostPart { .. }
        | LedgerEntry::VoidPart { .. }
        | LedgerEntry::Overspend { .. }
        | LedgerEntry::LatePart { .. }
        | LedgerEntry::Prove { .. }
        | LedgerEntry::SelfPay { .. }
        | LedgerEntry::Complete { .. }
        | LedgerEntry::Fail { .. }
        | LedgerEntry::HoldSet { .. }
        | LedgerEntry::SettleSet { .. }
        | LedgerEntry::ClaimSet { .. }
        | LedgerEntry::VoidSet { .. } => None,
    })
}

/// One that failed before it claimed its hash.
fn draft(error: ErrorObject) -> Recalled {
    let told = Told { known_by: BOOKS, ..failed(&error, &Given::default()) };
    Recalled { told: Json::of(&told), error: Some(error) }
}

fn told(paying: &PastPayment) -> Recalled {
    let given = Given {
        amount: Some(paying.claim.amount_msat),
        fee_budget: paying.fee_budget_msat,
        ..Given::default()
    };
    let error = paying.error();
    let said = match (paying.status(), error) {
        ("failed", Some(error)) => failed(error, &given),
        ("failed", None) => {
            let why = "It failed; the books do not say why.".to_owned();
            Told { why, ..Told::default() }
        }
        ("complete", _) => Told { why: "It is paid.".to_owned(), ..Told::default() },
        _ => {
            let why = "The books have no end of it, and the engine does not have it any more.";
            Told { why: why.to_owned(), ..Told::default() }
        }
    };
    let parts_failed = u64::try_from(paying.count(HoldState::Void)).unwrap_or(u64::MAX);
    let attempts = Attempts { parts_failed, ..Attempts::default() };
    let told = Told { status: paying.status(), attempts, known_by: BOOKS, ..said };
    Recalled { told: Json::of(&told), error: error.cloned() }
}
