//! What came of a run, in numbers, or what was found.

use super::{Breach, Config, Law, Outcome, offers::origin};
use std::{collections::BTreeMap, fmt, ops::AddAssign};

/// So many of the last steps are shown with a finding,
const STEPS_SHOWN: usize = 20;
/// and so many of those about the hash that it is about.
const ABOUT_SHOWN: usize = 40;
/// The hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;

/// What came of runs in which every law held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Payments that clients asked for.
    pub payments: u64,
    /// How they ended, by code; 0: paid. Those of whom nobody heard are not among them.
    pub outcomes: BTreeMap<i32, u64>,
    /// Receipts of ours that others paid.
    pub received: u64,
    /// Paycodes that clients asked for.
    pub paycodes: u64,
    /// Where they stood in the end, those that were listed.
    pub ends: BTreeMap<String, u64>,
    /// What became of the parts that others sent us.
    pub payers: BTreeMap<&'static str, u64>,
    /// Parts that left us.
    pub parts: u64,
    /// What went wrong, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often the engine died and came back.
    pub deaths: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// The longest that a caller waited for the end of a payment, in virtual milliseconds.
    pub longest_ms: u64,
    /// A number that is the same where everything that was told is the same.
    pub fingerprint: u64,
    /// Every step, where steps were to be written down.
    pub trace: Vec<String>,
}

impl Report {
    /// Something went wrong, by plan.
    pub(super) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }
}

impl AddAssign<&Self> for Report {
    fn add_assign(&mut self, other: &Self) {
        self.payments += other.payments;
        self.received += other.received;
        self.paycodes += other.paycodes;
        self.parts += other.parts;
        self.deaths += other.deaths;
        self.virtual_ms += other.virtual_ms;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.fingerprint ^= other.fingerprint;
        for (code, count) in &other.outcomes {
            *self.outcomes.entry(*code).or_default() += count;
        }
        for (status, count) in &other.ends {
            *self.ends.entry(status.clone()).or_default() += count;
        }
        for (name, count) in &other.payers {
            *self.payers.entry(name).or_default() += count;
        }
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }
}

/// A law was broken.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// Whether it is one in which others pay us.
    pub receive: bool,
    /// The decisions that were left out.
    pub without: Vec<u32>,
    /// What was broken, in order.
    pub breaches: Vec<Breach>,
    /// Every step, the last one last.
    pub trace: Vec<String>,
    /// The decisions that were drawn, and not left out.
    pub numbers: Vec<u32>,
}

impl Finding {
    pub(super) fn of(config: &Config, outcome: Outcome) -> Self {
        let Outcome { breaches, trace, numbers, .. } = outcome;
        // What follows from something that is left out is so by itself.
        let (all, is_own) = (&config.without, |number| origin(number) == number);
        let says = |number: &u32| is_own(*number) || !all.contains(&origin(*number));
        let without = all.iter().copied().filter(says).collect();
        let (seed, receive) = (config.seed, config.receive);
        Self { seed, receive, without, breaches, trace, numbers }
    }

    /// Whether that law was broken.
    #[must_use]
    pub fn breaks(&self, law: Law) -> bool {
        self.breaches.iter().any(|breach| breach.law == law)
    }

    /// The law that was broken first; `None` where a run was not the same when it was run again.
    #[must_use]
    pub fn law(&self) -> Option<Law> {
        self.breaches.first().map(|breach| breach.law)
    }

    /// The steps that name the hash which the first breach is about.
    fn about(&self) -> Vec<&String> {
        let facts = self.breaches.first().map_or("", |breach| breach.facts.as_str());
        let mut words = facts.split(|letter: char| !letter.is_ascii_hexdigit());
        let Some(hash) = words.find(|word| word.len() == HASH_DIGITS) else { return Vec::new() };
        self.trace.iter().filter(|line| line.contains(hash)).collect()
    }

    /// The command that plays it again.
    #[must_use]
    pub fn command(&self) -> String {
        let receive = if self.receive { " --receive" } else { "" };
        let seed = self.seed;
        let command = format!("cargo run --release -p simulator -- --seed {seed}{receive}");
        if self.without.is_empty() {
            return command;
        }
        format!("{command} --without {}", ranges(&self.without))
    }
}

/// Numbers as a short list: `3-5,9`.
fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

impl std::error::Error for Finding {}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = self.about();
        writeln!(out, "seed {}: {} steps are about it:", self.seed, about.len())?;
        for line in about.iter().take(ABOUT_SHOWN) {
            writeln!(out, "  {line}")?;
        }
        let from = self.trace.len().saturating_sub(STEPS_SHOWN);
        writeln!(out, "the last steps of {}:", self.trace.len())?;
        for line in &self.trace[from..] {
            writeln!(out, "  {line}")?;
        }
        if self.breaches.is_empty() {
            writeln!(out, "a law was broken in the first run only: the seed is not deterministic")?;
        }
        for breach in &self.breaches {
            writeln!(out, "broken: {breach}")?;
        }
        let left = self.numbers.len();
        write!(out, "with {left} decisions; play it again with\n  {}", self.command())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_written_as_one_range() {
        for (numbers, text) in
            [(vec![], ""), (vec![4], "4"), (vec![1, 2, 3, 7, 9, 10], "1-3,7,9-10")]
        {
            assert_eq!(ranges(&numbers), text);
        }
    }
}
