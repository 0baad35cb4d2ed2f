//! The books as Systems have them, and their past as other threads do.

use super::{History, HistoryError, Ledger, LedgerEntry, PastEntry, Posting};
use bevy_ecs::prelude::Resource;
use payecs_units::PaymentHash;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The books as Systems see them: they read, and ask for writes in their Step.
#[derive(Resource)]
pub struct Books(pub Box<dyn Ledger>);

impl fmt::Debug for Books {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Books(…)")
    }
}

/// Most entries that the history may not have found its way through yet while its past is told.
pub const TAIL_ENTRIES_MAX: usize = 100_000;

/// Tells the postings of an entry, given every entry of each of its hashes up to it.
pub type Book =
    dyn Fn(&PastEntry, &mut LinesOf<'_>) -> Result<Vec<Posting>, HistoryError> + Send + Sync;
/// Every entry of a hash.
pub type LinesOf<'a> = dyn FnMut(&PaymentHash) -> Result<Vec<PastEntry>, HistoryError> + 'a;

/// Reads everything that the books were told, on any thread. It may read from a disk.
#[derive(Clone)]
pub struct BooksReader {
    past: Arc<dyn History>,
    book: Arc<Book>,
}

impl fmt::Debug for BooksReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BooksReader").field("past", &self.past).finish_non_exhaustive()
    }
}

impl BooksReader {
    /// A reader of that past, whose entries come to what `book` says.
    pub fn new(
        past: Arc<dyn History>,
        book: impl Fn(&PastEntry, &mut LinesOf<'_>) -> Result<Vec<Posting>, HistoryError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { past, book: Arc::new(book) }
    }

    /// How many entries can be read.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.past.count()
    }

    /// As [`History::entries`]: also while the rest of the past is being opened.
    ///
    /// # Errors
    /// [`HistoryError::Failed`].
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        self.past.entries(from, limit)
    }

    /// The past as it is now.
    ///
    /// # Errors
    /// [`HistoryError::Opening`] also where more than [`TAIL_ENTRIES_MAX`] entries are not in the
    /// index yet.
    pub fn look(&self) -> Result<PastLook<'_>, HistoryError> {
        let known = self.past.known();
        let tail = self.past.entries(known, TAIL_ENTRIES_MAX)?;
        if tail.len() == TAIL_ENTRIES_MAX {
            let of = tail.last().map_or(known, |entry| entry.index);
            return Err(HistoryError::Opening { done: known, of });
        }
        Ok(PastLook { reader: self, tail, lines: BTreeMap::new() })
    }
}

/// The past at one moment: also what the history has not found its way through yet.
#[derive(Debug)]
pub struct PastLook<'a> {
    reader: &'a BooksReader,
    tail: Vec<PastEntry>,
    lines: BTreeMap<PaymentHash, Vec<PastEntry>>,
}

impl PastLook<'_> {
    /// As [`History::entries`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        self.reader.past.entries(from, limit)
    }

    /// As [`History::lines_of`], with the newest.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn lines_of(&mut self, payment_hash: &PaymentHash) -> Result<&[PastEntry], HistoryError> {
        if !self.lines.contains_key(payment_hash) {
            let mut lines = self.reader.past.lines_of(payment_hash)?;
            let last = lines.last().map(|entry| entry.index);
            let newer = self.tail.iter().filter(|entry| last.is_none_or(|last| entry.index > last));
            let is_of = |line: &LedgerEntry| line.payment_hash() == Some(*payment_hash);
            lines.extend(newer.filter(|entry| entry.lines.iter().any(is_of)).cloned());
            self.lines.insert(*payment_hash, lines);
        }
        Ok(self.lines.get(payment_hash).map_or(&[], Vec::as_slice))
    }

    /// The postings of an entry. An opening that repeats one of an entry before, as no driver of
    /// ours writes it, is told again.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn postings(&mut self, entry: &PastEntry) -> Result<Vec<Posting>, HistoryError> {
        let reader = self.reader;
        (reader.book)(entry, &mut |hash| {
            let lines = self.lines_of(hash)?;
            Ok(lines.iter().filter(|line| line.index <= entry.index).cloned().collect())
        })
    }
}
