//! `payecs rebalance`.

use super::{
    call::{Daemon, told},
    client::{Client, block_on},
    pretty::facts,
};
use ecs_core::Json;
use std::process::ExitCode;

/// Brings a channel of ours to the share that is wanted, by a payment to ourselves.
///
/// It leaves through one channel and comes back through another, and costs its fee alone. Where the
/// network lets through less than is missing, half as much is tried, down to an eighth: run it
/// again for the rest. Ctrl-C ends the waiting, not the payment: `payecs cancelpay` does that.
///
/// `payecs ledger` shows our channels and what they have.
///
/// Exit codes: 0 moved, or level already; 1 not moved, with the code, the reason and what to do
/// next; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs rebalance --data-dir D 103x1x0
  payecs rebalance --data-dir D 103x1x0 --target 30% --maxfee 20sat
  payecs rebalance --data-dir D 103x1x0 --target 250000sat --maxfeepercent 0.1")]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// Which channel.
    #[arg(value_name = "CHANNEL")]
    short_channel_id: String,
    /// What should be spendable there: a percentage of what the channel can send and receive
    /// together, or an amount.
    #[arg(long, value_name = "PERCENT|AMOUNT", default_value = "50%")]
    target: String,
    /// The most that a payment may cost.
    #[arg(long, value_name = "AMOUNT")]
    maxfee: Option<String>,
    /// The most that a payment may cost, in percent of what it moves. Default: 0.5.
    #[arg(long, value_name = "PERCENT")]
    maxfeepercent: Option<String>,
    /// How long each payment may try, in seconds. Default: 60.
    #[arg(long, value_name = "SECONDS")]
    retry_for: Option<u32>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if !args.daemon.json {
        eprintln!("under way; Ctrl-C leaves it so");
    }
    let answer = Client::of(&args.daemon.data_dir)
        .and_then(|client| block_on(client.call("rebalance", params(args))));
    told(&args.daemon, answer, facts)
}

fn params(args: &Args) -> Json {
    let text = |value: &Option<String>| value.as_ref().map(Json::of);
    // What is no number is refused by the daemon, which says what it takes.
    let percent = args.maxfeepercent.as_ref();
    let percent = percent.map(|text| Json::parse(text).unwrap_or_else(|_| Json::of(text)));
    let given = [
        ("short_channel_id", Some(Json::of(&args.short_channel_id))),
        ("target", Some(Json::of(&args.target))),
        ("maxfee", text(&args.maxfee)),
        ("maxfeepercent", percent),
        ("retry_for", args.retry_for.map(|seconds| Json::of(&seconds))),
    ];
    Json::object(given.into_iter().filter_map(|(name, value)| Some((name, value?))))
}
