//! What can go wrong, and what to do then.

use crate::{
    disk::{Cause, DiskError},
    ledger::LedgerMark,
};
use std::fmt;

/// Why a log could not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The disk is full and the reserve is used up. What was appended is still buffered: nothing is
    /// lost while the process lives, and nothing of it is durable. `write` and `sync` may be tried
    /// again.
    #[error("{0}; what was appended waits in memory: free space on this disk, then sync again")]
    Full(DiskError),
    /// The disk refused an operation. At opening, nothing was lost; later, the log refuses
    /// everything from then on, because it cannot know what reached the disk.
    #[error("{0}; stop, mend the cause and open the log again")]
    Disk(#[from] DiskError),
    /// An earlier error was final. Nothing was written by this call.
    #[error(
        "the log takes nothing more after an error: {after}; stop, mend the cause and open the log \
         again: what was synced before is there"
    )]
    Refused {
        /// The error that was final.
        after: String,
    },
    /// Another process has the log. Nothing was read or written.
    #[error(
        "{file} is held by {}: stop that process, or use another data directory",
        holder(*.pid)
    )]
    Locked {
        /// The lock file.
        file: String,
        /// Who holds it, when the file says so.
        pid: Option<u32>,
    },
    /// The file is of a version that this program does not know. Nothing was changed.
    #[error(
        "{file} has version {found}, this program reads version {ours}: use the program that wrote \
         it"
    )]
    Version {
        /// The file.
        file: String,
        /// The version it says.
        found: u16,
        /// The version of this program.
        ours: u16,
    },
    /// Something that was durable has changed or is gone. Nothing was changed.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// The record is longer than a frame may be. It was not appended.
    #[error("a record of {bytes} bytes is longer than the {max} that fit: split it")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that fits.
        max: usize,
    },
    /// So much waits to be written that no more is taken. It was not appended.
    #[error("{bytes} bytes wait to be written, at most {max} may: call write or sync first")]
    BufferFull {
        /// What waits.
        bytes: usize,
        /// The most that may wait.
        max: usize,
    },
    /// A snapshot may not stand for records that are not durable yet. Nothing was written.
    #[error("a snapshot of record {asked} must wait: records are durable to {durable}: sync first")]
    SnapshotAhead {
        /// What the snapshot was to stand for.
        asked: u64,
        /// What is durable.
        durable: u64,
    },
    /// A snapshot may not replace records whose ledger lines are not durable in the ledger.
    /// Nothing was written.
    #[error(
        "a snapshot of record {asked} must wait: the ledger is synced to record {synced}: sync it \
         first"
    )]
    LedgerBehind {
        /// What the snapshot was to stand for.
        asked: u64,
        /// The record to which the ledger was said to be synced.
        synced: u64,
    },
    /// There is a snapshot as new as the one asked for. Nothing was written.
    #[error("there is a snapshot of record {newest} already, {asked} is not newer: keep that one")]
    SnapshotNotNewer {
        /// What the snapshot was to stand for.
        asked: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The ledger has another entry at this index than the state log says. Nothing was appended
    /// from there on.
    #[error(
        "ledger entry {index} is not what the state log says: one of the two was changed; keep \
         both and verify the ledger against a head that was kept elsewhere"
    )]
    EntryDiffers {
        /// The first entry that differs, counted from 0.
        index: u64,
    },
    /// Entries are missing between the ledger's last one and the first that was given. Nothing was
    /// appended.
    #[error(
        "the ledger has {count} entries and was to be completed from entry {from}: those between \
         are gone; restore the ledger from a copy"
    )]
    EntriesMissing {
        /// What the ledger has.
        count: u64,
        /// The index of the first that was given.
        from: u64,
    },
    /// The ledger has entries that the state log does not know, though none is appended before its
    /// record is durable: the state log was cut, or comes from an older copy. Nothing is appended.
    #[error(
        "the ledger has {count} entries and the state log knows {known}: the state log was cut or \
         restored from an older copy; send nothing before every payment was reconciled with the \
         node"
    )]
    StateBehind {
        /// What the ledger has.
        count: u64,
        /// To where the state log knows them.
        known: u64,
    },
    /// The ledger does not have what a mark of it stands for: it was cut, rewritten or restored
    /// from an older copy, or the entry before the mark has changed. Nothing was changed.
    #[error(
        "ledger/entries.log does not have the {} entries that the state counts on: {harm} at byte \
         {}. Keep a copy of the directory, then put that file back or restore a backup",
        mark.head.count,
        mark.offset
    )]
    MarkMisfit {
        /// The mark.
        mark: Box<LedgerMark>,
        /// What is wrong at its last entry.
        harm: Harm,
    },
    /// The id of a key has spaces or line ends, so that it cannot stand in a line. Nothing was
    /// written.
    #[error("the key id {key_id:?} is not one word: sign with a key whose id is")]
    KeyId {
        /// The id.
        key_id: String,
    },
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::Damaged(Box::new(damage))
    }
}

