//! Reading a ledger while it grows.

use super::{Entries, FILE, StoredEntry};
use crate::{
    disk::{Disk, Open},
    error::Error,
    file::{HEADER_END, LogId},
    scan::Scan,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How much is read ahead where few bytes are needed.
const FEW_BYTES: u64 = 4 << 10;
/// An entry this near behind a known place is read towards, in bytes.
const NEAR_BYTES: u64 = 8 << 10;

/// Reads a ledger on any thread while its [`super::LedgerLog`] appends. Clones are cheap, and
/// nothing that one does holds the writer up.
///
/// It reads what is written. Such entries come from durable state records, so that no power loss
/// takes them for good: [`super::LedgerLog::complete_from`] brings back the same ones.
///
/// The places of entries are kept nowhere: an entry is found by halving the file, whose frames have
/// their numbers.
#[derive(Clone, Debug)]
pub struct LedgerReader {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) id: LogId,
    pub(super) seed: u32,
    pub(super) reach: Arc<Reach>,
}

/// How far a ledger can be read. Counts never go back.
#[derive(Debug)]
pub(super) struct Reach {
    end: AtomicU64,
    written: AtomicU64,
    durable: AtomicU64,
}

impl Reach {
    /// All of a ledger that ends there is durable.
    pub(super) fn at(end: u64, count: u64) -> Self {
        let (written, durable) = (count.into(), count.into());
        Self { end: end.into(), written, durable }
    }

    /// What is written ends there. The end is told first: who sees a count finds its entries.
    pub(super) fn set_written(&self, end: u64, count: u64) {
        self.end.store(end, Ordering::Release);
        self.written.store(count, Ordering::Release);
    }

    pub(super) fn set_durable(&self, count: u64) {
        self.durable.store(count, Ordering::Release);
    }
}

impl LedgerReader {
    /// The id of the ledger.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.id
    }

    /// How many entries can be read.
    #[must_use]
    pub fn written_count(&self) -> u64 {
        self.reach.written.load(Ordering::Acquire)
    }

    /// How many entries are durable in the ledger itself.
    #[must_use]
    pub fn durable_count(&self) -> u64 {
        self.reach.durable.load(Ordering::Acquire)
    }

    /// Reads entries from an index on, at most `limit`, as they are asked for. Entries that are
    /// written later are not among them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self, from: u64, limit: u64) -> Result<Entries, Error> {
        let to = from.saturating_add(limit).min(self.written_count());
        self.between(from, to, limit == 1)
    }

    /// Entries `from..to`, all of which are written; perhaps only few of them are asked for.
    fn between(&self, from: u64, to: u64, few: bool) -> Result<Entries, Error> {
        let end = self.reach.end.load(Ordering::Acquire);
        if from >= to {
            return Ok(Entries::none());
        }
        let place = self.seek(from, end)?;
        let file = self.disk.open(FILE, Open::Read)?;
        let mut scan = Scan::between(file, FILE, self.seed, place.offset, end);
        if few {
            scan = scan.reading(FEW_BYTES);
        }
        Ok(Entries::between(scan, place.index, from, to))
    }

    /// The entries at these indexes, in their order; `None` for one that is not there or not
    /// written. One that stands a few behind the one before is read towards, and not looked for
    /// from the beginning: indexes are best in ascending order.
    ///
    /// # Errors
    /// Each for itself, as [`LedgerReader::read_at`].
    pub fn read_each<'a>(
        &'a self,
        indexes: &'a [u64],
    ) -> impl Iterator<Item = Result<Option<StoredEntry>, Error>> + 'a {
        let mut entries = Entries::none();
        indexes.iter().map(move |index| {
            if entries.go_to(*index)
                && let Some(Ok(stored)) = entries.next()
            {
                return Ok(Some(stored));
            }
            // Also where an entry between can't be read: nobody has asked for that one.
            entries = self.between(*index, self.written_count(), true)?;
            entries.next().transpose()
        })
    }

    /// The entry at an index; `None` when there is none or it is not written.
    ///
    /// # Errors
    /// When the disk refuses, or the entry is not as it was written.
    pub fn read_at(&self, index: u64) -> Result<Option<StoredEntry>, Error> {
        self.read(index, 1)?.next().transpose()
    }

    /// Where an entry begins that is the one asked for or stands a little before it.
    fn seek(&self, index: u64, end: u64) -> Result<Place, Error> {
        let mut low = Place { index: 0, offset: HEADER_END };
        if index == 0 {
            return Ok(low);
        }
        let file = self.disk.open(FILE, Open::Read)?;
        let mut scan = Scan::between(file, FILE, self.seed, HEADER_END, end).reading(FEW_BYTES);
        let mut high = end;
        while high.saturating_sub(low.offset) > NEAR_BYTES && low.index < index {
            let middle = low.offset.midpoint(high);
            let found = scan.record_in(middle..high)?;
            match found.filter(|(_, number)| *number > low.index && *number <= index) {
                Some((offset, index)) => low = Place { index, offset },
                None => high = middle,
            }
        }
        Ok(low)
    }
}

struct Place {
    index: u64,
    offset: u64,
}
