//! What the books refuse.

use super::HistoryError;
use ecs_core::EntityId;
use payecs_units::{Msat, NodeId, PaymentHash, Timestamp};

/// Why the books refuse a batch; nothing of it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another payment of this hash is under way. Code 200.
    #[error("entity {entity} is already paying this hash")]
    InProgress {
        /// The other payment.
        entity: EntityId,
    },
    /// The hash was paid, or is being paid, with another amount or to another node. Code 201.
    #[error("this hash is already used: {used_msat} to {destination}")]
    HashUsed {
        /// What the first claim pays.
        used_msat: Msat,
        /// Whom the first claim pays.
        destination: NodeId,
    },
    /// The idempotency key belongs to another request. Code 201.
    #[error(
        "the idempotency key `{idempotency_key}` is already used for another request: it belongs \
         to the payment of {payment_hash}"
    )]
    KeyUsed {
        /// Which key.
        idempotency_key: String,
        /// What was paid, or tried to be, with the key.
        payment_hash: PaymentHash,
    },
    /// There is less than that. Code 215.
    #[error("{requested_msat} needed, {available_msat} available")]
    InsufficientFunds {
        /// Amount and fee budget.
        requested_msat: Msat,
        /// What is neither spent nor set aside.
        available_msat: Msat,
    },
    /// A limit is reached. Code 2310.
    #[error("limit `{limit}`: {used_msat} used, {requested_msat} requested, {max_msat} allowed")]
    LimitReached {
        /// Its name.
        limit: String,
        /// Spent or set aside within the window.
        used_msat: Msat,
        /// What was asked for on top.
        requested_msat: Msat,
        /// What the limit allows.
        max_msat: Msat,
        /// When enough of the window has passed; `None` where it alone is above the limit.
        resets_at: Option<Timestamp>,
    },
    /// It concerns a payment that ended long ago, and the history is still being opened: the same
    /// may be tried again later. Code 2321.
    #[error("the ledger's history is being opened: {done} of {of} entries; try again")]
    HistoryOpening {
        /// How many entries are looked through.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// It concerns a payment that ended long ago, and the history can't be read. Code 2322.
    #[error("the ledger's history can't be read: {what}")]
    HistoryUnreadable {
        /// What is wrong.
        what: String,
    },
    /// The batch would break an invariant: our own mistake, or damaged books. Code 2320.
    #[error("ledger invariant: {what}")]
    Invariant {
        /// Which one, with its figures.
        what: String,
    },
}

impl From<HistoryError> for LedgerError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Opening { done, of } => Self::HistoryOpening { done, of },
            HistoryError::Failed { what } => Self::HistoryUnreadable { what },
        }
    }
}
