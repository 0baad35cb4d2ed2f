//! A store from a file, packed or not.

use crate::read::{Loaded, read};
use crate::record::StoreError;
use ruzstd::decoding::StreamingDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Most bytes of a store, unpacked: some fifty times the public one of 2026.
const BYTES_MAX: u64 = 1 << 31;
/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 16;
/// What a zstd frame begins with (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Why no graph came from a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("the file can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is zstd, and can't be unpacked.
    #[error("the file can't be unpacked: {0}")]
    Unpack(String),
    /// It is too large, unpacked.
    #[error("the file has more than {max} bytes, unpacked")]
    TooLarge {
        /// How many are read.
        max: u64,
    },
    /// It is no store that can be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a store from a file. One that is packed with zstd is told by its first bytes, whatever its
/// name, and unpacked as it is read.
///
/// # Errors
/// [`LoadError`]; it does not say which file.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    Ok(read(&unpacked(path, &mut |_| ())?)?)
}

/// How much of a file is read, in bytes as it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is read.
    pub read: u64,
    /// What there is.
    pub of: u64,
}

/// A file that says how much of it was read.
struct Told<'a> {
    file: File,
    progress: Progress,
    tell: &'a mut dyn FnMut(Progress),
}

impl Read for Told<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(into)?;
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.progress.read = self.progress.read.saturating_add(more);
        (self.tell)(self.progress);
        Ok(bytes)
    }
}

/// The bytes of a file, unpacked where they are zstd.
pub(crate) fn unpacked(path: &Path, tell: &mut dyn FnMut(Progress)) -> Result<Vec<u8>, LoadError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let file = Told { file, progress: Progress { read: 0, of: length }, tell };
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, file);
    if !packed.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(room(length)).map_err(io::Error::from)?;
        take(&mut packed, &mut bytes)?;
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    // A file may be of several frames.
    while !packed.fill_buf()?.is_empty() {
        let frame = StreamingDecoder::new(&mut packed);
        let mut frame = frame.map_err(|error| LoadError::Unpack(error.to_string()))?;
        take(&mut frame, &mut bytes).map_err(|error| match error {
            LoadError::Io(error) => LoadError::Unpack(error.to_string()),
            other @ (LoadError::Unpack(_) | LoadError::TooLarge { .. } | LoadError::Store(_)) => {
                other
            }
        })?;
    }
    Ok(bytes)
}

/// Room for a file of so many bytes, and for seeing that it ends there.
fn room(length: u64) -> usize {
    usize::try_from(length.min(BYTES_MAX)).unwrap_or(0).saturating_add(32)
}

/// Reads to the end, in all no more than is allowed.
fn take(from: &mut impl Read, into: &mut Vec<u8>) -> Result<(), LoadError> {
    let had = u64::try_from(into.len()).unwrap_or(u64::MAX);
    let left = BYTES_MAX.saturating_sub(had);
    let got = from.take(left.saturating_add(1)).read_to_end(into)?;
    let got = u64::try_from(got).unwrap_or(u64::MAX);
    if got > left { Err(LoadError::TooLarge { max: BYTES_MAX }) } else { Ok(()) }
}
