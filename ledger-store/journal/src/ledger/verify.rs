//! Reads a whole ledger and checks that nobody changed it.

use super::{FILE, Head, PROGRESS_EVERY, chained, split};
use crate::{
    disk::{Disk, Open},
    error::{Error, Harm},
    file::{Class, FileHeader, HEADER_END},
    frame::{FrameHeader, Kind},
    scan::{Found, Scan},
};

/// How far the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries that hold.
    pub entries: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes there are.
    pub total_bytes: u64,
}

/// Why a ledger is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// An entry is not as it was written.
    #[error(
        "ledger entry {index} at byte {offset} is broken: {harm}; the {} entries before it hold \
         (`{holds}`); restore the ledger from a copy that has more",
        holds.count
    )]
    Broken {
        /// The first entry that is broken, counted from 0.
        index: u64,
        /// Where it begins in the file, in bytes.
        offset: u64,
        /// What is wrong with it.
        harm: Harm,
        /// What still holds.
        holds: Head,
    },
    /// The ledger ends before what the head stands for. All of what is there holds.
    #[error(
        "the ledger was cut: it has {} entries and had {}; restore it from a copy that has more",
        holds.count,
        head.count
    )]
    Truncated {
        /// What there is.
        holds: Head,
        /// What there was.
        head: Head,
    },
    /// The ledger is whole in itself, but not the one that the head stands for.
    #[error(
        "the ledger was rewritten: entry {} or one before it is not what `{head}` stands for; the \
         first {holds} entries are known to hold",
        head.count.saturating_sub(1)
    )]
    Rewritten {
        /// What it should begin with.
        head: Head,
        /// Entries at the beginning that another head vouches for.
        holds: u64,
    },
    /// The head is of another ledger.
    #[error(
        "`{head}` is of another ledger than {id}: use the head that was exported from this one"
    )]
    OtherLedger {
        /// The head.
        head: Head,
        /// The id of this ledger.
        id: crate::file::LogId,
    },
    /// The signature of a checkpoint is wrong, or of a key that is not trusted.
    #[error(
        "the checkpoint of {} entries is not signed by a trusted key (it names {key_id}): it says \
         nothing about the ledger",
        head.count
    )]
    Signature {
        /// What it stands for.
        head: Head,
        /// The key that it names.
        key_id: String,
    },
    /// The ledger could not be read.
    #[error(transparent)]
    Unreadable(#[from] Error),
}

impl From<crate::disk::DiskError> for VerifyError {
    fn from(error: crate::disk::DiskError) -> Self {
        Self::Unreadable(error.into())
    }
}

/// Checks the ledger on a disk against heads that were kept elsewhere, without opening it for
/// writing and without a lock. While somebody appends, its end may look broken.
///
/// # Errors
/// As [`super::LedgerLog::verify_against`].
pub fn verify(
    disk: &dyn Disk,
    heads: &[Head],
    progress: &mut dyn FnMut(Progress),
) -> Result<Head, VerifyError> {
    let end = disk.open(FILE, Open::Read)?.len_bytes()?;
    run(disk, end, heads, progress)
}

pub(super) fn run(
    disk: &dyn Disk,
    end: u64,
    heads: &[Head],
    progress: &mut dyn FnMut(Progress),
) -> Result<Head, VerifyError> {
    let file = disk.open(FILE, Open::Read)?;
    let header = FileHeader::read(&*file, FILE, Class::Ledger)?;
    let mut heads = heads.to_vec();
    heads.sort_by_key(|head| head.count);
    if let Some(head) = heads.iter().find(|head| head.id != header.id) {
        return Err(VerifyError::OtherLedger { head: *head, id: header.id });
    }
    let mut against = Against { heads, passed: 0, holds: 0 };
    let mut held = Head::empty(header.id);
    against.check(&held)?;
    let mut scan = Scan::between(file, FILE, header.seed(), HEADER_END, end);
    loop {
        let offset = scan.at();
        let broken = |held: &Head, harm| {
            let (index, holds) = (held.count, *held);
            VerifyError::Broken { index, offset, harm, holds }
        };
        let (found, payload) = scan.next()?;
        match found {
            Found::End => break,
            Found::Bad => return Err(broken(&held, Harm::Frame)),
            Found::Frame(frame) => {
                let more =
                    follow(&mut held, &frame, payload).map_err(|harm| broken(&held, harm))?;
                if more {
                    against.check(&held)?;
                }
            }
        }
        if held.count.is_multiple_of(PROGRESS_EVERY) {
            let read_bytes = scan.at();
            progress(Progress { entries: held.count, read_bytes, total_bytes: end });
        }
    }
    progress(Progress { entries: held.count, read_bytes: end, total_bytes: end });
    against.end(&held)?;
    Ok(held)
}

/// Adds a frame to what holds; whether it is an entry.
fn follow(held: &mut Head, frame: &FrameHeader, payload: &[u8]) -> Result<bool, Harm> {
    match frame.kind {
        Kind::Mark if frame.number.checked_add(1) == Some(held.count) => return Ok(false),
        Kind::Mark | Kind::End => return Err(Harm::Order),
        Kind::Record => {}
    }
    let (hash, payload) = split(payload).ok_or(Harm::Order)?;
    if frame.number != held.count {
        return Err(Harm::Order);
    }
    if hash != chained(held.hash, held.count, payload) {
        return Err(Harm::Hash);
    }
    held.hash = hash;
    held.count = held.count.saturating_add(1);
    Ok(true)
}

/// Heads to compare with, by count.
struct Against {
    heads: Vec<Head>,
    passed: usize,
    /// Entries that a head vouched for.
    holds: u64,
}

impl Against {
    fn check(&mut self, held: &Head) -> Result<(), VerifyError> {
        while let Some(head) = self.heads.get(self.passed).filter(|head| head.count == held.count) {
            if head.hash != held.hash {
                return Err(VerifyError::Rewritten { head: *head, holds: self.holds });
            }
            self.holds = held.count;
            self.passed = self.passed.saturating_add(1);
        }
        Ok(())
    }

    fn end(&self, held: &Head) -> Result<(), VerifyError> {
        let beyond = self.heads.get(self.passed..).and_then(<[Head]>::last);
        beyond.map_or(Ok(()), |head| Err(VerifyError::Truncated { holds: *held, head: *head }))
    }
}
