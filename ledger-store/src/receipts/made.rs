//! What a receipt is made of.

use super::{invoices::InvoicePlaces, order::Places};
use ecs_systems::port::{IssuedInvoice, IssuedReceipt, ReceiptKey, Terms};
use ecs_systems::units::{Msat, PaymentHash, PaymentSecret, Preimage, Sealed, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A receipt as it is made in code. Its secrets do not print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// What is given for the money.
    pub preimage: Preimage,
    /// What the payer must show; `None`: it must show none.
    pub payment_secret: Option<PaymentSecret>,
    /// What it asks for, at least 1 msat; `None`: any amount.
    pub amount_msat: Option<Msat>,
    /// When it stops being payable: at that moment it no longer is.
    pub expires_at: Timestamp,
    /// On which terms.
    pub terms: Terms,
}

/// Why a receipt is not cancelled. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelReceiptError {
    /// There is none.
    #[error("no receipt of hash {payment_hash}")]
    Unknown {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// Its preimage leaves, or has left.
    #[error("the receipt of hash {payment_hash} is being paid")]
    Settling {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// The money is ours already.
    #[error("the receipt of hash {payment_hash} was paid with {received_msat}")]
    Paid {
        /// The hash.
        payment_hash: PaymentHash,
        /// What came.
        received_msat: Msat,
    },
}

/// A receipt that is here.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) made: Made,
    pub(crate) outcome: Outcome,
    pub(crate) places: Places,
    /// The preimage that came later, sealed.
    pub(crate) revealed: Option<Sealed>,
    /// The places of its invoice, where it has one.
    pub(crate) invoiced: Option<Box<InvoicePlaces>>,
}

/// How a receipt came to be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// In code, with its secrets: it is in no record.
    Here(NewReceipt),
    /// By a command: its secrets follow from the seed.
    Issued(IssuedReceipt),
}

/// Where a receipt stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Unpaid,
    Settling,
    Paid { received_msat: Msat, at_ms: u64 },
    Cancelled { at_ms: u64 },
}

impl Made {
    pub(crate) fn amount_msat(&self) -> Option<Msat> {
        match self {
            Self::Here(made) => made.amount_msat,
            Self::Issued(issued) => issued.amount_msat,
        }
    }

    pub(crate) fn expires_at(&self) -> Timestamp {
        match self {
            Self::Here(made) => made.expires_at,
            Self::Issued(issued) => issued.expires_at,
        }
    }

    pub(crate) fn terms(&self) -> Terms {
        match self {
            Self::Here(made) => made.terms,
            Self::Issued(IssuedReceipt { overpay, cltv, hold, .. }) => {
                Terms { overpay: *overpay, cltv: *cltv, hold: *hold }
            }
        }
    }

    pub(crate) fn invoice(&self) -> Option<&Arc<IssuedInvoice>> {
        match self {
            Self::Here(_) => None,
            Self::Issued(issued) => issued.invoice.as_ref(),
        }
    }

    pub(crate) fn key(&self) -> Option<&ReceiptKey> {
        match self {
            Self::Here(_) => None,
            Self::Issued(issued) => issued.key.as_ref(),
        }
    }
}
