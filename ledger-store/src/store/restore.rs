//! From the files back to the state.

use super::{Store, StoreError, format, sole};
use crate::audit::{Audit, audit};
use crate::places::{PastEntries, Reader, Reread};
use crate::store::format::{Entry, StateRecord};
use ecs_core::{Engine, Json};
use ecs_systems::port::{Books, History};
use payecs_journal::{LedgerLog, Recovered, Skipped, StoredEntry, Torn};
use std::sync::{Arc, Mutex, PoisonError};

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

/// What a restore found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Records behind the snapshot.
    pub records: u64,
    /// Entries in the ledger.
    pub entries: u64,
    /// Entries that a crash had kept from the ledger log.
    pub completed: u64,
    /// Ends of files that were cut: they were never acknowledged.
    pub torn: Vec<Torn>,
    /// Snapshots that are damaged; older ones and the records make up for them.
    pub skipped: Vec<Skipped>,
}

impl Store {
    pub(super) fn restore(
        &mut self,
        recovered: Recovered,
        ledger_torn: Option<Torn>,
        engine: &mut Engine,
        step: &mut dyn FnMut(RestoreStep),
    ) -> Result<Restored, StoreError> {
        let Recovered { snapshot, records, torn, skipped } = recovered;
        let torn = torn.into_iter().chain(ledger_torn).collect();
        let mut restored = Restored { torn, skipped, ..Restored::default() };
        if let Some(snapshot) = snapshot {
            let pieces: Result<Vec<Vec<u8>>, _> = snapshot.collect();
            let text = pieces?.concat();
            self.snapshot_bytes = text.len() as u64;
            let state = format::read_snapshot(&text)?;
            self.entries = state.entries;
            let unfit = |error| StoreError::Unfit { what: "the snapshot".to_owned(), error };
            engine.restore(&state.engine).map_err(unfit)?;
            restore_books(state.books.as_ref(), engine)?;
            step(RestoreStep::Snapshot);
        }
        // What the records behind need of the past is read from the ledger: no other history has to
        // be open yet.
        let stored = Stored { ledger: Arc::clone(&self.ledger), until: self.entries };
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
            restored.records = restored.records.saturating_add(1);
            step(RestoreStep::Records { done: restored.records, of });
        }
        engine.finish_restore();
        recall_by(engine, None);
        self.entries = from.saturating_add(entries.len() as u64);
        restored.completed = sole(&mut self.ledger).complete_from(from, entries)?;
        restored.entries = self.entries;
        Ok(restored)
    }
}

impl Store {
    /// Goes through the whole ledger, from its entries alone, as the books of `node`: see
    /// [`audit`]. It takes a while, and nothing should be appended meanwhile.
    #[must_use]
    pub fn audit(&self, node: &str) -> Audit {
        let ledger = Arc::clone(&self.ledger);
        let reader: Arc<dyn Reader> = Arc::new(Stored { ledger, until: u64::MAX });
        audit(node, &reader, None)
    }
}

/// The ledger log as whoever asks for the past reads it.
#[derive(Debug)]
struct Stored {
    ledger: Arc<Mutex<LedgerLog>>,
    /// The first entry that is left out: from there on the records tell it.
    until: u64,
}

impl Reader for Stored {
    fn read_from(&self, index: u64) -> Result<PastEntries<'_>, String> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = ledger
            .read(index, self.until.saturating_sub(index))
            .map_err(|error| error.to_string())?;
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

fn recall_by(engine: &mut Engine, past: Option<Arc<dyn History>>) {
    if let Some(mut books) = engine.resource_mut::<Books>() {
        books.0.recall_by(past);
    }
}
