//! Leaving decisions of a seed out, as long as the same law is still broken.

use super::{Config, Finding, Simulation};
use std::collections::BTreeSet;

/// Most runs that a finding is worth.
const RUNS_MAX: u32 = 300;

/// The smallest run found in which the first law of the finding is still broken.
pub(super) fn shrink(config: &Config, found: Finding) -> Finding {
    let Some(law) = found.law() else { return found };
    let mut without: BTreeSet<u32> = found.without.iter().copied().collect();
    let mut numbers = found.numbers.clone();
    let (mut runs, mut piece) = (0, numbers.len().div_ceil(2));
    while piece > 0 {
        let mut at = 0;
        while at < numbers.len() && runs < RUNS_MAX {
            let end = numbers.len().min(at + piece);
            let less: BTreeSet<u32> = without.iter().chain(&numbers[at..end]).copied().collect();
            runs += 1;
            let tried = Simulation::new(Config { without: less.clone(), ..config.clone() });
            let outcome = tried.run_once(false);
            if outcome.breaches.first().is_some_and(|breach| breach.law == law) {
                (without, numbers) = (less, outcome.numbers);
            } else {
                at = end;
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    match Simulation::new(Config { without, ..config.clone() }).run() {
        Err(smallest) => *smallest,
        // It was not the same when it was run again: what was found first is told.
        Ok(_) => found,
    }
}
