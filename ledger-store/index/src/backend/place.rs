//! A directory of its own for the files of a backend.

use crate::error::StoreError;
use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// What the name of a directory ends in that is being removed.
const REMOVED: &str = "removed";

/// Makes the directory, for its owner alone, and ends a removal that was cut short.
pub(super) fn make(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = clear(&removed(dir)).and_then(|()| builder.recursive(true).create(dir));
    made.map_err(|error| of(dir, &error))
}

/// Removes the directory: whole or not at all for who opens it next.
pub(super) fn remove(dir: &Path) -> Result<(), StoreError> {
    let removed = removed(dir);
    let renamed = clear(&removed).and_then(|()| missing_is_fine(fs::rename(dir, &removed)));
    renamed.and_then(|()| clear(&removed)).map_err(|error| of(dir, &error))
}

fn removed(dir: &Path) -> PathBuf {
    dir.with_added_extension(REMOVED)
}

fn clear(dir: &Path) -> io::Result<()> {
    missing_is_fine(fs::remove_dir_all(dir))
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn of(dir: &Path, error: &io::Error) -> StoreError {
    StoreError::refused(&format!("{}: {error}", dir.display()))
}
