//! What is known of a receipt beside what Systems ask for.

use super::Receipt;
use ecs_core::Json;
use payecs_units::{Msat, Timestamp};

/// Everything that may be told of a receipt. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// What it asks for, and where it stands.
    pub receipt: Receipt,
    /// What it was paid with, and when.
    pub paid: Option<(Msat, Timestamp)>,
    /// Free facts of its issuer.
    pub metadata: Option<Json>,
    /// The how manieth receipt it is, from 1 on.
    pub created_index: u64,
    /// The how manieth change of any receipt its last one is; to be issued is a change.
    pub updated_index: u64,
}

/// By what receipts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptOrder {
    /// By [`ReceiptFacts::created_index`].
    Created,
    /// By [`ReceiptFacts::updated_index`].
    Updated,
}
