//! What the ledger's lines say of payments that claimed their hash.

use crate::port::{Claim, HoldState, LedgerEntry, PartHold, PastEntry, PaymentRef};
use ecs_core::ErrorObject;
use payecs_units::{GroupId, Msat, PartId, PaymentHash, Preimage, Timestamp};
use std::collections::BTreeMap;

/// A payment as the books have it.
#[derive(Clone, Debug)]
pub(super) struct PastPayment {
    pub(super) claim: Claim,
    /// The entry that claims, and when.
    pub(super) created: (u64, Timestamp),
    pub(super) end: Option<End>,
    pub(super) label: Option<String>,
    pub(super) fee_budget_msat: Option<Msat>,
    pub(super) parts: BTreeMap<PartId, PastPart>,
    pub(super) to_self_msat: Option<Msat>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The entry that ended it, and when.
    pub(super) entry: (u64, Timestamp),
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Complete(Preimage),
    /// What its caller was told.
    Failed(Option<ErrorObject>),
}

/// A part.
#[derive(Clone, Copy, Debug)]
pub(super) struct PastPart {
    pub(super) hold: PartHold,
    pub(super) state: HoldState,
}

/// What a line says of a payment.
pub(super) enum Told<'a> {
    Claimed(&'a Claim),
    Reserved(Option<&'a str>, Msat),
    Sent(&'a [PartHold]),
    Part(PartId, HoldState, Option<Msat>),
    Overspent(PartId, Msat),
    ToSelf(Msat),
    Complete(Preimage),
    Failed(Option<&'a ErrorObject>),
}

/// What a line says, and of which payment; `None`: it is about something else.
pub(super) fn told(line: &LedgerEntry) -> Option<(PaymentRef, Told<'_>)> {
    Some(match line {
        LedgerEntry::Opening { .. }
        | LedgerEntry::Adjust { .. }
        | LedgerEntry::Backup
        | LedgerEntry::Reconciled { .. }
        | LedgerEntry::HoldSet { .. }
        | LedgerEntry::SettleSet { .. }
        | LedgerEntry::ClaimSet { .. }
        | LedgerEntry::VoidSet { .. }
        | LedgerEntry::FailDraft { .. } => return None,
        LedgerEntry::Claim(claim) => (claim.payment, Told::Claimed(claim)),
        LedgerEntry::Reserve { payment, fee_budget_msat, label, .. } => {
            (*payment, Told::Reserved(label.as_deref(), *fee_budget_msat))
        }
        LedgerEntry::Dispatch { payment, parts } => (*payment, Told::Sent(parts)),
        LedgerEntry::PostPart { payment, part_id, fee_msat, .. }
        | LedgerEntry::LatePart { payment, part_id, fee_msat, .. } => {
            (*payment, Told::Part(*part_id, HoldState::Paid, Some(*fee_msat)))
        }
        LedgerEntry::VoidPart { payment, part_id } => {
            (*payment, Told::Part(*part_id, HoldState::Void, None))
        }
        LedgerEntry::Overspend { payment, part_id, amount_msat, .. } => {
            (*payment, Told::Overspent(*part_id, *amount_msat))
        }
        LedgerEntry::SelfPay { payment, amount_msat, .. } => (*payment, Told::ToSelf(*amount_msat)),
        LedgerEntry::Prove { payment, preimage }
        | LedgerEntry::Complete { payment, preimage, .. } => (*payment, Told::Complete(*preimage)),
        LedgerEntry::Fail { payment, answer } => (*payment, Told::Failed(answer.as_ref())),
    })
}

/// The payments of a hash, by group, as entries tell of them; what they say of other hashes is
/// passed over, and so is what they say again.
pub(super) fn payments(
    payment_hash: PaymentHash,
    entries: &[PastEntry],
) -> BTreeMap<GroupId, PastPayment> {
    let mut payments = BTreeMap::new();
    for entry in entries {
        for (payment, told) in entry.lines.iter().filter_map(told) {
            if payment.payment_hash != payment_hash {
                continue;
            }
            if let Told::Claimed(claim) = told {
                payments
                    .entry(payment.group_id)
                    .or_insert_with(|| PastPayment::new(claim, (entry.index, entry.at)));
            } else if let Some(paying) = payments.get_mut(&payment.group_id) {
                paying.take((entry.index, entry.at), told);
            }
        }
    }
    payments
}

impl PastPayment {
    fn new(claim: &Claim, created: (u64, Timestamp)) -> Self {
        Self {
            claim: claim.clone(),
            created,
            end: None,
            label: None,
            fee_budget_msat: None,
            parts: BTreeMap::new(),
            to_self_msat: None,
        }
    }

    fn take(&mut self, entry: (u64, Timestamp), told: Told<'_>) {
        match told {
            Told::Claimed(_) => {}
            Told::Reserved(label, fee_budget_msat) => {
                self.label = label.map(ToOwned::to_owned);
                self.fee_budget_msat = Some(fee_budget_msat);
            }
            Told::Sent(parts) => {
                for hold in parts {
                    let part = PastPart { hold: *hold, state: HoldState::Held };
                    self.parts.entry(hold.part_id).or_insert(part);
                }
            }
            Told::Part(id, state, fee) => {
                if let Some(part) = self.parts.get_mut(&id) {
                    part.state = state;
                    part.hold.fee_msat = fee.unwrap_or(part.hold.fee_msat);
                }
            }
            Told::Overspent(id, msat) => {
                if let Some(part) = self.parts.get_mut(&id) {
                    let fee = part.hold.fee_msat.checked_add(msat);
                    part.hold.fee_msat = fee.unwrap_or(Msat(u64::MAX));
                }
            }
            Told::ToSelf(msat) => self.to_self_msat = Some(msat),
            Told::Complete(preimage) => self.end(entry, Outcome::Complete(preimage)),
            Told::Failed(answer) => self.end(entry, Outcome::Failed(answer.cloned())),
        }
    }

    /// What is complete stays so; what failed may turn out paid.
    fn end(&mut self, entry: (u64, Timestamp), outcome: Outcome) {
        if self.preimage().is_none() {
            self.end = Some(End { entry, outcome });
        }
    }

    pub(super) fn preimage(&self) -> Option<&Preimage> {
        match &self.end.as_ref()?.outcome {
            Outcome::Complete(preimage) => Some(preimage),
            Outcome::Failed(_) => None,
        }
    }

    /// What the caller of one that failed was told, where that was written down.
    pub(super) fn error(&self) -> Option<&ErrorObject> {
        match &self.end.as_ref()?.outcome {
            Outcome::Complete(_) => None,
            Outcome::Failed(answer) => answer.as_ref(),
        }
    }

    pub(super) fn status(&self) -> &'static str {
        match self.end.as_ref().map(|end| &end.outcome) {
            None => "pending",
            Some(Outcome::Complete(_)) => "complete",
            Some(Outcome::Failed(_)) => "failed",
        }
    }

    /// When it was paid.
    pub(super) fn completed_at(&self) -> Option<Timestamp> {
        self.preimage()?;
        self.end.as_ref().map(|end| end.entry.1)
    }

    pub(super) fn count(&self, state: HoldState) -> usize {
        self.parts.values().filter(|part| part.state == state).count()
    }

    /// Fees of the parts that did not fail; `None` above 2⁶⁴−1 msat.
    pub(super) fn fee_msat(&self) -> Option<Msat> {
        Msat::sum(self.standing().map(|part| part.hold.fee_msat))
    }

    /// What left us, or still may, with fees; `None` above 2⁶⁴−1 msat.
    pub(super) fn sent_msat(&self) -> Option<Msat> {
        let amounts = self.standing().map(|part| part.hold.amount_msat);
        Msat::sum(amounts.chain(self.to_self_msat))?.checked_add(self.fee_msat()?)
    }

    fn standing(&self) -> impl Iterator<Item = &PastPart> {
        self.parts.values().filter(|part| part.state != HoldState::Void)
    }
}
