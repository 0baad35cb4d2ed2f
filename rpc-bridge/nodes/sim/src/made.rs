//! What a network on a disk was made from.

use crate::{
    builder::SimBuilder,
    config::{BalanceModel, SimConfig},
    graph_file,
    open::OpenError,
    over::OverGraph,
    state::State,
};
use payecs_journal::Disk;
use payecs_planner::{Graph, HiddenBalances};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a network is made from, as its log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blueprint {
    Generated(SimConfig),
    ByHand(SimBuilder),
    Over {
        config: OverGraph,
        /// SHA256 of the graph's bytes in the file beside the log.
        graph: String,
        nodes: usize,
    },
}

/// What a network on a disk was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// By [`SimConfig::open`].
    Generated {
        /// How many nodes, ours included.
        nodes: usize,
        /// The seed.
        seed: u64,
        /// How balances are spread.
        balances: BalanceModel,
    },
    /// By [`OverGraph::open`].
    Over {
        /// What the graph was called.
        label: String,
        /// How many nodes the graph has.
        nodes: usize,
        /// The seed.
        seed: u64,
        /// How balances are spread.
        balances: HiddenBalances,
    },
    /// By [`SimBuilder::open`].
    ByHand,
}

impl fmt::Display for Made {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { nodes, seed, .. } => write!(to, "{nodes} nodes, seed {seed}"),
            Self::Over { label, nodes, seed, .. } => {
                write!(to, "the graph {label} of {nodes} nodes, seed {seed}")
            }
            Self::ByHand => write!(to, "made by hand"),
        }
    }
}

/// A blueprint that was given, with the graph that it is about.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) blueprint: Blueprint,
    pub(crate) graph: Option<(&'a Graph, Vec<u8>)>,
}

impl<'a> Given<'a> {
    pub(crate) fn new(blueprint: Blueprint) -> Self {
        Self { blueprint, graph: None }
    }

    pub(crate) fn over(config: OverGraph, graph: &'a Graph) -> Self {
        let bytes = graph_file::encode(graph);
        let (digest, nodes) = (graph_file::digest(&bytes), graph.nodes_count());
        let blueprint = Blueprint::Over { config, graph: digest, nodes };
        Self { blueprint, graph: Some((graph, bytes)) }
    }
}

impl Blueprint {
    /// The network as it was in the beginning, with the graph that was given or the one on the
    /// disk.
    pub(crate) fn build(&self, given: Option<&Graph>, disk: &dyn Disk) -> Result<State, OpenError> {
        Ok(match (self, given) {
            (Self::Generated(config), _) => config.clone().build_state()?,
            (Self::ByHand(builder), _) => builder.clone().build_state()?,
            (Self::Over { config, .. }, Some(graph)) => config.build_state(graph)?,
            (Self::Over { config, graph, .. }, None) => {
                config.build_state(&graph_file::read(disk, graph)?)?
            }
        })
    }

    /// What it says to people.
    pub(crate) fn made(&self) -> Made {
        match self {
            Self::Generated(config) => Made::Generated {
                nodes: config.nodes,
                seed: config.seed,
                balances: config.balances,
            },
            Self::ByHand(_) => Made::ByHand,
            Self::Over { config, nodes, .. } => Made::Over {
                label: config.label.clone(),
                nodes: *nodes,
                seed: config.seed,
                balances: config.balances,
            },
        }
    }

    /// What is not as in `stored`. What a graph is called may differ.
    pub(crate) fn check(&self, stored: &Self) -> Result<(), OpenError> {
        let differs = match (self, stored) {
            (Self::Generated(ours), Self::Generated(theirs)) => generated(ours, theirs),
            (
                Self::Over { config: ours, graph, .. },
                Self::Over { config: theirs, graph: theirs_graph, .. },
            ) => {
                let called = OverGraph { label: theirs.label.clone(), ..ours.clone() };
                let differs = if ours.seed == theirs.seed {
                    "how balances and we are placed"
                } else {
                    "the seed"
                };
                let differs = (called != *theirs).then_some(differs);
                differs.or((graph != theirs_graph).then_some("the graph"))
            }
            (Self::ByHand(_), Self::ByHand(_)) if self == stored => None,
            (Self::Generated(_) | Self::ByHand(_) | Self::Over { .. }, _) => {
                Some("how it is built")
            }
        };
        let Some(differs) = differs else { return Ok(()) };
        let differs = differs.to_owned();
        Err(OpenError::OtherNetwork { differs, made: stored.made().to_string() })
    }
}

/// What differs between two configurations.
fn generated(ours: &SimConfig, theirs: &SimConfig) -> Option<&'static str> {
    if ours == theirs {
        return None;
    }
    Some(if ours.seed != theirs.seed {
        "the seed"
    } else if ours.nodes != theirs.nodes {
        "the number of nodes"
    } else if ours.settings != theirs.settings {
        "a setting of the world"
    } else {
        "the shape of its channels"
    })
}
