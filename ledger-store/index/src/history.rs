//! The history of payments: which entries of the ledger say something of what.

mod names;

pub use names::HISTORY;

use crate::{
    error::StoreError,
    extract::{index_of, key},
    follower::{Answer, Index, QueryError},
    store::{Order, Pair, Store},
};
use std::ops::Range;

/// Most entries of one answer.
pub const PAGE_ENTRIES_MAX: usize = 1_000;

/// An entry and when it was written; they are in the order of time, then of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The index of the entry in the ledger.
    pub entry: u64,
}

/// Asks an index that is built with [`HISTORY`]. Lists have at most `limit` entries, and never more
/// than [`PAGE_ENTRIES_MAX`]: the last one of a page is the cursor for the next.
#[derive(Clone, Debug)]
pub struct History {
    index: Index,
}

impl History {
    /// The history in an index.
    #[must_use]
    pub fn of(index: Index) -> Self {
        Self { index }
    }

    /// The entries that name a payment hash, in order, those from index `from` on.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn entries_of_payment(
        &self,
        payment_hash: &[u8; 32],
        from: u64,
        limit: usize,
    ) -> Result<Answer<Vec<u64>>, QueryError> {
        let name = names::of_payment(payment_hash);
        self.index.query(|store| {
            let pairs = page(store, &key(&name, from)..&behind(&name), Order::Up, limit)?;
            pairs.iter().map(|(key, _)| index_of(key).ok_or_else(foreign)).collect()
        })
    }

    /// The latest entry with a claim of an idempotency key. Of several such claims in it, the last
    /// one counts.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn entry_of_key(&self, idempotency_key: &str) -> Result<Answer<Option<u64>>, QueryError> {
        let name = names::of_key(idempotency_key);
        self.index.query(|store| {
            let found = page(store, &name..&behind(&name), Order::Down, 1)?;
            found.first().map(|(key, _)| index_of(key).ok_or_else(foreign)).transpose()
        })
    }

    /// The entries of a time or later, oldest first, those behind the cursor.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn entries_since(
        &self,
        at_ms: u64,
        after: Option<Moment>,
        limit: usize,
    ) -> Result<Answer<Vec<Moment>>, QueryError> {
        let first = key(&names::of_time(at_ms), 0);
        let after = after.map(|moment| [names::of_moment(moment), vec![0]].concat());
        let from = after.map_or(first.clone(), |after| after.max(first));
        self.moments(&from..&names::BEHIND_TIMES, Order::Up, limit)
    }

    /// The entries of a time or earlier, latest first, those before the cursor.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn entries_until(
        &self,
        at_ms: u64,
        before: Option<Moment>,
        limit: usize,
    ) -> Result<Answer<Vec<Moment>>, QueryError> {
        let behind = behind(&names::of_time(at_ms));
        let before = before.map(names::of_moment);
        let to = before.map_or(behind.clone(), |before| before.min(behind));
        self.moments(&names::of_time(0)..&to, Order::Down, limit)
    }

    fn moments(
        &self,
        keys: Range<&[u8]>,
        order: Order,
        limit: usize,
    ) -> Result<Answer<Vec<Moment>>, QueryError> {
        self.index.query(|store| {
            let pairs = page(store, keys, order, limit)?;
            pairs.iter().map(|(key, _)| names::moment(key).ok_or_else(foreign)).collect()
        })
    }
}

fn page(
    store: &dyn Store,
    keys: Range<&[u8]>,
    order: Order,
    limit: usize,
) -> Result<Vec<Pair>, StoreError> {
    store.range(keys, order, limit.min(PAGE_ENTRIES_MAX))
}

/// A key behind all keys of a name: they go on with eight bytes.
fn behind(name: &[u8]) -> Vec<u8> {
    [name, &[0xff; 9]].concat()
}

fn foreign() -> StoreError {
    StoreError::damaged(&"a key or value is not one that this program writes")
}
