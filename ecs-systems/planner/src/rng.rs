//! A small seeded generator, the same on every machine.

use serde::{Deserialize, Serialize};

/// xoshiro256**, seeded through splitmix64. For graphs, ties and simulations; not for secrets. One
/// that was stored goes on where it was.
/// ```
/// # use payecs_planner::Rng;
/// assert_eq!(Rng::new(7).next_u64(), Rng::new(7).next_u64());
/// assert_ne!(Rng::new(7).next_u64(), Rng::new(8).next_u64());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator for `seed`; any seed will do.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut step = seed;
        let mut next = || {
            step = step.wrapping_add(GOLDEN);
            scramble(step)
        };
        Self { state: [next(), next(), next(), next()] }
    }

    /// 64 bits, each equally likely 0 and 1.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// A number from 0 to `n − 1`; 0 where `n` is 0. Off from uniform by less than `n / 2⁶⁴`.
    /// ```
    /// # use payecs_planner::Rng;
    /// let mut rng = Rng::new(1);
    /// assert!((0..100).all(|_| rng.below(6) < 6));
    /// assert_eq!(rng.below(0), 0);
    /// ```
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// True in `per_million` of 1 000 000 draws; always from 1 000 000 on.
    /// ```
    /// # use payecs_planner::Rng;
    /// assert!(Rng::new(1).chance(1_000_000) && !Rng::new(1).chance(0));
    /// ```
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }
}

pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output step of splitmix64: a bijection that spreads every bit over all.
pub(crate) fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_matches_its_published_first_output() {
        assert_eq!(scramble(GOLDEN), 0xe220_a839_7b1d_cdaf, "seed 0");
    }

    #[test]
    fn below_reaches_every_number_and_chance_is_about_its_share() {
        let mut rng = Rng::new(42);
        let mut seen = [0_u32; 5];
        for _ in 0..5_000 {
            seen[usize::try_from(rng.below(5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        let hits = (0..10_000).filter(|_| rng.chance(250_000)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }
}
