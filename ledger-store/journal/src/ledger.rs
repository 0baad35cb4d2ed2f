//! The ledger log: every line of the books, for ever, each chained to the one before.

mod checkpoint;
mod copy;
mod entries;
mod head;
mod mark;
mod open;
mod reader;
mod verify;

pub use checkpoint::{Checkpoint, checkpoints, verify_checkpoints};
pub use copy::copy_ledger;
pub use entries::{Entries, StoredEntry};
pub use head::{Head, ParseHeadError};
pub use mark::{LedgerMark, ParseMarkError};
pub use reader::LedgerReader;
pub use verify::{Progress, VerifyError, verify};

use crate::{
    disk::Held,
    error::{Damage, Error, Harm},
    frame::Kind,
    tail::Tail,
};
use sha2::{Digest as _, Sha256};

/// Where the ledger is, below the root of the disk.
const DIR: &str = "ledger";
const FILE: &str = "ledger/entries.log";
const LOCK: &str = "ledger/LOCK";
/// How many entries pass between two words of progress.
const PROGRESS_EVERY: u64 = 4096;
const HASH_BYTES: usize = 32;

/// What an entry got when it was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index, counted from 0.
    pub index: u64,
    /// SHA-256 of the hash before, the index in 8 bytes (big-endian) and the payload.
    pub hash: [u8; 32],
}

/// An append-only, hash-chained log that is never cut. One process at a time has it.
///
/// An entry is appended when the state record that carries it is durable, not before: the ledger
/// never knows what the state log may lose. It is synced seldom: before a snapshot lets state
/// records go, and before a checkpoint. What a crash keeps from it, [`LedgerLog::complete_from`]
/// takes from the state log.
///
/// ```
/// use payecs_journal::{Error, LedgerLog, LogId, MemoryDisk};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Error> {
/// let disk = Arc::new(MemoryDisk::new());
/// let (mut ledger, _) = LedgerLog::open(disk, LogId([2; 16]))?;
/// ledger.append(b"1000msat from a to b")?;
/// let kept_elsewhere = ledger.sync()?.to_string();
/// ledger.append(b"and back")?;
/// ledger.sync()?;
///
/// let head = kept_elsewhere.parse().expect("it is the text of a head");
/// assert_eq!(ledger.verify_against(&head, &mut |_| {}).expect("nobody changed it").count, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LedgerLog {
    reader: LedgerReader,
    tail: Tail,
    head: Head,
    /// Where the last entry begins; without one, where the first will.
    last_offset: u64,
    /// What is durable.
    mark: LedgerMark,
    _lock: Box<dyn Held>,
}

impl LedgerLog {
    /// Appends an entry to the buffer.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::BufferFull`] or [`Error::Refused`]; it is not appended then.
    pub fn append(&mut self, payload: &[u8]) -> Result<Entry, Error> {
        self.tail.check_room(payload.len())?;
        let index = self.head.count;
        let hash = chained(self.head.hash, index, payload);
        self.last_offset = self.tail.push(Kind::Record, index, &[&hash, payload]);
        self.head.count = index.saturating_add(1);
        self.head.hash = hash;
        Ok(Entry { index, hash })
    }

    /// Whether the log still takes anything.
    ///
    /// # Errors
    /// [`Error::Refused`]: an earlier error was final.
    pub fn check(&self) -> Result<(), Error> {
        self.tail.check()
    }

    /// Hands what was appended to the system.
    ///
    /// # Errors
    /// [`Error::Full`]: what was appended waits, and the state log still has it. Any other error is
    /// final.
    pub fn write(&mut self) -> Result<(), Error> {
        self.tail.write()?;
        self.reader.reach.set_written(self.tail.end(), self.head.count);
        Ok(())
    }

    /// Makes everything that was appended durable; the head that is.
    ///
    /// # Errors
    /// As [`LedgerLog::write`]. After an error nothing may be removed from the state log.
    pub fn sync(&mut self) -> Result<Head, Error> {
        self.write()?;
        if self.tail.sync()? {
            self.mark = LedgerMark { head: self.head, offset: self.last_offset };
            self.reader.reach.set_durable(self.head.count);
            self.tail.mark(self.head.count.saturating_sub(1));
        }
        Ok(self.head)
    }

