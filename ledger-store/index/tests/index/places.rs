//! Where the laws find a store.

use payecs_index::{Backend, MemoryBackend, RedbBackend, SledBackend};
use std::{fs, path::Path};
use tempfile::TempDir;

/// A place for a store that can be looked at as a killed process leaves it.
pub(crate) trait Place {
    /// What opens the store.
    fn backend(&self) -> Box<dyn Backend>;

    /// The place as it would be if the process were killed now.
    fn killed(&self) -> Self;
}

#[derive(Default)]
pub(crate) struct InMemory(MemoryBackend);

impl Place for InMemory {
    fn backend(&self) -> Box<dyn Backend> {
        Box::new(self.0.clone())
    }

    fn killed(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(crate) struct OnSled(pub(crate) TempDir);

impl OnSled {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for OnSled {
    fn backend(&self) -> Box<dyn Backend> {
        Box::new(SledBackend::new(self.0.path().join("index")))
    }

    fn killed(&self) -> Self {
        Self(copy_of(&self.0))
    }
}

pub(crate) struct OnRedb(TempDir);

impl OnRedb {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for OnRedb {
    fn backend(&self) -> Box<dyn Backend> {
        Box::new(RedbBackend::new(self.0.path().join("index")))
    }

    fn killed(&self) -> Self {
        Self(copy_of(&self.0))
    }
}

/// A copy of a directory, with what the system has of each file.
pub(crate) fn copy_of(dir: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir.path(), copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&to).unwrap();
            copy_into(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
