//! A copy of a state log, which may grow meanwhile.

use super::{DIR, SEGMENT, SNAPSHOT, Seq, Snapshot, file_of, number_of};
use crate::{
    disk::{self, Disk, Open},
    error::{Damage, Error, Harm},
    file::{Class, FileHeader, HEADER_END},
    scan::{Scan, walk},
};

/// What was copied of a state log.
#[derive(Debug)]
pub struct StateCopy {
    /// The snapshot in the copy, to be read there.
    pub snapshot: Option<Snapshot>,
    /// The last record in the copy.
    pub last: Seq,
}

/// Copies a state log to another disk, where none is: its newest whole snapshot and the records
/// behind it, up to the last that the log itself says is durable. Nothing is written to `from` and
/// no lock is taken, so that another process may append meanwhile. The copy is durable, and to be
/// opened like any other log. `progress` hears how many bytes each step has copied.
///
/// # Errors
/// [`Error::Damaged`], [`Error::Version`], or when a disk refuses. With
/// [`Cause::Missing`](crate::Cause::Missing) on a file of `from`, a snapshot has let it go
/// meanwhile: begin anew with an empty `to`.
pub fn copy_state(
    from: &dyn Disk,
    to: &dyn Disk,
    progress: &mut dyn FnMut(u64),
) -> Result<StateCopy, Error> {
    let snapshot = newest_whole(from)?;
    let base = snapshot.unwrap_or_default();
    // Listed again: while snapshots were checked, segments may have come.
    let names = from.list(DIR)?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|it| number_of(it, SEGMENT)).collect();
    firsts.sort_unstable();
    let behind = base.0.saturating_add(1);
    let start = firsts.iter().rposition(|first| *first <= behind);
    let needed = start.and_then(|start| firsts.get(start..)).unwrap_or_default();
    let Some((newest, closed)) = needed.split_last() else {
        let (file, holds) = (file_of(behind, SEGMENT), Some(base.0));
        return Err(Damage { file, offset: 0, harm: Harm::Missing, holds, next: None }.into());
    };
    to.make_dir(DIR)?;
    for first in closed {
        let name = file_of(*first, SEGMENT);
        let end = from.open(&name, Open::Read)?.len_bytes()?;
        disk::copy(from, to, &name, end, progress)?;
    }
    let name = file_of(*newest, SEGMENT);
    let (end, last) = durable_end(from, &name, *newest, base)?;
    disk::copy(from, to, &name, end, progress)?;
    if let Some(Seq(seq)) = snapshot {
        let name = file_of(seq, SNAPSHOT);
        let end = from.open(&name, Open::Read)?.len_bytes()?;
        disk::copy(from, to, &name, end, progress)?;
    }
    to.sync_dir(DIR)?;
    let snapshot = snapshot.map(|seq| Snapshot::check(to, seq)).transpose()?;
    Ok(StateCopy { snapshot, last })
}

/// The newest snapshot that is whole; one that is damaged is passed over, as at opening.
fn newest_whole(from: &dyn Disk) -> Result<Option<Seq>, Error> {
    let mut all: Vec<u64> =
        from.list(DIR)?.iter().filter_map(|it| number_of(it, SNAPSHOT)).collect();
    all.sort_unstable();
    for seq in all.into_iter().rev().map(Seq) {
        match Snapshot::check(from, seq) {
            Ok(_) => return Ok(Some(seq)),
            Err(Error::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Where in the newest segment what is known as durable ends, and the last record before that. A
/// snapshot was made of durable records.
fn durable_end(
    from: &dyn Disk,
    name: &str,
    first: u64,
    snapshot: Seq,
) -> Result<(u64, Seq), Error> {
    let file = from.open(name, Open::Read)?;
    let seed = FileHeader::read(&*file, name, Class::State)?.seed();
    let mut ends = vec![];
    let mut scan = Scan::open(file, name, seed)?;
    let walked = walk(&mut scan, first, true, &mut |at, frame, _| {
        ends.push((at.saturating_add(frame.frame_len()), frame.number));
    })?;
    let known = |(end, number): &&(u64, u64)| *end <= walked.durable || *number <= snapshot.0;
    let before = (HEADER_END, first.saturating_sub(1));
    let (end, last) = ends.iter().take_while(known).last().copied().unwrap_or(before);
    Ok((end, Seq(last)))
}
