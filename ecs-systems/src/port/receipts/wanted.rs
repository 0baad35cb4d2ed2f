//! What somebody wants to be paid for, before it has a record.

use super::{CLTV_BLOCKS_MIN, OverpayRule};
use ecs_core::Json;
use payecs_units::{Blocks, Msat, PaymentHash, PaymentSecret, Preimage, RequestHash, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// On which terms a receipt is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which totals it takes.
    pub overpay: OverpayRule,
    /// Blocks that each HTLC must have left when it comes in, at least [`CLTV_BLOCKS_MIN`].
    pub cltv: Blocks,
    /// A complete set waits for a decision.
    pub hold: bool,
}

impl Default for Terms {
    /// From once to twice, 18 blocks, no hold.
    fn default() -> Self {
        Self { overpay: OverpayRule::Bolt, cltv: CLTV_BLOCKS_MIN, hold: false }
    }
}

/// Secrets that an issuer chose. They do not print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenSecrets {
    /// What is given for the money. Nobody else may know it, and it must not have been used before.
    pub preimage: Preimage,
    /// What the payer must show; `None`: it must show none.
    pub payment_secret: Option<PaymentSecret>,
}

/// What of a receipt's secrets its issuer chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
    /// Nothing: they follow from the seed, as they should.
    #[default]
    Nothing,
    /// Both.
    Secrets(GivenSecrets),
    /// The preimage; what the payer must show follows from the seed.
    Preimage(Preimage),
    /// The hash alone: somebody else has the preimage, and a set waits for it. What the payer must
    /// show follows from the seed.
    Hash(PaymentHash),
}

/// What a repeated request is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKey {
    /// The key.
    pub idempotency_key: String,
    /// The hash of all else that was asked for.
    pub request: RequestHash,
}

/// What somebody wants to be paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRequest {
    /// How much, at least 1 msat; `None`: any amount.
    pub amount_msat: Option<Msat>,
    /// When it stops being payable: at that moment it no longer is.
    pub expires_at: Timestamp,
    /// On which terms.
    pub terms: Terms,
    /// What of its secrets is chosen.
    pub chosen: Chosen,
    /// Free facts.
    pub metadata: Option<Json>,
    /// What the same request again is known by.
    pub key: Option<ReceiptKey>,
    /// Systems that its sets have before all others, in order.
    pub prepend: Vec<Arc<str>>,
}

impl ReceiptRequest {
    /// On the usual terms, with secrets that follow from the seed.
    #[must_use]
    pub fn of(amount_msat: Option<Msat>, expires_at: Timestamp) -> Self {
        let (terms, chosen) = (Terms::default(), Chosen::Nothing);
        let (metadata, key, prepend) = (None, None, Vec::new());
        Self { amount_msat, expires_at, terms, chosen, metadata, key, prepend }
    }
}
