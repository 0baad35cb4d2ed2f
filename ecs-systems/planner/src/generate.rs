//! Graphs to try things on: seeded, connected, shaped like the public network.

mod public;
mod tables;

pub use public::generate_public;

use crate::rng::scramble;
use crate::{Graph, GraphBuilder, Policy, Rng};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use std::collections::BTreeSet;

/// What a generated graph is to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphShape {
    /// How many nodes [`generate`] makes up.
    pub nodes: u32,
    /// How many channels each node opens when it joins (the first ones as many as there are peers).
    pub channels_per_node: u32,
    /// The capacity that half of the channels are above.
    pub capacity_median: Msat,
    /// How many of a million directions are disabled, those that keep the graph connected aside.
    pub disabled_per_million: u32,
    /// Another seed gives another graph.
    pub seed: u64,
}

impl Default for GraphShape {
    /// 100 nodes that open 4 channels each, 0.02 BTC in the middle, 2 % of directions disabled.
    fn default() -> Self {
        Self {
            nodes: 100,
            channels_per_node: 4,
            capacity_median: Msat(2_000_000_000),
            disabled_per_million: 20_000,
            seed: 0,
        }
    }
}

/// A graph of [`GraphShape::nodes`] made-up nodes: see [`generate_between`].
/// ```
/// # use payecs_planner::{GraphShape, generate};
/// let shape = GraphShape { nodes: 50, seed: 7, ..GraphShape::default() };
/// let graph = generate(&shape);
/// assert_eq!(graph.nodes_count(), 50);
/// assert_eq!(graph, generate(&shape), "the same on any machine");
/// ```
#[must_use]
pub fn generate(shape: &GraphShape) -> Graph {
    let nodes: Vec<NodeId> =
        (0..shape.nodes).map(|index| made_up(shape.seed, u64::from(index))).collect();
    generate_between(shape, &nodes)
}

/// A graph of these nodes; [`GraphShape::nodes`] isn't looked at. An id that is there twice counts
/// once. Each node joins by opening channels to nodes that are there, the more channels a node has
/// the likelier: so the graph is connected and has hubs, the first of the ids before all.
///
/// # Panics
/// Above 2²⁴ channels: there are no more ids in one block.
#[must_use]
pub fn generate_between(shape: &GraphShape, nodes: &[NodeId]) -> Graph {
    let mut rng = Rng::new(shape.seed);
    let mut builder = GraphBuilder::new();
    let mut known = BTreeSet::new();
    // Every node once for each of its channels, and once more so that it can be drawn.
    let mut drawn: Vec<NodeId> = Vec::new();
    let mut opened = 0_u64;
    for node in nodes {
        if !known.insert(*node) {
            continue;
        }
        let peers = drawn.len();
        let wanted = u64::from(shape.channels_per_node.max(1));
        let count = wanted.min(u64::try_from(known.len()).unwrap_or(u64::MAX) - 1);
        for place in 0..count {
            let draw = rng.below(u64::try_from(peers).unwrap_or(u64::MAX));
            let peer = drawn[usize::try_from(draw).expect("it is below a length")];
            assert!(opened < 1 << 24, "too many channels: {opened}");
            let scid = ShortChannelId(500_000 << 40 | opened << 16);
            opened += 1;
            open(&mut builder, &mut rng, shape, scid, [*node, peer], place == 0);
            drawn.extend([*node, peer]);
        }
        drawn.push(*node);
    }
    builder.build()
}

fn open(
    builder: &mut GraphBuilder,
    rng: &mut Rng,
    shape: &GraphShape,
    scid: ShortChannelId,
    ends: [NodeId; 2],
    keeps_connected: bool,
) {
    let capacity = log_normal(rng, shape.capacity_median.0, 1.3).max(20_000_000);
    let capacity = Msat(capacity / 1_000 * 1_000);
    builder.add_channel(scid, ends[0], ends[1], capacity).expect("a new id between two nodes");
    for direction in [Direction::Zero, Direction::One] {
        let mut policy = policy(rng, capacity);
        policy.enabled = !rng.chance(shape.disabled_per_million) || keeps_connected;
        let way = ChannelDirection { scid, direction };
        builder.set_policy(way, policy).expect("the channel was just added");
    }
}

