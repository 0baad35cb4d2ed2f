//! Finds entries of the ledger log by what is in them.
//!
//! The ledger log is the truth and the index holds nothing that does not follow from it: an index
//! that is missing, damaged or of another log is built again.
//!
//! A [`Store`] holds keys in order, with a [`Standing`] that says what of which log is in it. A
//! [`Backend`] opens one at a place: [`MemoryBackend`], [`SledBackend`] (feature `sled`, the
//! default) and `RedbBackend` (feature `redb`) keep the same laws.
//!
//! A [`Follower`] builds the store from a [`Source`] on a thread of its own, with what an
//! [`Extractor`] reads out of each entry; an [`Index`] answers meanwhile.
//! [`compare`] holds a store against its log, entry by entry.
//! [`History`] asks one over the ledger log of `ledger-store`, whose extractor is [`HISTORY`].

mod error;
mod store;
mod backend;
mod source;
mod extract;
mod compare;
mod follower;
mod history;

#[cfg(feature = "redb")]
pub use backend::RedbBackend;
#[cfg(feature = "sled")]
pub use backend::SledBackend;
pub use backend::{Backend, MemoryBackend};
pub use compare::{Fault, compare};
pub use error::StoreError;
pub use extract::{Extractor, Names, index_of, key};
pub use follower::{Answer, Follower, Index, Progress, QueryError, State};
pub use history::{HISTORY, History, Moment, PAGE_ENTRIES_MAX};
pub use source::{Source, SourceEntries};
pub use store::{ALL_KEYS, Content, Order, Pair, Standing, Store};
