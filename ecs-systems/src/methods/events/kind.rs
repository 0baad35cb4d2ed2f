//! What is told of.

use crate::port::{LedgerEntry, PaidReceipt};
use ecs_core::{Json, Kind};
use serde::{Deserialize, Serialize};

/// A kind of event, by the name that it is told under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventKind {
    /// A payment is paid.
    PaySuccess,
    /// A payment has failed.
    PayFailure,
    /// A receipt is paid that has no invoice.
    PaycodePayment,
    /// An invoice is paid.
    InvoicePayment,
}

impl EventKind {
    /// What a line tells of, if it tells of anything.
    pub(super) fn of(line: &LedgerEntry) -> Option<Self> {
        Some(match line {
            LedgerEntry::Complete { .. } | LedgerEntry::Prove { .. } => Self::PaySuccess,
            LedgerEntry::Fail { .. } | LedgerEntry::FailDraft { .. } => Self::PayFailure,
            LedgerEntry::SelfPay { paid, .. } | LedgerEntry::ClaimSet { paid, .. } => {
                Self::of_receipt(paid.as_ref()?)
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
            | LedgerEntry::VoidSet { .. } => return None,
        })
    }

    /// What a receipt that is paid is told as.
    pub(super) fn of_receipt(paid: &PaidReceipt) -> Self {
        match paid.label {
            None => Self::PaycodePayment,
            Some(_) => Self::InvoicePayment,
        }
    }
}

/// The kinds that a caller wants to hear of. `None`: all.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted(Option<Vec<EventKind>>);

impl Wanted {
    /// One name, or an array of some; `None`: it is something else.
    pub(super) fn read(json: &Json) -> Option<Self> {
        let one = json.decode().map(|kind| vec![kind]);
        let kinds = one.or_else(|_| json.decode::<Vec<EventKind>>()).ok()?;
        (!kinds.is_empty()).then_some(Self(Some(kinds)))
    }

    /// Whether what that line tells of is wanted.
    pub(super) fn has(&self, line: &LedgerEntry) -> bool {
        let is_named = |kind| self.0.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        EventKind::of(line).is_some_and(is_named)
    }
}

/// Kinds of events.
pub(super) const KINDS: Kind = Kind {
    shape: "`pay_success`, `pay_failure`, `paycode_payment` or `invoice_payment`, or an array of \
            some of them: what to tell of",
    schema: r#"{"oneOf":[
        {"enum":["pay_success","pay_failure","paycode_payment","invoice_payment"]},
        {"type":"array","minItems":1,"items":
            {"enum":["pay_success","pay_failure","paycode_payment","invoice_payment"]}}]}"#,
    fits: |json| Wanted::read(json).is_some(),
};
