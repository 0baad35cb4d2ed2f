//! What an index says of an entry.

use std::collections::BTreeMap;

/// The names that an entry can be found by, each with a value.
pub type Names = BTreeMap<Vec<u8>, Vec<u8>>;

/// Reads the names out of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Extractor {
    /// The format of names and values. An index of another one is built again.
    pub format: u32,
    /// From the index of an entry and its payload to its names, always the same ones. No name
    /// begins with the byte 0x00 or 0xff. The words of an error must not quote the payload.
    pub names: fn(u64, &[u8]) -> Result<Names, String>,
}

/// The key of a name of an entry: the name, then the entry's index in 8 bytes (big-endian). No two
/// entries have a key in common, and the entries of a name are in their order.
#[must_use]
pub fn key(name: &[u8], index: u64) -> Vec<u8> {
    [name, &index.to_be_bytes()].concat()
}

/// The entry's index in a key; `None` for what is too short to be one.
#[must_use]
pub fn index_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|index| u64::from_be_bytes(*index))
}
