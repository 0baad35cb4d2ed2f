//! The frames of the file: a version, then records, each with a checksum.

/// Bytes before the first record: the version.
pub(crate) const PREAMBLE_BYTES: usize = 1;
/// be16 flags, be16 length, be32 checksum, be32 timestamp.
pub(crate) const HEADER_BYTES: usize = 12;
/// The flag of a record that no longer counts.
const DELETED: u16 = 0x8000;
/// The flag of a record that was written to its end.
pub(crate) const COMPLETED: u16 = 0x2000;
/// The three bits of the version that say what else can read it.
const MAJOR_BITS: u32 = 5;
/// The first minor version that marks completed records.
const MINOR_MIN: u8 = 15;
/// The version that is written: major 0, minor 16.
pub(crate) const VERSION: u8 = 16;

/// What is wrong with a store. Offsets are in bytes from the start of the unpacked file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is not even a version.
    #[error("the file is empty: it is no gossip_store")]
    Empty,
    /// A version of the format that isn't read.
    #[error(
        "version {major}.{minor} of gossip_store is not read, only 0.15 and later ones of major 0"
    )]
    Version {
        /// Another one means an incompatible format.
        major: u8,
        /// Below 15 records aren't marked as completed.
        minor: u8,
    },
    /// A record isn't what was written.
    #[error("offset {offset}: the record's checksum is wrong")]
    Checksum {
        /// Where the record begins.
        offset: usize,
    },
    /// The file ends within a record that was complete.
    #[error("offset {offset}: the file ends within the record")]
    Cut {
        /// Where the record begins.
        offset: usize,
    },
    /// A record that was not written to its end, with others behind it.
    #[error("offset {offset}: the record was not completed, and more follows")]
    NotCompleted {
        /// Where the record begins.
        offset: usize,
    },
    /// A message is too short for its type, or has none.
    #[error("offset {offset}: a message of {bytes} bytes is too short for its type")]
    Malformed {
        /// Where the record begins.
        offset: usize,
        /// The length of the message.
        bytes: usize,
    },
    /// More channels than are read from one store.
    #[error("offset {offset}: more than {max} channels")]
    TooManyChannels {
        /// Where the first record begins that is too many.
        offset: usize,
        /// How many are read.
        max: usize,
    },
}

/// The checksum of a message: CRC-32C that goes on from the record's timestamp.
pub(crate) fn checksum(timestamp: u32, message: &[u8]) -> u32 {
    crc32c::crc32c_append(timestamp, message)
}

/// A record that was completed, with a checksum that is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) offset: usize,
    pub(crate) deleted: bool,
    pub(crate) message: &'a [u8],
}

/// What comes next in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<'a> {
    Record(Record<'a>),
    /// The last record begins here and is being written.
    Torn {
        offset: usize,
    },
    Nothing,
}

/// The records of a store, one after the other.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let version = bytes.first().ok_or(StoreError::Empty)?;
        let major = version >> MAJOR_BITS;
        let minor = version & ((1 << MAJOR_BITS) - 1);
        if major != 0 || minor < MINOR_MIN {
            return Err(StoreError::Version { major, minor });
        }
        Ok(Self { bytes, offset: PREAMBLE_BYTES })
    }

    pub(crate) fn next(&mut self) -> Result<Next<'a>, StoreError> {
        let offset = self.offset;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let Some((flags, _)) = rest.split_first_chunk() else {
            return Ok(if rest.is_empty() { Next::Nothing } else { Next::Torn { offset } });
        };
        let flags = u16::from_be_bytes(*flags);
        let completed = flags & COMPLETED != 0;
        let Some(Header { length, checksum: expected, timestamp }) = Header::of(rest) else {
            return cut(offset, completed);
        };
        let end = HEADER_BYTES + length;
        if !completed {
            let last = rest.len() <= end;
            let error = StoreError::NotCompleted { offset };
            return if last { Ok(Next::Torn { offset }) } else { Err(error) };
        }
        let Some(message) = rest.get(HEADER_BYTES..end) else { return cut(offset, completed) };
        if checksum(timestamp, message) != expected {
            return Err(StoreError::Checksum { offset });
        }
        self.offset = offset + end;
        Ok(Next::Record(Record { offset, deleted: flags & DELETED != 0, message }))
    }
}

fn cut<'a>(offset: usize, completed: bool) -> Result<Next<'a>, StoreError> {
    if completed { Err(StoreError::Cut { offset }) } else { Ok(Next::Torn { offset }) }
}

struct Header {
    length: usize,
    checksum: u32,
    timestamp: u32,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            length: usize::from(u16::from_be_bytes(at(bytes, 2)?)),
            checksum: u32::from_be_bytes(at(bytes, 4)?),
            timestamp: u32::from_be_bytes(at(bytes, 8)?),
        })
    }
}

/// The bytes from `offset` on; `None` where there are fewer.
pub(crate) fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
