//! What a hop costs beyond its fee: the delay and the chance that it fails. The floats of the
//! planner are here; what leaves is an integer, rounded to the worse side.

use payecs_units::{Blocks, MicroPercent, Msat};

/// A year of blocks, 10 minutes each: 365.25 × 144.
const BLOCKS_PER_YEAR: u128 = 52_596;
/// 1 as a fixed-point number with 32 binary places.
const ONE_Q32: u64 = 1 << 32;
/// ln 30: a bias of 100 makes 30 times cheaper.
const LN_30: f64 = 3.401_197_381_662_155_5;
/// −ln P where P is 0, in millionths: further than any chance of 64 bits (44.4 nats).
const IMPOSSIBLE_MICRO_NATS: u64 = 1_000_000_000;

/// Bounds on the liquidity of a direction, our own HTLCs in flight included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least this much.
    pub lo: Msat,
    /// At most this much; not below `lo`.
    pub hi: Msat,
}

impl Bounds {
    /// −ln of the chance that `more` passes on top of `flying` which already did, in millionths,
    /// rounded up: liquidity is any whole msat of `lo..=hi`, all equally likely. `None` where it
    /// can't pass.
    #[must_use]
    pub fn neg_ln_micro(self, flying: Msat, more: Msat) -> Option<u64> {
        let needed = flying.checked_add(more)?;
        if needed <= self.lo {
            return Some(0);
        }
        let ways = self.hi.checked_sub(needed)?.0.saturating_add(1);
        let of = self.hi.0.saturating_sub(self.lo.0.max(flying.0)).saturating_add(1);
        Some(neg_ln_micro(ways, of))
    }
}

/// −ln(`ways` / `of`) in millionths, rounded up; 0 where `ways` is not below `of`.
fn neg_ln_micro(ways: u64, of: u64) -> u64 {
    if ways >= of {
        return 0;
    }
    if ways == 0 {
        return IMPOSSIBLE_MICRO_NATS;
    }
    whole(libm::ceil(-libm::log(float(ways) / float(of)) * 1e6))
}

/// The chance whose −ln is `micro_nats` millionths, in parts per million, rounded down.
pub(crate) fn probability_ppm(micro_nats: u64) -> u32 {
    let ppm = whole(libm::floor(libm::exp(-float(micro_nats) / 1e6) * 1e6));
    u32::try_from(ppm.min(1_000_000)).expect("a million fits into 32 bits")
}

/// 2^(−age / `half_life`) with 32 binary places, rounded down; 1 at age 0. A half-life of 0 counts
/// as 1 ms.
fn remaining_q32(age_ms: u64, half_life_ms: u64) -> u64 {
    let half_life_ms = half_life_ms.max(1);
    let Ok(halvings) = u32::try_from(age_ms / half_life_ms) else { return 0 };
    let rest = u128::from(age_ms % half_life_ms) * 1_000_000 / u128::from(half_life_ms);
    let rest = u32::try_from(rest).expect("the rest is below a million");
    let left = whole(libm::exp2(-f64::from(rest) / 1e6) * float(ONE_Q32));
    left.checked_shr(halvings).unwrap_or(0)
}

/// What is left of `amount` after `age`, rounded down.
pub(crate) fn decayed(amount: Msat, age_ms: u64, half_life_ms: u64) -> Msat {
    let left = u128::from(amount.0) * u128::from(remaining_q32(age_ms, half_life_ms));
    Msat(u64::try_from(left >> 32).expect("a share of 64 bits is 64 bits"))
}

/// What locking up `amount` for `delay` costs at `risk` a year, rounded up.
/// `None` above 2⁶⁴−1 msat.
pub(crate) fn delay_cost(amount: Msat, delay: Blocks, risk: MicroPercent) -> Option<u64> {
    let yearly = u128::from(amount.0).checked_mul(u128::from(risk.0))?;
    let product = yearly.checked_mul(u128::from(delay.0))?;
    share_up(product, MicroPercent::WHOLE * BLOCKS_PER_YEAR)
}

