//! The file layer of the durable journal: it stores bytes, and knows no engine, no money, no clock.
//!
//! [`StateLog`] keeps one record per command, with snapshots from which older records can go.
//! [`LedgerLog`] keeps its entries for ever, each chained to the one before by its hash. One
//! [`StateLog::sync`] makes a group durable: a state record carries the ledger lines of its
//! command, and [`LedgerLog::complete_from`] takes from there what a crash kept from the ledger.
//!
//! Both stand on a [`Disk`]: [`OsDisk`] is the real one, [`MemoryDisk`] loses power on request.
//!
//! # What a crash, a power loss and a flipped bit look like
//!
//! Each frame carries two checksums, its number, and the place in its file up to which everything
//! was known to be durable when it was written. After each sync a *mark*, a frame without a record,
//! says so for the group that was just synced; the mark itself is durable with the next sync.
//!
//! | found at opening | answer |
//! |---|---|
//! | a bad frame in the last file, no frame behind it knows its place as durable | [`Torn`], cut |
//! | a bad frame, and one behind it that knows its place as durable | [`Error::Damaged`] |
//! | a bad frame in an earlier file | [`Error::Damaged`] |
//! | a bad file header, a missing file or number | [`Error::Damaged`] |
//! | a ledger without the entry before the mark it is opened from | [`Error::MarkMisfit`] |
//! | a version that this program does not know | [`Error::Version`] |
//!
//! A killed process loses only what was never handed to the system. All marks are there then (but
//! for those that found a full disk), and each changed byte of a record that was synced is told as
//! damage. What cannot be told apart, because the bytes are the same:
//!
//! - A changed byte in the last synced group, when a power loss took the mark behind it, looks like
//!   a group that was never synced.
//! - A changed byte in the last mark looks like a torn mark. No record is lost by cutting it.
//! - A file cut short at the end of a frame looks like one that never was longer; cut short inside
//!   a frame, it looks torn. A state log cut before its newest snapshot is told as damage, one cut
//!   before the last entry of the ledger by [`LedgerLog::complete_from`], and a ledger by a
//!   [`Head`] that was kept elsewhere.
//! - Bytes that somebody changed together with their checksums look right in the state log. In the
//!   ledger, [`LedgerLog::verify_against`] tells.
//! - A ledger that is opened from a [`LedgerMark`] is not looked at before it, but for its header
//!   and the entry before the mark. A changed byte there is told to who reads the entry, and by
//!   [`LedgerLog::verify`].
//! - A segment that only an older snapshot needs, and a snapshot older than the one in use, are not
//!   looked at.

#![warn(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

mod error;
mod disk;
mod file;
mod frame;
mod scan;
mod tail;
mod state;
mod ledger;
mod sign;

#[cfg(unix)]
pub use disk::OsDisk;
pub use disk::{Cause, Disk, DiskError, DiskFile, Faults, Held, MemoryDisk, Open, Operation};
pub use error::{Damage, Error, Harm, Torn};
pub use file::{LogId, VERSION};
pub use frame::RECORD_BYTES_MAX;
pub use ledger::{
    Checkpoint, Entries, Entry, Head, LedgerLog, LedgerMark, LedgerReader, ParseHeadError,
    ParseMarkError, Progress, StoredEntry, VerifyError, checkpoints, copy_ledger, verify,
    verify_checkpoints,
};
pub use sign::{SchnorrKey, Sign, TrustedKeys, Verify};
pub use state::{
    Options, Record, Records, Recovered, Seq, Skipped, Snapshot, SnapshotFile, SnapshotWriter,
    SpaceState, StateCopy, StateLog, copy_state,
};
pub use tail::BUFFER_BYTES_MAX;
