//! Directories and files of a backup.

use super::{BackupError, manifest::Manifest};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

/// What the logs are in: they are copied record by record, not file by file.
const LOGS: [&str; 2] = ["state", "ledger"];
/// A file that says who holds a log, which means nothing in a copy.
const LOCK: &str = "LOCK";
/// What ends the name of a file that is not whole.
const UNFINISHED: &str = ".tmp";
/// How deep directories are nested in a backup.
const DEPTH_MAX: usize = 8;

/// The directory that a name is in.
pub(super) fn above(path: &Path) -> PathBuf {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(Path::new(".")).to_owned()
}

/// Makes the directory that a backup is written in before it has its name: beside it, so that the
/// name can be changed at once.
pub(crate) fn unfinished(to: &Path) -> Result<PathBuf, BackupError> {
    let Some(name) = to.file_name() else {
        let (path, why) = (to.to_owned(), "it has no name of its own".to_owned());
        return Err(BackupError::File { path, why });
    };
    let name = format!(".{}.{}{UNFINISHED}", name.to_string_lossy(), process::id());
    let dir = above(to).join(name);
    let made = DirBuilder::new().mode(0o700).create(&dir);
    made.map_err(|error| BackupError::file(&dir, &error))?;
    Ok(dir)
}

/// Makes a directory for its owner alone, and those above it, unless it is there.
pub(crate) fn make_dir(dir: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(dir);
    made.map_err(|error| BackupError::file(dir, &error))
}

/// A new file for its owner alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Gives a directory its name, durably. A backup that has it keeps it until the new one is there
/// under a name of its own, and is removed then.
pub(crate) fn finish(unfinished: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| BackupError::file(&path, &error)
    };
    sync_dirs(unfinished).map_err(failed(unfinished))?;
    let replaced = unfinished.with_extension("replaced");
    let is_there = Manifest::is_in(to);
    if is_there {
        fs::rename(to, &replaced).map_err(failed(to))?;
    }
    if let Err(error) = fs::rename(unfinished, to) {
        if is_there {
            fs::rename(&replaced, to).map_err(failed(&replaced))?;
        }
        return Err(failed(to)(error));
    }
    let above = above(to);
    File::open(&above).and_then(|dir| dir.sync_all()).map_err(failed(&above))?;
    if is_there {
        fs::remove_dir_all(&replaced).map_err(failed(&replaced))?;
    }
    Ok(())
}

fn sync_dirs(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    File::open(dir)?.sync_all()
}

/// Copies what stands beside the logs of a journal: whole files, which are only ever replaced or
/// appended to. After the logs, so that nothing is missing that these need.
pub(super) fn copy_others(journal: &Path, to: &Path) -> Result<(), BackupError> {
    let in_logs = |name: &Path| LOGS.iter().any(|log| name.starts_with(log));
    for name in below(journal)?.into_iter().filter(|name| !in_logs(name)) {
        copy(&journal.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Copies a whole directory, if it is there.
pub(super) fn copy_dir(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.is_dir() {
        return Ok(());
    }
    for name in below(from)? {
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Copies one file, durably but for its name.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    make_dir(&above(to))?;
    let mut source = File::open(from).map_err(|error| BackupError::file(from, &error))?;
    let copied = create(to).and_then(|mut target| {
        io::copy(&mut source, &mut target)?;
        target.sync_all()
    });
    copied.map_err(|error| BackupError::file(to, &error))
}

/// Every file below a directory that counts in a backup, in order, named from there on.
pub(crate) fn below(dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut names = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(inner) = dirs.pop() {
        let path = dir.join(&inner);
        let failed = |error: io::Error| BackupError::file(&path, &error);
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = inner.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && name.components().count() < DEPTH_MAX {
                dirs.push(name);
            } else if counts(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

fn counts(name: &Path) -> bool {
    let last = name.file_name().map(|it| it.to_string_lossy()).unwrap_or_default();
    let itself = Manifest::is_name_of_one(name);
    !(last == LOCK || last.ends_with(UNFINISHED) || itself)
}
