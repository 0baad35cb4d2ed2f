//! What a receipt is made of.

use super::{invoices::InvoicePlaces, order::Places};
use ecs_core::Json;
use ecs_systems::port::{IssuedInvoice, IssuedReceipt, ReceiptKey, ReceiptSecrets, SeedId, Terms};
use ecs_systems::units::{
    Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, Sealed, Timestamp,
};
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
    pub(crate) later: Option<Box<Later>>,
}

/// What some receipts have, and what changes of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Later {
    /// The preimage that came later, sealed.
    pub(crate) revealed: Option<Sealed>,
    /// The places of its invoice, where it has one.
    pub(crate) invoiced: Option<InvoicePlaces>,
}

impl Held {
    /// One that has `later`, unless that is nothing.
    pub(crate) fn new(made: Made, outcome: Outcome, places: Places, later: Later) -> Self {
        let is_plain = later.revealed.is_none() && later.invoiced.is_none();
        let later = (!is_plain).then(|| Box::new(later));
        Self { made, outcome, places, later }
    }

    /// The preimage that came later, sealed.
    pub(crate) fn revealed(&self) -> Option<&Sealed> {
        self.later.as_ref()?.revealed.as_ref()
    }

    /// The places of its invoice, where it has one.
    pub(crate) fn invoiced(&self) -> Option<&InvoicePlaces> {
        self.later.as_ref()?.invoiced.as_ref()
    }
}

/// What a receipt is from the first moment on. Many rest at a time: what most of them don't have is
/// in a box of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) hash: PaymentHash,
    pub(crate) receipt_id: ReceiptId,
    /// Nothing where it asks for any amount: no receipt asks for nothing.
    asked_msat: Msat,
    pub(crate) expires_at: Timestamp,
    pub(crate) terms: Terms,
    /// `None`: its secrets are derived, and it has nothing else.
    pub(crate) more: Option<Box<More>>,
}

/// What few receipts have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) secrets: Secrets,
    pub(crate) metadata: Option<Json>,
    pub(crate) key: Option<ReceiptKey>,
    pub(crate) prepend: Vec<Arc<str>>,
    pub(crate) invoice: Option<Arc<IssuedInvoice>>,
}

/// Where the secrets of a receipt are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Here: it was made in code, and is in no record.
    Here(Preimage, Option<PaymentSecret>),
    /// Where the record of the command that issued it says.
    Issued(ReceiptSecrets),
}

/// Where a receipt stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Unpaid,
    /// Unpaid, and noted as expired.
    Expired,
    Settling,
    Paid {
        received_msat: Msat,
        at_ms: u64,
    },
    Cancelled {
        at_ms: u64,
    },
}

impl Made {
    /// A receipt that is in no record.
    pub(crate) fn here(receipt: &NewReceipt) -> Self {
        let NewReceipt { preimage, payment_secret, amount_msat, expires_at, terms } = *receipt;
        let secrets = Secrets::Here(preimage, payment_secret);
        let (metadata, key, prepend, invoice) = (None, None, Vec::new(), None);
        let more = Some(Box::new(More { secrets, metadata, key, prepend, invoice }));
        let (hash, receipt_id) = (preimage.hash(), ReceiptId([0; 32]));
        let asked_msat = amount_msat.unwrap_or(Msat::ZERO);
        Self { hash, receipt_id, asked_msat, expires_at, terms, more }
    }

    /// A receipt as its record has it, but for the seed.
    pub(crate) fn issued(issued: IssuedReceipt) -> Self {
        let IssuedReceipt { payment_hash: hash, receipt_id, seed: _, secrets, .. } = issued;
        let IssuedReceipt { amount_msat, overpay, cltv, expires_at, hold, .. } = issued;
        let IssuedReceipt { metadata, key, prepend, invoice, .. } = issued;
        let is_plain = secrets == ReceiptSecrets::Derived
            && (&metadata, &key, &invoice) == (&None, &None, &None)
            && prepend.is_empty();
        let secrets = Secrets::Issued(secrets);
        let more = (!is_plain).then(|| Box::new(More { secrets, metadata, key, prepend, invoice }));
        let terms = Terms { overpay, cltv, hold };
        let asked_msat = amount_msat.unwrap_or(Msat::ZERO);
        Self { hash, receipt_id, asked_msat, expires_at, terms, more }
    }

    /// The record that issued it; `None`: it is in none.
    pub(crate) fn record(&self, seed: SeedId) -> Option<IssuedReceipt> {
        let Self { hash, receipt_id, asked_msat: _, expires_at, terms, more } = self;
        let Terms { overpay, cltv, hold } = *terms;
        let more = more.as_deref();
        Some(IssuedReceipt {
            payment_hash: *hash,
            receipt_id: *receipt_id,
            seed,
            secrets: self.secrets()?,
            amount_msat: self.amount_msat(),
            overpay,
            cltv,
            expires_at: *expires_at,
            hold,
            metadata: more.and_then(|more| more.metadata.clone()),
            key: more.and_then(|more| more.key.clone()),
            prepend: more.map(|more| more.prepend.clone()).unwrap_or_default(),
            invoice: self.invoice().cloned(),
        })
    }

    /// Where its record says that its secrets are; `None`: it is in no record.
    pub(crate) fn secrets(&self) -> Option<ReceiptSecrets> {
        match self.more.as_deref().map(|more| &more.secrets) {
            None => Some(ReceiptSecrets::Derived),
            Some(Secrets::Issued(secrets)) => Some(*secrets),
            Some(Secrets::Here(..)) => None,
        }
    }

    /// What it asks for; `None`: any amount.
    pub(crate) fn amount_msat(&self) -> Option<Msat> {
        Some(self.asked_msat).filter(|asked| *asked > Msat::ZERO)
    }

    /// What its secrets follow from, beside the seed.
    pub(crate) fn name(&self) -> (&ReceiptId, &PaymentHash) {
        (&self.receipt_id, &self.hash)
    }

    pub(crate) fn invoice(&self) -> Option<&Arc<IssuedInvoice>> {
        self.more.as_ref()?.invoice.as_ref()
    }

    pub(crate) fn key(&self) -> Option<&ReceiptKey> {
        self.more.as_ref()?.key.as_ref()
    }
}
