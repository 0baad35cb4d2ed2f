//! What was written before: the books keep in memory what they still need, and ask for the rest.

use super::{LedgerEntry, PaymentRef};
use ecs_core::{EntityId, Json};
use payecs_units::{PaymentHash, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// An entry of the ledger: one batch that the books took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastEntry {
    /// Its place in the ledger, counted from 0. Its postings have the `tx_id` after it, unless
    /// their transaction began before.
    pub index: u64,
    /// When it was written.
    #[serde(rename = "at_ms", with = "milliseconds")]
    pub at: Timestamp,
    /// The Entity that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
    /// What it says, in order.
    pub lines: Vec<LedgerEntry>,
}

/// A moment as a number: every one is read back as it was.
pub(in crate::port) mod milliseconds {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(in crate::port) fn serialize<S: Serializer>(
        at: &Timestamp,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.0.serialize(to)
    }

    pub(in crate::port) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Timestamp, D::Error> {
        u64::deserialize(from).map(Timestamp)
    }
}

/// Why the past can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// It is being opened: ask again later.
    #[error("the history is being opened: {done} of {of} entries")]
    Opening {
        /// How many entries are looked through.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// It can't be read.
    #[error("the history can't be read: {what}")]
    Failed {
        /// What is wrong.
        what: String,
    },
}

/// The ledger's entries by hash and by idempotency key.
pub trait History: fmt::Debug + Send + Sync {
    /// How many entries from the first on it answers for. It may fall, where what it is told from
    /// must be built again: then what it no longer answers for is [`HistoryError::Opening`].
    fn known(&self) -> u64;

    /// How many entries [`History::entries`] can tell: what is behind them is not there yet.
    fn count(&self) -> u64 {
        self.known()
    }

    /// Entries from an index on, in order, `limit` at most: also such as it doesn't answer for yet.
    /// A history that is asked for hashes and keys alone need not tell them, and by default does
    /// not.
    ///
    /// # Errors
    /// [`HistoryError::Failed`].
    fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        let _ = (from, limit);
        Err(HistoryError::Failed { what: "it is not told in order here".to_owned() })
    }

    /// Every entry with a line of that hash, in order. Lines of other hashes may be left out or be
    /// there. None of the hash: it is new.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn lines_of(&self, payment_hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError>;

    /// The payment that was last claimed with that idempotency key.
    ///
    /// # Errors
    /// See [`HistoryError`].
    fn payment_of_key(&self, idempotency_key: &str) -> Result<Option<PaymentRef>, HistoryError>;
}

/// The books at one moment, taken quickly and written down later, on any thread.
#[derive(Clone)]
pub struct BooksImage {
    entries: u64,
    write: Arc<dyn Fn() -> Json + Send + Sync>,
}

impl BooksImage {
    /// The image of books that have taken so many batches; `write` is what brings them back.
    pub fn new(entries: u64, write: impl Fn() -> Json + Send + Sync + 'static) -> Self {
        Self { entries, write: Arc::new(write) }
    }

    /// How many batches the books had taken: as many as the ledger has entries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// What [`Ledger::restore`](super::Ledger::restore) takes. The work is done in this call.
    #[must_use]
    pub fn json(&self) -> Json {
        (self.write)()
    }
}

impl fmt::Debug for BooksImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BooksImage").field("entries", &self.entries).finish_non_exhaustive()
    }
}
