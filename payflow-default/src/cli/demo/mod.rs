//! `payecs demo`: two payments on a simulated network, told as they happen.

pub(crate) mod world;
pub(crate) mod wanted;
pub(crate) mod accept;
pub(crate) mod home;
mod index;
pub(crate) mod opening;
mod stage;
mod story;
mod report;
mod audit;
pub(crate) mod words;
mod tables;
mod text;
mod json;
mod show;
mod load;
mod receive;
#[cfg(test)]
mod tests;

use ecs_core::Quotas;
use ecs_systems::{policy::Policy, units::Msat};
use ledger_store::{SeedFileError, store::StoreError};
use payflow_default::shell::{JournalError, ShellError, Speed};
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};
use wanted::{Balances, Wanted};
use world::Start;

/// Pays two invoices on a simulated Lightning network and shows how.
///
/// The engine is the real one, in this process. The network is simulated: nodes with keys, hidden
/// balances, fees and latencies; invoices are real BOLT 11, signed by their payees. Nothing is
/// faked: what happens to a seed and an amount happens, and is told.
///
/// Act 1 pays an invoice of a distant node that no single channel can carry: the plan has several
/// parts, and parts that meet an empty channel are planned again around it. Act 2 tries to pay more
/// than a payee can receive: the engine says why not, and nothing leaves. At the end the books are
/// held against what the network knows.
///
/// Exit codes: 0 if act 1 was paid, act 2 was refused, and the books agree; 1 if not, e.g. because
/// --amount is more than our channels have (code 215), or than this network's hidden balances let
/// through (code 205 or 210): the error, its code and what it means are shown; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs demo                      in real time, with a spinner while HTLCs fly
  payecs demo --virtual            at once, on a virtual clock
  payecs demo --seed 7 --trace     another network, and what each System matched
  payecs demo --amount 0.01btc     another amount
  payecs demo --graph gossip_store pay across the public network, as Core Lightning knows it
  payecs demo --json | tail -n 1   the summary as one JSON object
  payecs demo --data-dir D         keep network and books in D; again: go on with them
  payecs demo receive              be paid instead, hold, and rebalance a channel
  payecs demo --data-dir D --load 64 --nodes 1000
                                   pay 64 invoices at a time until Ctrl-C or a kill")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// Where the network comes from: keys, channels, balances, delays. The same seed and options
    /// give the same output on the virtual clock. Default: 2.
    #[arg(long, value_name = "N", env = "PAYECS_SEED")]
    seed: Option<u64>,
    /// What act 1 pays: `6000000sat`, `6000000000msat`, `0.06btc`, or bare millisatoshi.
    #[arg(long, default_value = "6000000sat", value_parser = amount)]
    amount: Msat,
    /// How many nodes the network has, ours included. Above 1000 it has the public network's shape.
    /// Default: 100.
    #[arg(long, value_name = "N", env = "PAYECS_NODES",
          value_parser = clap::value_parser!(u32).range(2..=i64::from(wanted::NODES_MAX)))]
    nodes: Option<u32>,
    /// A Core Lightning gossip store, packed with zstd or not: the network has its nodes, channels
    /// and policies. Nodes are named by the first digits of their ids there.
    #[arg(long, value_name = "FILE", env = "PAYECS_GRAPH", conflicts_with = "nodes")]
    graph: Option<PathBuf>,
    /// How hidden balances are spread: any share alike, which is the default, or most on one side.
    #[arg(long, value_enum, env = "PAYECS_BALANCES")]
    balances: Option<Balances>,
    /// One JSON object per line instead of text: each System, each part, each result; the last line
    /// is a summary.
    #[arg(long)]
    json: bool,
    /// Show with each System the Components that it matched.
    #[arg(long)]
    trace: bool,
    /// How many times faster than real time the network lives; 1 where stdout is a terminal.
    #[arg(long, value_name = "X")]
    speed: Option<Speed>,
    /// Don't wait for the network: jump from event to event. So it is anyway where stdout is not a
    /// terminal and no --speed is given.
    #[arg(long = "virtual", conflicts_with_all = ["speed", "data_dir"])]
    at_once: bool,
    /// Keep the engine's journal and the simulated network in this directory, and go on with what
    /// is there: the books of one start are there at the next, whatever ended the first. It is
    /// made where it is missing, for its owner alone.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    accept: accept::Accepting,
    /// Pay N small invoices at a time until stopped (Ctrl-C), instead of the two acts; needs
    /// --data-dir. What was under way at the last stop or crash is brought to its end first.
    #[arg(long, value_name = "N", requires = "data_dir", conflicts_with_all = ["amount", "trace"],
          value_parser = clap::value_parser!(u32).range(1..=load::AT_A_TIME_MAX))]
    load: Option<u32>,
    /// Stop the load after so many payments; 0 only ends what was under way.
    #[arg(long, value_name = "M", requires = "load")]
    count: Option<u64>,
}

