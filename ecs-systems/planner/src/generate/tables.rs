//! What the public network looked like on 2026-02-03: 17 324 nodes, 50 808 channels.
//!
//! A table has the values below which a share of all lies. Between two rows it is a straight line.
//! What is said of policies is said of enabled directions.

/// Rows of a share, in hundredths of a percent, and a value; both never fall.
pub(super) type Table = &'static [(u32, u64)];

/// A share of everything, in the unit of tables.
const WHOLE: u128 = 10_000;

/// Channels of a node, disabled ones included. The mean is 5.87.
pub(super) const DEGREE: Table = &[
    (0, 1),
    (5_420, 1),
    (5_421, 2),
    (7_071, 2),
    (7_072, 3),
    (7_841, 3),
    (7_842, 4),
    (8_274, 4),
    (8_275, 5),
    (8_570, 5),
    (8_571, 6),
    (8_768, 6),
    (9_000, 8),
    (9_250, 11),
    (9_400, 15),
    (9_500, 17),
    (9_600, 22),
    (9_700, 31),
    (9_800, 45),
    (9_850, 56),
    (9_900, 74),
    (9_930, 101),
    (9_950, 131),
    (9_970, 179),
    (9_980, 228),
    (9_985, 278),
    (9_990, 451),
    (9_993, 543),
    (9_995, 653),
    (9_997, 1_088),
    (9_998, 1_206),
    (9_999, 1_771),
    (10_000, 1_989),
];

/// Capacity, in satoshi.
pub(super) const CAPACITY_SAT: Table = &[
    (0, 1_050),
    (100, 1_500),
    (200, 2_222),
    (210, 20_000),
    (1_000, 20_000),
    (1_500, 50_000),
    (2_000, 100_000),
    (2_500, 200_000),
    (3_000, 318_438),
    (3_500, 500_000),
    (4_000, 1_000_000),
    (4_500, 1_000_000),
    (5_000, 1_283_260),
    (5_500, 2_000_000),
    (6_000, 2_500_000),
    (6_500, 3_157_960),
    (7_000, 5_000_000),
    (7_500, 5_000_000),
    (8_000, 8_000_000),
    (8_500, 10_000_000),
    (9_000, 15_665_544),
    (9_250, 20_000_000),
    (9_500, 40_000_000),
    (9_700, 53_700_000),
    (9_800, 100_000_000),
    (9_900, 200_000_000),
    (9_950, 400_000_000),
    (9_980, 500_000_000),
    (9_999, 500_000_000),
    (10_000, 1_000_000_000),
];

/// Fee for each HTLC, in millisatoshi.
pub(super) const FEE_BASE_MSAT: Table = &[
    (0, 0),
    (4_500, 0),
    (5_000, 33),
    (5_500, 990),
    (6_000, 1_000),
    (9_500, 1_000),
    (9_700, 2_000),
    (9_800, 5_000),
    (9_900, 10_000),
    (9_950, 69_420),
    (9_980, 500_000),
    (9_990, 9_999_000),
    (10_000, 10_000_000),
];

/// Fee in proportion, in parts per million.
pub(super) const FEE_RATE_PPM: Table = &[
    (0, 0),
    (680, 0),
    (690, 1),
    (2_900, 1),
    (3_000, 3),
    (3_500, 10),
    (4_000, 33),
    (4_500, 80),
    (5_000, 100),
    (5_500, 188),
    (6_000, 262),
    (6_500, 428),
    (7_000, 500),
    (7_500, 569),
    (8_000, 960),
    (8_500, 1_113),
    (9_000, 2_000),
    (9_250, 2_500),
    (9_500, 3_000),
    (9_700, 4_484),
    (9_800, 5_000),
    (9_900, 10_000),
    (9_950, 10_000),
    (9_980, 50_000),
    (9_990, 50_000),
    (9_995, 75_000),
    (9_999, 1_000_000),
    (10_000, 1_000_000),
];

/// Blocks between expiries.
pub(super) const CLTV_DELTA_BLOCKS: Table = &[
    (0, 0),
    (10, 18),
    (260, 18),
    (270, 34),
    (920, 34),
    (930, 40),
    (2_620, 40),
    (2_800, 80),
    (6_600, 80),
    (6_800, 100),
    (7_700, 100),
    (8_000, 120),
    (8_200, 144),
    (9_850, 144),
    (9_900, 200),
    (9_950, 222),
    (9_980, 288),
    (9_990, 400),
    (9_995, 450),
    (9_999, 1_000),
    (10_000, 1_444),
];

/// Smallest HTLC, in millisatoshi.
pub(super) const HTLC_MINIMUM_MSAT: Table = &[
    (0, 0),
    (170, 0),
    (180, 1),
    (1_190, 1),
    (1_300, 1_000),
    (9_150, 1_000),
    (9_250, 5_000),
    (9_330, 10_000),
    (9_400, 100_000),
    (9_690, 100_000),
    (9_720, 1_000_000),
    (9_960, 1_000_000),
    (9_980, 10_000_000),
    (9_995, 10_000_000),
    (9_999, 500_000_000),
    (10_000, 5_940_000_000),
];

/// Largest HTLC, in millionths of the capacity.
pub(super) const HTLC_MAXIMUM_PER_MILLION: Table = &[
    (0, 0),
    (50, 125),
    (100, 1_082),
    (200, 10_103),
    (500, 200_000),
    (1_000, 450_000),
    (1_500, 833_446),
    (1_900, 990_000),
    (9_250, 990_000),
    (9_500, 1_000_000),
    (10_000, 1_000_000),
];

/// How many of a million channels are disabled in both directions.
pub(super) const CHANNELS_OFF_PER_MILLION: u32 = 332_920;
/// How many of a million of the others are disabled in one direction.
pub(super) const ONE_WAY_PER_MILLION: u32 = 58_301;

/// The value of the item that is number `rank` of `count`, counted from 0.
pub(super) fn quantile(table: Table, rank: usize, count: usize) -> u64 {
    let wide = |number: usize| u128::try_from(number).expect("counts have 64 bits");
    // All shares times 2 × count, so that nothing is rounded.
    let place = (2 * wide(rank) + 1) * WHOLE;
    let scale = 2 * wide(count);
    let behind = table.partition_point(|(share, _)| u128::from(*share) * scale <= place);
    let (Some((low, from)), Some((high, to))) = (table.get(behind - 1), table.get(behind)) else {
        return table.last().map_or(0, |(_, value)| *value);
    };
    let width = u128::from(high - low) * scale;
    let risen = u128::from(to - from) * (place - u128::from(*low) * scale) / width;
    from + u64::try_from(risen).expect("no more than from one row to the next")
}
