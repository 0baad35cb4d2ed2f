//! How many hops an onion has room for (BOLT 4): the longer what the payee is told, the fewer.

use payecs_planner::HOPS_MAX;
use payecs_units::{BlockHeight, Msat};

/// The payloads of all hops together.
const ROOM_BYTES: u64 = 1_300;
/// What follows each payload.
const HMAC_BYTES: u64 = 32;
const SECRET_BYTES: u64 = 32;
const CHANNEL_BYTES: u64 = 8;

/// What the onions of a payment's parts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Onions {
    /// No HTLC is worth more.
    pub(crate) amount_max: Msat,
    /// No HTLC expires later.
    pub(crate) expiry_max: BlockHeight,
    /// What all parts deliver, said with the payee's secret; `None`: neither is said.
    pub(crate) total: Option<Msat>,
    /// How much of the invoice's metadata the payee gets back; `None`: none, not even none at all.
    pub(crate) metadata_bytes: Option<u64>,
}

impl Onions {
    /// The most hops whose payloads fit, 20 at most; 0 where not even the payee's does. Amounts and
    /// expiries are counted with the digits of the largest there may be.
    pub(crate) fn hops_max(&self) -> u32 {
        let amount = record(truncated(self.amount_max.0));
        let expiry = record(truncated(self.expiry_max.0.into()));
        let both = amount.saturating_add(expiry);
        let payment = |total: Msat| record(SECRET_BYTES.saturating_add(truncated(total.0)));
        let payment = self.total.map_or(0, payment);
        let metadata = self.metadata_bytes.map_or(0, record);
        let last = payload(both.saturating_add(payment).saturating_add(metadata));
        let before = payload(both.saturating_add(record(CHANNEL_BYTES)));
        let Some(room) = ROOM_BYTES.checked_sub(last) else { return 0 };
        let hops = room.checked_div(before).unwrap_or_default().saturating_add(1);
        u32::try_from(hops).map_or(HOPS_MAX, |hops| hops.min(HOPS_MAX))
    }
}

/// A payload with its length and HMAC.
fn payload(records: u64) -> u64 {
    big_size(records).saturating_add(records).saturating_add(HMAC_BYTES)
}

/// A TLV record of a type below 253, with so long a value.
fn record(value: u64) -> u64 {
    big_size(value).saturating_add(value).saturating_add(1)
}

/// The bytes of a number of BOLT 1's `bigsize`.
fn big_size(number: u64) -> u64 {
    match number {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        0x1_0000_0000.. => 9,
    }
}

/// The bytes of a truncated integer: without zeros in front.
fn truncated(number: u64) -> u64 {
    u64::from(u64::BITS.saturating_sub(number.leading_zeros()).div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record, written.
    fn written(kind: u8, value: &[u8]) -> Vec<u8> {
        [vec![kind], length(value.len()), value.to_vec()].concat()
    }

    fn length(bytes: usize) -> Vec<u8> {
        match u8::try_from(bytes) {
            Ok(short) if short < 0xfd => vec![short],
            _ => [vec![0xfd], u16::try_from(bytes).unwrap().to_be_bytes().to_vec()].concat(),
        }
    }

    fn digits(number: u64) -> Vec<u8> {
        number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
    }

    fn closed(records: &[Vec<u8>]) -> Vec<u8> {
        let records = records.concat();
        [length(records.len()), records, vec![0; 32]].concat()
    }

    /// The payloads of so many hops, written as BOLT 4 says.
    fn payloads(hops: u32, amount: u64, expiry: u32, onions: &Onions) -> usize {
        let both = [written(2, &digits(amount)), written(4, &digits(expiry.into()))].concat();
        let before = closed(&[both.clone(), written(6, &[7; 8])]);
        let payment = |total: Msat| written(8, &[vec![9; 32], digits(total.0)].concat());
        let payment = onions.total.map(payment).unwrap_or_default();
        let metadata = onions.metadata_bytes.map(|count| vec![5; usize::try_from(count).unwrap()]);
        let metadata = metadata.map(|bytes| written(16, &bytes)).unwrap_or_default();
        let last = closed(&[both, payment, metadata]);
        before.len() * usize::try_from(hops - 1).unwrap() + last.len()
    }

    fn onions(metadata_bytes: Option<u64>) -> Onions {
        Onions {
            amount_max: Msat(100_000_000),
            expiry_max: BlockHeight(802_016),
            total: Some(Msat(100_000_000)),
            metadata_bytes,
        }
    }

    #[test]
    fn the_longer_the_metadata_the_fewer_hops_fit() {
        for (bytes, hops) in [
            (None, 20),
            (Some(0), 20),
            (Some(100), 20),
            (Some(600), 12),
            (Some(639), 11),
            (Some(1_212), 1),
            (Some(1_213), 0),
            (Some(100_000), 0),
            (Some(u64::MAX), 0),
        ] {
            assert_eq!(onions(bytes).hops_max(), hops, "{bytes:?}");
        }
    }

    #[test]
    fn without_metadata_as_many_hops_fit_as_any_route_may_have() {
        let (amount_max, expiry_max) = (Msat(u64::MAX), BlockHeight(u32::MAX));
        let most = Onions { amount_max, expiry_max, total: Some(amount_max), metadata_bytes: None };
        assert_eq!(most.hops_max(), HOPS_MAX);
        assert_eq!(Onions { total: None, ..most }.hops_max(), HOPS_MAX);
    }

    proptest! {
        #[test]
        fn what_is_counted_to_fit_never_fails_to_and_one_hop_more_never_does(
            amount_max: u64,
            expiry_max: u32,
            total: Option<u64>,
            metadata_bytes in proptest::option::of(0_u64..1_400),
            digits in 0..64_u32,
            amount: u64,
            expiry: u32,
        ) {
            let (amount_max, total) = (amount_max >> digits, total.map(Msat));
            let onions = Onions {
                amount_max: Msat(amount_max),
                expiry_max: BlockHeight(expiry_max),
                total,
                metadata_bytes,
            };
            let hops = onions.hops_max();
            prop_assert!(hops <= HOPS_MAX);
            if hops > 0 {
                let (less, sooner) = (amount.min(amount_max), expiry.min(expiry_max));
                prop_assert!(payloads(hops, less, sooner, &onions) <= 1_300);
                prop_assert!(payloads(hops, amount_max, expiry_max, &onions) <= 1_300);
            }
            if hops < HOPS_MAX {
                prop_assert!(payloads(hops + 1, amount_max, expiry_max, &onions) > 1_300);
            }
        }
    }
}
