//! What of an engine survives a crash: its state and its books, on the two logs of the journal.
//!
//! The state log has one record for each command: what changed, the lines for the books among it.
//! The ledger log has those lines alone, chained and kept for ever; each is appended once the
//! record it comes from is durable. A restart takes the newest snapshot, which has the books too,
//! then the records behind it; what a crash kept from the ledger log is completed from those. Of
//! the ledger log only what the snapshot has not seen is read.

mod backup;
mod format;
mod new_snapshot;
mod restore;
mod signing;

pub use backup::copy;
pub use format::{read_books, read_entry};
pub use new_snapshot::{NewSnapshot, WrittenSnapshot};
pub use restore::{LedgerRead, RestoreStep, Restored};
pub use signing::CHECKPOINT_KEY;

use crate::store::{
    format::{Entry, StateRecord},
    restore::Found,
    signing::Signing,
};
use ecs_core::{Delta, Engine, Inputs};
use ecs_systems::port::{Books, BooksImage, PartImage, ReceiptsBook};
use payecs_journal::{Disk, Head, LedgerLog, LedgerReader, Options, Seq, SpaceState, StateLog};
use std::{borrow::Cow, collections::VecDeque, sync::Arc};

/// A new snapshot is due once the records behind the last one are longer than this,
const BEHIND_BYTES_MIN: u64 = 32 << 20;
/// and so many times as long as that snapshot: so snapshots cost a fixed share of what is written.
const BEHIND_RATIO: u64 = 2;

/// Why a store can't be opened, or no longer written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The files refuse, or are not as they were written.
    #[error(transparent)]
    Journal(#[from] payecs_journal::Error),
    /// A file holds what this program does not read.
    #[error("{what} can't be read: {why}; it was written by another version of the program")]
    Unreadable {
        /// Which record, entry or snapshot.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine does not take what is stored: a Component, System or plugin is missing, or the
    /// seed of its receipts is another one.
    #[error("{what} does not fit this engine: {error}; start it with the same plugins and seed")]
    Unfit {
        /// Which record, entry or snapshot.
        what: String,
        /// What the engine says.
        error: ecs_core::Error,
    },
    /// The books of the snapshot can't be brought back.
    #[error("the books of the snapshot can't be brought back: {why}")]
    Books {
        /// What is wrong with them.
        why: String,
    },
    /// The receipts of the snapshot can't be brought back.
    #[error("the receipts of the snapshot can't be brought back: {why}")]
    Receipts {
        /// What is wrong with them.
        why: String,
    },
    /// The image is not of the moment after the last record: no snapshot was written.
    #[error("the image has {image} entries of the ledger, the journal {journal}")]
    OutOfStep {
        /// How many batches the books of the image have taken.
        image: u64,
        /// How many entries were appended.
        journal: u64,
    },
}

impl StoreError {
    /// The disk is full: what was appended waits, and may be tried again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Journal(payecs_journal::Error::Full(_)))
    }

    /// As much waits to be written as may: write first, then append again.
    #[must_use]
    pub fn is_buffer_full(&self) -> bool {
        matches!(self, Self::Journal(payecs_journal::Error::BufferFull { .. }))
    }
}

/// How far records have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Every record up to this number is handed to the operating system: it outlives the process.
    pub written: u64,
    /// Every record up to this number outlives a power cut.
    pub synced: u64,
}

/// The state of an engine at one moment, to be written on another thread.
#[derive(Clone, Debug)]
pub struct Image {
    engine: ecs_core::Image,
    books: Option<BooksImage>,
    receipts: Option<PartImage>,
    knowledge: Option<PartImage>,
}

impl Image {
    /// The state now: values are shared with the engine, not copied.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let books = engine.resource::<Books>().map(|books| books.0.image());
        let receipts = engine.resource::<ReceiptsBook>().map(|receipts| receipts.0.image());
        Self { engine: engine.image(), books, receipts, knowledge: None }
    }

    /// The same with what the planner has learned by then.
    #[must_use]
    pub fn knowing(self, knowledge: Option<PartImage>) -> Self {
        Self { knowledge, ..self }
    }
}

