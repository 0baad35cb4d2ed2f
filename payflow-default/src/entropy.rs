//! Where each command's randomness comes from.

use sha2::{Digest, Sha256};
use std::fmt;

/// A source of 256 bits at a time.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// Always the same for the same seed: for simulations and tests.
    Seeded {
        /// The seed.
        seed: u64,
        /// Draws so far.
        drawn: u64,
    },
    /// The operating system's.
    System(Drawn),
}

/// What was taken from the operating system and not given out yet: it is asked for many draws at a
/// time. A clone has none of it, so that nothing is given out twice.
#[derive(Default)]
pub struct Drawn(Vec<[u8; 32]>);

/// So many draws are asked for.
const DRAWS: usize = 64;

impl Entropy {
    /// A source that repeats itself with its seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded { seed, drawn: 0 }
    }

    /// The operating system's.
    #[must_use]
    pub fn system() -> Self {
        Self::System(Drawn::default())
    }

    /// The next 256 bits.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing can be paid safely then.
    #[must_use]
    pub fn draw(&mut self) -> [u8; 32] {
        match self {
            Self::Seeded { seed, drawn } => {
                *drawn += 1;
                let digest = Sha256::new().chain_update(seed.to_be_bytes());
                digest.chain_update(drawn.to_be_bytes()).finalize().into()
            }
            Self::System(Drawn(left)) => left.pop().unwrap_or_else(|| {
                left.resize(DRAWS, [0; 32]);
                let bytes = left.as_flattened_mut();
                getrandom::fill(bytes).expect("the operating system has randomness");
                left.pop().expect("filled just now")
            }),
        }
    }
}

impl Clone for Drawn {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Drawn({} draws)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_repeats_itself_and_no_two_draws_are_the_same() {
        let (mut first, mut second) = (Entropy::seeded(7), Entropy::seeded(7));
        let (a, b) = (first.draw(), first.draw());
        assert_eq!((second.draw(), second.draw()), (a, b));
        assert_ne!(a, b);
    }

    #[test]
    fn the_operating_systems_draws_are_never_given_out_twice() {
        let mut source = Entropy::system();
        let mut drawn: BTreeSet<[u8; 32]> = (0..=DRAWS).map(|_| source.draw()).collect();
        let mut other = source.clone();
        drawn.extend((0..DRAWS).flat_map(|_| [source.draw(), other.draw()]));
        assert_eq!(drawn.len(), 3 * DRAWS + 1);
        assert!(!format!("{source:?}").contains('['), "{source:?}");
    }
}
