//! The few file operations that the logs need.

mod memory;
#[cfg(unix)]
mod os;

pub use memory::{Faults, MemoryDisk};
#[cfg(unix)]
pub use os::OsDisk;

use std::fmt;

/// A directory tree of one level, as far as the logs need it.
///
/// Names are relative to the root: `state`, or `state/00000000000000000001.log`. A new name, a
/// rename and a removal are durable once [`Disk::sync_dir`] of their directory returned.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is missing, or exists and [`Open::New`] was asked for, or the disk refuses.
    fn open(&self, name: &str, how: Open) -> Result<Box<dyn DiskFile>, DiskError>;

    /// Gives a file another name, in place of the file that has it.
    ///
    /// # Errors
    /// When it is missing or the disk refuses. It has the old name then.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file.
    ///
    /// # Errors
    /// When it is missing or the disk refuses.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// Makes a directory of the root that only its owner may enter, and makes its name durable.
    /// Nothing happens to one that exists.
    ///
    /// # Errors
    /// When the disk refuses.
    fn make_dir(&self, dir: &str) -> Result<(), DiskError>;

    /// Makes names in a directory durable, new, changed and removed ones.
    ///
    /// # Errors
    /// When it is missing or the disk refuses; it is open then which names are durable.
    fn sync_dir(&self, dir: &str) -> Result<(), DiskError>;

    /// The names of the files in a directory, without the directory's, in order.
    ///
    /// # Errors
    /// When it is missing or the disk refuses.
    fn list(&self, dir: &str) -> Result<Vec<String>, DiskError>;

    /// Takes a lock that ends with the process at the latest. The lock file remains and says who
    /// holds it.
    ///
    /// # Errors
    /// [`Cause::HeldBy`] when somebody has it, else when the disk refuses.
    fn lock(&self, name: &str) -> Result<Box<dyn Held>, DiskError>;
}

/// A lock that is held until this is dropped.
pub trait Held: Send + fmt::Debug {}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read one that exists.
    Read,
    /// To read and write one that exists.
    Write,
    /// To read and write one that must not exist yet. Only its owner may use it.
    New,
}

/// An open file. Writes are durable once [`DiskFile::sync`] returned, with the length they gave it.
pub trait DiskFile: Send + fmt::Debug {
    /// How long it is.
    ///
    /// # Errors
    /// When the disk refuses.
    fn len_bytes(&self) -> Result<u64, DiskError>;

    /// Reads from an offset; how many bytes came, 0 only at the end of the file.
    ///
    /// # Errors
    /// When the disk refuses.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes all of the bytes at an offset, past the end too.
    ///
    /// # Errors
    /// When the disk refuses; any part of the bytes may be written then.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Cuts the file to a length.
    ///
    /// # Errors
    /// When the disk refuses.
    fn truncate(&mut self, len_bytes: u64) -> Result<(), DiskError>;

    /// Makes everything that was written durable (fdatasync).
    ///
    /// # Errors
    /// When the disk refuses. It is open then what is durable, and a later success says nothing
    /// about the writes before: the error is final.
    fn sync(&mut self) -> Result<(), DiskError>;

    /// Sets disk space aside, so that writes below this length find room. The length of the file
    /// stays. `false` where the file system cannot do so.
    ///
    /// # Errors
    /// When there is not so much room, or the disk refuses.
    fn reserve(&mut self, len_bytes: u64) -> Result<bool, DiskError>;
}

/// What the disk was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Opening a file that exists.
    Open,
    /// Making a new file.
    Create,
    /// Reading, or asking for the length.
    Read,
    /// Writing.
    Write,
    /// Cutting a file.
    Truncate,
    /// Making a file durable.
    Sync,
    /// Setting space aside.
    Reserve,
    /// Giving a file another name.
    Rename,
    /// Removing a file.
    Remove,
    /// Making a directory.
    MakeDir,
    /// Making names durable.
    SyncDir,
    /// Listing a directory.
    List,
    /// Taking a lock.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::Reserve => "reserve space for",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::MakeDir => "make directory",
            Self::SyncDir => "sync directory",
            Self::List => "list",
            Self::Lock => "lock",
        })
    }
}

/// Why the disk refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No room, or the quota is used up.
    #[error("the disk is full")]
    NoSpace,
    /// The disk takes no writes.
    #[error("the disk is read-only")]
    ReadOnly,
    /// There is no such file.
    #[error("it does not exist")]
    Missing,
    /// The user of this process may not do so.
    #[error("permission denied")]
    Denied,
    /// Somebody else has the lock; who, when the lock file says so.
    #[error("somebody else holds it")]
    HeldBy(Option<u32>),
    /// The process that this handle belonged to has ended, on a [`MemoryDisk`].
    #[error("the process that opened it has ended")]
    Gone,
    /// Anything else, in the words of the system.
    #[error("{0}")]
    Other(String),
}

