//! What is known of a receipt beside what Systems ask for.

use super::{IssuedInvoice, Receipt};
use ecs_core::Json;
use payecs_units::{Msat, PaymentHash, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything that may be told of a receipt. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// What it asks for, and where it stands.
    pub receipt: Receipt,
    /// What it was paid with, and when.
    pub paid: Option<(Msat, Timestamp)>,
    /// Free facts of its issuer.
    pub metadata: Option<Json>,
    /// Systems that its sets have before all others, in order.
    pub prepend: Vec<Arc<str>>,
    /// The how manieth receipt it is, from 1 on.
    pub created_index: u64,
    /// The how manieth change of any receipt its last one is; to be issued is a change.
    pub updated_index: u64,
    /// Its invoice, if it has one.
    pub invoice: Option<InvoiceFacts>,
}

impl ReceiptFacts {
    /// Its place in that order, if it has one.
    #[must_use]
    pub fn place(&self, order: ReceiptOrder) -> Option<u64> {
        let invoice = self.invoice.as_ref();
        match order {
            ReceiptOrder::Created => Some(self.created_index),
            ReceiptOrder::Updated => Some(self.updated_index),
            ReceiptOrder::InvoiceCreated => invoice.map(|it| it.created_index),
            ReceiptOrder::InvoiceUpdated => invoice.map(|it| it.updated_index),
            ReceiptOrder::InvoicePaid => invoice.and_then(|it| it.pay_index),
        }
    }
}

/// Everything that may be told of a receipt's invoice. Invoices are counted apart from receipts
/// that have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceFacts {
    /// What was issued.
    pub issued: Arc<IssuedInvoice>,
    /// The how manieth invoice it is, from 1 on.
    pub created_index: u64,
    /// The how manieth change of any invoice its last one is; to be issued is a change.
    pub updated_index: u64,
    /// The how manieth invoice that was paid it is, from 1 on, once it is paid: given in the record
    /// that says so, without a gap.
    pub pay_index: Option<u64>,
}

/// What was counted so far. No number is given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptCounts {
    /// How many were issued.
    #[serde(rename = "created_index")]
    pub created: u64,
    /// How many changes there were; to be issued, and to be deleted, is one.
    #[serde(rename = "updated_index")]
    pub updated: u64,
    /// How many are gone: deleted, or so long over that they were let go.
    #[serde(default, rename = "deleted_index")]
    pub deleted: u64,
    /// How many of these were paid and cleaned away by age.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cleaned_paid: u64,
    /// How many of these were never paid and cleaned away by age.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cleaned_expired: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What is cleaned by age together. The names of those with an invoice are Core Lightning's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverKind {
    /// Receipts with an invoice that were paid.
    PaidInvoices,
    /// Those with an invoice that have expired unpaid, or were cancelled.
    ExpiredInvoices,
    /// Receipts without an invoice that were paid.
    PaidPaycodes,
    /// Those without one that have expired unpaid, or were cancelled.
    ExpiredPaycodes,
}

impl OverKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::PaidInvoices, Self::ExpiredInvoices, Self::PaidPaycodes, Self::ExpiredPaycodes];

    /// That of a receipt that is over.
    #[must_use]
    pub const fn of(has_invoice: bool, is_paid: bool) -> Self {
        match (has_invoice, is_paid) {
            (true, true) => Self::PaidInvoices,
            (true, false) => Self::ExpiredInvoices,
            (false, true) => Self::PaidPaycodes,
            (false, false) => Self::ExpiredPaycodes,
        }
    }
}

/// A receipt that is over. They are in order: by when that was, then by when they were
/// issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Over {
    /// When it was paid or cancelled, or has expired.
    pub at: Timestamp,
    /// Its [`ReceiptFacts::created_index`].
    pub created_index: u64,
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// How it is over.
    pub kind: OverKind,
}

/// By what receipts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptOrder {
    /// By [`ReceiptFacts::created_index`].
    Created,
    /// By [`ReceiptFacts::updated_index`].
    Updated,
    /// Those with an invoice, by [`InvoiceFacts::created_index`].
    InvoiceCreated,
    /// Those with an invoice, by [`InvoiceFacts::updated_index`].
    InvoiceUpdated,
    /// Those whose invoice was paid, by [`InvoiceFacts::pay_index`].
    InvoicePaid,
}
