//! The bytes of a file, as a process reads them and as they are durable.

use super::chance::Chance;
use crate::disk::Cause;

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    synced: Vec<u8>,
    now: Vec<u8>,
    /// What made `now` of `synced`.
    changes: Vec<Change>,
    reserved_bytes: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Inode {
    pub(super) fn durable(bytes: &[u8]) -> Self {
        Self { synced: bytes.to_vec(), now: bytes.to_vec(), changes: vec![], reserved_bytes: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.now
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        self.reserved_bytes.max(self.now.len() as u64)
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.now.get(offset..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        count
    }

    /// Writes, as far as there is room.
    pub(super) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        free_bytes: u64,
    ) -> Result<(), Cause> {
        let limit = self.allocated_bytes().saturating_add(free_bytes);
        let fits = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let offset = usize::try_from(offset).map_err(|_| Cause::NoSpace)?;
        let part = bytes.get(..fits).unwrap_or(bytes);
        put(&mut self.now, offset, part);
        self.changes.push(Change::Write { offset, bytes: part.to_vec() });
        if part.len() < bytes.len() { Err(Cause::NoSpace) } else { Ok(()) }
    }

    /// Cuts, and frees what was reserved behind the cut, as file systems do.
    pub(super) fn truncate(&mut self, len_bytes: u64) {
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        self.reserved_bytes = self.reserved_bytes.min(len_bytes);
        self.now.truncate(len);
        self.changes.push(Change::Truncate(len));
    }

    pub(super) fn reserve(&mut self, len_bytes: u64, free_bytes: u64) -> Result<(), Cause> {
        if len_bytes > self.allocated_bytes().saturating_add(free_bytes) {
            return Err(Cause::NoSpace);
        }
        self.reserved_bytes = self.reserved_bytes.max(len_bytes);
        Ok(())
    }

    /// Does the changes, and not what `now` says: what a failed sync forgot stays forgotten.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Change::Truncate(len) => self.synced.truncate(len),
            }
        }
    }

    pub(super) fn forget_writes(&mut self) {
        self.changes.clear();
    }

    pub(super) fn lose_power(&mut self, chance: &mut Chance) {
        let mut len = self.synced.len();
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write { offset, bytes } => {
                    let end = offset.saturating_add(bytes.len());
                    write_some(&mut self.synced, offset, &bytes, chance);
                    if chance.keeps() {
                        len = len.max(end);
                    }
                }
                Change::Truncate(to) => {
                    if chance.keeps() {
                        self.synced.truncate(to);
                        len = len.min(to);
                    }
                }
            }
        }
        // A length can be durable before the bytes are.
        if self.synced.len() < len {
            self.synced.resize(len, 0);
        }
        self.now = self.synced.clone();
    }
}

fn put(into: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if !bytes.is_empty() && into.len() < end {
        into.resize(end, 0);
    }
    if let Some(place) = into.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// Writes any of the sectors, and some of them in part.
fn write_some(into: &mut Vec<u8>, offset: usize, bytes: &[u8], chance: &mut Chance) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let in_sector = SECTOR_BYTES.saturating_sub(at % SECTOR_BYTES).min(rest.len());
        let (sector, behind) = rest.split_at(in_sector);
        let kept = chance.part(sector.len());
        put(into, at, sector.get(..kept).unwrap_or_default());
        at = at.saturating_add(in_sector);
        rest = behind;
    }
}
