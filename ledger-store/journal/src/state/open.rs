//! Opening: what is there, what is torn, what is damaged.

use super::{
    DIR, LOCK, Options, Records, SEGMENT, SNAPSHOT, Seq, Snapshot, StateLog, file_of, number_of,
    rotate::new_segment, space::Space,
};
use crate::{
    disk::{self, Disk, Open},
    error::{Damage, Error, Harm, Torn},
    file::{Class, FileHeader, LogId},
    scan::{Scan, settle, walk},
    tail::{FrameDigest, Tail},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What was found at opening.
#[derive(Debug)]
pub struct Recovered {
    /// The newest snapshot that is whole, when there is one.
    pub snapshot: Option<Snapshot>,
    /// The records behind it, in order. All of them are durable now, whether or not they were
    /// before.
    pub records: Records,
    /// What was cut from the end of the last segment.
    pub torn: Option<Torn>,
    /// Newer snapshots that are damaged; the records behind `snapshot` make up for them.
    pub skipped: Vec<Skipped>,
}

/// A snapshot that is damaged. Its file is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The last record that it stood for.
    pub seq: Seq,
    /// What is wrong with it.
    pub error: Error,
}

impl StateLog {
    /// Opens the log, and makes one if there is none. Everything that is needed is read once and
    /// checked; the last segment is cut where it is torn, and made durable.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Damaged`] when something is not as
    /// it was written, [`Error::Version`], or when the disk refuses. Nothing is changed then, but
    /// for files that a crash left unfinished.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, Recovered), Error> {
        disk.make_dir(DIR)?;
        let lock = disk.lock(&format!("{DIR}/{LOCK}")).map_err(Error::of_lock)?;
        let mut names = Names::read(&*disk)?;
        let (snapshot, skipped) = names.newest_whole(&*disk)?;
        let base = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq().0);
        let chain = if names.are_none() {
            Chain::new(&*disk, options.id)?
        } else {
            let missing = skipped.first().map(|skipped| &skipped.error);
            Chain::read(&*disk, &names, snapshot.as_ref(), missing)?
        };
        names.segments.entry(chain.first).or_insert_with(|| file_of(chain.first, SEGMENT));

        let mut log = Self {
            disk: Arc::clone(&disk),
            options,
            id: chain.id,
            tail: chain.tail,
            next: chain.next,
            durable: chain.next.saturating_sub(1),
            segments: names.segments,
            snapshots: names.snapshots,
            space: Space::default(),
            _lock: lock,
        };
        if chain.to_mark {
            log.tail.mark(log.durable);
        }
        log.refill()?;
        let records = Records::new(disk, chain.files, base.saturating_add(1), chain.next);
        Ok((log, Recovered { snapshot, records, torn: chain.torn, skipped }))
    }
}

/// The files of a log, by their numbers.
struct Names {
    segments: BTreeMap<u64, String>,
    snapshots: BTreeSet<u64>,
    /// The newest snapshot that ever was whole, damaged or not.
    newest: Option<u64>,
}

impl Names {
    fn read(disk: &dyn Disk) -> Result<Self, Error> {
        let names = disk::tidy_up(disk, DIR)?;
        // A name may be of a process that was killed before it was durable.
        disk.sync_dir(DIR)?;
        let firsts = names.iter().filter_map(|name| number_of(name, SEGMENT));
        let segments = firsts.map(|first| (first, file_of(first, SEGMENT))).collect();
        let snapshots: BTreeSet<u64> =
            names.iter().filter_map(|name| number_of(name, SNAPSHOT)).collect();
        let newest = snapshots.last().copied();
        Ok(Self { segments, snapshots, newest })
    }

    fn are_none(&self) -> bool {
        self.segments.is_empty() && self.newest.is_none()
    }

    /// The newest snapshot that is whole, and those newer than it, which no longer count.
    fn newest_whole(&mut self, disk: &dyn Disk) -> Result<(Option<Snapshot>, Vec<Skipped>), Error> {
        let mut skipped = vec![];
        while let Some(seq) = self.snapshots.last().copied().map(Seq) {
            match Snapshot::check(disk, seq) {
                Ok(snapshot) => return Ok((Some(snapshot), skipped)),
                Err(error @ Error::Damaged(_)) => skipped.push(Skipped { seq, error }),
                Err(error) => return Err(error),
            }
            self.snapshots.remove(&seq.0);
        }
        Ok((None, skipped))
    }
}

/// The segments behind a snapshot, read through; the last one is ready to grow.
struct Chain {
    id: LogId,
    /// The number of the last segment's first record.
    first: u64,
    /// The number of the next record.
    next: u64,
    /// Each segment with the byte where its frames end.
    files: Vec<(String, u64)>,
    tail: Tail,
    torn: Option<Torn>,
    /// Whether no mark says that the last records are durable, as they now are.
    to_mark: bool,
}

