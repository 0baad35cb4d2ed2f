//! Who has how much in a channel, where nobody says so: made up, the same for all who ask.

use crate::{
    cost::{float, scaled},
    rng::{GOLDEN, scramble},
};
use payecs_units::{Msat, ShortChannelId};
use serde::{Deserialize, Serialize};

/// How the balances of channels are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenBalances {
    /// Any share is equally likely.
    #[default]
    Uniform,
    /// Most is on one side more often than not: the share's density grows with the square of its
    /// distance from a half.
    Bimodal,
}

/// What is on the side of the lesser id's node ([`crate::Channel::node_a`]) in a channel of that
/// size; the rest is on the other side. The draw is the second output of splitmix64 from the state
/// `seed xor scid × 0xd134_2543_de82_ef95`.
///
/// Uniform: `draw × (capacity + 1) / 2⁶⁴`, rounded down. Bimodal: with `u` the upper 53 bits of the
/// draw as a fraction of one, `0.5 + 0.5 · cbrt(2u − 1)` of the capacity, rounded down.
/// ```
/// # use payecs_planner::{HiddenBalances, hidden_balance};
/// # use payecs_units::{Msat, ShortChannelId};
/// let balance = |model, seed, scid: &str, capacity| {
///     let scid: ShortChannelId = scid.parse().unwrap();
///     hidden_balance(model, seed, scid, Msat(capacity)).0
/// };
/// for (seed, scid, capacity, uniform, bimodal) in [
///     (1, "500000x1x0", 1_000_000_000, 378_048_846, 187_601_715),
///     (1, "800000x2345x1", 16_777_215_000, 3_128_380_874, 1_208_547_589),
///     (7, "1x1x0", 1_000, 171, 65),
///     (42, "934567x12x3", 1_000_000_000_000, 680_651_038_753, 856_117_643_251),
/// ] {
///     assert_eq!(balance(HiddenBalances::Uniform, seed, scid, capacity), uniform);
///     assert_eq!(balance(HiddenBalances::Bimodal, seed, scid, capacity), bimodal);
/// }
/// ```
#[must_use]
pub fn hidden_balance(
    model: HiddenBalances,
    seed: u64,
    scid: ShortChannelId,
    capacity: Msat,
) -> Msat {
    let draw = draw(seed, scid);
    match model {
        HiddenBalances::Uniform => {
            Msat(((u128::from(draw) * (u128::from(capacity.0) + 1)) >> 64) as u64)
        }
        HiddenBalances::Bimodal => {
            let drawn = float(draw >> 11) / float(1 << 53);
            let share = 0.5 + 0.5 * libm::cbrt(2.0 * drawn - 1.0);
            Msat(scaled(capacity.0, share).min(capacity.0))
        }
    }
}

fn draw(seed: u64, scid: ShortChannelId) -> u64 {
    let state = seed ^ scid.0.wrapping_mul(0xd134_2543_de82_ef95);
    scramble(state.wrapping_add(GOLDEN).wrapping_add(GOLDEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_fits_its_channel_whatever_its_size() {
        for capacity in [0, 1, 999, u64::MAX] {
            for scid in (0..2_000).map(ShortChannelId) {
                for model in [HiddenBalances::Uniform, HiddenBalances::Bimodal] {
                    assert!(hidden_balance(model, 3, scid, Msat(capacity)).0 <= capacity);
                }
            }
        }
    }

    #[test]
    fn bimodal_balances_are_mostly_at_the_ends_and_uniform_ones_everywhere() {
        let middle = |model| {
            let balance = |scid| hidden_balance(model, 1, ShortChannelId(scid), Msat(1_000)).0;
            (0..10_000).map(balance).filter(|it| (250..750).contains(it)).count()
        };
        assert!((4_800..5_200).contains(&middle(HiddenBalances::Uniform)));
        assert!((1_100..1_400).contains(&middle(HiddenBalances::Bimodal)), "an eighth");
    }
}
