//! Reading the records that were found at opening.

use super::Seq;
use crate::{
    disk::{Disk, Open},
    error::{Damage, Error, Harm},
    file::{Class, FileHeader},
    frame::Kind,
    scan::{Found, Scan},
};
use std::{sync::Arc, vec};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// The records behind a snapshot, in order, read as they are asked for. It must be read to its end
/// before a new snapshot is adopted, which removes segments. An error ends it.
#[derive(Debug)]
pub struct Records {
    disk: Arc<dyn Disk>,
    /// Each segment with the byte where its frames end.
    segments: vec::IntoIter<(String, u64)>,
    scan: Option<(String, Scan)>,
    next: u64,
    /// The number behind the last one that was found at opening.
    end: u64,
}

impl Records {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        segments: Vec<(String, u64)>,
        next: u64,
        end: u64,
    ) -> Self {
        Self { disk, segments: segments.into_iter(), scan: None, next, end }
    }

    /// How many are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    fn read(&mut self) -> Result<Option<Record>, Error> {
        while self.next < self.end {
            let Some((name, scan)) = &mut self.scan else {
                let Some((name, end)) = self.segments.next() else { break };
                let file = self.disk.open(&name, Open::Read)?;
                let seed = FileHeader::read(&*file, &name, Class::State)?.seed();
                let at = crate::file::HEADER_END;
                let scan = Scan::between(file, &name, seed, at, end);
                self.scan = Some((name, scan));
                continue;
            };
            let offset = scan.at();
            let (found, payload) = scan.next()?;
            match found {
                Found::End => self.scan = None,
                Found::Bad => return Err(damage(name, offset, Harm::Frame, self.next)),
                Found::Frame(header) => {
                    if header.kind != Kind::Record || header.number < self.next {
                        continue;
                    }
                    if header.number != self.next {
                        return Err(damage(name, offset, Harm::Order, self.next));
                    }
                    let payload = payload.to_vec();
                    self.next = self.next.saturating_add(1);
                    return Ok(Some(Record { seq: Seq(header.number), payload }));
                }
            }
        }
        Ok(None)
    }
}

fn damage(name: &str, offset: u64, harm: Harm, next: u64) -> Error {
    let file = name.to_owned();
    Damage { file, offset, harm, holds: next.checked_sub(1), next: None }.into()
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.end = self.next;
        }
        read.transpose()
    }
}
