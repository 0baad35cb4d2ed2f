//! A disk in memory that can lose power.

mod chance;
mod entries;
mod faults;
mod inode;

pub use faults::Faults;

use super::{Cause, Disk, DiskError, DiskFile, Held, Open, Operation, directory};
use chance::Chance;
use entries::Directory;
use faults::Plan;
use inode::Inode;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A disk for tests and simulations, deterministic and with a page cache that can be lost.
///
/// What was written and not synced is kept, lost or partly kept by [`MemoryDisk::power_loss`], in
/// any order: each sector of 512 bytes for itself, a sector perhaps in part, each length, each
/// name.
/// Clones are the same disk.
///
/// A sync that fails by plan forgets the writes before it: they can still be read, and no later
/// sync makes them durable, as on Linux.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    directories: BTreeMap<String, Directory>,
    inodes: BTreeMap<u64, Inode>,
    inode_next: u64,
    /// Handles of an earlier process are worth nothing.
    process: u64,
    locks: BTreeSet<String>,
    plan: Plan,
}

impl MemoryDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk with a directory.
    #[must_use]
    pub fn with_dir(dir: &str) -> Self {
        let disk = Self::default();
        disk.inner().directory(dir).set_durable();
        disk
    }

    /// Another disk that is as this one is now, with what is not synced. Handles and locks of this
    /// one belong to this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut inner = self.inner().clone();
        inner.end_process();
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Plans what goes wrong from now on, in place of what was planned before.
    pub fn plan(&self, faults: Faults) {
        self.inner().plan.set(faults);
    }

    /// How often this was asked for since the last [`MemoryDisk::plan`].
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        self.inner().plan.count(operation)
    }

    /// The process is killed: handles and locks are gone, everything that was written stays.
    pub fn crash(&self) {
        self.inner().end_process();
    }

    /// The power is lost: of what was not synced, any part may be gone. Which, the seed says: about
    /// every fourth keeps nothing of it, every fourth everything.
    pub fn power_loss(&self, seed: u64) {
        let inner = &mut *self.inner();
        inner.end_process();
        let mut chance = Chance::of(seed);
        inner.directories.retain(|_, directory| directory.lose_power(&mut chance));
        for inode in inner.inodes.values_mut() {
            inode.lose_power(&mut chance);
        }
        inner.forget_nameless();
    }

    /// The bytes of a file as a process reads them; `None` when it is missing.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner();
        inner.find(name).and_then(|id| inner.inodes.get(&id)).map(|inode| inode.bytes().to_vec())
    }

    /// Makes a file with these bytes, or changes it to them, durably and whatever is planned.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let inner = &mut *self.inner();
        let id = inner.inode_next;
        inner.inode_next = id.saturating_add(1);
        inner.inodes.insert(id, Inode::durable(bytes));
        inner.directory(directory(name)).put(file_name(name), id);
    }

    /// Every file, by name.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let inner = self.inner();
        let of = |(dir, entries): (&String, &Directory)| -> Vec<String> {
            let full = |name: &String| match dir.as_str() {
                "" => name.clone(),
                dir => format!("{dir}/{name}"),
            };
            entries.names().keys().map(full).collect()
        };
        inner.directories.iter().flat_map(of).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn directory(&mut self, dir: &str) -> &mut Directory {
        self.directories.entry(dir.to_owned()).or_default()
    }

    fn find(&self, name: &str) -> Option<u64> {
        self.directories.get(directory(name))?.names().get(file_name(name)).copied()
    }

    fn end_process(&mut self) {
        self.process = self.process.saturating_add(1);
        self.locks.clear();
        self.forget_nameless();
    }

    /// Frees files that have no name, now or after a power loss.
    fn forget_nameless(&mut self) {
        let named: BTreeSet<u64> =
            self.directories.values().flat_map(Directory::inodes).copied().collect();
        self.inodes.retain(|id, _| named.contains(id));
    }

    /// What the files take that a process can name; a file that was removed takes nothing.
    fn used_bytes(&self) -> u64 {
        let named = self.directories.values().flat_map(|dir| dir.names().values());
        let sizes = named.filter_map(|id| self.inodes.get(id)).map(Inode::allocated_bytes);
        sizes.fold(0, u64::saturating_add)
    }

    fn free_bytes(&self) -> u64 {
        let capacity = self.plan.faults().capacity_bytes.unwrap_or(u64::MAX);
        capacity.saturating_sub(self.used_bytes())
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str, how: Open) -> Result<Box<dyn DiskFile>, DiskError> {
        let inner = &mut *self.inner();
        let operation = if how == Open::New { Operation::Create } else { Operation::Open };
        inner.plan.judge(operation, name)?;
        let found = inner.find(name);
        let id = match (how, found) {
            (Open::Read | Open::Write, Some(id)) => id,
            (Open::Read | Open::Write, None) => {
                return Err(DiskError::new(operation, name, Cause::Missing));
            }
            (Open::New, Some(_)) => {
                let cause = Cause::Other("it exists already".to_owned());
                return Err(DiskError::new(operation, name, cause));
            }
            (Open::New, None) => {
                if !inner.directories.contains_key(directory(name)) {
                    return Err(DiskError::new(operation, name, Cause::Missing));
                }
                let id = inner.inode_next;
                inner.inode_next = id.saturating_add(1);
                inner.inodes.insert(id, Inode::default());
                inner.directory(directory(name)).link(file_name(name), id);
                id
            }
        };
        let process = inner.process;
        let writable = how != Open::Read;
        let disk = self.clone();
        Ok(Box::new(MemoryFile { disk, id, name: name.to_owned(), process, writable }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::Rename, from)?;
        if inner.find(from).is_none() || directory(from) != directory(to) {
            return Err(DiskError::new(Operation::Rename, from, Cause::Missing));
        }
        inner.directory(directory(from)).rename(file_name(from), file_name(to));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::Remove, name)?;
        if inner.find(name).is_none() {
            return Err(DiskError::new(Operation::Remove, name, Cause::Missing));
        }
        inner.directory(directory(name)).unlink(file_name(name));
        Ok(())
    }

    fn make_dir(&self, dir: &str) -> Result<(), DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::MakeDir, dir)?;
        inner.directory(dir).set_durable();
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::SyncDir, dir)?;
        let found = inner.directories.get_mut(dir);
        let found = found.ok_or_else(|| DiskError::new(Operation::SyncDir, dir, Cause::Missing));
        found.map(Directory::sync)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::List, dir)?;
        let found = inner.directories.get(dir);
        let found = found.ok_or_else(|| DiskError::new(Operation::List, dir, Cause::Missing))?;
        Ok(found.names().keys().cloned().collect())
    }

    fn lock(&self, name: &str) -> Result<Box<dyn Held>, DiskError> {
        let inner = &mut *self.inner();
        inner.plan.judge(Operation::Lock, name)?;
        let pid = u32::try_from(inner.process).ok();
        if !inner.locks.insert(name.to_owned()) {
            return Err(DiskError::new(Operation::Lock, name, Cause::HeldBy(pid)));
        }
        let process = inner.process;
        Ok(Box::new(MemoryLock { disk: self.clone(), name: name.to_owned(), process }))
    }
}

