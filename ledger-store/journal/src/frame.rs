//! One frame: a header of 32 bytes, then the payload.

/// The longest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// A ledger frame holds a hash besides its record.
pub(crate) const PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX + 32;

/// Checksum of the header 4, length 4, number 8, durable 8, checksum of the payload 4, kind 4.
pub(crate) const FRAME_BYTES: usize = 32;
pub(crate) const FRAME_LEN: u64 = 32;
/// Where the kind stands in the header.
pub(crate) const KIND_AT: usize = 28;
/// The kind of a record, as it stands there.
pub(crate) const RECORD_KIND: [u8; 4] = (Kind::Record as u32).to_le_bytes();

/// What a frame is. Zero is none, so that no run of zeros is a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One record, or a piece of a snapshot.
    Record = 1,
    /// Says what is durable. It has the number of the last record, and no payload.
    Mark = 2,
    /// Ends a snapshot; it has the number of pieces, and the total of their bytes as payload.
    End = 3,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        [Self::Record, Self::Mark, Self::End].into_iter().find(|kind| *kind as u32 == number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) payload_len: usize,
    pub(crate) number: u64,
    /// Up to which byte the file was known to be durable when this was written.
    pub(crate) durable: u64,
    pub(crate) payload_crc: u32,
}

impl FrameHeader {
    /// The length of the whole frame.
    pub(crate) fn frame_len(&self) -> u64 {
        FRAME_LEN.saturating_add(self.payload_len as u64)
    }

    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        let len = u32::try_from(self.payload_len).unwrap_or(u32::MAX);
        bytes[4..8].copy_from_slice(&len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.durable.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[KIND_AT..].copy_from_slice(&(self.kind as u32).to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header in these bytes, if its checksum fits.
    pub(crate) fn decode(bytes: &[u8; FRAME_BYTES], seed: u32) -> Option<Self> {
        let four = |at: usize| -> Option<u32> {
            let bytes = bytes.get(at..at.saturating_add(4))?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let eight = |at: usize| -> Option<u64> {
            let bytes = bytes.get(at..at.saturating_add(8))?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let kind = Kind::of(four(KIND_AT)?)?;
        let payload_len = usize::try_from(four(4)?).ok()?;
        if payload_len > PAYLOAD_BYTES_MAX || four(0)? != crc32c::crc32c_append(seed, &bytes[4..]) {
            return None;
        }
        let (number, durable, payload_crc) = (eight(8)?, eight(16)?, four(24)?);
        Some(Self { kind, payload_len, number, durable, payload_crc })
    }
}
