//! How a graph is made and changed.

use super::{ArcFacts, Channel, Graph, Link, Policy, Toll, number};
use crate::ahead::Kept;
use payecs_units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most channels of one graph: arcs are numbered in 32 bits.
const CHANNELS_MAX: usize = 1 << 30;

/// A change that makes no sense on the graph it is for. The graph stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The channel is there already.
    #[error("channel {scid} is in the graph already")]
    KnownChannel {
        /// Which one.
        scid: ShortChannelId,
    },
    /// There is no such channel.
    #[error("channel {scid} is not in the graph")]
    UnknownChannel {
        /// Which one.
        scid: ShortChannelId,
    },
    /// Both ends are the same node.
    #[error("channel {scid} has {node} at both ends")]
    SameEnds {
        /// Which one.
        scid: ShortChannelId,
        /// The node.
        node: NodeId,
    },
    /// No further channel fits.
    #[error("a graph holds {max} channels at most")]
    Full {
        /// How many fit.
        max: usize,
    },
}

/// A change of the network, as gossip brings it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphDelta {
    /// A channel was announced; no direction has a policy yet.
    ChannelAnnounced {
        /// The channel.
        short_channel_id: ShortChannelId,
        /// One end.
        node_a: NodeId,
        /// The other end.
        node_b: NodeId,
        /// The size of its funding output.
        capacity: Msat,
    },
    /// A node announced a policy for a direction.
    PolicyChanged {
        /// Which direction.
        direction: ChannelDirection,
        /// What holds from now on.
        policy: Policy,
    },
    /// The channel was closed.
    ChannelClosed {
        /// The channel.
        short_channel_id: ShortChannelId,
    },
}

/// Collects channels and policies for a [`Graph`], in any order but channel before policy.
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder {
    pub(super) channels: BTreeMap<ShortChannelId, (Channel, [Option<Policy>; 2])>,
}

impl GraphBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a channel between two nodes, given in either order, without policies.
    ///
    /// # Errors
    /// [`GraphError::KnownChannel`], [`GraphError::SameEnds`], [`GraphError::Full`].
    pub fn add_channel(
        &mut self,
        scid: ShortChannelId,
        node_a: NodeId,
        node_b: NodeId,
        capacity: Msat,
    ) -> Result<(), GraphError> {
        if node_a == node_b {
            return Err(GraphError::SameEnds { scid, node: node_a });
        }
        if self.channels.contains_key(&scid) {
            return Err(GraphError::KnownChannel { scid });
        }
        if self.channels.len() >= CHANNELS_MAX {
            return Err(GraphError::Full { max: CHANNELS_MAX });
        }
        let (node_a, node_b) = (node_a.min(node_b), node_a.max(node_b));
        let channel = Channel { short_channel_id: scid, node_a, node_b, capacity };
        self.channels.insert(scid, (channel, [None, None]));
        Ok(())
    }

    /// Sets what holds for one direction of a channel, in place of what held before.
    ///
    /// # Errors
    /// [`GraphError::UnknownChannel`].
    pub fn set_policy(
        &mut self,
        direction: ChannelDirection,
        policy: Policy,
    ) -> Result<(), GraphError> {
        let scid = direction.scid;
        let (_, policies) =
            self.channels.get_mut(&scid).ok_or(GraphError::UnknownChannel { scid })?;
        policies[usize::from(direction.direction.bit())] = Some(policy);
        Ok(())
    }

    /// Takes a channel out.
    ///
    /// # Errors
    /// [`GraphError::UnknownChannel`].
    pub fn remove_channel(&mut self, scid: ShortChannelId) -> Result<(), GraphError> {
        self.channels.remove(&scid).map(|_| ()).ok_or(GraphError::UnknownChannel { scid })
    }

    /// Applies one change.
    ///
    /// # Errors
    /// As the method that it stands for.
    pub fn apply(&mut self, delta: &GraphDelta) -> Result<(), GraphError> {
        match delta {
            GraphDelta::ChannelAnnounced { short_channel_id, node_a, node_b, capacity } => {
                self.add_channel(*short_channel_id, *node_a, *node_b, *capacity)
            }
            GraphDelta::PolicyChanged { direction, policy } => {
                self.set_policy(*direction, policy.clone())
            }
            GraphDelta::ChannelClosed { short_channel_id } => {
                self.remove_channel(*short_channel_id)
            }
        }
    }

    /// The graph of what was collected.
    #[must_use]
    pub fn build(self) -> Graph {
        let (nodes, ends) = places(self.channels.values().map(|(channel, _)| channel));
        let first = row_starts(nodes.len(), &ends);
        let arcs_count = ends.len() * 2;
        let mut graph = Graph {
            nodes,
            first: Vec::new(),
            links: vec![Link { to: 0, twin: 0 }; arcs_count],
            facts: vec![ArcFacts::NONE; arcs_count],
            out: vec![Toll::CLOSED; arcs_count],
            into: vec![Toll::CLOSED; arcs_count],
            scids: Vec::with_capacity(ends.len()),
            arcs: Vec::with_capacity(ends.len()),
            kept: Kept::default(),
        };
        let mut next = first.clone();
        let mut take = |node: usize| {
            next[node] += 1;
            next[node] - 1
        };
        for ((scid, (channel, policies)), [a, b]) in self.channels.into_iter().zip(ends) {
            let arcs = [take(a), take(b)];
            let (directions, capacity) = ([Direction::Zero, Direction::One], channel.capacity);
            for (direction, policy) in directions.into_iter().zip(policies) {
                let bit = usize::from(direction.bit());
                let arc = arcs[bit] as usize;
                graph.links[arc] = Link { to: number([b, a][bit]), twin: arcs[1 - bit] };
                let direction = ChannelDirection { scid, direction };
                graph.facts[arc] = ArcFacts { direction, capacity, policy };
            }
            graph.scids.push(scid);
            graph.arcs.push(arcs);
            for arc in arcs {
                graph.post(arc);
            }
        }
        graph.first = first;
        graph
    }
}

/// The nodes that are ends of channels, sorted, and for each channel the places of its ends.
fn places<'a>(channels: impl Iterator<Item = &'a Channel>) -> (Vec<NodeId>, Vec<[usize; 2]>) {
    let each = channels.enumerate();
    let each = each.flat_map(|(at, channel)| [(channel.node_a, at, 0), (channel.node_b, at, 1)]);
    let mut all: Vec<(NodeId, usize, usize)> = each.collect();
    all.sort_unstable();
    let mut ends = vec![[0; 2]; all.len() / 2];
    let mut nodes: Vec<NodeId> = Vec::new();
    for (node, at, side) in all {
        if nodes.last() != Some(&node) {
            nodes.push(node);
        }
        ends[at][side] = nodes.len() - 1;
    }
    (nodes, ends)
}

/// For each node the number of arcs that start from lower nodes; one more at the end.
fn row_starts(nodes: usize, ends: &[[usize; 2]]) -> Vec<u32> {
    let mut first = vec![0; nodes + 1];
    for node in ends.iter().flatten() {
        first[node + 1] += 1;
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    first
}
