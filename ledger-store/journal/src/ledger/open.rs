//! Opening a ledger.

use super::{DIR, FILE, HASH_BYTES, Head, LOCK, LedgerLog, SPARSE, damage};
use crate::{
    disk::{self, Disk, DiskFile, Open},
    error::{Error, Harm, Torn},
    file::{Class, FileHeader, HEADER_END, LogId},
    scan::{Scan, Walked, settle, walk},
    tail::{FrameDigest, Tail},
};
use std::sync::Arc;

impl LedgerLog {
    /// Opens the ledger, and makes one with this id (16 random bytes) if there is none. Every frame
    /// is read once; a torn tail is cut and told, and what is left is durable. Hashes are not
    /// checked: see [`LedgerLog::verify`].
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Damaged`], [`Error::Version`], or
    /// when the disk refuses. Nothing is changed then, but for files that a crash left unfinished.
    pub fn open(disk: Arc<dyn Disk>, id: LogId) -> Result<(Self, Option<Torn>), Error> {
        disk.make_dir(DIR)?;
        let lock = disk.lock(LOCK).map_err(Error::of_lock)?;
        let names = disk::tidy_up(&*disk, DIR)?;
        // A name may be of a process that was killed before it was durable.
        disk.sync_dir(DIR)?;
        let there = names.iter().any(|name| FILE.ends_with(&format!("/{name}")));
        let file = if there {
            disk.open(FILE, Open::Write)?
        } else {
            let header = FileHeader { class: Class::Ledger, id, first: 0, previous: [0; 32] };
            disk::create(&*disk, FILE, &header.encode()).map_err(Error::of_write)?
        };
        let header = FileHeader::read(&*file, FILE, Class::Ledger)?;
        if header.first != 0 {
            return Err(damage(0, Harm::Misplaced, 0).into());
        }
        let seed = header.seed();
        let Read { mut file, head, offsets, walked } = Read::through(file, seed, header.id)?;
        settle(&mut *file, FILE, &walked)?;
        let digest = FrameDigest::of(&header.encode());
        let mut tail = Tail::of_walked(file, seed, &walked, digest);
        if !walked.marked && head.count > 0 {
            tail.mark(head.count.saturating_sub(1));
        }
        let (durable, written) = (head.count, head.count);
        let id = header.id;
        let log = Self { disk, id, seed, tail, head, durable, written, offsets, _lock: lock };
        Ok((log, walked.torn))
    }

    /// The id that was drawn when the ledger was made.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.id
    }
}

/// What is known of a ledger that was read through.
struct Read {
    file: Box<dyn DiskFile>,
    head: Head,
    offsets: Vec<u64>,
    walked: Walked,
}

impl Read {
    fn through(file: Box<dyn DiskFile>, seed: u32, id: LogId) -> Result<Self, Error> {
        let mut scan = Scan::open(file, FILE, seed)?;
        let mut offsets = vec![];
        let mut hash = Some([0; HASH_BYTES]);
        let mut short = None;
        let walked = walk(&mut scan, 0, true, &mut |at, frame, payload| {
            if frame.number.is_multiple_of(SPARSE) {
                offsets.push(at);
            }
            hash = super::split(payload).map(|(hash, _)| hash);
            if hash.is_none() {
                short.get_or_insert((at, frame.number));
            }
        })?;
        let (at, index) = short.unwrap_or((HEADER_END, 0));
        let hash = hash.filter(|_| short.is_none());
        let hash = hash.ok_or_else(|| damage(at, Harm::Order, index))?;
        let head = Head { id, count: walked.next, hash };
        Ok(Self { file: scan.into_file(), head, offsets, walked })
    }
}
