//! A snapshot on its way to the disk, on any thread.

use super::{Image, StoreError, format};
use payecs_journal::{LedgerMark, SnapshotFile, SnapshotWriter};
use std::io::{self, BufWriter, Write};

/// A snapshot that is begun.
#[derive(Debug)]
pub struct NewSnapshot {
    pub(super) writer: SnapshotWriter,
    pub(super) image: Image,
    /// How many entries the ledger has at that point.
    pub(super) entries: u64,
    pub(super) mark: LedgerMark,
}

impl NewSnapshot {
    /// Writes it; takes as long as the state is large.
    ///
    /// # Errors
    /// The disk refuses: nothing is left of it, and the store does not suffer.
    pub fn write(self) -> Result<WrittenSnapshot, StoreError> {
        let Self { writer, image, entries, mark } = self;
        let mut pieces = Pieces { writer, bytes: 0, refused: None };
        let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, &mut pieces);
        let written = format::write_snapshot(&mut buffer, image, entries, mark);
        let written = written.and_then(|()| buffer.flush());
        drop(buffer);
        match (pieces.refused, written) {
            (Some(error), _) => Err(error.into()),
            (None, Err(error)) => {
                let (what, why) = ("the new snapshot".to_owned(), error.to_string());
                Err(StoreError::Unreadable { what, why })
            }
            (None, Ok(())) => {
                Ok(WrittenSnapshot { file: pieces.writer.finish()?, bytes: pieces.bytes })
            }
        }
    }
}

/// A snapshot is handed to the disk in pieces of this size.
const BUFFER_BYTES: usize = 1 << 18;

/// A snapshot as something to write to, so that its text is never in memory as a whole.
#[derive(Debug)]
struct Pieces {
    writer: SnapshotWriter,
    bytes: u64,
    refused: Option<payecs_journal::Error>,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.writer.write(bytes) {
            let why = error.to_string();
            self.refused = Some(error);
            return Err(io::Error::other(why));
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A snapshot that is whole and durable, for [`Store::adopt`](super::Store::adopt).
#[derive(Debug)]
#[must_use = "it counts once it is adopted"]
pub struct WrittenSnapshot {
    pub(super) file: SnapshotFile,
    pub(super) bytes: u64,
}
