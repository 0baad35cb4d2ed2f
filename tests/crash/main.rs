//! A payment survives whatever happens to the process and the disk, at any step of the journal.
//!
//! The engine runs on a disk in memory; the simulated network goes on while the engine is down. In
//! the end three accounts must agree: Components, books, and what really happened.

#![expect(dead_code, reason = "of what it shares with `payments`, it uses a part")]

#[path = "../payments/accounts.rs"]
mod accounts;
#[path = "../payments/books.rs"]
mod books;
#[path = "../payments/calls.rs"]
mod calls;
#[path = "../payments/harness.rs"]
mod harness;
#[path = "../payments/invoices.rs"]
mod invoices;
#[path = "../payments/nets.rs"]
mod nets;

mod journal;
mod place;
mod kills;
mod late;
mod listed;
mod lessons;
mod past;
mod paycodes;
mod receiving;
mod restore;
mod restore_crash;
mod restore_incoming;
mod secrets;
mod steps;

use payflow_default::testing::difficult;