/// `base + amount × rate / 10⁶`, rounded down (BOLT 7); `None` above 2⁶⁴−1 msat. A product of 64
/// bits is much quicker.
pub(crate) fn forwarding_fee(amount: u64, base: u32, rate_ppm: u32) -> Option<u64> {
    let share = match amount.checked_mul(rate_ppm.into()) {
        Some(product) => product / 1_000_000,
        None => u64::try_from(u128::from(amount) * u128::from(rate_ppm) / 1_000_000).ok()?,
    };
    share.checked_add(base.into())
}

/// What locking up an amount for one block costs at `risk` a year, in 2^−32 msat, rounded down:
/// for bounds.
pub(crate) fn delay_rate_q32(amount: Msat, risk: MicroPercent) -> u64 {
    let yearly = u128::from(amount.0).saturating_mul(u128::from(risk.0));
    let whole = MicroPercent::WHOLE * BLOCKS_PER_YEAR;
    let share = (yearly.min(u128::MAX >> 32) << 32) / whole;
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// What so many blocks cost at least, at a rate of [`delay_rate_q32`].
pub(crate) fn delay_at_least(rate_q32: u64, delay: Blocks) -> u64 {
    let product = u128::from(rate_q32) * u128::from(delay.0);
    u64::try_from(product >> 32).unwrap_or(u64::MAX)
}

/// `product / whole`, rounded up; `None` above 2⁶⁴−1. A quotient of 64 bits is much quicker.
fn share_up(product: u128, whole: u128) -> Option<u64> {
    match (u64::try_from(product), u64::try_from(whole)) {
        (Ok(product), Ok(whole)) => Some(product.div_ceil(whole)),
        (Ok(_) | Err(_), _) => u64::try_from(product.div_ceil(whole)).ok(),
    }
}

/// What the chance to fail costs at `per_nat` for each −ln P = 1, rounded up.
/// `None` above 2⁶⁴−1 msat.
pub(crate) fn failure_cost(micro_nats: u64, per_nat: Msat) -> Option<u64> {
    share_up(u128::from(micro_nats) * u128::from(per_nat.0), 1_000_000)
}

/// `value × factor`, rounded down; 2⁶⁴−1 where that is larger.
pub(crate) fn scaled(value: u64, factor: f64) -> u64 {
    whole(libm::floor(float(value) * factor))
}

/// What `cost` counts where it is biased, rounded to the nearer side: e^(−bias × ln 30 / 100)
/// times. It never gets smaller with a larger cost. 2⁶⁴−1 where that is larger.
pub(crate) fn biased(bias: i8, cost: u64) -> u64 {
    if bias == 0 {
        return cost;
    }
    let nats = -f64::from(bias) * (LN_30 / 100.0);
    let factor_q32 = whole(libm::rint(libm::exp(nats) * float(ONE_Q32)));
    let product = u128::from(cost) * u128::from(factor_q32) + u128::from(ONE_Q32 / 2);
    u64::try_from(product >> 32).unwrap_or(u64::MAX)
}

/// What may fail of a flow, at `per_nat` for the whole of it: of what a direction carries, the
/// share of `whole` times −ln of its chance to pass. Convex in `carried`. `None` where that doesn't
/// fit.
pub(crate) fn loss_cost(
    bounds: Bounds,
    in_flight: Msat,
    carried: Msat,
    whole: Msat,
    per_nat: Msat,
) -> Option<u64> {
    let micro_nats = bounds.neg_ln_micro(in_flight, carried)?;
    if micro_nats == 0 {
        return Some(0);
    }
    let share = u128::from(per_nat.0) * u128::from(carried.0) / u128::from(whole.0.max(1));
    failure_cost(micro_nats, Msat(u64::try_from(share).ok()?))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are plenty for a chance")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates: below zero is 0, too large is 2⁶⁴−1"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn success_is_uniform_between_the_bounds_and_net_of_what_flies() {
        let bounds = Bounds { lo: Msat(100), hi: Msat(999) };
        for (flying, more, micro_nats) in [
            (0, 100, Some(0)),
            (40, 60, Some(0)),
            (0, 550, Some(693_148)),
            (100, 450, Some(693_148)),
            (550, 450, None),
            (0, 1_000, None),
            (u64::MAX, 1, None),
        ] {
            let got = bounds.neg_ln_micro(Msat(flying), Msat(more));
            assert_eq!(got, micro_nats, "{flying} + {more}");
        }
        assert_eq!(Bounds { lo: Msat(0), hi: Msat(0) }.neg_ln_micro(Msat(0), Msat(0)), Some(0));
        let full = bounds.neg_ln_micro(Msat(0), Msat(999)).map(probability_ppm);
        assert_eq!(full, Some(1_111), "1 of 900");
    }

    #[test]
    fn a_half_life_leaves_half_and_none_leaves_all() {
        for (age_ms, left) in
            [(0, 1_000), (500, 707), (1_000, 500), (2_000, 250), (20_000, 0), (u64::MAX, 0)]
        {
            assert_eq!(decayed(Msat(1_000), age_ms, 1_000), Msat(left), "{age_ms} ms");
        }
        assert_eq!(decayed(Msat(u64::MAX), 0, 0), Msat(u64::MAX));
    }

    #[test]
    fn delay_costs_the_yearly_share() {
        let ten_percent = MicroPercent(10_000_000);
        assert_eq!(delay_cost(Msat(1_000_000), Blocks(52_596), ten_percent), Some(100_000));
        assert_eq!(delay_cost(Msat(1), Blocks(1), ten_percent), Some(1), "rounded up");
        assert_eq!(delay_cost(Msat(u64::MAX), Blocks(u32::MAX), MicroPercent(u64::MAX)), None);
        assert_eq!(failure_cost(1_500_000, Msat(3)), Some(5), "4.5 rounded up");
    }

    #[test]
    fn a_bias_of_one_hundred_is_a_factor_of_thirty() {
        for (bias, cost, counts) in [
            (0, 12_345, 12_345),
            (100, 30_000, 1_000),
            (-100, 1_000, 30_000),
            (50, 30_000, 5_477),
            (-50, 1_000, 5_477),
            (1, 1_000, 967),
            (-1, 1_000, 1_035),
            (100, 14, 0),
            (100, 15, 1),
            (-100, 0, 0),
            (-100, u64::MAX, u64::MAX),
        ] {
            assert_eq!(biased(bias, cost), counts, "{cost} with {bias}");
        }
    }

    proptest! {
        #[test]
        fn a_bias_never_makes_more_cost_less(bias in -100_i8..=100, a: u64, b: u64) {
            prop_assert!(biased(bias, a.min(b)) <= biased(bias, a.max(b)));
            let counts = biased(bias, a);
            prop_assert!(if bias > 0 { counts <= a } else { counts >= a }, "{a} counts {counts}");
        }

        #[test]
        fn more_never_passes_more_easily(
            lo in 0_u64..1_000_000, width in 0_u64..1_000_000_000, flying in 0_u64..1_000_000,
            a in 0_u64..1_000_000_000, b in 0_u64..1_000_000_000,
        ) {
            let bounds = Bounds { lo: Msat(lo), hi: Msat(lo + width) };
            let cost = |more| bounds.neg_ln_micro(Msat(flying), Msat(more)).unwrap_or(u64::MAX);
            prop_assert!(cost(a.min(b)) <= cost(a.max(b)));
        }

        #[test]
        fn parts_on_one_direction_never_count_its_chance_twice(
            lo in 0_u64..1_000, a in 1_u64..1_000, b in 1_u64..1_000,
        ) {
            let bounds = Bounds { lo: Msat(lo), hi: Msat(3_000) };
            let chance = |flying, more| bounds.neg_ln_micro(Msat(flying), Msat(more)).unwrap();
            prop_assert!(chance(0, a + b).abs_diff(chance(0, a) + chance(a, b)) <= 2);
        }
    }
}