/// The lines of a record that is not durable yet.
#[derive(Debug)]
struct Coming {
    number: u64,
    entries: Vec<Vec<u8>>,
}

/// The journal of one engine.
#[derive(Debug)]
pub struct Store {
    state: StateLog,
    ledger: LedgerLog,
    /// The text of the last record: its room is used again.
    text: Vec<u8>,
    coming: VecDeque<Coming>,
    /// How many entries the ledger has once everything that was appended is durable.
    entries: u64,
    written: u64,
    /// The last record that the newest snapshot stands for.
    snapshotted: u64,
    /// How long that snapshot is, and the records behind it are, in bytes.
    snapshot_bytes: u64,
    behind_bytes: u64,
    /// Time of the last record, in milliseconds since 1970.
    now_ms: u64,
    signing: Option<Signing>,
}

impl Store {
    /// Opens the store, makes one if there is none, and brings the engine to the state it holds,
    /// with its books. The engine must be as it was built: with its Components, Systems and
    /// keepers, and nothing in it. `step` hears how far the restore is.
    ///
    /// The ledger is read from the mark of the snapshot on, see [`LedgerRead`]: what stands before
    /// it is trusted, and [`payecs_journal::verify`] finds what has changed there.
    ///
    /// # Errors
    /// See [`StoreError`]. The engine is of no use then; the files are as they were, but for what
    /// a crash left unfinished. A ledger that does not have what the mark stands for is refused
    /// with [`payecs_journal::Error::MarkMisfit`]: it was cut, rewritten or restored from an older
    /// copy.
    pub fn open(
        disk: &Arc<dyn Disk>,
        options: Options,
        engine: &mut Engine,
        step: &mut dyn FnMut(RestoreStep),
    ) -> Result<(Self, Restored), StoreError> {
        let (state, recovered) = StateLog::open(Arc::clone(disk), options)?;
        let written = state.last().0;
        let found = Found::read(recovered)?;
        let mark = found.mark();
        let (ledger, torn) =
            LedgerLog::open_from(Arc::clone(disk), state.id(), mark.as_ref(), &mut |_| {})?;
        let mut store = Self {
            state,
            ledger,
            text: Vec::new(),
            coming: VecDeque::new(),
            entries: 0,
            written,
            snapshotted: found.snapshotted,
            snapshot_bytes: found.snapshot_bytes,
            behind_bytes: 0,
            now_ms: 0,
            signing: None,
        };
        let restored = store.restore(found, torn, engine, step)?;
        store.now_ms = engine.resource::<Inputs>().map_or(0, |inputs| inputs.now_ms);
        Ok((store, restored))
    }

    /// Appends what a command changed; the number of its record.
    ///
    /// # Errors
    /// The record is too long, too much waits, or the store has failed before.
    ///
    /// # Panics
    /// If a record can't be written as JSON: our own mistake.
    pub fn append(&mut self, delta: &Delta) -> Result<u64, StoreError> {
        self.ledger.check()?;
        let record = StateRecord { entries: self.entries, delta: Cow::Borrowed(delta) };
        self.text.clear();
        serde_json::to_writer(&mut self.text, &record).expect("our records have string keys");
        let Seq(number) = self.state.append(&self.text)?;
        self.behind_bytes = self.behind_bytes.saturating_add(self.text.len() as u64);
        self.now_ms = delta.inputs.now_ms;
        let entries = Entry::all_of(delta);
        self.entries = self.entries.saturating_add(entries.len() as u64);
        if !entries.is_empty() {
            self.coming.push_back(Coming { number, entries });
        }
        Ok(number)
    }

