//! One ordered key-value store, and what of which log is in it.

use crate::error::StoreError;
use payecs_journal::{Head, LogId};
use std::{fmt, ops::Range};

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Every key: none begins with the byte 0x00 or 0xff.
pub const ALL_KEYS: Range<&[u8]> = &[0x01]..&[0xff];

/// In which order keys are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest.
    Up,
    /// From the highest.
    Down,
}

/// One ordered key-value store. Keys are in the order of their bytes.
///
/// One thread writes; any thread reads meanwhile, and sees each batch whole once
/// [`Store::apply`] returned.
pub trait Store: Send + Sync + fmt::Debug {
    /// What is in it, as the last batch said; `None` when there was no batch.
    ///
    /// # Errors
    /// See [`StoreError`]; a standing of a layout that this program does not know is damage.
    fn standing(&self) -> Result<Option<Standing>, StoreError>;

    /// Puts all of these and says what is in the store then: all of it or nothing is there after a
    /// crash. A key that is there gets the new value.
    ///
    /// # Panics
    /// If a key is not within [`ALL_KEYS`].
    ///
    /// # Errors
    /// See [`StoreError`].
    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError>;

    /// The value of a key.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The keys of a range, in order, `limit` at most. A range that ends before it begins is empty.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn range(
        &self,
        keys: Range<&[u8]>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError>;

    /// Makes what was applied outlive a crash of the process, and, as far as the backend can, a
    /// power loss. What was not flushed may be gone then: whole batches, the last ones.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn flush(&self) -> Result<(), StoreError>;
}

/// What of which log is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The format of keys and values.
    pub format: u32,
    /// The ledger, how many of its entries are in the store, and the hash of the last one.
    pub head: Head,
    /// What these entries came to.
    pub content: Content,
}

/// How many keys there are, and a sum that any lost or changed one changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// How many keys.
    pub keys: u64,
    /// The sum of a 64-bit digest of each key with its value, modulo 2^64.
    pub sum: u64,
}

impl Content {
    /// Counts a key that was not there before.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.keys = self.keys.saturating_add(1);
        self.sum = self.sum.wrapping_add(digest(key, value));
    }
}

/// FNV-1a over the key's length, the key and the value. It finds accidents, not forgery.
fn digest(key: &[u8], value: &[u8]) -> u64 {
    let len = (key.len() as u64).to_le_bytes();
    let bytes = len.iter().chain(key).chain(value);
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Layout 1, format 4, id 16, count 8, hash 32, keys 8, sum 8.
const STANDING_BYTES: usize = 77;
const LAYOUT: u8 = 1;

impl Standing {
    /// As backends store it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { format, head, content } = self;
        let mut bytes = vec![LAYOUT];
        bytes.extend(format.to_le_bytes());
        bytes.extend(head.id.0);
        bytes.extend(head.count.to_le_bytes());
        bytes.extend(head.hash);
        bytes.extend(content.keys.to_le_bytes());
        bytes.extend(content.sum.to_le_bytes());
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for what this program does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let foreign = || StoreError::damaged(&"what is in it is said in a way that is not known");
        Self::read(bytes).ok_or_else(foreign)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; STANDING_BYTES] = bytes.try_into().ok()?;
        let (layout, rest) = bytes.split_first()?;
        let (format, rest) = rest.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (keys, sum) = rest.split_first_chunk()?;
        let count = u64::from_le_bytes(*count);
        let standing = Self {
            format: u32::from_le_bytes(*format),
            head: Head { id: LogId(*id), count, hash: *hash },
            content: Content {
                keys: u64::from_le_bytes(*keys),
                sum: u64::from_le_bytes(sum.try_into().ok()?),
            },
        };
        (*layout == LAYOUT).then_some(standing)
    }
}

/// Stops the program where a key could be taken for what is not one.
pub(crate) fn assert_keys(puts: &[Pair]) {
    let fits = |(key, _): &Pair| ALL_KEYS.contains(&key.as_slice());
    assert!(puts.iter().all(fits), "a key begins with a byte of its own kind");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        let head = Head { id: LogId([7; 16]), count: 3, hash: [9; 32] };
        Standing { format: 2, head, content: Content { keys: 5, sum: 1 << 60 } }
    }

    #[test]
    fn standing_is_read_as_it_was_written_and_no_other_length_or_layout_is() {
        let bytes = standing().encode();
        assert_eq!(Standing::decode(&bytes), Ok(standing()));
        let mut newer = bytes.clone();
        newer[0] = 2;
        for wrong in [newer, bytes[1..].to_vec(), [bytes.as_slice(), &[0]].concat(), vec![]] {
            let read = Standing::decode(&wrong);
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "{wrong:?}: {read:?}");
        }
    }

    #[test]
    fn each_changed_bit_lost_key_and_moved_boundary_changes_the_content() {
        let pairs = [(b"ab".to_vec(), b"c".to_vec()), (b"x".to_vec(), vec![0; 9])];
        let content = |pairs: &[Pair]| {
            let mut content = Content::default();
            for (key, value) in pairs {
                content.add(key, value);
            }
            content
        };
        let whole = content(&pairs);
        assert_ne!(content(&pairs[1..]), whole);
        assert_ne!(content(&[(b"a".to_vec(), b"bc".to_vec()), pairs[1].clone()]), whole);
        for byte in 0..9 {
            for bit in 0..8 {
                let mut changed = pairs.clone();
                changed[1].1[byte] ^= 1 << bit;
                assert_ne!(content(&changed).sum, whole.sum, "byte {byte} bit {bit}");
            }
        }
    }
}
