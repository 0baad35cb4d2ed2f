//! The laws of the index over the ledger log.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails it")]

mod places;
#[macro_use]
mod laws;
mod model;
mod fakes;
mod follower;
mod flips;
mod ledger;
mod history;
mod compare;

use payecs_index::{Content, Pair, Standing};
use payecs_journal::{Head, LogId};
use proptest::prelude::ProptestConfig;

/// Properties of one run, which leave no files behind.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

/// A standing that says how many batches there were.
pub(crate) fn standing(count: u64) -> Standing {
    let head = Head { id: LogId([3; 16]), count, hash: [1; 32] };
    Standing { format: 1, head, content: Content { keys: count, sum: 17 } }
}

pub(crate) fn pair(key: &str, value: &str) -> Pair {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

mod memory {
    store_laws!(crate::places::InMemory::default());
}

mod sled {
    store_laws!(crate::places::OnSled::new());
}

mod redb {
    store_laws!(crate::places::OnRedb::new());
}
