//! What a line is about.

use super::LedgerEntry;
use ecs_core::Json;
use payecs_units::PaymentHash;
use serde::{Serialize, Serializer};

impl LedgerEntry {
    /// The hash that a line is about; none for one about a channel or about all books, and for
    /// a payment that claimed none.
    #[must_use]
    pub fn payment_hash(&self) -> Option<PaymentHash> {
        Some(match self {
            Self::Opening { .. }
            | Self::Adjust { .. }
            | Self::Backup
            | Self::Reconciled { .. }
            | Self::FailDraft { .. } => return None,
            Self::Claim(claim) => claim.payment.payment_hash,
            Self::Reserve { payment, .. }
            | Self::Dispatch { payment, .. }
            | Self::PostPart { payment, .. }
            | Self::VoidPart { payment, .. }
            | Self::Overspend { payment, .. }
            | Self::LatePart { payment, .. }
            | Self::Prove { payment, .. }
            | Self::SelfPay { payment, .. }
            | Self::Complete { payment, .. }
            | Self::Fail { payment, .. } => payment.payment_hash,
            Self::HoldSet { set, .. }
            | Self::SettleSet { set, .. }
            | Self::ClaimSet { set, .. }
            | Self::VoidSet { set } => set.payment_hash,
        })
    }

    /// Whether it ends a payment, or says that one which had failed is paid, or that a receipt is.
    #[must_use]
    pub fn is_end(&self) -> bool {
        match self {
            Self::Complete { .. }
            | Self::Fail { .. }
            | Self::FailDraft { .. }
            | Self::Prove { .. } => true,
            Self::SelfPay { paid, .. } | Self::ClaimSet { paid, .. } => paid.is_some(),
            Self::Opening { .. }
            | Self::Adjust { .. }
            | Self::Backup
            | Self::Reconciled { .. }
            | Self::Claim(_)
            | Self::Reserve { .. }
            | Self::Dispatch { .. }
            | Self::PostPart { .. }
            | Self::VoidPart { .. }
            | Self::Overspend { .. }
            | Self::LatePart { .. }
            | Self::HoldSet { .. }
            | Self::SettleSet { .. }
            | Self::VoidSet { .. } => false,
        }
    }

    /// The name this kind of entry has in traces.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match self {
            Self::Claim(_) | Self::Prove { .. } => "ledger:claim",
            Self::Reserve { .. }
            | Self::Dispatch { .. }
            | Self::HoldSet { .. }
            | Self::SettleSet { .. } => "ledger:reserve",
            Self::Adjust { .. } | Self::Backup | Self::Reconciled { .. } => "ledger:reconcile",
            Self::Opening { .. }
            | Self::PostPart { .. }
            | Self::Overspend { .. }
            | Self::LatePart { .. }
            | Self::SelfPay { .. }
            | Self::ClaimSet { .. } => "ledger:post",
            Self::VoidPart { .. }
            | Self::Complete { .. }
            | Self::Fail { .. }
            | Self::FailDraft { .. }
            | Self::VoidSet { .. } => "ledger:void",
        }
    }

    /// The entry as traces and announcements show it: without the preimage.
    #[must_use]
    pub fn shown(&self) -> Json {
        self.without_preimage(&Json::of(self))
    }

    /// What it is written as, but for the preimage; most have none.
    pub(crate) fn without_preimage(&self, written: &Json) -> Json {
        if !matches!(self, Self::Complete { .. } | Self::Prove { .. }) {
            return written.clone();
        }
        Json::carrying(&WithoutPreimage(self.clone()))
    }
}

/// An entry that is written without its preimage, if somebody looks.
#[derive(Clone)]
struct WithoutPreimage(LedgerEntry);

impl Serialize for WithoutPreimage {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = Json::of(&self.0).fields().unwrap_or_default();
        fields.remove("preimage");
        fields.serialize(to)
    }
}
