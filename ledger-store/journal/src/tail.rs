//! The end of a file that grows.

use crate::{
    disk::{DiskError, DiskFile},
    error::Error,
    file::HEADER_END,
    frame::{FRAME_BYTES, FRAME_LEN, FrameHeader, Kind, RECORD_BYTES_MAX},
    scan::Walked,
};
use sha2::{Digest as _, Sha256};

/// How much may wait to be written, in bytes.
pub const BUFFER_BYTES_MAX: usize = 256 << 20;
/// A buffer that grew beyond this is given back once it is written.
const BUFFER_BYTES_KEPT: usize = 4 << 20;

/// Frames that wait to be written behind the end of a file.
#[derive(Debug)]
pub(crate) struct Tail {
    file: Box<dyn DiskFile>,
    seed: u32,
    buffer: Vec<u8>,
    /// What is written.
    end: u64,
    /// What is durable.
    durable: u64,
    /// Whether records were appended since the last sync.
    dirty: bool,
    failed: Option<String>,
    digest: FrameDigest,
}

/// The digest of a file: of its header and the headers of its records, with their checksums.
#[derive(Clone, Debug)]
pub(crate) struct FrameDigest(Sha256);

impl FrameDigest {
    pub(crate) fn of(file_header: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(file_header))
    }

    pub(crate) fn add(&mut self, frame_header: &[u8; FRAME_BYTES]) {
        self.0.update(frame_header);
    }

    pub(crate) fn value(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

impl Tail {
    /// The tail of a new file that holds its header.
    pub(crate) fn of_new(file: Box<dyn DiskFile>, seed: u32, digest: FrameDigest) -> Self {
        Self::at(file, seed, HEADER_END, digest)
    }

    /// The tail of a file that was walked and settled: all of it is durable.
    pub(crate) fn of_walked(
        file: Box<dyn DiskFile>,
        seed: u32,
        walked: &Walked,
        digest: FrameDigest,
    ) -> Self {
        Self::at(file, seed, walked.end, digest)
    }

    fn at(file: Box<dyn DiskFile>, seed: u32, end: u64, digest: FrameDigest) -> Self {
        let (buffer, failed) = (vec![], None);
        Self { file, seed, buffer, end, durable: end, dirty: false, failed, digest }
    }

    /// Refuses after an error that was final.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some(after) => Err(Error::Refused { after: after.clone() }),
        }
    }

    /// From now on everything is refused.
    pub(crate) fn fail(&mut self, error: &dyn std::error::Error) {
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// An error as a caller sees it. It is final, unless making room helps.
    fn judge(&mut self, error: DiskError) -> Error {
        if !error.is_full() {
            self.fail(&error);
        }
        Error::of_write(error)
    }

    /// Refuses a record that cannot be appended.
    pub(crate) fn check_room(&self, record_len: usize) -> Result<(), Error> {
        self.check()?;
        if record_len > RECORD_BYTES_MAX {
            return Err(Error::TooLong { bytes: record_len, max: RECORD_BYTES_MAX });
        }
        let bytes = self.buffer.len();
        if bytes.saturating_add(record_len) > BUFFER_BYTES_MAX {
            return Err(Error::BufferFull { bytes, max: BUFFER_BYTES_MAX });
        }
        Ok(())
    }

    /// Appends a frame to the buffer; where it will begin.
    pub(crate) fn push(&mut self, kind: Kind, number: u64, payload: &[&[u8]]) -> u64 {
        let at = self.end.saturating_add(self.buffer.len() as u64);
        let crc = |crc, part: &&[u8]| crc32c::crc32c_append(crc, part);
        let header = FrameHeader {
            kind,
            payload_len: payload.iter().map(|part| part.len()).fold(0, usize::saturating_add),
            number,
            durable: self.durable,
            payload_crc: payload.iter().fold(self.seed, crc),
        }
        .encode(self.seed);
        if kind == Kind::Record {
            self.digest.add(&header);
            self.dirty = true;
        }
        self.buffer.extend(header);
        for part in payload {
            self.buffer.extend_from_slice(part);
        }
        at
    }

    /// Hands what waits to the system.
    pub(crate) fn write(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        match self.file.write_at(self.end, &self.buffer) {
            Ok(()) => {}
            Err(error) => return Err(self.judge(error)),
        }
        self.end = self.end.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }

    /// Makes everything that was appended durable; whether there was anything.
    pub(crate) fn sync(&mut self) -> Result<bool, Error> {
        self.write()?;
        if !self.dirty {
            return Ok(false);
        }
        self.sync_file()?;
        self.dirty = false;
        Ok(true)
    }

    fn sync_file(&mut self) -> Result<(), Error> {
        match self.file.sync() {
            Ok(()) => {}
            Err(error) => return Err(self.judge(error)),
        }
        self.durable = self.end;
        Ok(())
    }

    /// Says in the file that everything is durable, to be read after the process was killed. No
    /// harm is done when it cannot: without the mark, a changed byte looks like a torn tail.
    pub(crate) fn mark(&mut self, number: u64) {
        if self.failed.is_some() {
            // Nothing may stand behind the end of a segment that a new one may have followed.
            return;
        }
        self.push(Kind::Mark, number, &[]);
        match self.file.write_at(self.end, &self.buffer) {
            Ok(()) => self.end = self.end.saturating_add(FRAME_LEN),
            Err(error) => {
                self.judge(error);
            }
        }
        self.buffer.clear();
    }

    /// Makes the marks durable too.
    pub(crate) fn sync_marks(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.durable == self.end { Ok(()) } else { self.sync_file() }
    }

    pub(crate) fn file_mut(&mut self) -> &mut dyn DiskFile {
        &mut *self.file
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.buffer.len() as u64
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest.value()
    }
}
