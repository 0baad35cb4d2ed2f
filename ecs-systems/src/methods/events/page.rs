//! A page of events: what entries of the ledger say of the ends of payments and of
//! receipts that are paid.

use super::kind::{EventKind, Wanted};
use crate::{
    methods::{
        past::{Outcome, PastPayment, payments},
        seconds,
    },
    port::{
        BooksReader, HistoryError, HoldState, LedgerEntry, PaidReceipt, PastEntry, PastLook,
        PaymentRef,
    },
    refusal::PAY_UNSPECIFIED_ERROR,
};
use ecs_core::{EntityId, ErrorObject, Json};
use payecs_units::{Msat, PaymentHash};

/// Entries that are read at a time.
const READ_AT_ONCE: usize = 256;
/// Most entries that are looked through for one page.
const LOOKED_THROUGH_MAX: usize = 100_000;

/// The events behind a cursor, `limit` at most, and the cursor behind them. Those of one entry are
/// in one page.
///
/// # Errors
/// See [`HistoryError`].
pub(super) fn behind(
    reader: &BooksReader,
    since: u64,
    limit: usize,
    wanted: &Wanted,
) -> Result<Json, HistoryError> {
    let mut past = Past { reader, look: None, wanted };
    let (mut events, mut cursor, mut looked_through) = (Vec::new(), since, 0_usize);
    while events.len() < limit && looked_through < LOOKED_THROUGH_MAX {
        let entries = reader.entries(cursor, READ_AT_ONCE)?;
        if entries.is_empty() {
            break;
        }
        looked_through = looked_through.saturating_add(entries.len());
        for entry in &entries {
            let of_entry = past.events(entry)?;
            let count = events.len().saturating_add(of_entry.len());
            if count > limit && !events.is_empty() {
                return Ok(object(events, cursor));
            }
            events.extend(of_entry);
            cursor = entry.index.saturating_add(1);
            if count >= limit {
                break;
            }
        }
    }
    Ok(object(events, cursor))
}

pub(super) fn object(events: impl IntoIterator<Item = Json>, cursor: u64) -> Json {
    Json::object([("events", Json::array(events)), ("cursor", Json::of(&cursor))])
}

/// What else the ledger says of a payment, looked up when an entry alone doesn't tell.
struct Past<'a> {
    reader: &'a BooksReader,
    look: Option<PastLook<'a>>,
    wanted: &'a Wanted,
}

/// How a payment is named.
#[derive(Clone, Copy)]
struct Who {
    entity: Option<EntityId>,
    hash: Option<PaymentHash>,
    payment: Option<PaymentRef>,
}

impl Who {
    fn of(entity: Option<EntityId>, payment: PaymentRef) -> Self {
        Self { entity, hash: Some(payment.payment_hash), payment: Some(payment) }
    }
}

impl Past<'_> {
    fn events(&mut self, entry: &PastEntry) -> Result<Vec<Json>, HistoryError> {
        let mut events = Vec::new();
        for line in entry.lines.iter().filter(|line| self.wanted.has(line)) {
            events.extend(self.event(entry, line)?);
        }
        Ok(events)
    }

    fn event(
        &mut self,
        entry: &PastEntry,
        line: &LedgerEntry,
    ) -> Result<Option<Json>, HistoryError> {
        Ok(match line {
            LedgerEntry::Complete {
                payment,
                fee_msat,
                successful_parts,
                failed_parts,
                amount_msat,
                ..
            } => {
                let paid = Paid {
                    amount_msat: *amount_msat,
                    fee_msat: Some(*fee_msat),
                    parts: (*successful_parts, *failed_parts),
                    late: false,
                };
                Some(self.complete(entry, *payment, paid)?)
            }
            LedgerEntry::Prove { payment, .. } => self.proven(entry, *payment)?,
            LedgerEntry::Fail { payment, answer } => {
                let mut entity = entry.entity;
                if entity.is_none() {
                    entity = self.payment(entry, payment)?.map(|known| known.claim.entity);
                }
                Some(failure(entry, Who::of(entity, *payment), answer.as_ref()))
            }
            LedgerEntry::FailDraft { hash, answer } => {
                let who = Who { entity: entry.entity, hash: *hash, payment: None };
                Some(failure(entry, who, answer.as_ref()))
            }
            LedgerEntry::SelfPay { payment, paid, .. } => {
                let paid = paid.as_ref();
                paid.map(|paid| received(entry, payment.payment_hash, paid, true))
            }
            LedgerEntry::ClaimSet { set, paid, .. } => {
                let paid = paid.as_ref();
                paid.map(|paid| received(entry, set.payment_hash, paid, false))
            }
            LedgerEntry::Opening { .. }
            | LedgerEntry::Adjust { .. }
            | LedgerEntry::Backup
            | LedgerEntry::Reconciled { .. }
            | LedgerEntry::Claim(_)
            | LedgerEntry::Reserve { .. }
            | LedgerEntry::Dispatch { .. }
            | LedgerEntry::PostPart { .. }
            | LedgerEntry::VoidPart { .. }
            | LedgerEntry::Overspend { .. }
            | LedgerEntry::LatePart { .. }
            | LedgerEntry::HoldSet { .. }
            | LedgerEntry::SettleSet { .. }
            | LedgerEntry::VoidSet { .. } => None,
        })
    }

    /// One that is paid; what its line leaves out is looked up.
    fn complete(
        &mut self,
        entry: &PastEntry,
        payment: PaymentRef,
        mut paid: Paid,
    ) -> Result<Json, HistoryError> {
        let mut entity = entry.entity;
        if (entity.is_none() || paid.amount_msat.is_none())
            && let Some(known) = self.payment(entry, &payment)?
        {
            entity = entity.or(Some(known.claim.entity));
            paid.amount_msat = paid.amount_msat.or(Some(known.claim.amount_msat));
        }
        Ok(success(entry, Who::of(entity, payment), &paid))
    }

    /// One that had failed and is paid; nothing where it was complete before.
    fn proven(
        &mut self,
        entry: &PastEntry,
        payment: PaymentRef,
    ) -> Result<Option<Json>, HistoryError> {
        let Some(known) = self.payment(entry, &payment)? else { return Ok(None) };
        let end = known.end.as_ref().filter(|end| end.entry.0 == entry.index);
        let is_new = end.is_some_and(|end| matches!(end.outcome, Outcome::Complete(_)));
        let who = Who::of(Some(known.claim.entity), payment);
        Ok(is_new.then(|| success(entry, who, &Paid::late(&known))))
    }

    /// A payment as it was when an entry was written.
    fn payment(
        &mut self,
        entry: &PastEntry,
        payment: &PaymentRef,
    ) -> Result<Option<PastPayment>, HistoryError> {
        let look = match &mut self.look {
            Some(look) => look,
            none @ None => none.insert(self.reader.look()?),
        };
        let lines = look.lines_of(&payment.payment_hash)?;
        let until = lines.partition_point(|line| line.index <= entry.index);
        let mut known = payments(payment.payment_hash, &lines[..until]);
        Ok(known.remove(&payment.group_id))
    }
}