/// An operation that a disk refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation} {file}: {cause}")]
pub struct DiskError {
    /// What was to be done.
    pub operation: Operation,
    /// To which file or directory.
    pub file: String,
    /// Why it was not.
    pub cause: Cause,
}

impl DiskError {
    pub(crate) fn new(operation: Operation, file: &str, cause: Cause) -> Self {
        Self { operation, file: file.to_owned(), cause }
    }

    /// Whether making room helps. A full disk that only shows at a sync is as final as any error
    /// of a sync.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let takes_room = match self.operation {
            Operation::Create | Operation::Write | Operation::Reserve | Operation::Rename => true,
            Operation::Open
            | Operation::Read
            | Operation::Truncate
            | Operation::Sync
            | Operation::Remove
            | Operation::MakeDir
            | Operation::SyncDir
            | Operation::List
            | Operation::Lock => false,
        };
        self.cause == Cause::NoSpace && takes_room
    }
}

/// What ends the name of a file that is not whole yet.
pub(crate) const UNFINISHED: &str = ".tmp";

/// Reads until `into` is full.
pub(crate) fn read_all(
    file: &dyn DiskFile,
    name: &str,
    offset: u64,
    into: &mut [u8],
) -> Result<(), DiskError> {
    let mut done = 0_usize;
    while done < into.len() {
        let at = offset.saturating_add(done as u64);
        let Some(rest) = into.get_mut(done..) else { break };
        let count = file.read_at(at, rest)?;
        if count == 0 {
            let cause = Cause::Other("it became shorter while it was read".to_owned());
            return Err(DiskError::new(Operation::Read, name, cause));
        }
        done = done.saturating_add(count);
    }
    Ok(())
}

/// How much is copied at a time.
const COPY_BYTES: u64 = 1 << 20;

/// Copies the beginning of a file to another disk, where it must not exist yet, and makes it
/// durable; its name is made so by [`Disk::sync_dir`]. Says after each piece how long it was.
pub(crate) fn copy(
    from: &dyn Disk,
    to: &dyn Disk,
    name: &str,
    len_bytes: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DiskError> {
    let source = from.open(name, Open::Read)?;
    let mut target = to.open(name, Open::New)?;
    let mut at = 0_u64;
    while at < len_bytes {
        let piece = len_bytes.saturating_sub(at).min(COPY_BYTES);
        let mut bytes = vec![0; usize::try_from(piece).unwrap_or(0)];
        read_all(&*source, name, at, &mut bytes)?;
        target.write_at(at, &bytes)?;
        at = at.saturating_add(piece);
        progress(piece);
    }
    target.sync()
}

/// A new file under an unfinished name, in place of one that a crash left.
pub(crate) fn unfinished(disk: &dyn Disk, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
    let unfinished = format!("{name}{UNFINISHED}");
    match disk.remove(&unfinished) {
        Ok(()) => {}
        Err(error) if error.cause == Cause::Missing => {}
        Err(error) => return Err(error),
    }
    disk.open(&unfinished, Open::New)
}

/// Makes an unfinished file durable, then gives it its name, then makes the name durable: under its
/// name a file is whole.
pub(crate) fn finish(
    disk: &dyn Disk,
    name: &str,
    file: &mut dyn DiskFile,
) -> Result<(), DiskError> {
    file.sync()?;
    disk.rename(&format!("{name}{UNFINISHED}"), name)?;
    disk.sync_dir(directory(name))
}

/// A new whole file with these bytes. When the disk is full, nothing has the name; after another
/// error it is open whether something has.
pub(crate) fn create(
    disk: &dyn Disk,
    name: &str,
    bytes: &[u8],
) -> Result<Box<dyn DiskFile>, DiskError> {
    let mut file = unfinished(disk, name)?;
    let made = file.write_at(0, bytes).and_then(|()| finish(disk, name, &mut *file));
    match made {
        Ok(()) => disk.open(name, Open::Write),
        Err(error) => {
            // Opening removes what cannot be removed now.
            let _ = disk.remove(&format!("{name}{UNFINISHED}"));
            Err(error)
        }
    }
}

/// The directory of a name; empty for the root.
pub(crate) fn directory(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Removes what a crash left unfinished in a directory; the other names.
pub(crate) fn tidy_up(disk: &dyn Disk, dir: &str) -> Result<Vec<String>, DiskError> {
    let mut names = disk.list(dir)?;
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        disk.remove(&format!("{dir}/{name}"))?;
    }
    names.retain(|name| !name.ends_with(UNFINISHED));
    Ok(names)
}