    /// How many entries there are, and the hash of the last one, appended or durable.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// How many entries are durable.
    #[must_use]
    pub fn durable_count(&self) -> u64 {
        self.mark.head.count
    }

    /// What is durable, and where: for a snapshot, so that [`LedgerLog::open_from`] begins there.
    #[must_use]
    pub fn mark(&self) -> LedgerMark {
        self.mark
    }

    /// Reads the ledger elsewhere while this appends.
    #[must_use]
    pub fn reader(&self) -> LedgerReader {
        self.reader.clone()
    }

    /// The head as text, for a third party to keep. [`LedgerLog::verify_against`] will tell whether
    /// the ledger still begins with what it stands for.
    #[must_use]
    pub fn export_head(&self) -> String {
        self.head.to_string()
    }

    /// Completes the ledger after a crash with what the state log has: `payloads` are all entries
    /// from index `from` on. Those that are there must be the same; the others are appended, and
    /// made durable. How many were appended.
    ///
    /// # Errors
    /// [`Error::EntriesMissing`], [`Error::EntryDiffers`] and [`Error::StateBehind`], or as
    /// [`LedgerLog::sync`] and
    /// [`LedgerLog::read`].
    pub fn complete_from<P: AsRef<[u8]>>(
        &mut self,
        from: u64,
        payloads: impl IntoIterator<Item = P>,
    ) -> Result<u64, Error> {
        self.write()?;
        let count = self.head.count;
        if from > count {
            return Err(Error::EntriesMissing { count, from });
        }
        let mut stored = self.read(from, count.saturating_sub(from))?;
        for payload in payloads {
            let payload = payload.as_ref();
            match stored.next() {
                None => {
                    self.append(payload)?;
                }
                Some(entry) => {
                    let entry = entry?;
                    if entry.payload != payload {
                        return Err(Error::EntryDiffers { index: entry.entry.index });
                    }
                }
            }
        }
        if let Some(surplus) = stored.next() {
            return Err(Error::StateBehind { count, known: surplus?.entry.index });
        }
        self.sync()?;
        Ok(self.head.count.saturating_sub(count))
    }

    /// Reads entries from an index on, at most `limit`, as they are asked for. Entries that were
    /// appended and not written are not among them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(&self, from: u64, limit: u64) -> Result<Entries, Error> {
        self.reader.read(from, limit)
    }

    /// The entry at an index; `None` when there is none or it is not written.
    ///
    /// # Errors
    /// When the disk refuses, or the entry is not as it was written.
    pub fn read_at(&self, index: u64) -> Result<Option<StoredEntry>, Error> {
        self.reader.read_at(index)
    }

    /// Reads the whole ledger and checks each hash, in bounded memory.
    ///
    /// # Errors
    /// [`VerifyError::Broken`] with the first entry that is not as it was written.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Head, VerifyError> {
        verify::run(&*self.reader.disk, self.tail.end(), &[], progress)
    }

    /// As [`LedgerLog::verify`], and that the ledger begins with what the head stands for.
    ///
    /// # Errors
    /// [`VerifyError::Broken`], [`VerifyError::Truncated`], [`VerifyError::Rewritten`] or
    /// [`VerifyError::OtherLedger`].
    pub fn verify_against(
        &self,
        head: &Head,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Head, VerifyError> {
        verify::run(&*self.reader.disk, self.tail.end(), &[*head], progress)
    }
}

/// The hash of an entry.
fn chained(previous: [u8; 32], index: u64, payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(previous);
    hash.update(index.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

/// The two halves of what a ledger frame holds.
fn split(payload: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (hash, payload) = payload.split_at_checked(HASH_BYTES)?;
    Some((hash.try_into().ok()?, payload))
}

/// Damage to the ledger at a place; `index` is the entry that was to be there.
fn damage(offset: u64, harm: Harm, index: u64) -> Damage {
    Damage { file: FILE.to_owned(), offset, harm, holds: index.checked_sub(1), next: None }
}
