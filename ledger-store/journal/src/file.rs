//! How every file of a log begins.

use crate::{
    disk::{DiskFile, read_all},
    error::{Damage, Error, Harm},
};
use std::fmt;

/// The version of the files this program writes, and the one it reads.
pub const VERSION: u16 = 1;

/// Magic 8, version 2, class 1, zero 5, log id 16, first number 8, digest 32, zero 4, checksum 4.
pub(crate) const HEADER_BYTES: usize = 80;
const CHECKSUM_AT: usize = HEADER_BYTES - 4;
pub(crate) const HEADER_END: u64 = 80;
const MAGIC: [u8; 8] = *b"payecs\x1aJ";

/// What tells one log from all others: drawn at random once, when the log is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    State = 1,
    Ledger = 2,
    Snapshot = 3,
}

impl Class {
    fn of(byte: u8) -> Option<Self> {
        [Self::State, Self::Ledger, Self::Snapshot].into_iter().find(|class| *class as u8 == byte)
    }
}

/// The beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) class: Class,
    pub(crate) id: LogId,
    /// The number of the first record; of a snapshot, the record it stands for.
    pub(crate) first: u64,
    /// Of the file before; zero for the first one and for snapshots.
    pub(crate) previous: [u8; 32],
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = vec![];
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.push(self.class as u8);
        bytes.extend([0; 5]);
        bytes.extend(self.id.0);
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.previous);
        bytes.extend([0; 4]);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER_BYTES])
    }

    /// Where the checksums of the file's frames start, so that a frame of another file never fits.
    pub(crate) fn seed(&self) -> u32 {
        let bytes = self.encode();
        // Without its checksum: a checksum of bytes and theirs is the same for all bytes.
        crc32c::crc32c(&bytes[..CHECKSUM_AT])
    }

    /// Reads the beginning of a file that must be of this class.
    pub(crate) fn read(file: &dyn DiskFile, name: &str, class: Class) -> Result<Self, Error> {
        let damage = |harm| {
            let (file, offset) = (name.to_owned(), 0);
            Error::from(Damage { file, offset, harm, holds: None, next: None })
        };
        if file.len_bytes()? < HEADER_END {
            return Err(damage(Harm::FileHeader));
        }
        let mut bytes = [0; HEADER_BYTES];
        read_all(file, name, 0, &mut bytes)?;
        if let Some(found) = foreign_version(&bytes) {
            return Err(Error::Version { file: name.to_owned(), found, ours: VERSION });
        }
        let header = Self::decode(&bytes).ok_or_else(|| damage(Harm::FileHeader))?;
        if header.class == class { Ok(header) } else { Err(damage(Harm::Misplaced)) }
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let class = Class::of(bytes[10])?;
        let id = LogId(bytes[16..32].try_into().ok()?);
        let first = u64::from_le_bytes(bytes[32..40].try_into().ok()?);
        let previous = bytes[40..72].try_into().ok()?;
        let header = Self { class, id, first, previous };
        (header.encode() == *bytes).then_some(header)
    }
}

/// The version of a header of ours that is not this program's, unless a byte changed made it so.
fn foreign_version(bytes: &[u8; HEADER_BYTES]) -> Option<u16> {
    let found = u16::from_le_bytes([bytes[8], bytes[9]]);
    let mut ours = *bytes;
    ours[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let foreign = bytes.starts_with(&MAGIC) && found != VERSION;
    (foreign && FileHeader::decode(&ours).is_none()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk as _, MemoryDisk, Open};

    fn header() -> FileHeader {
        let id = LogId([7; 16]);
        FileHeader { class: Class::Ledger, id, first: 0x0102_0304, previous: [9; 32] }
    }

    fn read(bytes: &[u8], class: Class) -> Result<FileHeader, Error> {
        let disk = MemoryDisk::new();
        disk.put("x", bytes);
        let file = disk.open("x", Open::Read).unwrap();
        FileHeader::read(&*file, "x", class)
    }

    #[test]
    fn header_is_read_as_it_was_written_and_only_as_its_class() {
        let bytes = header().encode();
        assert_eq!(read(&bytes, Class::Ledger), Ok(header()));
        let Err(Error::Damaged(damage)) = read(&bytes, Class::State) else { panic!("misplaced") };
        assert_eq!(damage.harm, Harm::Misplaced);
        assert_eq!(hex::encode(&bytes[..12]), "7061796563731a4a01000200".get(..24).unwrap());
    }

    #[test]
    fn frames_of_each_file_have_checksums_of_their_own() {
        let other = FileHeader { first: 1, ..header() };
        assert_ne!(header().seed(), other.seed());
    }

    #[test]
    fn each_flipped_bit_and_each_cut_of_a_header_is_damage() {
        let bytes = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = read(&changed, Class::Ledger);
            assert!(matches!(found, Err(Error::Damaged(_))), "bit {bit}: {found:?}");
        }
        for len in 0..HEADER_BYTES {
            let found = read(&bytes[..len], Class::Ledger);
            assert!(matches!(found, Err(Error::Damaged(_))), "length {len}: {found:?}");
        }
    }

    #[test]
    fn unknown_version_is_named_with_ours() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..76]).to_le_bytes();
        bytes[76..].copy_from_slice(&crc);
        let error = read(&bytes, Class::Ledger).unwrap_err();
        assert_eq!(error, Error::Version { file: "x".to_owned(), found: 2, ours: 1 });
        assert!(error.to_string().contains("version 2, this program reads version 1"));
    }
}
