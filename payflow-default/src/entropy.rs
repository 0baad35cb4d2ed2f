//! Where each command's randomness comes from.

use sha2::{Digest, Sha256};

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
    System,
}

impl Entropy {
    /// A source that repeats itself with its seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded { seed, drawn: 0 }
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
            Self::System => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).expect("the operating system has randomness");
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_no_two_draws_are_the_same() {
        let (mut first, mut second) = (Entropy::seeded(7), Entropy::seeded(7));
        let (a, b) = (first.draw(), first.draw());
        assert_eq!((second.draw(), second.draw()), (a, b));
        assert_ne!(a, b);
        assert_ne!(Entropy::System.draw(), Entropy::System.draw());
    }
}
