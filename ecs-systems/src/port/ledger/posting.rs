//! What the books are made of, and what they come to.

use super::PaymentRef;
use ecs_core::EntityId;
use payecs_units::{Msat, PartId, Timestamp};
use serde::{Deserialize, Serialize};

/// The id of a posting: 128 bits, derived from (kind, hash, group, part), as 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub String);

/// Whether a posting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingState {
    /// Set aside.
    Pending,
    /// Counts.
    Posted,
    /// Took back what was pending.
    Voided,
}

/// One transfer between two accounts. Immutable: what resolves a pending one is another posting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Its id.
    pub entry_id: EntryId,
    /// Its transaction, by the number of the entry that began it, counted from 1. All postings of
    /// one entry have it in common; but what goes around in a circular payment, what leaves us,
    /// what comes back and the fee, is one transaction with the entry that claims.
    pub tx_id: u64,
    /// The account that is debited.
    pub debit_account: String,
    /// The account that is credited.
    pub credit_account: String,
    /// How much.
    pub amount_msat: Msat,
    /// Why: `reserve`, `part`, `fee`, `void`, …
    pub code: String,
    /// Whether it counts.
    pub state: PostingState,
    /// The pending posting that this one resolves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_id: Option<EntryId>,
    /// The Entity whose step wrote it.
    pub entity: Option<EntityId>,
    /// The payment; of what others pay us, the hash with group 0.
    #[serde(flatten)]
    pub payment: Option<PaymentRef>,
    /// The part.
    #[serde(rename = "partid", default, skip_serializing_if = "Option::is_none")]
    pub part_id: Option<PartId>,
    /// When it was written.
    pub recorded_at: Timestamp,
}

/// What an account's postings sum to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Pending debits.
    pub debits_pending_msat: Msat,
    /// Posted debits.
    pub debits_posted_msat: Msat,
    /// Pending credits.
    pub credits_pending_msat: Msat,
    /// Posted credits.
    pub credits_posted_msat: Msat,
}

/// The balance as wallets know it. Each `sats` figure is computed in msat, then rounded down;
/// `available` and `net` may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceObject {
    /// All that came in.
    pub incoming_total_msat: Msat,
    /// All that went out, fees not counted.
    pub outgoing_total_msat: Msat,
    /// Routing fees of what went out.
    pub fees_paid_msat: Msat,
    /// in − out − fees.
    pub net_msat: i128,
    /// Held for us, or about to be ours.
    pub pending_incoming_msat: Msat,
    /// Set aside for payments under way, fees not counted.
    pub pending_outgoing_msat: Msat,
    /// Fee budgets of payments under way.
    pub reserved_fees_msat: Msat,
    /// What can be spent now: our channels less everything set aside.
    pub spendable_msat: Msat,
    /// net − pending out, as in the ledger view that wallets had before.
    pub available_msat: i128,
}
