//! Reads frames one after the other and tells a torn tail from damage.

use crate::{
    disk::{DiskError, DiskFile, read_all},
    error::{Damage, Error, Harm, Torn},
    file::HEADER_END,
    frame::{FRAME_BYTES, FRAME_LEN, FrameHeader, KIND_AT, Kind, RECORD_KIND},
};
use std::ops::Range;

/// How much is read ahead.
const READ_BYTES: u64 = 256 << 10;

/// A file that is read from front to back in bounded memory.
#[derive(Debug)]
pub(crate) struct Scan {
    file: Box<dyn DiskFile>,
    name: String,
    seed: u32,
    end: u64,
    at: u64,
    /// How much is read ahead.
    ahead_bytes: u64,
    window: Vec<u8>,
    window_start: u64,
}

/// What stands at the place of a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A whole frame; the scan stands behind it.
    Frame(FrameHeader),
    /// The end.
    End,
    /// No whole frame; the scan stands before it.
    Bad,
}

impl Scan {
    /// Scans the frames of a file to its end.
    pub(crate) fn open(file: Box<dyn DiskFile>, name: &str, seed: u32) -> Result<Self, DiskError> {
        let end = file.len_bytes()?;
        Ok(Self::between(file, name, seed, HEADER_END, end))
    }

    /// Scans frames from a place where one begins to an end.
    pub(crate) fn between(
        file: Box<dyn DiskFile>,
        name: &str,
        seed: u32,
        at: u64,
        end: u64,
    ) -> Self {
        let name = name.to_owned();
        let ahead_bytes = READ_BYTES;
        Self { file, name, seed, end, at, ahead_bytes, window: vec![], window_start: 0 }
    }