/// Fees like those of the public network: a base of 0 or 1 sat, some 100 ppm with a long tail.
fn policy(rng: &mut Rng, capacity: Msat) -> Policy {
    let bases = [0, 0, 0, 0, 1_000, 1_000, 1_000, 1, 100, 500];
    let deltas = [40, 40, 80, 80, 144, 34];
    let rate = log_normal(rng, 100, 1.5).min(5_000);
    let whole = rng.chance(700_000);
    Policy {
        enabled: true,
        fee_base_msat: Msat(*pick(rng, &bases)),
        fee_rate: Ppm(u32::try_from(rate).expect("capped at 5000")),
        cltv_delta: Blocks(*pick(rng, &deltas)),
        htlc_minimum_msat: Msat(*pick(rng, &[1, 1, 1_000, 1_000, 1_000])),
        htlc_maximum_msat: Msat(if whole { capacity.0 / 100 * 99 } else { capacity.0 / 20 * 9 }),
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    let draw = rng.below(u64::try_from(from.len()).unwrap_or(u64::MAX));
    &from[usize::try_from(draw).expect("it is below a length")]
}

/// A number whose logarithm is about normal, with this median; `spread` in e-foldings. The normal
/// is the sum of twelve uniform draws.
fn log_normal(rng: &mut Rng, median: u64, spread: f64) -> u64 {
    let mut draw = || u32::try_from(rng.below(1_000_000)).expect("below a million");
    let sum: f64 = (0..12).map(|_| f64::from(draw()) / 1e6).sum();
    let factor = libm::exp((sum - 6.0) * spread);
    crate::cost::scaled(median, factor)
}

/// An id that begins with 02 or 03, as compressed keys do; it is no point on the curve.
fn made_up(seed: u64, index: u64) -> NodeId {
    let mut bytes = [0; 33];
    let mut word = scramble(seed) ^ index;
    for chunk in bytes[1..].chunks_mut(8) {
        word = scramble(word.wrapping_add(1));
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes[0] = if word & 1 == 0 { 2 } else { 3 };
    NodeId(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_graphs_are_connected_and_have_hubs() {
        let shape = GraphShape { nodes: 300, seed: 3, ..GraphShape::default() };
        let graph = generate(&shape);
        assert_eq!(graph.nodes_count(), 300);
        let mut reached = BTreeSet::from([graph.nodes()[0]]);
        let mut next = vec![graph.nodes()[0]];
        while let Some(node) = next.pop() {
            for (direction, far) in graph.outgoing(&node) {
                let enabled = graph.policy(direction).is_some_and(|policy| policy.enabled);
                if enabled && reached.insert(far) {
                    next.push(far);
                }
            }
        }
        assert_eq!(reached.len(), 300);
        let degree = |node| graph.outgoing(node).count();
        let most = graph.nodes().iter().map(degree).max().unwrap();
        assert!(most > 30, "the largest hub has {most} channels");
        let medians = graph.channels().filter(|it| it.capacity > shape.capacity_median).count();
        assert!((graph.channels_count() / 3..graph.channels_count() * 2 / 3).contains(&medians));
    }

    #[test]
    fn given_ids_are_used_and_repeated_ones_count_once() {
        let ids = [NodeId([2; 33]), NodeId([3; 33]), NodeId([2; 33])];
        let graph = generate_between(&GraphShape::default(), &ids);
        assert_eq!(graph.nodes(), &ids[..2]);
        assert_eq!(generate(&GraphShape { nodes: 0, ..GraphShape::default() }), Graph::default());
    }
}
