//! The books of a node: a double-entry ledger in memory, claims on payment hashes, and receipts.
//!
//! | module | what it holds |
//! |---|---|
//! | `chart` | the accounts, and the ids of postings |
//! | `journal` | immutable transfers, single or in two phases, in batches that are all or nothing |
//! | `payment` | what one attempt to pay has reserved, sent, paid and got back |
//! | `dossier` | everything known of one hash, from its lines alone |
//! | `state` | what of all that is in memory: what has not ended, what ended of late, and guards |
//! | `past`, `places` | where the rest is |
//! | `image` | the books as data |
//! | `entry` | one file for each kind of [`LedgerEntry`]: how it is booked, what refuses it |
//! | `limit` | how much was spent within a time |
//! | `verify` | everything recomputed from the postings alone |
//! | `audit` | the books gone through again, from the ledger's entries alone |
//! | `memory` | [`MemoryLedger`]: all of that behind [`Ledger`] |
//! | `receipts` | [`MemoryReceipts`]: what we wait to be paid for, behind [`Receipts`] |
//! | `history` | [`LedgerHistory`]: the past, from the ledger log and its index |
//! | [`store`] | what of an engine survives a crash, on the journal's two logs |
//! | [`laws`] | the suites that every implementation of the two ports passes |
//!
//! [`Ledger`]: ecs_systems::port::Ledger
//! [`LedgerEntry`]: ecs_systems::port::LedgerEntry
//! [`Receipts`]: ecs_systems::port::Receipts

#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod chart;
mod journal;
mod payment;
mod entry;
mod dossier;
mod late;
mod guards;
mod limit;
mod sorted;
mod spends;
mod past;
mod places;
mod state;
mod image;
mod verify;
mod memory;
mod audit;
mod receipts;
pub mod store;
mod history;
mod reader;
pub mod laws;

pub use audit::{Audit, AuditFault, audit};
pub use chart::Account;
/// How receipts are asked for, and what they are refused with.
pub use ecs_systems::port::{
    AddReceiptError, CLTV_BLOCKS_MIN, Chosen, GivenSecrets, ReceiptKey, ReceiptRequest, Terms,
};
pub use entry::{ENTRIES_PER_BATCH_MAX, HTLCS_PER_SET_MAX, PARTS_PER_DISPATCH_MAX};
pub use history::LedgerHistory;
pub use memory::{LATE_PAYMENTS_MAX, MemoryLedger};
pub use places::{PastEntries, Reader};
pub use receipts::{
    CancelReceiptError, ENDED_INVOICES_MAX, ENDED_RECEIPTS_MAX, EXPIRED_RECEIPTS_STAY, IssueError,
    Issued, Issuer, MemoryReceipts, NewReceipt, RECEIPTS_PER_COMMAND_MAX, SECRETS_DIR, SEED_FILE,
    Seed, SeedFile, SeedFileError, withdraw,
};
pub use spends::LIMIT_WINDOW_MAX;