impl Error {
    /// As it is told where the log can go on after it made room.
    pub(crate) fn of_write(error: DiskError) -> Self {
        if error.is_full() { Self::Full(error) } else { Self::Disk(error) }
    }

    pub(crate) fn of_lock(error: DiskError) -> Self {
        match error.cause {
            Cause::HeldBy(pid) => Self::Locked { file: error.file, pid },
            Cause::NoSpace
            | Cause::ReadOnly
            | Cause::Missing
            | Cause::Denied
            | Cause::Gone
            | Cause::Other(_) => Self::Disk(error),
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Something that was durable and is not as it was written. Nothing is repaired or passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file} is damaged at byte {offset}: {harm}. {}. Keep a copy of the directory, then restore it \
     from a copy made before",
    extent(*.holds, *.next)
)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where the first thing begins that is not as it was written, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub harm: Harm,
    /// The last number before the place that is as it was written; `None` when there is none in
    /// this file.
    pub holds: Option<u64>,
    /// The number of the first readable frame behind the place, when there is one.
    pub next: Option<u64>,
}

fn extent(holds: Option<u64>, next: Option<u64>) -> String {
    let before = holds.map_or_else(
        || "Nothing before it in this file holds".to_owned(),
        |holds| format!("What is before it holds, to number {holds}"),
    );
    let behind = next.map_or_else(
        || "nothing behind it can be read".to_owned(),
        |next| format!("behind it number {next} can be read"),
    );
    format!("{before}; {behind}")
}

/// What is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The beginning of the file is not one that this program wrote.
    FileHeader,
    /// The file is whole, but belongs elsewhere: another class, number or log.
    Misplaced,
    /// The file does not follow the one before it.
    Chain,
    /// The frame's checksum does not fit, or the frame is cut short.
    Frame,
    /// The frame is whole, but not the one that belongs here.
    Order,
    /// Numbers that must be there are gone.
    Missing,
    /// The hash of the entry does not follow from the entry and the one before.
    Hash,
    /// A line of text is not one that this program wrote.
    Line,
}

impl fmt::Display for Harm {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::FileHeader => "the file header is not as it was written",
            Self::Misplaced => "the file belongs elsewhere",
            Self::Chain => "the file does not follow the one before it",
            Self::Frame => "the frame is not as it was written",
            Self::Order => "the frame does not belong here",
            Self::Missing => "what must follow is gone",
            Self::Hash => "the hash does not follow from the entry and the one before",
            Self::Line => "the line is not as it was written",
        })
    }
}

/// A tail that was cut at opening: what a power loss leaves of a write that was not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: String,
    /// Where the file ends now, in bytes.
    pub offset: u64,
    /// How many bytes were cut.
    pub cut_bytes: u64,
    /// How many whole records stood among them, behind the first bad frame.
    pub whole_records: u64,
}
