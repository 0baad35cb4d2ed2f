//! What is asked for on the command line.

use clap::Parser;
use payflow_default::testing::simulator::Config;
use std::ops::RangeInclusive;

/// Simulates the whole engine: payments over a network of its own, or with `--receive` mostly those
/// of others to us, with faults of network, disk and clock, deaths between any two durable writes,
/// and Systems that mean no good. An auditor holds everything that was told and booked against what
/// really happened.
///
/// Exits with 0 where every law held, with 1 where one was broken, and with 2 where the arguments
/// are wrong.
#[derive(Debug, Parser)]
#[command(name = "simulator", version)]
pub(crate) struct Args {
    /// How many seeds are run.
    #[arg(long, default_value_t = 100)]
    pub(crate) seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub(crate) start: u64,
    /// Play this seed alone, and tell every step.
    #[arg(long, conflicts_with_all = ["seeds", "start", "minutes"])]
    pub(crate) seed: Option<u64>,
    /// Other nodes pay us: paycodes beside our payments, and whatever may be wrong with what is
    /// sent for them.
    #[arg(long)]
    pub(crate) receive: bool,
    /// Decisions of the seed that are left out: numbers and ranges, such as 3,7-9.
    #[arg(long, value_delimiter = ',', value_parser = range, requires = "seed")]
    pub(crate) without: Vec<RangeInclusive<u32>>,
    /// Leave out what a broken law does not need, and play the rest.
    #[arg(long, requires = "seed")]
    pub(crate) shrink: bool,
    /// Run seeds for so many minutes, however many these are.
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) minutes: Option<f64>,
    /// How many seeds run at a time; as many as there are processors, unless said otherwise.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Tell the result as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Args {
    /// All of a seed, as it is to be played.
    pub(crate) fn config(&self, seed: u64) -> Config {
        Config { receive: self.receive, ..Config::of(seed) }
    }
}

/// A number, or a range of them.
fn range(text: &str) -> Result<RangeInclusive<u32>, String> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|error| error.to_string());
    match text.split_once('-') {
        Some((first, last)) => Ok(number(first)?..=number(last)?),
        None => number(text).map(|number| number..=number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_and_anything_else_is_refused() {
        assert_eq!(range("7"), Ok(7..=7));
        assert_eq!(range("3-5"), Ok(3..=5));
        assert!(range("x").is_err() && range("3-").is_err() && range("").is_err());
    }
}
