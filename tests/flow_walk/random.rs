//! Strolls: one way through a situation, drawn from a seed. And lists in a random order.

use crate::{
    choice::{Choice, Outage, choices},
    explore::Found,
    laws,
    machine::{Breach, Machine, State},
};
use payflow_default::flow::DEFAULT_FLOW;

/// Most choices of one stroll. Past it the world only answers.
const CHOICES_MAX: usize = 40;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = usize::try_from((word ^ (word >> 31)) >> 32).unwrap_or(0);
        drawn % bound.max(1)
    }
}

/// The default flow in the order of a seed; seed 0 is the default.
pub(crate) fn order(seed: u64) -> Vec<&'static str> {
    let mut order = DEFAULT_FLOW.to_vec();
    let mut dice = Dice(seed);
    if seed > 0 {
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
    }
    order
}

/// Goes one way from the beginning of a situation to its end.
pub(crate) fn stroll(machine: &mut Machine, dice: &mut Dice) -> Result<(), Found> {
    let state = machine.keep();
    stroll_from(machine, state, dice)
}

/// Goes one way from a state to the end.
pub(crate) fn stroll_from(
    machine: &mut Machine,
    mut state: State,
    dice: &mut Dice,
) -> Result<(), Found> {
    let mut path = Vec::new();
    for _ in 0..CHOICES_MAX {
        let mut all = choices(machine);
        if all.is_empty() {
            return Ok(());
        }
        let mut choice = all.swap_remove(dice.below(all.len()));
        if machine.env.left.crashes > 0 && dice.below(6) == 0 {
            let outage = if dice.below(2) == 0 { Outage::Lost } else { Outage::Kept };
            choice = Choice::Crash(Box::new(choice), dice.below(4), outage);
        }
        path.push(choice.clone());
        let stepped = machine.choose(&state, &choice);
        if let Err(breach) = stepped.and_then(|()| laws::judge(machine)) {
            return Err(Found { breach, path });
        }
        state = machine.keep();
    }
    let law = "every walk can end";
    let what = format!("after {CHOICES_MAX} choices a payment still runs");
    Err(Found { breach: Breach { law, what }, path })
}
