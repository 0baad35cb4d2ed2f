//! What a power loss keeps.

/// Draws what a power loss keeps.
pub(super) struct Chance {
    state: u64,
    /// Of 8 draws, how many keep.
    keeps: u64,
}

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = Self { state: seed, keeps: 4 };
        chance.keeps = match chance.draw() % 8 {
            0 | 1 => 0,
            2 | 3 => 8,
            4 => 1,
            5 => 7,
            _ => 4,
        };
        chance
    }

    /// The next number of splitmix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn keeps(&mut self) -> bool {
        self.draw() % 8 < self.keeps
    }

    /// How much of something is kept: all, nothing, or sometimes a part.
    pub(super) fn part(&mut self, len: usize) -> usize {
        let mixed = (1..8).contains(&self.keeps);
        if mixed && self.draw().is_multiple_of(8) {
            let below = self.draw().checked_rem(len as u64).unwrap_or(0);
            usize::try_from(below).unwrap_or(0)
        } else if self.keeps() {
            len
        } else {
            0
        }
    }
}
