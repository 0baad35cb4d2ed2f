//! The simulator: the whole engine under many seeds, with an auditor who trusts none of it.

mod args;
mod seeds;
mod show;

use args::Args;
use clap::Parser;
use payflow_default::testing::simulator::{Config, Simulation};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A law was broken.
const FOUND: u8 = 1;

fn main() -> ExitCode {
    let args = Args::parse();
    let found = match args.seed {
        Some(seed) => replay(&args, seed),
        None => seeds::run(&args),
    };
    if found { ExitCode::from(FOUND) } else { ExitCode::SUCCESS }
}

/// Plays one seed, and tells every step. Whether a law was broken.
fn replay(args: &Args, seed: u64) -> bool {
    let without = args.without.iter().cloned().flatten().collect();
    let config = Config { without, traced: true, ..args.config(seed) };
    let played = if args.shrink {
        Simulation::new(config).run_and_shrink()
    } else {
        Simulation::new(config).run()
    };
    match played {
        Ok(report) => {
            show::trace(&report.trace);
            show::report(args, &report, &show::Pace::of(1, 0.0));
            false
        }
        Err(finding) => {
            show::trace(&finding.trace);
            show::finding(args, &finding);
            true
        }
    }
}
