//! The same entry again.

use super::part_named;
use crate::journal::broken;
use ecs_systems::port::{LedgerEntry, LedgerError, PaymentRef, SetRef};
use ecs_systems::units::{PartId, PaymentHash, ShortChannelId};
use serde::{Deserialize, Serialize};

/// What can happen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKey {
    /// A channel opens.
    Opening(ShortChannelId),
    /// A payment reserves.
    Reserve(PaymentRef),
    /// Parts leave, of which this is the first.
    Dispatch(PaymentRef, PartId),
    /// A part ends, one way or the other.
    Part(PaymentRef, PartId),
    /// A part that arrived cost more than was held.
    Overspend(PaymentRef, PartId),
    /// A part that had failed arrives.
    Late(PaymentRef, PartId),
    /// A payment that had failed turns out paid.
    Proof(PaymentRef),
    /// A payment pays ourselves.
    SelfPay(PaymentRef),
    /// A payment ends, one way or the other.
    End(PaymentRef),
    /// A set is held.
    HoldSet(SetRef),
    /// The preimage of a set leaves.
    SettleSet(SetRef),
    /// A set ends, one way or the other.
    EndSet(SetRef),
}

impl EntryKey {
    /// What an entry is the happening of; `None` for a claim, which is compared with the state of
    /// its hash instead, for what may happen again and again after a backup, and for what claimed
    /// nothing.
    ///
    /// # Errors
    /// A dispatch without parts.
    pub(crate) fn of(entry: &LedgerEntry) -> Result<Option<Self>, LedgerError> {
        Ok(Some(match entry {
            LedgerEntry::Claim(_)
            | LedgerEntry::Adjust { .. }
            | LedgerEntry::Backup
            | LedgerEntry::Reconciled { .. }
            | LedgerEntry::FailDraft { .. } => return Ok(None),
            LedgerEntry::Opening { short_channel_id, .. } => Self::Opening(*short_channel_id),
            LedgerEntry::Reserve { payment, .. } => Self::Reserve(*payment),
            LedgerEntry::Dispatch { payment, parts } => match parts.first() {
                Some(first) => Self::Dispatch(*payment, first.part_id),
                None => return Err(broken("a dispatch without parts")),
            },
            LedgerEntry::PostPart { payment, part_id, .. }
            | LedgerEntry::VoidPart { payment, part_id } => Self::Part(*payment, *part_id),
            LedgerEntry::Overspend { payment, part_id, .. } => Self::Overspend(*payment, *part_id),
            LedgerEntry::LatePart { payment, part_id, .. } => Self::Late(*payment, *part_id),
            LedgerEntry::Prove { payment, .. } => Self::Proof(*payment),
            LedgerEntry::SelfPay { payment, .. } => Self::SelfPay(*payment),
            LedgerEntry::Complete { payment, .. } | LedgerEntry::Fail { payment, .. } => {
                Self::End(*payment)
            }
            LedgerEntry::HoldSet { set, .. } => Self::HoldSet(*set),
            LedgerEntry::SettleSet { set, .. } => Self::SettleSet(*set),
            LedgerEntry::ClaimSet { set, .. } | LedgerEntry::VoidSet { set } => Self::EndSet(*set),
        }))
    }

    /// The channel that opens, if one does.
    pub(crate) fn channel(&self) -> Option<ShortChannelId> {
        if let Self::Opening(channel) = self { Some(*channel) } else { None }
    }

    /// The hash it is about; none for a channel.
    pub(crate) fn hash(&self) -> Option<PaymentHash> {
        match self {
            Self::Opening(_) => None,
            Self::Reserve(payment)
            | Self::Dispatch(payment, _)
            | Self::Part(payment, _)
            | Self::Overspend(payment, _)
            | Self::Late(payment, _)
            | Self::Proof(payment)
            | Self::SelfPay(payment)
            | Self::End(payment) => Some(payment.payment_hash),
            Self::HoldSet(set) | Self::SettleSet(set) | Self::EndSet(set) => Some(set.payment_hash),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Opening(channel) => format!("channel {channel}"),
            Self::Reserve(payment) => format!("reservation of {}", super::named(payment)),
            Self::Dispatch(payment, part) => {
                format!("dispatch from {} on", part_named(payment, *part))
            }
            Self::Part(payment, part) => part_named(payment, *part),
            Self::Overspend(payment, part) => {
                format!("overspending of {}", part_named(payment, *part))
            }
            Self::Late(payment, part) => format!("late {}", part_named(payment, *part)),
            Self::Proof(payment) => format!("proof of {}", super::named(payment)),
            Self::SelfPay(payment) => format!("self-payment of {}", super::named(payment)),
            Self::End(payment) => super::named(payment),
            Self::HoldSet(set) => format!("hold of {}", super::set::set_named(set)),
            Self::SettleSet(set) => format!("settlement of {}", super::set::set_named(set)),
            Self::EndSet(set) => super::set::set_named(set),
        }
    }
}

