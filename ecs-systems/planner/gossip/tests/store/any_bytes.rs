//! Any bytes are read to an answer.

use crate::frames::{COMPLETED, SCID, channel, closed, framed, store, updated};
use payecs_gossip::{End, Loaded, StoreError, read};
use proptest::prelude::*;

fn sound() -> Vec<u8> {
    [open(), framed(COMPLETED, 1_700_000_000, &closed(SCID + 1))].concat()
}

/// The same before a channel was closed.
fn open() -> Vec<u8> {
    let updates = [updated(SCID, 0, 1, 1), updated(SCID, 1, 2, 2)];
    store(&[&channel(SCID)[..], &channel(SCID + 1), &updates].concat())
}

/// What is read of a store that was damaged is no more than what was ever in it: a flag says that a
/// record does not count, also that of a channel's end.
fn is_no_more(damaged: &Result<Loaded, StoreError>) -> bool {
    let most = read(&open()).unwrap();
    damaged.as_ref().is_ok_and(|it| it.channels <= most.channels && it.updates <= most.updates)
}

proptest! {
    #[test]
    fn random_bytes_behind_a_version_never_panic(mut bytes: Vec<u8>) {
        let _ = read(&bytes);
        bytes.insert(0, 16);
        let _ = read(&bytes);
    }

    #[test]
    fn any_message_in_a_sound_frame_is_read_or_is_malformed(
        kind in prop::sample::select(vec![256_u16, 257, 258, 4101, 4103, 4105, 4106, 4107, 9]),
        body in prop::collection::vec(any::<u8>(), 0..500),
        timestamp: u32,
    ) {
        let message = [&kind.to_be_bytes()[..], &body].concat();
        let bytes = [&sound()[..], &framed(COMPLETED, timestamp, &message)].concat();
        let (offset, bytes_count) = (sound().len(), message.len());
        match read(&bytes) {
            Ok(_) => {}
            Err(error) => {
                prop_assert_eq!(error, StoreError::Malformed { offset, bytes: bytes_count });
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_goes_unseen(at in 8_usize..10_000, bit in 0_u8..8) {
        let mut bytes = sound();
        let whole = read(&bytes).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let damaged = read(&bytes);
        // The version and the flags of a record have no checksum.
        let is_seen = damaged.is_err() || damaged.as_ref() != Ok(&whole);
        prop_assert!(is_seen || is_free(&bytes, at), "byte {at}, bit {bit}");
        prop_assert!(damaged.is_err() || is_no_more(&damaged));
    }

    #[test]
    fn a_cut_file_is_told(at in 1_usize..10_000) {
        let bytes = sound();
        let at = 1 + at % (bytes.len() - 1);
        match read(&bytes[..at]) {
            Err(error) => {
                let is_cut = matches!(error, StoreError::Cut { .. });
                prop_assert!(is_cut, "{error}");
            }
            Ok(loaded) => {
                let is_boundary = boundaries(&bytes).contains(&at);
                let is_torn = matches!(loaded.end, End::Torn { .. });
                prop_assert!(is_boundary || is_torn);
            }
        }
    }
}

/// Where records begin, and where the last one ends.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![1];
    while let Some(length) = bytes.get(offsets[offsets.len() - 1] + 2..) {
        let Some([high, low]) = length.first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        offsets.push(offsets[offsets.len() - 1] + 12 + length);
    }
    offsets
}

/// Whether a byte is one of the version or of flags: some of their bits mean nothing.
fn is_free(bytes: &[u8], at: usize) -> bool {
    at == 0 || boundaries(bytes).iter().any(|offset| (*offset..offset + 2).contains(&at))
}