impl Chain {
    fn new(disk: &dyn Disk, id: LogId) -> Result<Self, Error> {
        let header = FileHeader { class: Class::State, id, first: 1, previous: [0; 32] };
        let tail = new_segment(disk, &file_of(1, SEGMENT), &header).map_err(Error::of_write)?;
        Ok(Self { id, first: 1, next: 1, files: vec![], tail, torn: None, to_mark: false })
    }

    /// Reads the segments that hold the records behind a snapshot. `missing` says why an older
    /// snapshot than the newest has to do; it is the error when the segments are gone.
    fn read(
        disk: &dyn Disk,
        names: &Names,
        snapshot: Option<&Snapshot>,
        missing: Option<&Error>,
    ) -> Result<Self, Error> {
        let next = snapshot.map_or(0, |snapshot| snapshot.seq().0).saturating_add(1);
        let gone = |file: String| {
            let holds = next.checked_sub(1).filter(|holds| *holds > 0);
            let after = names.segments.keys().next().copied();
            let harm = Harm::Missing;
            missing
                .cloned()
                .unwrap_or_else(|| Damage { file, offset: 0, harm, holds, next: after }.into())
        };
        let start = names.segments.range(..=next).next_back().map(|(first, _)| *first);
        let Some(start) = start else { return Err(gone(file_of(next, SEGMENT))) };
        let needed: Vec<_> = names.segments.range(start..).collect();
        let mut link = Link { id: snapshot.map(Snapshot::id), next: start, digest: None };
        let mut files = vec![];
        let mut grown = None;
        for (at, (first, name)) in needed.iter().enumerate() {
            let last = at.saturating_add(1) == needed.len();
            let read = Segment::read(disk, **first, name, &mut link, last)?;
            files.push(((*name).clone(), read.end));
            grown = Some((**first, read));
        }
        let Some((first, read)) = grown else { return Err(gone(file_of(next, SEGMENT))) };
        // A snapshot was made of durable records: without them the log was cut.
        if link.next <= names.newest.unwrap_or(0) {
            let (file, _) = files.pop().unwrap_or_default();
            let (offset, harm) = (read.end, Harm::Missing);
            let holds = link.next.checked_sub(1);
            return Err(Damage { file, offset, harm, holds, next: None }.into());
        }
        let Some(id) = link.id else { return Err(gone(file_of(next, SEGMENT))) };
        let (torn, to_mark, tail) = read.settle(link.next > first)?;
        Ok(Self { id, first, next: link.next, files, tail, torn, to_mark })
    }
}

/// What the next segment must follow.
struct Link {
    id: Option<LogId>,
    next: u64,
    digest: Option<[u8; 32]>,
}

/// A segment that was read through.
struct Segment {
    name: String,
    end: u64,
    file: Box<dyn disk::DiskFile>,
    seed: u32,
    digest: FrameDigest,
    walked: crate::scan::Walked,
}

impl Segment {
    fn read(
        disk: &dyn Disk,
        first: u64,
        name: &str,
        link: &mut Link,
        last: bool,
    ) -> Result<Self, Error> {
        let file = disk.open(name, if last { Open::Write } else { Open::Read })?;
        let header = FileHeader::read(&*file, name, Class::State)?;
        let holds = link.next.checked_sub(1).filter(|holds| *holds > 0);
        let damage = |harm| {
            let next = Some(header.first);
            Error::from(Damage { file: name.to_owned(), offset: 0, harm, holds, next })
        };
        if header.first != first || link.id.is_some_and(|id| id != header.id) {
            return Err(damage(Harm::Misplaced));
        }
        if header.first != link.next {
            return Err(damage(Harm::Missing));
        }
        if link.digest.is_some_and(|digest| digest != header.previous) {
            return Err(damage(Harm::Chain));
        }
        let seed = header.seed();
        let mut digest = FrameDigest::of(&header.encode());
        let mut scan = Scan::open(file, name, seed)?;
        let walked =
            walk(&mut scan, first, last, &mut |_, frame, _| digest.add(&frame.encode(seed)))?;
        *link = Link { id: Some(header.id), next: walked.next, digest: Some(digest.value()) };
        let (name, end) = (name.to_owned(), walked.end);
        Ok(Self { name, end, file: scan.into_file(), seed, digest, walked })
    }

    /// Cuts what is torn and makes the rest durable; what was torn, whether to say so in a mark,
    /// and the tail.
    fn settle(mut self, has_records: bool) -> Result<(Option<Torn>, bool, Tail), Error> {
        settle(&mut *self.file, &self.name, &self.walked)?;
        let to_mark = has_records && !self.walked.marked;
        let tail = Tail::of_walked(self.file, self.seed, &self.walked, self.digest);
        Ok((self.walked.torn, to_mark, tail))
    }
}