fn file_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

#[derive(Debug)]
struct MemoryLock {
    disk: MemoryDisk,
    name: String,
    process: u64,
}

impl Held for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut inner = self.disk.inner();
        if inner.process == self.process {
            inner.locks.remove(&self.name);
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    id: u64,
    name: String,
    process: u64,
    writable: bool,
}

impl MemoryFile {
    /// Runs an operation on the file, if the plan and the process allow.
    fn run<T>(
        &self,
        operation: Operation,
        run: impl FnOnce(&mut Inode, Room) -> Result<T, Cause>,
    ) -> Result<T, DiskError> {
        let inner = &mut *self.disk.inner();
        let error = |cause| DiskError::new(operation, &self.name, cause);
        if inner.process != self.process {
            return Err(error(Cause::Gone));
        }
        let changes = !matches!(operation, Operation::Read | Operation::Sync);
        if changes && !self.writable {
            return Err(error(Cause::Denied));
        }
        let planned = inner.plan.judge(operation, &self.name);
        let free_bytes = inner.free_bytes();
        let short_reads = inner.plan.faults().short_reads;
        let room = Room { free_bytes, short_reads, planned: planned.err() };
        let inode = inner.inodes.get_mut(&self.id).ok_or_else(|| error(Cause::Gone))?;
        let planned = room.planned.clone();
        let done = run(inode, room).map_err(error);
        planned.map_or(done, Err)
    }
}

/// What an operation on a file may use.
struct Room {
    free_bytes: u64,
    short_reads: bool,
    /// It is to fail with this, after it did a part.
    planned: Option<DiskError>,
}

impl DiskFile for MemoryFile {
    fn len_bytes(&self) -> Result<u64, DiskError> {
        self.run(Operation::Read, |inode, _| Ok(inode.bytes().len() as u64))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.run(Operation::Read, |inode, room| {
            let short = if room.short_reads { into.len().div_ceil(2) } else { into.len() };
            Ok(inode.read(offset, into.get_mut(..short).unwrap_or_default()))
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.run(Operation::Write, |inode, room| match room.planned.map(|error| error.cause) {
            Some(Cause::ReadOnly) => Ok(()),
            Some(_) => {
                let half = bytes.get(..bytes.len().div_ceil(2)).unwrap_or_default();
                inode.write(offset, half, room.free_bytes)
            }
            None => inode.write(offset, bytes, room.free_bytes),
        })
    }

    fn truncate(&mut self, len_bytes: u64) -> Result<(), DiskError> {
        self.run(Operation::Truncate, |inode, room| {
            if room.planned.is_none() {
                inode.truncate(len_bytes);
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.run(Operation::Sync, |inode, room| {
            match room.planned {
                None => inode.sync(),
                Some(_) => inode.forget_writes(),
            }
            Ok(())
        })
    }

    fn reserve(&mut self, len_bytes: u64) -> Result<bool, DiskError> {
        self.run(Operation::Reserve, |inode, room| match room.planned {
            None => inode.reserve(len_bytes, room.free_bytes).map(|()| true),
            Some(_) => Ok(false),
        })
    }
}
