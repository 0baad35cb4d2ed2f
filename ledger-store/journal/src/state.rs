//! The state log: one record per command, in segments, with snapshots.

mod copy;
mod open;
mod records;
mod rotate;
mod snapshot;
mod space;

pub use copy::{StateCopy, copy_state};
pub use open::{Recovered, Skipped};
pub use records::{Record, Records};
pub use snapshot::{Snapshot, SnapshotFile, SnapshotWriter};
pub use space::SpaceState;

use crate::{
    disk::{Disk, Held},
    error::Error,
    file::LogId,
    frame::Kind,
    tail::Tail,
};
use space::Space;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// Where the state log is, below the root of the disk.
const DIR: &str = "state";
const LOCK: &str = "LOCK";
const SEGMENT: &str = ".log";
const SNAPSHOT: &str = ".snapshot";

/// The number of a record, counted from 1. Zero stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, to)
    }
}

/// How a state log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The id of the log if it is made now: 16 random bytes. One that exists keeps its own.
    pub id: LogId,
    /// A segment that is so long after a sync is followed by a new one.
    pub segment_bytes: u64,
    /// What is set aside for the time when the disk is full; 0 for nothing.
    pub reserve_bytes: u64,
}

impl Options {
    /// Segments of 64 MiB, and as much in reserve.
    #[must_use]
    pub fn new(id: LogId) -> Self {
        Self { id, segment_bytes: 64 << 20, reserve_bytes: 64 << 20 }
    }
}

/// An append-only log of records with snapshots. One process at a time has it.
///
/// `append` buffers, `write` hands to the system, `sync` makes durable. After an error of `write`
/// or `sync` that is not [`Error::Full`], it refuses everything: open it again.
///
/// ```
/// use payecs_journal::{Error, LogId, MemoryDisk, Options, Seq, StateLog};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Error> {
/// let disk = MemoryDisk::new();
/// let options = Options::new(LogId([1; 16]));
/// let (mut log, _) = StateLog::open(Arc::new(disk.clone()), options.clone())?;
/// log.append(b"kept")?;
/// assert_eq!(log.sync()?, Seq(1));
/// log.append(b"never written")?;
///
/// disk.power_loss(7);
/// let (_, recovered) = StateLog::open(Arc::new(disk), options)?;
/// let records: Result<Vec<_>, Error> = recovered.records.collect();
/// assert_eq!(records?[0].payload, b"kept");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StateLog {
    disk: Arc<dyn Disk>,
    options: Options,
    id: LogId,
    tail: Tail,
    /// The number of the next record.
    next: u64,
    /// The last record that is durable.
    durable: u64,
    /// The number of each segment's first record, and its file.
    segments: BTreeMap<u64, String>,
    snapshots: BTreeSet<u64>,
    space: Space,
    _lock: Box<dyn Held>,
}

impl StateLog {
    /// Appends a record to the buffer. It is durable once [`StateLog::sync`] returned its number.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::BufferFull`] or [`Error::Refused`]; it is not appended then.
    pub fn append(&mut self, payload: &[u8]) -> Result<Seq, Error> {
        self.tail.check_room(payload.len())?;
        let number = self.next;
        self.tail.push(Kind::Record, number, &[payload]);
        self.next = number.saturating_add(1);
        Ok(Seq(number))
    }

    /// Hands what was appended to the system: it outlives the process, not a power loss. A full
    /// disk is met with the reserve.
    ///
    /// # Errors
    /// [`Error::Full`] when the reserve does not suffice: what was appended waits. Any other error
    /// is final.
    pub fn write(&mut self) -> Result<(), Error> {
        let wrote = self.tail.write();
        if !matches!(wrote, Err(Error::Full(_))) {
            return wrote;
        }
        match self.space.give_up_reserve(&*self.disk) {
            Ok(true) => self.tail.write(),
            Ok(false) => wrote,
            Err(error) => {
                self.tail.fail(&error);
                Err(error)
            }
        }
    }

    /// Makes everything that was appended durable; the number of the last record that is.
    ///
    /// One fdatasync, and none when nothing was appended since the last. A segment that has become
    /// long enough is followed by a new one then; an error of that is told by the next call, since
    /// the records are durable.
    ///
    /// # Errors
    /// As [`StateLog::write`]. After an error of fdatasync nobody knows what is durable: nothing
    /// that was appended since the last success may be acted on.
    pub fn sync(&mut self) -> Result<Seq, Error> {
        self.write()?;
        if self.tail.sync()? {
            self.durable = self.next.saturating_sub(1);
            if self.tail.end() < self.options.segment_bytes || !self.rotate() {
                self.tail.mark(self.durable);
            }
        }
        Ok(Seq(self.durable))
    }

    /// Makes everything durable, the last mark too, and gives the lock back.
    ///
    /// # Errors
    /// As [`StateLog::sync`].
    pub fn close(mut self) -> Result<(), Error> {
        self.sync()?;
        self.tail.sync_marks()
    }

    /// The id that was drawn when the log was made.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.id
    }

    /// The last record that was appended.
    #[must_use]
    pub fn last(&self) -> Seq {
        Seq(self.next.saturating_sub(1))
    }

    /// The last record that is durable.
    #[must_use]
    pub fn durable(&self) -> Seq {
        Seq(self.durable)
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.tail.waiting_bytes()
    }

    /// How much room the log has.
    #[must_use]
    pub fn space(&self) -> SpaceState {
        self.space.state()
    }

    /// Tries to set aside again what is lacking: room for this segment, and the reserve. To be
    /// called when somebody made room; a new segment and [`StateLog::adopt`] do so too.
    ///
    /// # Errors
    /// When the disk refuses for another reason than being full.
    pub fn refill(&mut self) -> Result<SpaceState, Error> {
        self.tail.check()?;
        self.space.fill(&*self.disk, self.tail.file_mut(), &self.options)?;
        Ok(self.space.state())
    }
}

/// The file of a segment or snapshot.
fn file_of(number: u64, ending: &str) -> String {
    format!("{DIR}/{number:020}{ending}")
}

/// The number in the name of a segment or snapshot, written as [`file_of`] would.
fn number_of(name: &str, ending: &str) -> Option<u64> {
    let number = name.strip_suffix(ending)?.parse().ok()?;
    (file_of(number, ending).strip_prefix(DIR)?.strip_prefix('/')? == name).then_some(number)
}