    /// Reads so much ahead instead of 256 KiB.
    pub(crate) fn reading(mut self, ahead_bytes: u64) -> Self {
        self.ahead_bytes = ahead_bytes;
        self
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn into_file(self) -> Box<dyn DiskFile> {
        self.file
    }

    /// Some bytes of the file, which must be there.
    fn bytes(&mut self, at: u64, len: u64) -> Result<&[u8], DiskError> {
        let window_end = self.window_start.saturating_add(self.window.len() as u64);
        if at < self.window_start || at.saturating_add(len) > window_end {
            let want = len.max(self.ahead_bytes).min(self.end.saturating_sub(at));
            self.window.resize(usize::try_from(want).unwrap_or(usize::MAX), 0);
            self.window_start = at;
            if let Err(error) = read_all(&*self.file, &self.name, at, &mut self.window) {
                self.window.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(at.saturating_sub(self.window_start)).unwrap_or(usize::MAX);
        let to = from.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(self.window.get(from..to).unwrap_or_default())
    }

    fn header(&mut self, at: u64) -> Result<Option<FrameHeader>, DiskError> {
        if self.end.saturating_sub(at) < FRAME_LEN {
            return Ok(None);
        }
        let seed = self.seed;
        let bytes = self.bytes(at, FRAME_LEN)?;
        let bytes: Option<&[u8; FRAME_BYTES]> = bytes.try_into().ok();
        Ok(bytes.and_then(|bytes| FrameHeader::decode(bytes, seed)))
    }

    /// The next frame, with its payload.
    pub(crate) fn next(&mut self) -> Result<(Found, &[u8]), DiskError> {
        if self.at == self.end {
            return Ok((Found::End, &[]));
        }
        let (at, seed) = (self.at, self.seed);
        let Some(header) = self.header(at)? else { return Ok((Found::Bad, &[])) };
        let room = self.end.saturating_sub(at);
        if header.frame_len() > room || header.durable > at {
            return Ok((Found::Bad, &[]));
        }
        let start = at.saturating_add(FRAME_LEN);
        let payload = self.bytes(start, header.payload_len as u64)?;
        if crc32c::crc32c_append(seed, payload) != header.payload_crc {
            return Ok((Found::Bad, &[]));
        }
        self.at = at.saturating_add(header.frame_len());
        let payload = self.bytes(start, header.payload_len as u64)?;
        Ok((Found::Frame(header), payload))
    }

    /// The first whole record that begins in a range of bytes: where, and its number. The scan
    /// stands behind it.
    pub(crate) fn record_in(&mut self, range: Range<u64>) -> Result<Option<(u64, u64)>, DiskError> {
        let mut at = range.start;
        loop {
            at = self.skipped(at)?;
            if at >= range.end {
                return Ok(None);
            }
            let header = self.header(at)?;
            if header.is_some_and(|header| header.kind == Kind::Record) {
                self.at = at;
                if let Found::Frame(header) = self.next()?.0 {
                    return Ok(Some((at, header.number)));
                }
            }
            at = at.saturating_add(1);
        }
    }

    /// The first place from there on where a record may begin, by the kind that its header would
    /// have, or how far was read ahead.
    fn skipped(&mut self, at: u64) -> Result<u64, DiskError> {
        if self.end.saturating_sub(at) < FRAME_LEN {
            return Ok(self.end);
        }
        self.bytes(at, FRAME_LEN)?;
        let from = usize::try_from(at.saturating_sub(self.window_start)).unwrap_or(usize::MAX);
        let kinds = self.window.get(from.saturating_add(KIND_AT)..).unwrap_or_default();
        let mut places = kinds.windows(RECORD_KIND.len());
        let all = places.len();
        let skipped = places.position(|kind| kind == RECORD_KIND).unwrap_or(all);
        Ok(at.saturating_add(skipped as u64))
    }

    /// What can be read behind a bad frame.
    pub(crate) fn beyond(&mut self, number_min: u64) -> Result<Beyond, DiskError> {
        let bad = self.at;
        let mut beyond = Beyond { records: 0, first: None, proof: false };
        let mut at = bad.saturating_add(1);
        while self.end.saturating_sub(at) >= FRAME_LEN {
            let header = self.header(at)?;
            let fits = |header: &FrameHeader| header.number >= number_min && header.durable <= at;
            let Some(header) = header.filter(fits) else {
                at = at.saturating_add(1);
                continue;
            };
            beyond.first.get_or_insert(header.number);
            if header.durable > bad {
                beyond.proof = true;
                break;
            }
            if header.kind == Kind::Record {
                beyond.records = beyond.records.saturating_add(1);
            }
            at = at.saturating_add(header.frame_len());
        }
        Ok(beyond)
    }

    fn damage(&self, offset: u64, harm: Harm, holds: Option<u64>, next: Option<u64>) -> Error {
        Damage { file: self.name.clone(), offset, harm, holds, next }.into()
    }
}

/// What can be read behind a bad frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beyond {
    /// Whole records, as far as it was looked.
    records: u64,
    /// The first number.
    pub(crate) first: Option<u64>,
    /// Whether one of them knows that the bad place was durable.
    proof: bool,
}

/// A file of records that was read through.
#[derive(Clone, Debug)]
pub(crate) struct Walked {
    /// Where its whole frames end.
    pub(crate) end: u64,
    /// The number of the next record.
    pub(crate) next: u64,
    /// Up to which byte the frames know it to be durable.
    pub(crate) durable: u64,
    /// Whether its last whole frame is a mark.
    pub(crate) marked: bool,
    pub(crate) torn: Option<Torn>,
}

/// Reads all records from the scan's place on, whose first must have the number `first`; what
/// stands before is taken for durable. Only the last file of a log may be torn.
pub(crate) fn walk(
    scan: &mut Scan,
    first: u64,
    last: bool,
    record: &mut dyn FnMut(u64, &FrameHeader, &[u8]),
) -> Result<Walked, Error> {
    let mut next = first;
    let mut durable = scan.at();
    let mut marked = false;
    loop {
        let at = scan.at();
        let holds = next.checked_sub(1).filter(|_| next > first);
        let (found, payload) = scan.next()?;
        match found {
            Found::End => return Ok(Walked { end: at, next, durable, marked, torn: None }),
            Found::Bad => {
                let torn = tear(scan, last, next, holds)?;
                return Ok(Walked { end: at, next, durable, marked, torn: Some(torn) });
            }
            Found::Frame(header) => {
                let belongs = match header.kind {
                    Kind::Record => header.number == next,
                    Kind::Mark => Some(header.number) == holds && header.payload_len == 0,
                    Kind::End => false,
                };
                if !belongs {
                    return Err(scan.damage(at, Harm::Order, holds, Some(header.number)));
                }
                durable = durable.max(header.durable);
                marked = header.kind == Kind::Mark;
                if header.kind == Kind::Record {
                    record(at, &header, payload);
                    next = next.saturating_add(1);
                }
            }
        }
    }
}

/// The torn tail at the scan's place, if it can be one.
fn tear(scan: &mut Scan, last: bool, next: u64, holds: Option<u64>) -> Result<Torn, Error> {
    let beyond = scan.beyond(next.saturating_sub(1))?;
    if beyond.proof || !last {
        return Err(scan.damage(scan.at(), Harm::Frame, holds, beyond.first));
    }
    Ok(Torn {
        file: scan.name.clone(),
        offset: scan.at(),
        cut_bytes: scan.end().saturating_sub(scan.at()),
        whole_records: beyond.records,
    })
}

/// Makes a file that was read through as it was read: cuts what is torn, and writes once more what
/// no frame knows to be durable. Such bytes may stand in the page cache alone, after a sync that
/// failed in an earlier process, and a sync that follows would pass them over.
pub(crate) fn settle(
    file: &mut dyn DiskFile,
    name: &str,
    walked: &Walked,
) -> Result<(), DiskError> {
    if walked.torn.is_some() {
        file.truncate(walked.end)?;
    }
    let mut at = walked.durable;
    while at < walked.end {
        let len = walked.end.saturating_sub(at).min(READ_BYTES);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        read_all(file, name, at, &mut bytes)?;
        file.write_at(at, &bytes)?;
        at = at.saturating_add(len);
    }
    file.sync()
}
