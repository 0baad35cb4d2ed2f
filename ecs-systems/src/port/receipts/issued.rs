//! A receipt as its record has it.

use super::{OverpayRule, ReceiptKey};
use crate::port::ledger::milliseconds;
use ecs_core::Json;
use payecs_units::{Blocks, Msat, PaymentHash, ReceiptId, Sealed, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The least that a receipt may ask for as [`IssuedReceipt::cltv`]: 12 blocks that must be left
/// when it is settled, and 6 to come in and be settled.
pub const CLTV_BLOCKS_MIN: Blocks = Blocks(18);

/// Tells one seed from others, and nothing else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeedId(pub u64);

impl fmt::Display for SeedId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// Where the secrets of a receipt are. None of them is here in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptSecrets {
    /// They follow from the seed and the receipt's id.
    Derived,
    /// Its issuer chose them; they are under keys that follow from the seed, the id and the hash.
    Sealed {
        /// The preimage.
        preimage: Sealed,
        /// What the payer must show; absent: it must show none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_secret: Option<Sealed>,
    },
    /// Its issuer gave the hash alone: the preimage comes with the decision about its set. What the
    /// payer must show follows from the seed and the receipt's id.
    Awaited,
}

/// A receipt as the record of the command that issued it has it. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedReceipt {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// Its name under the seed.
    pub receipt_id: ReceiptId,
    /// Which seed that is.
    pub seed: SeedId,
    /// Where its secrets are.
    pub secrets: ReceiptSecrets,
    /// What it asks for, at least 1 msat; `None`: any amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// Which totals it takes.
    pub overpay: OverpayRule,
    /// Blocks that each HTLC must have left when it comes in, at least [`CLTV_BLOCKS_MIN`].
    pub cltv: Blocks,
    /// When it stops being payable: at that moment it no longer is.
    #[serde(rename = "expires_at_ms", with = "milliseconds")]
    pub expires_at: Timestamp,
    /// A complete set waits for a decision.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Free facts of its issuer, as text.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text")]
    pub metadata: Option<Json>,
    /// What the same request again is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ReceiptKey>,
    /// Systems that its sets have before all others, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepend: Vec<Arc<str>>,
    /// Its invoice; absent: it is a bare paycode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<Arc<IssuedInvoice>>,
}

/// The invoice of a receipt. It prints without the invoice itself, which has the payment secret in
/// it: that is for payers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedInvoice {
    /// What its issuer calls it; no two have the same.
    pub label: String,
    /// What for; absent: that was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As our node has signed it.
    pub bolt11: String,
}

impl fmt::Debug for IssuedInvoice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, description, bolt11: _ } = self;
        let mut shown = out.debug_struct("IssuedInvoice");
        shown.field("label", label).field("description", description).finish_non_exhaustive()
    }
}

/// JSON as a string that has its text: what is read through a buffer keeps no JSON as it came.
mod as_text {
    use ecs_core::Json;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde gives the signature")]
    pub(super) fn serialize<S: Serializer>(json: &Option<Json>, to: S) -> Result<S::Ok, S::Error> {
        json.as_ref().map(Json::text).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Json>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Json::parse(&text)).transpose().map_err(D::Error::custom)
    }
}

/// Why a receipt is not added. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddReceiptError {
    /// It asks for nothing. Ask for an amount, or for any.
    #[error("a receipt asks for 1 msat or more, or for any amount; this one asks for 0msat")]
    ZeroAmount,
    /// Its HTLCs could not be settled in time. Ask for more blocks.
    #[error("a receipt asks for {CLTV_BLOCKS_MIN} or more; this one asks for {cltv}")]
    CltvTooShort {
        /// What it asks for.
        cltv: Blocks,
    },
    /// There is a receipt of this hash that differs. Draw another preimage.
    #[error("there is another receipt of hash {payment_hash}")]
    HashTaken {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// A receipt of this hash was paid: others know its preimage. Draw another one.
    #[error("a receipt of hash {payment_hash} was paid before, so that others know its preimage")]
    WasPaid {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// Its secrets follow from another seed than the one that is here.
    #[error(
        "the receipt of hash {payment_hash} is of seed {theirs}, here is seed {ours}: put the file \
         of its seed back"
    )]
    OtherSeed {
        /// The hash.
        payment_hash: PaymentHash,
        /// The seed of the receipt.
        theirs: SeedId,
        /// The seed that is here.
        ours: SeedId,
    },
    /// A receipt of this hash was deleted, and its hash is kept. Draw another preimage.
    #[error("a receipt of hash {payment_hash} was deleted, and its hash is not free")]
    WasDeleted {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// A receipt with this idempotency key is here. Ask for that one.
    #[error("there is a receipt with the idempotency key `{idempotency_key}`")]
    KeyTaken {
        /// The key.
        idempotency_key: String,
    },
    /// An invoice with this label is here. Take another one, or delete that.
    #[error("there is an invoice with the label `{label}`")]
    LabelTaken {
        /// The label.
        label: String,
    },
    /// There is no seed here that its secrets could follow from.
    #[error("receipts can't be issued here: there is no seed that their secrets could follow from")]
    NoSeed,
    /// These receipts are kept in records: only a command that has one adds to them. Issue it.
    #[error("receipts that are kept in a journal are issued by a command, not added")]
    Kept,
}
