//! Reading entries.

use super::{Entry, damage, split};
use crate::{
    error::{Error, Harm},
    frame::Kind,
    scan::{Found, Scan},
};

/// An entry this few behind another is read towards.
const NEAR_ENTRIES: u64 = 32;

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its index and hash. The hash is as it was stored; [`super::LedgerLog::verify`] checks it.
    pub entry: Entry,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// Entries in order, read as they are asked for. An error ends it.
#[derive(Debug)]
pub struct Entries {
    scan: Option<Scan>,
    /// The index of the entry at the scan's place.
    at: u64,
    next: u64,
    to: u64,
}

impl Entries {
    /// No entries.
    pub(super) fn none() -> Self {
        Self { scan: None, at: 0, next: 0, to: 0 }
    }

    /// Entries `next..to`. The scan stands before the entry `at`, which is the first or before it.
    pub(super) fn between(scan: Scan, at: u64, next: u64, to: u64) -> Self {
        Self { scan: Some(scan), at, next, to }
    }

    /// Goes on with that entry, where it is among these and stands a few behind the scan's place at
    /// most; whether it does.
    pub(super) fn go_to(&mut self, index: u64) -> bool {
        let near = self.at..self.at.saturating_add(NEAR_ENTRIES).min(self.to);
        let goes_on = self.scan.is_some() && near.contains(&index);
        if goes_on {
            self.next = index;
        }
        goes_on
    }

    fn read(&mut self) -> Result<Option<StoredEntry>, Error> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        while self.next < self.to {
            let offset = scan.at();
            let (found, payload) = scan.next()?;
            let broken = |harm| Err(damage(offset, harm, self.at).into());
            let header = match found {
                Found::Frame(header) => header,
                Found::End => return broken(Harm::Missing),
                Found::Bad => return broken(Harm::Frame),
            };
            match header.kind {
                Kind::Record => {}
                Kind::Mark => continue,
                Kind::End => return broken(Harm::Order),
            }
            let Some((hash, payload)) = split(payload).filter(|_| header.number == self.at) else {
                return broken(Harm::Order);
            };
            self.at = self.at.saturating_add(1);
            if header.number == self.next {
                self.next = self.next.saturating_add(1);
                let entry = Entry { index: header.number, hash };
                return Ok(Some(StoredEntry { entry, payload: payload.to_vec() }));
            }
        }
        Ok(None)
    }
}

impl Iterator for Entries {
    type Item = Result<StoredEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.scan = None;
        }
        read.transpose()
    }
}
