//! From the files back to the state.

use super::{Store, StoreError, format};
use crate::audit::{Audit, audit};
use crate::places::{PastEntries, Reader, Reread};
use crate::store::format::{Entry, StateRecord};
use ecs_core::{Change, Delta, Engine, Json};
use ecs_systems::{
    lessons::{taught, told},
    port::{Books, History, LessonsKept, ReceiptsBook},
    units::Timestamp,
};
use payecs_journal::{LedgerMark, LedgerReader, Records, Recovered, Skipped, StoredEntry, Torn};
use std::sync::Arc;

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStep {
    /// The snapshot is taken, if there is one.
    Snapshot,
    /// So many records behind the snapshot are taken.
    Records {
        /// How many are.
        done: u64,
        /// How many will be.
        of: u64,
    },
}

/// How much of the ledger was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LedgerRead {
    /// All of it: there was no snapshot.
    #[default]
    WithoutSnapshot,
    /// All of it: the snapshot has no mark of its moment, or none that this program reads.
    WithoutMark,
    /// From the entry before this mark of the snapshot on. What stands before was not looked at.
    FromMark(LedgerMark),
}

/// What a restore found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Records behind the snapshot.
    pub records: u64,
    /// Entries in the ledger.
    pub entries: u64,
    /// Entries that a crash had kept from the ledger log.
    pub completed: u64,
    /// How much of the ledger was read.
    pub ledger_read: LedgerRead,
    /// Ends of files that were cut: they were never acknowledged.
    pub torn: Vec<Torn>,
    /// Snapshots that are damaged; older ones and the records make up for them.
    pub skipped: Vec<Skipped>,
}

/// What the state log has.
pub(super) struct Found {
    /// The last record that the snapshot stands for, and how long that is, in bytes.
    pub(super) snapshotted: u64,
    pub(super) snapshot_bytes: u64,
    state: Option<format::State>,
    records: Records,
    torn: Option<Torn>,
    skipped: Vec<Skipped>,
}

impl Found {
    /// Reads the snapshot, if there is one.
    pub(super) fn read(recovered: Recovered) -> Result<Self, StoreError> {
        let Recovered { snapshot, records, torn, skipped } = recovered;
        let (state, snapshotted, snapshot_bytes) = (None, 0, 0);
        let mut found = Self { snapshotted, snapshot_bytes, state, records, torn, skipped };
        if let Some(snapshot) = snapshot {
            found.snapshotted = snapshot.seq().0;
            let pieces: Result<Vec<Vec<u8>>, _> = snapshot.collect();
            let text = pieces?.concat();
            found.snapshot_bytes = text.len() as u64;
            found.state = Some(format::read_snapshot(&text)?);
        }
        Ok(found)
    }

    /// What the snapshot says of the ledger.
    pub(super) fn mark(&self) -> Option<LedgerMark> {
        self.state.as_ref()?.mark()
    }

    fn ledger_read(&self) -> LedgerRead {
        match (&self.state, self.mark()) {
            (None, _) => LedgerRead::WithoutSnapshot,
            (Some(_), None) => LedgerRead::WithoutMark,
            (Some(_), Some(mark)) => LedgerRead::FromMark(mark),
        }
    }
}

