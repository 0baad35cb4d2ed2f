//! Who pays whom.

use crate::options::OptionsError;
use payecs_planner::{Graph, Rng};
use payecs_units::{ChannelDirection, Msat, NodeId};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// Draws the pairs where no file has them.
const SEED: u64 = 20_260_203;
const PAIRS: usize = 100;
/// `mid`: so many channels enabled both ways, with so much in them.
const MID_CHANNELS: usize = 3;
const MID_CAPACITY: Msat = Msat(10_000_000_000);
/// `hubs`: so many enabled directions, and so much of `htlc_maximum` each way.
const HUB_DIRECTIONS: usize = 10;
const HUB_MAXIMUM: Msat = Msat(100_000_000_000);

#[derive(Deserialize)]
struct File {
    sets: BTreeMap<String, Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    src: NodeId,
    dst: NodeId,
}

/// A set of pairs.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Its name.
    pub set: String,
    /// Who pays, and who is paid.
    pub pairs: Vec<(NodeId, NodeId)>,
}

/// Each set that is wanted, from the file or drawn; `limit` pairs of it at most.
pub(crate) fn sets(
    graph: &Graph,
    sets: &[String],
    file: Option<&Path>,
    limit: usize,
) -> Result<Vec<Pairs>, OptionsError> {
    let file = file.map(|path| read(path).map(|file| (path, file))).transpose()?;
    let pairs = |set: &String| {
        let mut pairs = match &file {
            Some((path, file)) => {
                let named = file.sets.get(set).ok_or_else(|| lacking(path, set))?;
                named.iter().map(|pair| (pair.src, pair.dst)).collect()
            }
            None => drawn(graph, set)?,
        };
        pairs.truncate(limit);
        for (source, destination) in &pairs {
            if let Some(node) =
                [source, destination].into_iter().find(|it| !graph.contains_node(it))
            {
                let why = format!("`{set}` names {node}, which is not in the graph");
                return Err(OptionsError::Sets(why));
            }
        }
        Ok(Pairs { set: set.clone(), pairs })
    };
    sets.iter().map(pairs).collect()
}

fn read(path: &Path) -> Result<File, OptionsError> {
    let why = |why: String| OptionsError::Pairs { path: path.to_owned(), why };
    let text = std::fs::read(path).map_err(|error| why(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| why(error.to_string()))
}

fn lacking(path: &Path, set: &str) -> OptionsError {
    OptionsError::Pairs { path: path.to_owned(), why: format!("it has no set `{set}`") }
}

fn drawn(graph: &Graph, set: &str) -> Result<Vec<(NodeId, NodeId)>, OptionsError> {
    let mut pool: Vec<NodeId> = Vec::new();
    for node in graph.nodes() {
        if belongs(graph, node, set)? {
            pool.push(*node);
        }
    }
    if pool.len() < 2 {
        return Err(OptionsError::Sets(format!("the graph has too few nodes for `{set}`")));
    }
    let mut rng = Rng::new(SEED);
    let mut draw = || {
        let place = usize::try_from(rng.below(pool.len() as u64));
        pool[place.expect("a place in a list")]
    };
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let (source, destination) = (draw(), draw());
        if source != destination {
            pairs.push((source, destination));
        }
    }
    Ok(pairs)
}

/// Whether a node is one of those that a set is drawn from.
fn belongs(graph: &Graph, node: &NodeId, set: &str) -> Result<bool, OptionsError> {
    let maximum = |way: ChannelDirection| {
        graph.policy(way).filter(|policy| policy.enabled).map(|policy| policy.htlc_maximum_msat)
    };
    let (mut out, mut into, mut both) = (vec![], vec![], vec![]);
    for (way, _) in graph.outgoing(node) {
        let back = ChannelDirection { direction: way.direction.reversed(), ..way };
        out.extend(maximum(way));
        into.extend(maximum(back));
        if maximum(way).and(maximum(back)).is_some() {
            both.extend(graph.capacity(way.scid));
        }
    }
    let sum = |of: &[Msat]| Msat::sum(of.iter().copied()).unwrap_or(Msat(u64::MAX));
    Ok(match set {
        "uniform" => !out.is_empty() && !into.is_empty(),
        "mid" => both.len() >= MID_CHANNELS && sum(&both) >= MID_CAPACITY,
        "hubs" => out.len() >= HUB_DIRECTIONS && sum(&out).min(sum(&into)) >= HUB_MAXIMUM,
        other => {
            let why = format!("`{other}` is no set that can be drawn: mid, hubs, uniform");
            return Err(OptionsError::Sets(why));
        }
    })
}
