//! Every hash and idempotency key that was ever seen, as fingerprints.

use crate::sorted::Sorted;
use ecs_systems::units::PaymentHash;
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 16;

/// A set of 64-bit fingerprints.
///
/// What is not in it was never seen. What is in it was seen, or shares its fingerprint with
/// something that was: then one needless question is asked of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guards(Sorted<u64>);

/// The fingerprint of a hash.
pub(crate) fn of_hash(hash: &PaymentHash) -> u64 {
    first(&hash.0)
}

/// The fingerprint of an idempotency key.
pub(crate) fn of_key(key: &str) -> u64 {
    first(&Sha256::new().chain_update("idempotency-key\0").chain_update(key).finalize())
}

fn first(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

impl Guards {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether it is there.
    pub(crate) fn contains(&self, fingerprint: u64) -> bool {
        self.0.get(fingerprint).is_some()
    }

    /// Adds it, if it is not there.
    pub(crate) fn insert(&mut self, fingerprint: u64) {
        self.0.insert(fingerprint);
    }

    /// The chunks as text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.chunks().map(|chunk| {
            let mut text = String::with_capacity(chunk.len().saturating_mul(DIGITS));
            for fingerprint in chunk {
                let four_bits = (0..64).step_by(4).rev().map(|at| fingerprint >> at & 0xf);
                let digits =
                    four_bits.filter_map(|it| char::from_digit(u32::try_from(it).ok()?, 16));
                text.extend(digits);
            }
            text
        })
    }

    /// Reads what [`Guards::texts`] wrote; `None` where it is something else.
    pub(crate) fn read(texts: &[String]) -> Option<Self> {
        let (mut all, mut before) = (Sorted::default(), None);
        for text in texts {
            if text.is_empty() {
                return None;
            }
            for digits in text.as_bytes().chunks(DIGITS) {
                let fingerprint =
                    value(digits).filter(|it| before.is_none_or(|last| last < *it))?;
                before = Some(fingerprint);
                all.insert(fingerprint);
            }
        }
        Some(Self(all))
    }
}

/// What 16 hexadecimal digits say.
fn value(digits: &[u8]) -> Option<u64> {
    if digits.len() != DIGITS {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(u64::from);
    digits.iter().try_fold(0_u64, |all, byte| Some(all << 4 | digit(*byte)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn no_fingerprint_is_lost_and_none_is_made_up(
            seed in any::<u64>(), count in 0_u64..5_000, spread in 0_u32..60,
        ) {
            let mut guards = Guards::default();
            let mut all = BTreeSet::new();
            for number in 0..count {
                let one = number.wrapping_mul(seed | 1).rotate_left(spread) >> (spread / 2);
                guards.insert(one);
                guards.insert(one);
                all.insert(one);
            }
            prop_assert_eq!(guards.count(), all.len());
            for one in &all {
                prop_assert!(guards.contains(*one));
                let next = one.wrapping_add(1);
                prop_assert_eq!(guards.contains(next), all.contains(&next));
            }
            let texts: Vec<String> = guards.texts().collect();
            prop_assert_eq!(Guards::read(&texts), Some(guards));
        }
    }

    #[test]
    fn a_clone_keeps_what_it_had() {
        let mut guards = Guards::default();
        (0..3_000).for_each(|number| guards.insert(number * 7));
        let kept = guards.clone();
        (0..3_000).for_each(|number| guards.insert(number * 7 + 1));
        assert_eq!((kept.count(), guards.count()), (3_000, 6_000));
        assert!(kept.contains(7) && !kept.contains(8) && guards.contains(8));
    }

    #[test]
    fn what_is_no_sorted_chunks_is_not_read() {
        let (one, two) = (format!("{:016x}", 1), format!("{:016x}", 2));
        for texts in [
            vec![two.clone() + &one],
            vec![two, one.clone()],
            vec![one.clone() + &one],
            vec![String::new()],
            vec!["1".to_owned()],
            vec!["g".repeat(16)],
            vec![one.clone() + "0"],
        ] {
            assert_eq!(Guards::read(&texts), None, "{texts:?}");
        }
        assert!(Guards::read(&[one]).is_some());
    }
}
