//! From the files back to the state.

use super::{Store, StoreError, format};
use crate::store::format::{Entry, State, StateRecord};
use ecs_core::Engine;
use payecs_journal::{Recovered, Skipped, Torn};

/// Most entries of the ledger that are read before the progress is told again.
const ENTRIES_PER_STEP: u64 = 4_096;

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStep {
    /// The snapshot is taken, if there is one.
    Snapshot,
    /// So many of the ledger's entries are in the books.
    Entries {
        /// How many are.
        done: u64,
        /// How many will be.
        of: u64,
    },
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
            let state: State = format::read(&text, || "the snapshot".to_owned())?;
            step(RestoreStep::Snapshot);
            self.restore_books(state.entries, engine, step)?;
            self.entries = state.entries;
            let unfit = |error| StoreError::Unfit { what: "the snapshot".to_owned(), error };
            engine.restore(&state.engine).map_err(unfit)?;
        }
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
        self.entries = from.saturating_add(entries.len() as u64);
        restored.completed = self.ledger.complete_from(from, entries)?;
        restored.entries = self.entries;
        Ok(restored)
    }

    /// Brings the first entries of the ledger into the books.
    fn restore_books(
        &self,
        count: u64,
        engine: &mut Engine,
        step: &mut dyn FnMut(RestoreStep),
    ) -> Result<(), StoreError> {
        for (done, stored) in (1..).zip(self.ledger.read(0, count)?) {
            let stored = stored?;
            let what = || format!("entry {} of the ledger", stored.entry.index);
            let entry: Entry = format::read(&stored.payload, what)?;
            let unfit = |error| StoreError::Unfit { what: what(), error };
            engine.keep_again(entry.at_ms, entry.entity, &entry.lines).map_err(unfit)?;
            if done % ENTRIES_PER_STEP == 0 || done == count {
                step(RestoreStep::Entries { done, of: count });
            }
        }
        Ok(())
    }
}
