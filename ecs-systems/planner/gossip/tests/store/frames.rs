//! Stores made by hand.

use payecs_units::NodeId;

/// A record that was written to its end.
pub(crate) const COMPLETED: u16 = 0x2000;
/// A record that no longer counts.
pub(crate) const DELETED: u16 = 0x8000;
pub(crate) const SCID: u64 = 700_000 << 40 | 5 << 16 | 1;

pub(crate) fn node(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId(bytes)
}

/// A message with a frame around it.
pub(crate) fn framed(flags: u16, timestamp: u32, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    let mut record = [flags.to_be_bytes(), length.to_be_bytes()].concat();
    record.extend(crc32c::crc32c_append(timestamp, message).to_be_bytes());
    record.extend(timestamp.to_be_bytes());
    record.extend(message);
    record
}

/// A store of these messages.
pub(crate) fn store(messages: &[Vec<u8>]) -> Vec<u8> {
    let records = messages.iter().flat_map(|message| framed(COMPLETED, 1_700_000_000, message));
    [16].into_iter().chain(records).collect()
}

/// Of the chain whose every byte is `chain`, with features.
pub(crate) fn announced(chain: u8, scid: u64, nodes: [u8; 2]) -> Vec<u8> {
    let mut message = vec![1, 0];
    message.extend([7; 256]);
    message.extend([0, 3, 9, 9, 9]);
    message.extend([chain; 32]);
    message.extend(scid.to_be_bytes());
    message.extend(nodes.map(|number| node(number).0).concat());
    message.extend([2; 66]);
    message
}

pub(crate) fn amount(satoshi: u64) -> Vec<u8> {
    [&4101_u16.to_be_bytes()[..], &satoshi.to_be_bytes()].concat()
}

pub(crate) fn closed(scid: u64) -> Vec<u8> {
    [&4103_u16.to_be_bytes()[..], &scid.to_be_bytes()].concat()
}

/// An update that asks for `base` msat.
pub(crate) fn updated(scid: u64, channel_flags: u8, timestamp: u32, base: u32) -> Vec<u8> {
    let mut message = vec![1, 2];
    message.extend([7; 64]);
    message.extend([0; 32]);
    message.extend(scid.to_be_bytes());
    message.extend(timestamp.to_be_bytes());
    message.extend([1, channel_flags]);
    message.extend(144_u16.to_be_bytes());
    message.extend(2_000_u64.to_be_bytes());
    message.extend(base.to_be_bytes());
    message.extend(250_u32.to_be_bytes());
    message.extend(900_000_u64.to_be_bytes());
    message
}

/// A channel of 1 000 sat between the nodes 1 and 2.
pub(crate) fn channel(scid: u64) -> [Vec<u8>; 2] {
    [announced(0, scid, [1, 2]), amount(1_000)]
}
