//! `payecs plan`: routes, without paying.

mod graph;
mod table;

use super::{
    call::{Daemon, print, refused},
    client::{CallError, Client, block_on},
};
use ecs_core::Json;
use ecs_systems::units::{MicroPercent, Msat};
use graph::Source;
use serde::Deserialize;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// The most a plan costs where nobody says: this share, and no less than the least.
const FEE_SHARE: MicroPercent = MicroPercent(1_000_000);
const FEE_LEAST: Msat = Msat(5_000);

/// Chooses routes as a payment would now, and sends nothing.
///
/// With DST AMOUNT the daemon of --data-dir is asked, which plans from its own channels. With SRC
/// DST AMOUNT no daemon is needed: the graph comes from --graph or --nodes, nothing is known of
/// liquidity, and SRC's channels can spend all that they hold.
///
/// A node is its id, or the first digits of one; on a graph also @N: the one with the Nth most
/// channels.
///
/// Exit codes: 0 there are routes; 1 there are none, with the code a payment would have and what
/// binds, or there is no graph, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs plan --data-dir D 02… 250000sat --maxfee 100sat
  payecs plan --graph gossip_store 02ab 03cd 250000sat
  payecs plan --nodes 17000 --seed 7 @1 @900 0.01btc --json")]
pub(crate) struct Args {
    /// The data directory of the daemon, which `payecs serve` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// A Core Lightning `gossip_store`, packed with zstd or not.
    #[arg(long, value_name = "FILE", env = "PAYECS_GRAPH", conflicts_with = "nodes")]
    graph: Option<PathBuf>,
    /// A generated graph of so many nodes, shaped like the public network.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    nodes: Option<u32>,
    /// Where the generated graph comes from.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "nodes")]
    seed: u64,
    /// One line of JSON, and errors as JSON on stdout too.
    #[arg(long)]
    json: bool,
    /// Who pays (on a graph), who is paid, and what is to arrive: `250sat`, `250000msat`,
    /// `0.000001btc`, or bare millisatoshi.
    #[arg(value_names = ["[SRC]", "DST", "AMOUNT"], num_args = 2..=3, required = true)]
    words: Vec<String>,
    /// The most that it may cost on top. Default: 1 % of the amount, at least 5 sat.
    #[arg(long)]
    maxfee: Option<Msat>,
    /// Blocks that the last HTLC must have left.
    #[arg(long, value_name = "BLOCKS", default_value_t = 18)]
    final_cltv: u32,
    /// Most parts. Default: as many as it takes.
    #[arg(long, value_name = "N")]
    maxparts: Option<u32>,
}

/// What is asked, wherever the routes come from.
struct Question<'a> {
    source: Option<&'a str>,
    destination: &'a str,
    amount: Msat,
    fee_max: Msat,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let question = match question(args) {
        Ok(question) => question,
        Err(why) => return misused(&why),
    };
    let daemon = Daemon { data_dir: args.data_dir.clone().unwrap_or_default(), json: args.json };
    let answer = match question.source {
        Some(source) => match (&args.graph, args.nodes) {
            (_, Some(nodes)) => {
                graph::plan(&Source::Made(nodes, args.seed), source, args, &question)
            }
            (Some(path), None) => graph::plan(&Source::File(path), source, args, &question),
            (None, None) => return misused("SRC DST AMOUNT: needs --graph FILE or --nodes N"),
        },
        None if args.data_dir.is_none() => {
            return misused("DST AMOUNT: needs --data-dir DIR; on a graph it is SRC DST AMOUNT");
        }
        None => {
            let client = Client::of(&daemon.data_dir);
            client.and_then(|client| block_on(ask(args, &question, &client)))
        }
    };
    match answer {
        Ok(answer) if args.json => print(&answer, true),
        Ok(answer) => match table::told(&answer) {
            Some(text) => match writeln!(io::stdout().lock(), "{text}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            None => print(&answer, false),
        },
        Err(error) => refused(&daemon, &error),
    }
}

fn misused(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(2)
}

fn question(args: &Args) -> Result<Question<'_>, String> {
    let (source, destination, amount) = match args.words.as_slice() {
        [destination, amount] => (None, destination, amount),
        [source, destination, amount] => (Some(source.as_str()), destination, amount),
        _ => return Err("give DST AMOUNT, or SRC DST AMOUNT".to_owned()),
    };
    let amount: Msat = amount.parse().map_err(|error| format!("AMOUNT: {error}"))?;
    let share = amount.share(FEE_SHARE).unwrap_or(FEE_LEAST).max(FEE_LEAST);
    let fee_max = args.maxfee.unwrap_or(share);
    Ok(Question { source, destination, amount, fee_max })
}

#[derive(Deserialize)]
struct Info {
    id: String,
}

async fn ask(args: &Args, it: &Question<'_>, client: &Client) -> Result<Json, CallError> {
    let info = client.call("getinfo", Json::array([])).await?;
    let source = info.decode::<Info>().map(|info| info.id).unwrap_or_default();
    let mut params = vec![
        ("source", Json::of(&source)),
        ("destination", Json::of(it.destination)),
        ("amount_msat", Json::of(&it.amount)),
        ("layers", Json::array([])),
        ("maxfee_msat", Json::of(&it.fee_max)),
        ("final_cltv", Json::of(&args.final_cltv)),
    ];
    params.extend(args.maxparts.map(|parts| ("maxparts", Json::of(&parts))));
    client.call("getroutes", Json::object(params)).await
}
