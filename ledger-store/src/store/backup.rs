//! A copy of what is kept, to go on with from another directory.

use super::{Store, StoreError, format};
use ecs_core::Engine;
use ecs_systems::{port::LedgerEntry, records::ledger_record};
use payecs_journal::{Disk, Seq, copy_ledger, copy_state};

/// Copies a journal to another disk, where none is; the last record in the copy, which is one that
/// was durable. Nothing is written to `from` and no lock is taken, so that its engine may run
/// meanwhile. `progress` hears how many bytes each step has copied.
///
/// The ledger of the copy ends where its snapshot was made: [`Store::open`] adds what the records
/// behind it have, so that the two always match.
///
/// # Errors
/// See [`payecs_journal::copy_state`]: on a missing file the copy may be begun anew.
pub fn copy(
    from: &dyn Disk,
    to: &dyn Disk,
    progress: &mut dyn FnMut(u64),
) -> Result<Seq, StoreError> {
    let copied = copy_state(from, to, progress)?;
    let entries = match copied.snapshot {
        Some(snapshot) => {
            let pieces: Result<Vec<Vec<u8>>, _> = snapshot.collect();
            format::read_books(&pieces?.concat())?.0
        }
        None => 0,
    };
    copy_ledger(from, to, entries, progress)?;
    Ok(copied.last)
}

impl Store {
    /// Writes into the books that they are a backup's, durably: whoever opens them takes on nothing
    /// before he has asked the node what happened since. `engine` is the one that [`Store::open`]
    /// brought to the state; it is of no other use afterwards.
    ///
    /// # Errors
    /// As [`Store::sync`], or the books refuse.
    pub fn note_backup(&mut self, engine: &mut Engine) -> Result<(), StoreError> {
        engine.record_changes(true);
        engine.keep_records(&[ledger_record(&LedgerEntry::Backup)]).map_err(|error| {
            StoreError::Unfit { what: "the note that this is a backup".to_owned(), error }
        })?;
        if let Some(delta) = engine.take_delta() {
            self.append(&delta)?;
        }
        self.sync()?;
        Ok(())
    }
}
