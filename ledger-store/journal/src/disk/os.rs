//! The disk of the operating system.

use super::{Cause, Disk, DiskError, DiskFile, Held, Open, Operation};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// A lock file holds a number of a process, which is shorter.
const PID_BYTES_MAX: u64 = 32;

/// A directory of the operating system. New files are for their owner alone (mode 0600), new
/// directories too (0700). Directories that exist and that others may enter are closed to them;
/// the modes of files that exist are left as they are.
#[derive(Debug)]
pub struct OsDisk {
    root: PathBuf,
}

impl OsDisk {
    /// The disk below a directory, which is made durably when it is missing.
    ///
    /// # Errors
    /// When a directory cannot be made, or closed to others.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let root = root.into();
        let made = make_dir(&root).and_then(|()| close_to_others(&root));
        let name = root.display().to_string();
        made.map_err(|error| refused(Operation::MakeDir, &name, &error))?;
        Ok(Self { root })
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }
}

/// Makes a directory and those above it, each name durable before the next.
fn make_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make_dir(above)?;
    match DirBuilder::new().mode(DIR_MODE).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error),
    }
    File::open(above)?.sync_all()
}

/// Takes from everybody but the owner what they may do with a directory.
fn close_to_others(dir: &Path) -> io::Result<()> {
    let mode = fs::metadata(dir)?.permissions().mode() & 0o7777;
    if mode & !DIR_MODE == 0 {
        return Ok(());
    }
    fs::set_permissions(dir, Permissions::from_mode(mode & DIR_MODE))
}

fn refused(operation: Operation, name: &str, error: &io::Error) -> DiskError {
    let kind = error.kind();
    let cause = if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        Cause::NoSpace
    } else if kind == ErrorKind::ReadOnlyFilesystem {
        Cause::ReadOnly
    } else if kind == ErrorKind::NotFound {
        Cause::Missing
    } else if kind == ErrorKind::PermissionDenied {
        Cause::Denied
    } else {
        Cause::Other(error.to_string())
    };
    DiskError::new(operation, name, cause)
}

impl Disk for OsDisk {
    fn open(&self, name: &str, how: Open) -> Result<Box<dyn DiskFile>, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).mode(FILE_MODE);
        let operation = match how {
            Open::Read => Operation::Open,
            Open::Write => {
                options.write(true);
                Operation::Open
            }
            Open::New => {
                options.write(true).create_new(true);
                Operation::Create
            }
        };
        let opened = options.open(self.path(name));
        let file = opened.map_err(|error| refused(operation, name, &error))?;
        Ok(Box::new(OsFile { file, name: name.to_owned() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(self.path(from), self.path(to))
            .map_err(|error| refused(Operation::Rename, from, &error))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        fs::remove_file(self.path(name)).map_err(|error| refused(Operation::Remove, name, &error))
    }

    fn make_dir(&self, dir: &str) -> Result<(), DiskError> {
        let path = self.path(dir);
        let made = make_dir(&path).and_then(|()| close_to_others(&path));
        // The name may be of a process that was killed before it was durable.
        let synced = made.and_then(|()| File::open(&self.root)?.sync_all());
        synced.map_err(|error| refused(Operation::MakeDir, dir, &error))
    }

    fn sync_dir(&self, dir: &str) -> Result<(), DiskError> {
        let synced = File::open(self.path(dir)).and_then(|dir| dir.sync_all());
        synced.map_err(|error| refused(Operation::SyncDir, dir, &error))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError> {
        let failed = |error: io::Error| refused(Operation::List, dir, &error);
        let mut names = vec![];
        for entry in fs::read_dir(self.path(dir)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_file() {
                // A name that is no text is none of ours.
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn lock(&self, name: &str) -> Result<Box<dyn Held>, DiskError> {
        let failed = |error: io::Error| refused(Operation::Lock, name, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let file = options.open(self.path(name)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let cause = Cause::HeldBy(holder(&file));
                return Err(DiskError::new(Operation::Lock, name, cause));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        let pid = format!("{}\n", std::process::id());
        file.write_all_at(pid.as_bytes(), 0).map_err(failed)?;
        Ok(Box::new(OsLock { _file: file }))
    }
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[derive(Debug)]
struct OsLock {
    /// The system gives the lock back when this is closed.
    _file: File,
}

impl Held for OsLock {}

#[derive(Debug)]
struct OsFile {
    file: File,
    name: String,
}

impl OsFile {
    fn refused(&self, operation: Operation, error: &io::Error) -> DiskError {
        refused(operation, &self.name, error)
    }
}

impl DiskFile for OsFile {
    fn len_bytes(&self) -> Result<u64, DiskError> {
        let data = self.file.metadata();
        data.map(|data| data.len()).map_err(|error| self.refused(Operation::Read, &error))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        loop {
            match self.file.read_at(into, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.refused(Operation::Read, &error)),
                Ok(count) => return Ok(count),
            }
        }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(|error| self.refused(Operation::Write, &error))
    }

    fn truncate(&mut self, len_bytes: u64) -> Result<(), DiskError> {
        let cut = self.file.set_len(len_bytes);
        cut.map_err(|error| self.refused(Operation::Truncate, &error))
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(|error| self.refused(Operation::Sync, &error))
    }

    #[cfg(target_os = "linux")]
    fn reserve(&mut self, len_bytes: u64) -> Result<bool, DiskError> {
        use rustix::{
            fs::{FallocateFlags, fallocate},
            io::Errno,
        };
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, len_bytes) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(self.refused(Operation::Reserve, &error.into())),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&mut self, _len_bytes: u64) -> Result<bool, DiskError> {
        Ok(false)
    }
}
