//! Room on the disk: what is set aside, and when it is given up.

use super::{DIR, Options};
use crate::{
    disk::{Cause, Disk, DiskError, DiskFile, Open},
    error::Error,
};

const RESERVE: &str = "state/reserve";
/// Where space cannot be set aside, it is taken in pieces of this size.
const PIECE_BYTES: u64 = 256 << 10;

/// How much room a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpaceState {
    /// There is room for this segment, and a reserve.
    Plenty,
    /// There was no room to set aside for this segment. Records still go to what is free, then to
    /// the reserve: take on no more work, and make room.
    Low,
    /// The reserve is given up, or there never was room for it. What is left is to end what has
    /// begun: take on nothing, and make room now.
    Reserve,
}

/// What a log has set aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Space {
    segment: bool,
    reserve: bool,
}

impl Space {
    pub(super) fn state(self) -> SpaceState {
        match (self.reserve, self.segment) {
            (true, true) => SpaceState::Plenty,
            (true, false) => SpaceState::Low,
            (false, _) => SpaceState::Reserve,
        }
    }

    /// Sets aside what is lacking, as far as there is room.
    pub(super) fn fill(
        &mut self,
        disk: &dyn Disk,
        segment: &mut dyn DiskFile,
        options: &Options,
    ) -> Result<(), Error> {
        if !self.reserve {
            self.reserve = options.reserve_bytes == 0 || room(take_reserve(disk, options))?;
        }
        if !self.segment {
            self.segment = room(segment.reserve(options.segment_bytes).map(|_| ()))?;
        }
        Ok(())
    }

    /// A new segment has nothing set aside.
    pub(super) fn new_segment(&mut self) {
        self.segment = false;
    }

    /// Gives the reserve back to the disk; whether there was one.
    pub(super) fn give_up_reserve(&mut self, disk: &dyn Disk) -> Result<bool, Error> {
        self.segment = false;
        if !self.reserve {
            return Ok(false);
        }
        self.reserve = false;
        match disk.remove(RESERVE) {
            Ok(()) => {}
            Err(error) if error.cause == Cause::Missing => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        disk.sync_dir(DIR)?;
        Ok(true)
    }
}

/// Whether there was room.
fn room(done: Result<(), DiskError>) -> Result<bool, Error> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.is_full() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn take_reserve(disk: &dyn Disk, options: &Options) -> Result<(), DiskError> {
    let opened = match disk.open(RESERVE, Open::Write) {
        Err(error) if error.cause == Cause::Missing => disk.open(RESERVE, Open::New),
        opened => opened,
    };
    let taken = opened.and_then(|mut file| take(&mut *file, options.reserve_bytes));
    if taken.is_err() {
        // A part of a reserve would only keep room from records.
        let _ = disk.remove(RESERVE);
    }
    taken
}

fn take(file: &mut dyn DiskFile, len_bytes: u64) -> Result<(), DiskError> {
    if file.reserve(len_bytes)? {
        return Ok(());
    }
    let mut at = file.len_bytes()?;
    while at < len_bytes {
        let piece = len_bytes.saturating_sub(at).min(PIECE_BYTES);
        file.write_at(at, &vec![0; usize::try_from(piece).unwrap_or(0)])?;
        at = at.saturating_add(piece);
    }
    file.sync()
}
