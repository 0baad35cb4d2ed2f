//! What the command line says, for every bench of plans and deliveries.

use crate::{balances::Model, pairs};
use payecs_planner::{Graph, generate_public};
use std::path::{Path, PathBuf};

/// Why a bench can't begin.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The graph can't be read.
    #[error("--graph {}: {why}", path.display())]
    Graph {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The pairs can't be read, or lack what is asked for.
    #[error("--pairs {}: {why}", path.display())]
    Pairs {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No pairs of such a set can be drawn from the graph.
    #[error("--sets: {0}")]
    Sets(String),
    /// A file of results can't be written.
    #[error("{}: {why}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: std::io::Error,
    },
}

/// What a bench prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    /// What a plan takes.
    Plan,
    /// Whether payments arrive where nobody knows the balances.
    Delivery,
    /// What a plan of ours takes on a generated graph and on one ten times as large, whatever
    /// `--graph` and `--pairs` say.
    Size,
}

/// On which graph, between whom, how much.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A Core Lightning `gossip_store`, as it is or packed with zstd; without it and
    /// `PAYECS_GRAPH`, a generated graph.
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// How many nodes the generated graph has.
    #[arg(long, value_name = "N", default_value_t = 17_324)]
    nodes: u32,
    /// Who pays whom (docs/BENCHMARKS.md); without it and `PAYECS_PAIRS`, drawn.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Which sets of pairs.
    #[arg(long, value_delimiter = ',', default_value = "mid,hubs,uniform")]
    pub sets: Vec<String>,
    /// In satoshi.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000,10000000")]
    pub amounts: Vec<u64>,
    /// How the hidden balances are drawn.
    #[arg(long = "model", alias = "balances", value_delimiter = ',', default_value = "uniform")]
    pub models: Vec<Model>,
    /// Tell the payer its own balances.
    #[arg(long)]
    pub own_known: bool,
    /// So many pairs of each set.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Give a payment up once the planner took so much CPU time for it.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub cpu_ms: u64,
    /// Which balances.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Which tables.
    #[arg(long, value_delimiter = ',', default_value = "plan,delivery")]
    pub tables: Vec<Table>,
    /// Write a line of JSON for each pair.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Cargo says it to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn named(given: Option<&Path>, variable: &str) -> Option<PathBuf> {
    given.map(Path::to_owned).or_else(|| std::env::var_os(variable).map(PathBuf::from))
}

impl Options {
    /// The graph that is meant, from its file or generated.
    ///
    /// # Errors
    /// [`OptionsError::Graph`].
    pub fn graph(&self) -> Result<Graph, OptionsError> {
        let Some(path) = named(self.graph.as_deref(), "PAYECS_GRAPH") else {
            return Ok(generate_public(self.nodes, 1));
        };
        match payecs_gossip::load(&path) {
            Ok(loaded) => Ok(loaded.graph),
            Err(error) => Err(OptionsError::Graph { path, why: error.to_string() }),
        }
    }

    /// A generated graph of so many times the nodes, whatever file is named.
    #[must_use]
    pub fn made(&self, times: u32) -> Graph {
        generate_public(self.nodes.saturating_mul(times), 1)
    }

    /// The same pairs as [`Options::pairs`] where no file names any.
    ///
    /// # Errors
    /// [`OptionsError::Sets`].
    pub fn drawn(&self, graph: &Graph) -> Result<Vec<pairs::Pairs>, OptionsError> {
        pairs::sets(graph, &self.sets, None, self.limit)
    }

    /// Who pays whom on `graph`: each set with its pairs.
    ///
    /// # Errors
    /// [`OptionsError::Pairs`], [`OptionsError::Sets`].
    pub fn pairs(&self, graph: &Graph) -> Result<Vec<pairs::Pairs>, OptionsError> {
        let file = named(self.pairs.as_deref(), "PAYECS_PAIRS");
        pairs::sets(graph, &self.sets, file.as_deref(), self.limit)
    }
}
