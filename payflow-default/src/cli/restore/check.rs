//! Whether a backup is as it was written.

use crate::cli::backup::{
    BackupError, files,
    manifest::{Manifest, NAME, VERSION, describe},
};
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

impl Manifest {
    /// Reads the one of a backup, and compares every file with it.
    ///
    /// # Errors
    /// There is none, it is of another version, or the first file that is not as it was written,
    /// is missing, or was added.
    pub(super) fn check(dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(NAME);
        let bad = |path: &Path, why: &str| BackupError::File {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let bytes = fs::read(&path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return bad(&path, "it does not exist: is that a backup?");
            }
            BackupError::file(&path, &error)
        })?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| {
            bad(&path, &format!("it can't be read: {error}; take another copy"))
        })?;
        if manifest.version != VERSION {
            let found = manifest.version;
            let why = format!("its version is {found}, this program reads {VERSION}");
            return Err(bad(&path, &why));
        }
        if !manifest.is_as_written() {
            return Err(bad(&path, "it is not as it was written: take another copy of the backup"));
        }
        for file in &manifest.files {
            if !file.name.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(bad(&path, "it names a file outside of the backup: don't trust it"));
            }
            let path = dir.join(&file.name);
            if !path.is_file() {
                return Err(bad(&path, "it is missing: take another copy of the backup"));
            }
            if describe(dir, file.name.clone())? != *file {
                let why = "it is not as it was written: take another copy of the backup";
                return Err(bad(&path, why));
            }
        }
        let known = |name: &PathBuf| manifest.files.iter().any(|file| file.name == *name);
        match files::below(dir)?.into_iter().find(|name| !known(name)) {
            None => Ok(manifest),
            Some(added) => {
                Err(bad(&dir.join(added), "it is no part of the backup: move it elsewhere"))
            }
        }
    }
}
