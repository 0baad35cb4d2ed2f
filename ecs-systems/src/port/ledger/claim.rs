//! What a payer means to do, and how far it has come.

use ecs_core::EntityId;
use payecs_units::{GroupId, Msat, NodeId, PaymentHash, Preimage, RequestHash};
use serde::{Deserialize, Serialize};

/// One attempt to pay a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PaymentRef {
    /// The hash.
    pub payment_hash: PaymentHash,
    /// The attempt.
    #[serde(rename = "groupid")]
    pub group_id: GroupId,
}

/// What a payer means to do: a second payment of the same hash must mean the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The attempt.
    #[serde(flatten)]
    pub payment: PaymentRef,
    /// The Entity that pays.
    pub entity: EntityId,
    /// Who gets it.
    pub destination: NodeId,
    /// How much of it we pay.
    pub amount_msat: Msat,
    /// The caller's name for its request: no other payment may have it, whatever its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What else the caller asked for, where it gave a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestHash>,
}

impl Claim {
    /// Whether the other pays the same to the same for the same hash.
    #[must_use]
    pub fn same_intent(&self, other: &Self) -> bool {
        self.payment.payment_hash == other.payment.payment_hash
            && self.destination == other.destination
            && self.amount_msat == other.amount_msat
    }

    /// Whether one key may stand for both: their callers asked for the same. Where that is not
    /// known of one, both must pay the same.
    #[must_use]
    pub fn same_request(&self, other: &Self) -> bool {
        match (self.request, other.request) {
            (Some(mine), Some(theirs)) => mine == theirs,
            (Some(_) | None, None) | (None, Some(_)) => self.same_intent(other),
        }
    }
}

/// How far a claim has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Its payment runs.
    Open,
    /// It was paid; a hash that was paid is never paid again.
    Complete {
        /// The proof.
        preimage: Preimage,
        /// What it cost on top.
        fee_msat: Msat,
    },
    /// It failed with nothing paid: the hash may be claimed again. Where it turns out paid after
    /// all, it is complete.
    Failed,
}