/// An entry that was booked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Applied {
    pub(crate) entry: LedgerEntry,
}

impl Applied {
    /// The channel that it opened, if it did.
    pub(crate) fn channel(&self) -> Option<ShortChannelId> {
        EntryKey::of(&self.entry).ok()??.channel()
    }

    /// What the same entry again comes to: nothing.
    ///
    /// # Errors
    /// `exists_with_different_<field>` for the first field that differs. The limits of a
    /// reservation are no field of it: they are asked once.
    pub(crate) fn repeated(&self, entry: &LedgerEntry) -> Result<(), LedgerError> {
        let Some(field) = difference(&self.entry, entry) else {
            return Ok(());
        };
        let name = EntryKey::of(entry)?.map_or_else(String::new, |key| key.name());
        Err(broken(format!("{name}: exists_with_different_{field}")))
    }
}

/// The first field in which two entries with one key differ.
fn difference(existing: &LedgerEntry, wanted: &LedgerEntry) -> Option<&'static str> {
    use LedgerEntry::{
        ClaimSet, Complete, Dispatch, HoldSet, LatePart, Opening, Overspend, PostPart, Reserve,
        SelfPay, SettleSet,
    };
    let fields: &[(&'static str, bool)] = match (existing, wanted) {
        (Opening { amount_msat: a, .. }, Opening { amount_msat: b, .. }) => {
            &[("amount_msat", a == b)]
        }
        (
            SelfPay { amount_msat: a, paid: paid_a, .. },
            SelfPay { amount_msat: b, paid: paid_b, .. },
        ) => &[("amount_msat", a == b), ("paid", paid_a == paid_b)],
        (
            Overspend { amount_msat: a, circular: circular_a, .. },
            Overspend { amount_msat: b, circular: circular_b, .. },
        ) => &[("amount_msat", a == b), ("circular", circular_a == circular_b)],
        (
            Reserve { amount_msat: a, fee_budget_msat: budget_a, label: label_a, .. },
            Reserve { amount_msat: b, fee_budget_msat: budget_b, label: label_b, .. },
        ) => &[
            ("amount_msat", a == b),
            ("fee_budget_msat", budget_a == budget_b),
            ("label", label_a == label_b),
        ],
        (Dispatch { parts: a, .. }, Dispatch { parts: b, .. }) => &[("parts", a == b)],
        (
            PostPart { fee_msat: a, circular: circular_a, .. },
            PostPart { fee_msat: b, circular: circular_b, .. },
        )
        | (
            LatePart { fee_msat: a, circular: circular_a, .. },
            LatePart { fee_msat: b, circular: circular_b, .. },
        ) => &[("fee_msat", a == b), ("circular", circular_a == circular_b)],
        (
            Complete { fee_msat: a, preimage: preimage_a, .. },
            Complete { fee_msat: b, preimage: preimage_b, .. },
        ) => &[("fee_msat", a == b), ("preimage", preimage_a == preimage_b)],
        (HoldSet { htlcs: a, .. }, HoldSet { htlcs: b, .. }) => &[("htlcs", a == b)],
        (
            SettleSet { htlcs: a, payer: payer_a, .. },
            SettleSet { htlcs: b, payer: payer_b, .. },
        ) => &[("htlcs", a == b), ("payer", payer_a == payer_b)],
        (ClaimSet { lost: a, paid: paid_a, .. }, ClaimSet { lost: b, paid: paid_b, .. }) => {
            &[("lost", a == b), ("paid", paid_a == paid_b)]
        }
        (a, b) => &[("entry", a == b)],
    };
    fields.iter().find(|(_, equal)| !equal).map(|(field, _)| *field)
}
