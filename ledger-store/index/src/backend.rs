//! Where a store is, and how it is opened.

mod memory;
#[cfg(any(feature = "redb", feature = "sled"))]
mod place;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sled")]
mod sled;

#[cfg(feature = "redb")]
pub use self::redb::RedbBackend;
#[cfg(feature = "sled")]
pub use self::sled::SledBackend;
pub use memory::MemoryBackend;

use crate::{
    error::StoreError,
    store::{Order, Pair, Store},
};
use std::{fmt, sync::Arc};

/// How much of its files a backend may cache, in bytes.
#[cfg(any(feature = "redb", feature = "sled"))]
const CACHE_BYTES: u32 = 64 << 20;

/// A place for one store.
pub trait Backend: Send + fmt::Debug {
    /// Opens the store that is there, or a new one. It may take minutes.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn open(&self) -> Result<Arc<dyn Store>, StoreError>;

    /// Removes the store. One that is still open goes on by itself and is in nobody's way.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn remove(&self) -> Result<(), StoreError>;
}

/// The first so many of a range's pairs, in an order.
fn in_order<E>(
    range: impl DoubleEndedIterator<Item = Result<Pair, E>>,
    order: Order,
    limit: usize,
) -> Result<Vec<Pair>, E> {
    match order {
        Order::Up => range.take(limit).collect(),
        Order::Down => range.rev().take(limit).collect(),
    }
}

/// Runs what may panic on damaged files.
#[cfg(any(feature = "redb", feature = "sled"))]
fn guarded<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    ran.unwrap_or_else(|panic| Err(StoreError::panicked(&*panic)))
}