    /// Hands everything that was appended to the operating system.
    ///
    /// # Errors
    /// A full disk: what was appended waits, try again when there is room. Any other error is
    /// final.
    pub fn write(&mut self) -> Result<Kept, StoreError> {
        // Also where the state log would take it: after an error nobody knows what is durable.
        self.ledger.check()?;
        self.state.write()?;
        self.written = self.state.last().0;
        Ok(self.kept())
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// As [`Store::write`]. After another error than a full disk nobody knows what is durable:
    /// nothing that was not kept before may be acted on.
    pub fn sync(&mut self) -> Result<Kept, StoreError> {
        self.ledger.check()?;
        let Seq(synced) = self.state.sync()?;
        self.written = self.state.last().0;
        while let Some(coming) = self.coming.front() {
            if coming.number > synced {
                break;
            }
            for entry in &coming.entries {
                self.ledger.append(entry)?;
            }
            self.coming.pop_front();
        }
        self.ledger.write()?;
        self.checkpoint_if_due()?;
        Ok(self.kept())
    }

    /// How far what was appended has come.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept { written: self.written, synced: self.state.durable().0 }
    }

    /// The number of the last record.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.state.last().0
    }

    /// The head of the ledger.
    #[must_use]
    pub fn head(&self) -> Head {
        self.ledger.head()
    }

    /// Reads the ledger on any thread while this appends.
    #[must_use]
    pub fn reader(&self) -> LedgerReader {
        self.ledger.reader()
    }

    /// How much room there is.
    #[must_use]
    pub fn space(&self) -> SpaceState {
        self.state.space()
    }

    /// Tries to set aside again what is lacking, where somebody made room.
    ///
    /// # Errors
    /// The disk refuses for another reason than being full.
    pub fn refill(&mut self) -> Result<SpaceState, StoreError> {
        Ok(self.state.refill()?)
    }

    /// Whether so much was appended since the last snapshot that another one is due.
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        let least = self.snapshot_bytes.saturating_mul(BEHIND_RATIO).max(BEHIND_BYTES_MIN);
        self.behind_bytes > least
    }

    /// Writes a snapshot, so that records before it can go. Every record before the image, and
    /// none after it, must have been appended. Where there is none since the last snapshot,
    /// nothing is written.
    ///
    /// # Errors
    /// As [`Store::sync`]; a snapshot that could not be written leaves the store as it was.
    pub fn snapshot(&mut self, image: Image) -> Result<(), StoreError> {
        match self.begin_snapshot(image)? {
            Some(snapshot) => self.adopt(snapshot.write()?),
            None => Ok(()),
        }
    }

    /// Begins a snapshot as [`Store::snapshot`] writes it, to be written on another thread while
    /// records are appended; it counts once [`Store::adopt`] took it. One at a time. `None`: there
    /// is nothing to be written.
    ///
    /// # Errors
    /// As [`Store::snapshot`].
    pub fn begin_snapshot(&mut self, image: Image) -> Result<Option<NewSnapshot>, StoreError> {
        let kept = self.sync()?;
        self.ledger.sync()?;
        if kept.synced == self.snapshotted {
            return Ok(None);
        }
        if let Some(books) = image.books.as_ref().filter(|it| it.entries() != self.entries) {
            let (image, journal) = (books.entries(), self.entries);
            return Err(StoreError::OutOfStep { image, journal });
        }
        // Also where it is not written: it is not tried again at once.
        self.behind_bytes = 0;
        let writer = self.state.begin_snapshot(Seq(kept.synced), Seq(kept.synced))?;
        let (entries, mark) = (self.entries, self.ledger.mark());
        Ok(Some(NewSnapshot { writer, image, entries, mark }))
    }

    /// Counts on a snapshot from now on: what it replaces is removed.
    ///
    /// # Errors
    /// Something could not be removed; the next snapshot removes it.
    pub fn adopt(&mut self, snapshot: WrittenSnapshot) -> Result<(), StoreError> {
        let WrittenSnapshot { file, bytes } = snapshot;
        self.snapshot_bytes = bytes;
        self.snapshotted = file.seq().0;
        Ok(self.state.adopt(file)?)
    }

    /// Makes everything durable and gives the locks back.
    ///
    /// # Errors
    /// As [`Store::sync`].
    pub fn close(mut self) -> Result<(), StoreError> {
        self.sync()?;
        self.ledger.sync()?;
        self.checkpoint()?;
        Ok(self.state.close()?)
    }
}

#[cfg(test)]
mod tests;
