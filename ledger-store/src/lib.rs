//! The books of a node: a double-entry ledger in memory, claims on payment hashes, and receipts.
//!
//! | module | what it holds |
//! |---|---|
//! | `chart` | the accounts, and the ids of postings |
//! | `journal` | immutable transfers, single or in two phases, in batches that are all or nothing |
//! | `payment` | what one attempt to pay has reserved, sent, paid and got back |
//! | `entry` | one file for each kind of [`LedgerEntry`]: how it is booked, what refuses it |
//! | `limit` | how much was spent within a time |
//! | `verify` | everything recomputed from the postings alone |
//! | `memory` | [`MemoryLedger`]: all of that behind [`Ledger`] |
//! | `receipts` | [`MemoryReceipts`]: what we wait to be paid for, behind [`Receipts`] |
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
mod limit;
mod verify;
mod memory;
mod receipts;
pub mod store;
pub mod laws;

pub use chart::Account;
pub use entry::{ENTRIES_PER_BATCH_MAX, HTLCS_PER_SET_MAX, PARTS_PER_DISPATCH_MAX};
pub use memory::MemoryLedger;
pub use receipts::{
    AddReceiptError, CLTV_BLOCKS_MIN, CancelReceiptError, MemoryReceipts, NewReceipt, Terms,
};
