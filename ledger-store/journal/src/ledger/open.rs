//! Opening a ledger.

use super::{
    DIR, FILE, Head, LOCK, LedgerLog, LedgerMark, LedgerReader, PROGRESS_EVERY, Progress, damage,
    reader::Reach, split,
};
use crate::{
    disk::{self, Disk, DiskFile, Open},
    error::{Error, Harm, Torn},
    file::{Class, FileHeader, LogId},
    frame::Kind,
    scan::{Found, Scan, Walked, settle, walk},
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
        Self::open_from(disk, id, None, &mut |_| {})
    }

    /// As [`LedgerLog::open`], but reads only from a mark on, when there is one: what stands before
    /// it is trusted. The entry before it must be there with the mark's hash. A changed byte of an
    /// earlier entry is not noticed, as long as nobody reads that entry: [`LedgerLog::verify`]
    /// finds it. `progress` hears how far the reading is.
    ///
    /// The mark must come from a place that is trusted as much as the ledger, such as a snapshot
    /// of the state log.
    ///
    /// # Errors
    /// [`Error::MarkMisfit`] when the ledger does not have what the mark stands for, or as
    /// [`LedgerLog::open`].
    pub fn open_from(
        disk: Arc<dyn Disk>,
        id: LogId,
        mark: Option<&LedgerMark>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Option<Torn>), Error> {
        disk.make_dir(DIR)?;
        let lock = disk.lock(LOCK).map_err(Error::of_lock)?;
        let names = disk::tidy_up(&*disk, DIR)?;
        // A name may be of a process that was killed before it was durable.
        disk.sync_dir(DIR)?;
        let mark = mark.filter(|mark| mark.head.count > 0);
        let there = names.iter().any(|name| FILE.ends_with(&format!("/{name}")));
        let file = if there {
            disk.open(FILE, Open::Write)?
        } else if let Some(mark) = mark {
            return Err(misfit(mark, Harm::Missing));
        } else {
            let header = FileHeader { class: Class::Ledger, id, first: 0, previous: [0; 32] };
            disk::create(&*disk, FILE, &header.encode()).map_err(Error::of_write)?
        };
        let header = FileHeader::read(&*file, FILE, Class::Ledger)?;
        if header.first != 0 {
            return Err(damage(0, Harm::Misplaced, 0).into());
        }
        let (id, seed) = (header.id, header.seed());
        let Read { mut file, mark, walked } = match mark {
            None => {
                let start = LedgerMark::empty(Head::empty(id));
                Read::through(Scan::open(file, FILE, seed)?, 0, start, progress)?
            }
            Some(mark) => Read::from(file, &header, mark, progress)?,
        };
        settle(&mut *file, FILE, &walked)?;
        let digest = FrameDigest::of(&header.encode());
        let mut tail = Tail::of_walked(file, seed, &walked, digest);
        let LedgerMark { head, offset } = mark;
        if !walked.marked && head.count > 0 {
            tail.mark(head.count.saturating_sub(1));
        }
        let reach = Arc::new(Reach::at(tail.end(), head.count));
        let reader = LedgerReader { disk, id, seed, reach };
        let log = Self { reader, tail, head, last_offset: offset, mark, _lock: lock };
        Ok((log, walked.torn))
    }

    /// The id that was drawn when the ledger was made.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.reader.id
    }
}

/// What is known of a ledger that was read.
struct Read {
    file: Box<dyn DiskFile>,
    mark: LedgerMark,
    walked: Walked,
}

impl Read {
    /// Reads from the entry before a mark on.
    fn from(
        file: Box<dyn DiskFile>,
        header: &FileHeader,
        mark: &LedgerMark,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let LedgerMark { head, offset } = *mark;
        if head.id != header.id {
            return Err(misfit(mark, Harm::Misplaced));
        }
        let end = file.len_bytes()?;
        if offset >= end {
            return Err(misfit(mark, Harm::Missing));
        }
        let last = head.count.saturating_sub(1);
        let mut scan = Scan::between(file, FILE, header.seed(), offset, end);
        let (found, payload) = scan.next()?;
        let harm = match found {
            Found::End | Found::Bad => Some(Harm::Frame),
            Found::Frame(frame) if frame.kind != Kind::Record || frame.number != last => {
                Some(Harm::Order)
            }
            Found::Frame(_) => match split(payload) {
                Some((hash, _)) => (hash != head.hash).then_some(Harm::Hash),
                None => Some(Harm::Order),
            },
        };
        if let Some(harm) = harm {
            return Err(misfit(mark, harm));
        }
        let scan = Scan::between(scan.into_file(), FILE, header.seed(), offset, end);
        Self::through(scan, last, *mark, progress)
    }

    /// Reads to the end. `first` is the index of the entry at the scan's place, `mark` what is
    /// known there.
    fn through(
        mut scan: Scan,
        first: u64,
        mut mark: LedgerMark,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let total_bytes = scan.end();
        let mut hash = Some(mark.head.hash);
        let mut short = None;
        let walked = walk(&mut scan, first, true, &mut |at, frame, payload| {
            mark.offset = at;
            hash = split(payload).map(|(hash, _)| hash);
            if hash.is_none() {
                short.get_or_insert((at, frame.number));
            }
            if frame.number.is_multiple_of(PROGRESS_EVERY) {
                progress(Progress { entries: frame.number, read_bytes: at, total_bytes });
            }
        })?;
        let (at, index) = short.unwrap_or((mark.offset, 0));
        let hash = hash.filter(|_| short.is_none());
        mark.head.hash = hash.ok_or_else(|| damage(at, Harm::Order, index))?;
        mark.head.count = walked.next;
        progress(Progress { entries: walked.next, read_bytes: total_bytes, total_bytes });
        Ok(Self { file: scan.into_file(), mark, walked })
    }
}

fn misfit(mark: &LedgerMark, harm: Harm) -> Error {
    Error::MarkMisfit { mark: Box::new(*mark), harm }
}
