//! A disk that tells what of it is durable.

use super::border::Border;
use payecs_journal::{Disk, DiskError, DiskFile, Held, Open};
use std::sync::Arc;

/// A disk between the store and the disk in memory.
#[derive(Debug)]
pub(super) struct WatchedDisk {
    inner: Arc<dyn Disk>,
    border: Border,
}

impl WatchedDisk {
    pub(super) fn new(inner: Arc<dyn Disk>, border: Border) -> Self {
        Self { inner, border }
    }
}

impl Disk for WatchedDisk {
    fn open(&self, name: &str, how: Open) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = self.inner.open(name, how)?;
        if how == Open::Read {
            return Ok(file);
        }
        let border = self.border.clone();
        Ok(Box::new(WatchedFile { file, border, unsynced: Vec::new() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.inner.remove(name)
    }

    fn make_dir(&self, dir: &str) -> Result<(), DiskError> {
        self.inner.make_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        self.inner.sync_dir(dir)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        self.inner.list(dir)
    }

    fn lock(&self, name: &str) -> Result<Box<dyn Held>, DiskError> {
        self.inner.lock(name)
    }
}

/// A file, with what was written and not synced.
#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn DiskFile>,
    border: Border,
    unsynced: Vec<u8>,
}

impl DiskFile for WatchedFile {
    fn len_bytes(&self) -> Result<u64, DiskError> {
        self.file.len_bytes()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.file.read_at(offset, into)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_at(offset, bytes)?;
        self.unsynced.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, len_bytes: u64) -> Result<(), DiskError> {
        self.file.truncate(len_bytes)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync()?;
        let unsynced = std::mem::take(&mut self.unsynced);
        self.border.durable(|durable| durable.add(&unsynced));
        Ok(())
    }

    fn reserve(&mut self, len_bytes: u64) -> Result<bool, DiskError> {
        self.file.reserve(len_bytes)
    }
}