/// Another demo than that of paying.
#[derive(Debug, clap::Subcommand)]
enum Other {
    Receive(receive::Args),
}

fn amount(text: &str) -> Result<Msat, String> {
    match text.parse::<Msat>() {
        Ok(Msat::ZERO) => Err("an amount must be above zero".to_owned()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The network could not be made, or would not do what the demo asks of it.
    #[error("the simulated network refused: {0}")]
    Network(#[from] node_sim::SimError),
    /// The engine could not be put together, or refused the payment as such.
    #[error("the engine refused: {0}")]
    Engine(#[from] ecs_core::Error),
    /// The shell stopped or refused.
    #[error("{0}")]
    Shell(#[from] ShellError),
    /// No thread, or stdout is closed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file with a graph can't be read.
    #[error("{}: {error}", file.display())]
    Graph {
        /// Which file.
        file: PathBuf,
        /// Why.
        error: payecs_gossip::LoadError,
    },
    /// The data directory has another network.
    #[error(
        "the data directory has the network of {there}, and {option} asks for another: leave that \
         option out (or its variable or setting) to go on with this one, or use another data \
         directory"
    )]
    OtherNetwork {
        /// What was asked for.
        option: String,
        /// What is there, as options.
        there: String,
    },
    /// The network of the data directory can't be opened.
    #[error("the simulated network in the data directory: {0}")]
    NetworkFiles(#[from] node_sim::OpenError),
    /// The journal can't be opened.
    #[error("the journal in the data directory: {0}")]
    Store(#[from] StoreError),
    /// The seed of our receipts can't be read or kept.
    #[error("the secrets in the data directory: {0}")]
    Seed(#[from] SeedFileError),
    /// The file of the seed may be read by others.
    #[error("others may read {}: say `chmod 600` to it", .file.display())]
    OpenSeed {
        /// Which file.
        file: PathBuf,
    },
    /// The journal can't be opened, and the seed of its receipts was not there.
    #[error("the journal in the data directory: {error} (there was no {})", .file.display())]
    WithoutSeed {
        /// Which file.
        file: PathBuf,
        /// What the journal says.
        error: StoreError,
    },
    /// The seed of receipts is there, and the journal is not.
    #[error(
        "{} is there, but no journal: bring it back, mount its disk, or restore a backup; what was \
         paid would be paid again without it. To begin anew, remove that file too",
        .file.display()
    )]
    WithoutJournal {
        /// The seed.
        file: PathBuf,
    },
    /// The journal kept nothing more.
    #[error("the journal ended: {0}")]
    Journal(#[from] JournalError),
    /// The books are a backup's, and the node can't say all that happened since.
    #[error("{0}")]
    NotReconciled(String),
    /// A payment had no end in time.
    #[error("payment {entity} had not ended after {seconds} s of the network's time")]
    Endless {
        /// Which one.
        entity: ecs_core::EntityId,
        /// How long was waited.
        seconds: u64,
    },
}

impl From<payecs_journal::Error> for DemoError {
    fn from(error: payecs_journal::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The pace where nobody watches and no clock is virtual.
const QUICK: &str = "10";

/// How the demo's time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Virtual,
    Real(Speed),
}

impl Args {
    fn start(&self) -> Start<'_> {
        Start {
            data_dir: self.data_dir.as_deref(),
            wanted: Wanted {
                nodes: self.nodes,
                seed: self.seed,
                graph: self.graph.clone(),
                balances: self.balances,
            },
            announce_all: self.load.is_none(),
            accepts: self.accept.accepts(),
            policy: Policy::default(),
            quotas: Quotas::default(),
        }
    }

    fn pace(&self) -> Pace {
        match self.speed {
            Some(speed) => Pace::Real(speed),
            None if self.data_dir.is_some() && !io::stdout().is_terminal() => {
                Pace::Real(QUICK.parse().expect("it is a speed"))
            }
            None if self.at_once || !io::stdout().is_terminal() => Pace::Virtual,
            None => Pace::Real(Speed::REAL),
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match (&args.other, args.load) {
        (Some(Other::Receive(args)), _) => receive::show(args),
        (None, Some(at_a_time)) => load::run(args, at_a_time as usize),
        (None, None) => show::show(args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(DemoError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            match &args.data_dir {
                Some(dir) => eprintln!("error: {}: {error}", dir.display()),
                None => eprintln!("error: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}
