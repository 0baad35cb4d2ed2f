//! `payecs demo receive`: being paid on a simulated network, told as it happens.

mod desk;
mod told;
mod acts;
#[cfg(test)]
mod tests;

use super::{
    DemoError,
    wanted::{Balances, NODES_MAX, Wanted},
    world::{Accepts, Opening, Start, build},
};
use desk::Desk;
use ecs_core::Quotas;
use ecs_systems::policy::Policy;
use std::{io, path::PathBuf};
use told::Told;

/// Is paid on a simulated Lightning network and shows how.
///
/// The engine is the real one, in this process, on a virtual clock; the network is simulated. Act
/// 1: three nodes each pay a part of one paycode. Act 2: an invoice is paid; who waits for invoices
/// hears of it, and not of the paycode. Act 3: what comes in is held, and once taken, once given
/// back. Act 4: a channel of ours is rebalanced by a payment to ourselves; in the books that is one
/// transaction, and its fee is all it costs. At the end the books are held against what the network
/// knows.
///
/// Exit codes: 0 if all that came as it should and the books agree; 1 if not, e.g. because this
/// network has no way to us for that much; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs demo receive
  payecs demo receive --seed 7 --amount 1000000sat
  payecs demo receive --json | tail -n 1   the summary as one JSON object")]
pub(crate) struct Args {
    /// Where the network comes from. The same seed and options give the same output. Default: 2.
    #[arg(long, value_name = "N", env = "PAYECS_SEED")]
    seed: Option<u64>,
    /// What each act asks for.
    #[arg(long, default_value = "90000sat", value_parser = super::amount)]
    amount: ecs_systems::units::Msat,
    /// How many nodes the network has, ours included. Default: 100.
    #[arg(long, value_name = "N", env = "PAYECS_NODES",
          value_parser = clap::value_parser!(u32).range(5..=i64::from(NODES_MAX)))]
    nodes: Option<u32>,
    /// A Core Lightning gossip store, packed with zstd or not, to take the network from.
    #[arg(long, value_name = "FILE", env = "PAYECS_GRAPH", conflicts_with = "nodes")]
    graph: Option<PathBuf>,
    /// How hidden balances are spread: any share alike, which is the default, or most on one side.
    #[arg(long, value_enum, env = "PAYECS_BALANCES")]
    balances: Option<Balances>,
    /// One JSON object per line instead of text; the last line is a summary.
    #[arg(long)]
    json: bool,
}

/// Shows it. `true`: everything came as it should.
pub(super) fn show(args: &Args) -> Result<bool, DemoError> {
    if args.json {
        tell(args, Told::lines(Box::new(io::stdout().lock())))
    } else {
        tell(args, Told::text(Box::new(anstream::stdout().lock())))
    }
}

fn tell(args: &Args, told: Told<'_>) -> Result<bool, DemoError> {
    let start = Start {
        data_dir: None,
        wanted: Wanted {
            nodes: args.nodes,
            seed: args.seed,
            graph: args.graph.clone(),
            balances: args.balances,
        },
        announce_all: false,
        accepts: Accepts::default(),
        policy: Policy::default(),
        quotas: Quotas::default(),
    };
    let Opening { world, driver, .. } = build(&start)?;
    let mut desk = Desk::new(world, driver, told);
    desk.open(args.amount)?;
    let acts = acts::ACTS.iter().try_fold(Vec::new(), |mut acts, act| {
        let good = act(&mut desk, args.amount)?;
        acts.push(good);
        Ok::<_, DemoError>(acts)
    })?;
    desk.settle_down();
    let audit = desk.audit();
    let good = audit.is_ok() && acts.iter().all(|good| *good);
    desk.close(&acts, &audit)?;
    Ok(good)
}
