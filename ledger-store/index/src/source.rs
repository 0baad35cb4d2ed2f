//! What an index is built from.

use payecs_journal::{Error, LedgerReader, LogId, StoredEntry};

/// Entries of a log, in order, read as they are asked for.
pub type SourceEntries<'a> = Box<dyn Iterator<Item = Result<StoredEntry, Error>> + 'a>;

/// The log that an index follows: only grows, and never changes what it has.
pub trait Source: Send {
    /// Which log.
    fn id(&self) -> LogId;

    /// How many entries can be read.
    fn count(&self) -> u64;

    /// The entries from an index on, to the last one that can be read.
    ///
    /// # Errors
    /// When the log can't be read, or is not as it was written.
    fn read(&self, from: u64) -> Result<SourceEntries<'_>, Error>;
}

impl Source for LedgerReader {
    fn id(&self) -> LogId {
        Self::id(self)
    }

    fn count(&self) -> u64 {
        self.written_count()
    }

    fn read(&self, from: u64) -> Result<SourceEntries<'_>, Error> {
        Ok(Box::new(Self::read(self, from, u64::MAX)?))
    }
}