impl Store {
    pub(super) fn restore(
        &mut self,
        found: Found,
        ledger_torn: Option<Torn>,
        engine: &mut Engine,
        step: &mut dyn FnMut(RestoreStep),
    ) -> Result<Restored, StoreError> {
        let ledger_read = found.ledger_read();
        let Found { state, records, torn, skipped, .. } = found;
        let torn = torn.into_iter().chain(ledger_torn).collect();
        let mut restored = Restored { ledger_read, torn, skipped, ..Restored::default() };
        let mut kept = LessonsKept::default();
        if let Some(state) = state {
            self.entries = state.entries;
            let unfit = |error| StoreError::Unfit { what: "the snapshot".to_owned(), error };
            engine.restore(&state.engine).map_err(unfit)?;
            restore_books(state.books.as_ref(), engine)?;
            restore_receipts(state.receipts.as_ref(), engine)?;
            kept.image = state.knowledge;
            step(RestoreStep::Snapshot);
        }
        // What the records behind need of the past is read from the ledger: no other history has to
        // be open yet.
        let stored = Stored { reader: self.reader(), until: self.entries };
        let past = Reread::lazily(Arc::new(stored));
        recall_by(engine, Some(Arc::new(past)));
        let (from, of) = (self.entries, records.remaining());
        let mut entries = Vec::new();
        for record in records {
            let record = record?;
            self.behind_bytes = self.behind_bytes.saturating_add(record.payload.len() as u64);
            let what = || format!("record {}", record.seq);
            let StateRecord { entries: before, delta } = format::read(&record.payload, what)?;
            let so_far = from.saturating_add(entries.len() as u64);
            if before != so_far {
                let why = format!("it follows {before} entries of the ledger, not {so_far}");
                return Err(StoreError::Unreadable { what: what(), why });
            }
            entries.extend(Entry::all_of(&delta));
            let unfit = |error| StoreError::Unfit { what: what(), error };
            engine.apply_delta(&delta).map_err(unfit)?;
            recall_lessons(&delta, engine, &mut kept);
            restored.records = restored.records.saturating_add(1);
            step(RestoreStep::Records { done: restored.records, of });
        }
        engine.finish_restore();
        engine.insert_resource(kept);
        recall_by(engine, None);
        self.entries = from.saturating_add(entries.len() as u64);
        restored.completed = self.ledger.complete_from(from, entries)?;
        restored.entries = self.entries;
        Ok(restored)
    }
}

impl Store {
    /// Goes through the whole ledger, from its entries alone, as the books of `node`: see
    /// [`audit`]. It takes a while, and nothing should be appended meanwhile.
    #[must_use]
    pub fn audit(&self, node: &str) -> Audit {
        let reader: Arc<dyn Reader> = Arc::new(Stored { reader: self.reader(), until: u64::MAX });
        audit(node, &reader, None)
    }
}

/// The ledger log as whoever asks for the past reads it.
#[derive(Debug)]
struct Stored {
    reader: LedgerReader,
    /// The first entry that is left out: from there on the records tell it.
    until: u64,
}

impl Reader for Stored {
    fn read_from(&self, index: u64) -> Result<PastEntries<'_>, String> {
        let limit = self.until.saturating_sub(index);
        let stored = self.reader.read(index, limit).map_err(|error| error.to_string())?;
        let read = |stored: Result<StoredEntry, payecs_journal::Error>| {
            let stored = stored.map_err(|error| error.to_string())?;
            format::read_entry(stored.entry.index, &stored.payload).map_err(|it| it.to_string())
        };
        Ok(Box::new(stored.map(read)))
    }
}

fn restore_books(image: Option<&Json>, engine: &mut Engine) -> Result<(), StoreError> {
    let refused = |why: String| StoreError::Books { why };
    match (image, engine.resource_mut::<Books>()) {
        (Some(image), Some(mut books)) => books.0.restore(image).map_err(refused),
        (Some(_), None) => Err(refused("the engine has no books".to_owned())),
        (None, _) => Ok(()),
    }
}

fn restore_receipts(image: Option<&Json>, engine: &mut Engine) -> Result<(), StoreError> {
    let refused = |why: String| StoreError::Receipts { why };
    match (image, engine.resource_mut::<ReceiptsBook>()) {
        (Some(image), Some(mut receipts)) => receipts.0.take_back(image).map_err(refused),
        (Some(_), None) => Err(refused("the engine has no receipts".to_owned())),
        (None, _) => Ok(()),
    }
}

/// Finds the lessons of a record whose changes are made. One that can't be told is left out: the
/// planner only guesses a little worse without it.
fn recall_lessons(delta: &Delta, engine: &Engine, kept: &mut LessonsKept) {
    let at = Timestamp(delta.inputs.now_ms);
    for change in &delta.changes {
        let lesson = if let Change::Noted(part, note) = change {
            taught(engine, *part, note)
        } else if let Change::Beside(topic, what) = change {
            told(topic, what)
        } else {
            continue;
        };
        match lesson {
            Some(lesson) => kept.lessons.push((at, lesson)),
            None => {
                tracing::warn!(target: "payflow::plan", ?change, "lesson left out");
            }
        }
    }
}

fn recall_by(engine: &mut Engine, past: Option<Arc<dyn History>>) {
    if let Some(mut books) = engine.resource_mut::<Books>() {
        books.0.recall_by(past);
    }
}