/// What a payment came to.
struct Paid {
    /// `None`: the books have no part of it that arrived.
    amount_msat: Option<Msat>,
    fee_msat: Option<Msat>,
    /// How many arrived, and how many failed.
    parts: (u32, u32),
    late: bool,
}

impl Paid {
    /// One that turns out paid after it failed: what the parts come to that arrived.
    fn late(known: &PastPayment) -> Self {
        let paid = || known.parts.values().filter(|part| part.state == HoldState::Paid);
        let count = |state| u32::try_from(known.count(state)).unwrap_or(u32::MAX);
        let parts = (count(HoldState::Paid), count(HoldState::Void));
        let sum = |of: fn(&crate::methods::past::PastPart) -> Msat| {
            Msat::sum(paid().map(of)).filter(|_| parts.0 > 0)
        };
        let amount_msat = sum(|part| part.hold.amount_msat);
        let fee_msat = sum(|part| part.hold.fee_msat);
        Self { amount_msat, fee_msat, parts, late: true }
    }
}

fn success(entry: &PastEntry, who: Who, paid: &Paid) -> Json {
    let (successful, failed) = paid.parts;
    let facts = [
        ("amount_msat", paid.amount_msat.map(|msat| Json::of(&msat))),
        ("fee_msat", paid.fee_msat.map(|msat| Json::of(&msat))),
        ("successful_parts", Some(Json::of(&successful))),
        ("failed_parts", Some(Json::of(&failed))),
        ("late", paid.late.then(Json::yes)),
    ];
    told(EventKind::PaySuccess, entry, who, facts)
}

fn failure(entry: &PastEntry, who: Who, error: Option<&ErrorObject>) -> Json {
    let unknown = || ErrorObject::new(PAY_UNSPECIFIED_ERROR, "The payment has failed");
    let error = error.map_or_else(|| Json::of(&unknown()), Json::of);
    told(EventKind::PayFailure, entry, who, [("error", Some(error))])
}

/// A receipt that was paid, by ourselves without a channel or over channels.
fn received(entry: &PastEntry, hash: PaymentHash, paid: &PaidReceipt, to_self: bool) -> Json {
    let facts = [
        ("amount_msat", Some(Json::of(&paid.amount_msat))),
        ("paid_at", Some(seconds(entry.at))),
        ("label", paid.label.as_ref().map(Json::of)),
        ("to_self", to_self.then(Json::yes)),
        ("circular", paid.circular.then(Json::yes)),
    ];
    let who = Who { entity: None, hash: Some(hash), payment: None };
    told(EventKind::of_receipt(paid), entry, who, facts)
}

fn told<const N: usize>(
    event: EventKind,
    entry: &PastEntry,
    who: Who,
    facts: [(&str, Option<Json>); N],
) -> Json {
    let fields = [
        ("cursor", Some(Json::of(&entry.index.saturating_add(1)))),
        ("event", Some(Json::of(&event))),
        ("recorded_at", Some(Json::of(&entry.at))),
        ("entity", who.entity.map(|entity| Json::of(&entity))),
        ("payment_hash", who.hash.map(|hash| Json::of(&hash))),
        ("groupid", who.payment.map(|payment| Json::of(&payment.group_id))),
    ];
    let all = fields.into_iter().chain(facts);
    Json::object(all.filter_map(|(name, json)| Some((name.to_owned(), json?))))
}

#[cfg(test)]
mod tests;
