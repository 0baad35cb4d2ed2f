//! What comes in, as the books know it.

use crate::port::HtlcId;
use ecs_core::EntityId;
use payecs_units::{Msat, PaymentHash};
use serde::{Deserialize, Serialize};

/// A set of HTLCs that came in for one receipt, as the books know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetRef {
    /// What they are locked to.
    pub payment_hash: PaymentHash,
    /// The set's Entity.
    pub set: EntityId,
}

/// One HTLC of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetShare {
    /// Which one.
    #[serde(flatten)]
    pub htlc: HtlcId,
    /// What it is worth.
    pub amount_msat: Msat,
    /// What of it is a part of ours that came back; at most the amount.
    pub own_msat: Msat,
}

/// A receipt that is paid, as far as it must be told of when it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidReceipt {
    /// What came in.
    pub amount_msat: Msat,
    /// A payment of ours that went around brought it, or a part of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub circular: bool,
    /// What its invoice is called; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
