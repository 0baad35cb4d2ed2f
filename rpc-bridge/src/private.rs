//! Files and directories that are for their owner alone.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions, set_permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of what only its owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Mode of a directory that only its owner enters.
const DIR_MODE: u32 = 0o700;

/// An error with the path it is about.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |error| io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// Makes a directory where there is none, and closes it to others.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(at(dir))?;
    close(dir, DIR_MODE)
}

/// Closes a file to others.
pub(crate) fn close_file(path: &Path) -> io::Result<()> {
    close(path, FILE_MODE)
}

fn close(path: &Path, mode: u32) -> io::Result<()> {
    set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
}

/// Opens the file that is locked while others must not go on. The lock ends with the file.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).map_err(at(path))
}

/// Writes a file whole or not at all: a reader sees what was, or what is.
///
/// Two writers must not run at the same time.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new: PathBuf = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    let mut file = options.open(&new).map_err(at(&new))?;
    close_file(&new)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&new))?;
    std::fs::rename(&new, path).map_err(at(path))?;
    let dir = path.parent().expect("the path has a file name");
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
}
