//! Who pays whom.

use crate::options::Options;
use payecs_planner::{Graph, Rng};
use payecs_units::{ChannelDirection, Msat, NodeId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Draws the pairs where no file has them.
const SEED: u64 = 20_260_203;
const PAIRS: usize = 100;
/// `mid`: so many channels enabled both ways, with so much in them.
const MID_CHANNELS: usize = 3;
const MID_CAPACITY: Msat = Msat(10_000_000_000);
/// `hubs`: so many enabled directions, and so much of `htlc_maximum` each way.
const HUB_DIRECTIONS: usize = 10;
const HUB_MAXIMUM: Msat = Msat(100_000_000_000);

type Pair = (NodeId, NodeId);

#[derive(Deserialize)]
struct File {
    sets: BTreeMap<String, Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    src: NodeId,
    dst: NodeId,
}

/// Each set that is wanted, with its pairs.
pub(crate) fn sets(graph: &Graph, options: &Options) -> Vec<(String, Vec<Pair>)> {
    let file: Option<File> = options.pairs.as_ref().map(|path| {
        let text =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap()
    });
    let pairs = |set: &String| {
        let mut pairs: Vec<Pair> = match &file {
            Some(file) => {
                let named = file.sets.get(set).unwrap_or_else(|| panic!("no set `{set}`"));
                named.iter().map(|pair| (pair.src, pair.dst)).collect()
            }
            None => drawn(graph, set),
        };
        pairs.truncate(options.limit);
        (set.clone(), pairs)
    };
    options.sets.iter().map(pairs).collect()
}

fn drawn(graph: &Graph, set: &str) -> Vec<Pair> {
    let pool: Vec<NodeId> =
        graph.nodes().iter().filter(|node| belongs(graph, node, set)).copied().collect();
    assert!(pool.len() >= 2, "too few nodes for `{set}`");
    let mut rng = Rng::new(SEED);
    let mut draw = || pool[usize::try_from(rng.below(pool.len() as u64)).unwrap()];
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let (source, destination) = (draw(), draw());
        if source != destination {
            pairs.push((source, destination));
        }
    }
    pairs
}

/// Whether a node is one of those that a set is drawn from.
fn belongs(graph: &Graph, node: &NodeId, set: &str) -> bool {
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
    let sum = |of: &[Msat]| Msat::sum(of.iter().copied()).unwrap();
    match set {
        "uniform" => !out.is_empty() && !into.is_empty(),
        "mid" => both.len() >= MID_CHANNELS && sum(&both) >= MID_CAPACITY,
        "hubs" => out.len() >= HUB_DIRECTIONS && sum(&out).min(sum(&into)) >= HUB_MAXIMUM,
        other => panic!("`{other}` is no set that can be drawn: mid, hubs, uniform"),
    }
}
