//! What a line is about.

use super::LedgerEntry;
use payecs_units::PaymentHash;

impl LedgerEntry {
    /// The hash that a line is about; none for one about a channel or about all books.
    #[must_use]
    pub fn payment_hash(&self) -> Option<PaymentHash> {
        Some(match self {
            Self::Opening { .. } | Self::Adjust { .. } | Self::Backup | Self::Reconciled { .. } => {
                return None;
            }
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
}
