//! The network as announced: a snapshot in compressed sparse rows.

mod build;
mod change;
mod toll;
#[cfg(test)]
mod tests;

pub use build::{GraphBuilder, GraphDelta, GraphError};

pub(crate) use toll::Toll;

use crate::ahead::Kept;
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use serde::{Deserialize, Serialize};

/// What a node announces for one direction of a channel (BOLT 7, `channel_update`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether it forwards that way at the moment.
    pub enabled: bool,
    /// Fee for each HTLC.
    pub fee_base_msat: Msat,
    /// Fee in proportion to the amount that goes on.
    pub fee_rate: Ppm,
    /// Blocks kept between the expiries of the incoming and the outgoing HTLC.
    pub cltv_delta: Blocks,
    /// Smallest HTLC it forwards.
    pub htlc_minimum_msat: Msat,
    /// Largest HTLC it forwards.
    pub htlc_maximum_msat: Msat,
}

/// A channel of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Which one.
    pub short_channel_id: ShortChannelId,
    /// The end with the lesser id: where direction 0 begins.
    pub node_a: NodeId,
    /// The end with the greater id.
    pub node_b: NodeId,
    /// The size of its funding output.
    pub capacity: Msat,
}

/// The channels between nodes, with the policies announced for them. A change makes a new one
/// ([`Graph::patched`]); who has it alone may have it changed ([`Graph::take_in`]).
///
/// Each channel is two arcs, one a direction. Arcs are sorted by the node they start from; what is
/// read of all arcs of a node is apart from what is read of few.
///
/// Planning leaves bounds on the cost of ways with a small one, 8 bytes a node for each of the 32
/// classes of amounts asked for last. A clone is without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Sorted; a node's number is its place.
    nodes: Vec<NodeId>,
    /// For each node the first of its arcs; one more at the end.
    first: Vec<u32>,
    links: Vec<Link>,
    facts: Vec<ArcFacts>,
    /// What is read of every arc first: of the arc itself, and of its twin.
    out: Vec<Toll>,
    into: Vec<Toll>,
    /// Sorted; a channel's number is its place.
    scids: Vec<ShortChannelId>,
    /// For each channel its arcs of direction 0 and 1.
    arcs: Vec<[u32; 2]>,
    /// What was found out about ways through it.
    kept: Kept,
}

impl Default for Graph {
    /// Without a channel.
    fn default() -> Self {
        GraphBuilder::new().build()
    }
}

impl Graph {
    /// How many nodes have a channel.
    #[must_use]
    pub fn nodes_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many channels there are.
    #[must_use]
    pub fn channels_count(&self) -> usize {
        self.scids.len()
    }

    /// How many directions have a policy, disabled ones included.
    #[must_use]
    pub fn policies_count(&self) -> usize {
        self.facts.iter().filter(|facts| facts.policy.is_some()).count()
    }

    /// Every node, in the order of ids.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Whether the node has a channel.
    #[must_use]
    pub fn contains_node(&self, node: &NodeId) -> bool {
        self.node_index(node).is_some()
    }

    /// A channel by its id.
    #[must_use]
    pub fn channel(&self, scid: ShortChannelId) -> Option<Channel> {
        self.channel_index(scid).map(|index| self.channel_at(index))
    }

    /// The size of a channel.
    #[must_use]
    pub fn capacity(&self, scid: ShortChannelId) -> Option<Msat> {
        self.channel_index(scid).map(|index| self.capacity_at(index))
    }

    /// The ends of a channel, the lesser id first.
    #[must_use]
    pub fn endpoints(&self, scid: ShortChannelId) -> Option<(NodeId, NodeId)> {
        self.channel(scid).map(|channel| (channel.node_a, channel.node_b))
    }

    /// The node that offers HTLCs this way, and the one they are offered to.
    #[must_use]
    pub fn ends(&self, direction: ChannelDirection) -> Option<(NodeId, NodeId)> {
        let (lesser, greater) = self.endpoints(direction.scid)?;
        Some(match direction.direction {
            Direction::Zero => (lesser, greater),
            Direction::One => (greater, lesser),
        })
    }

    /// What was announced for a direction; `None` where nothing was: it can't be used.
    #[must_use]
    pub fn policy(&self, direction: ChannelDirection) -> Option<&Policy> {
        self.arc_index(direction).and_then(|arc| self.facts(arc).policy.as_ref())
    }

    /// Every channel, in the order of ids.
    pub fn channels(&self) -> impl Iterator<Item = Channel> + '_ {
        (0..self.scids.len()).map(|index| self.channel_at(index))
    }

    /// The directions that start from `node`, each with the node at the other end.
    pub fn outgoing(&self, node: &NodeId) -> impl Iterator<Item = (ChannelDirection, NodeId)> + '_ {
        let arcs = self.node_index(node).map_or(0..0, |index| self.arcs_from(index));
        let (links, facts) = (&self.links[arcs.clone()], &self.facts[arcs]);
        let each = links.iter().zip(facts);
        each.map(|(link, facts)| (facts.direction, self.nodes[link.to as usize]))
    }

    pub(crate) fn node_index(&self, node: &NodeId) -> Option<u32> {
        self.nodes.binary_search(node).ok().map(number)
    }

    pub(crate) fn arcs_count(&self) -> u32 {
        number(self.links.len())
    }

    pub(crate) fn arc_index(&self, direction: ChannelDirection) -> Option<u32> {
        let index = self.channel_index(direction.scid)?;
        Some(self.arcs[index][usize::from(direction.direction.bit())])
    }

    /// What was found out about ways through it.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The arcs that start from the node with number `node`.
    fn arcs_from(&self, node: u32) -> std::ops::Range<usize> {
        self.first[node as usize] as usize..self.first[node as usize + 1] as usize
    }

    /// The arcs that start from the node with number `node`, each with what is read of it first.
    pub(crate) fn arcs_out(&self, node: u32) -> impl Iterator<Item = (u32, &Toll)> {
        let arcs = self.arcs_from(node);
        (number(arcs.start)..).zip(&self.out[arcs])
    }

    /// The arcs that end at the node with number `node`: each with its number.
    pub(crate) fn tolls_to(&self, node: u32) -> impl Iterator<Item = (u32, &Toll)> {
        let arcs = self.arcs_from(node);
        let twins = self.links[arcs.clone()].iter().map(|link| link.twin);
        twins.zip(&self.into[arcs])
    }

    /// Puts what is announced of an arc where it is read first.
    fn post(&mut self, arc: u32) {
        let Link { to, twin } = self.links[arc as usize];
        let from = self.links[twin as usize].to;
        let facts = &self.facts[arc as usize];
        self.out[arc as usize] = Toll::of(to, facts);
        self.into[twin as usize] = Toll::of(from, facts);
    }

    pub(crate) fn facts(&self, arc: u32) -> &ArcFacts {
        &self.facts[arc as usize]
    }

    /// The nodes where an arc begins and ends.
    pub(crate) fn arc_ends(&self, arc: u32) -> (u32, u32) {
        let Link { to, twin } = self.links[arc as usize];
        (self.links[twin as usize].to, to)
    }

    fn channel_index(&self, scid: ShortChannelId) -> Option<usize> {
        self.scids.binary_search(&scid).ok()
    }

    fn channel_at(&self, index: usize) -> Channel {
        let [zero, one] = self.arcs[index];
        Channel {
            short_channel_id: self.scids[index],
            node_a: self.nodes[self.links[one as usize].to as usize],
            node_b: self.nodes[self.links[zero as usize].to as usize],
            capacity: self.capacity_at(index),
        }
    }

    fn capacity_at(&self, index: usize) -> Msat {
        self.facts(self.arcs[index][0]).capacity
    }
}

/// Where an arc leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) to: u32,
    /// The arc of the other direction of the same channel.
    pub(crate) twin: u32,
}

/// What is announced of an arc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArcFacts {
    pub(crate) direction: ChannelDirection,
    pub(crate) capacity: Msat,
    pub(crate) policy: Option<Policy>,
}

impl ArcFacts {
    /// Of no arc.
    const NONE: Self = Self {
        direction: ChannelDirection { scid: ShortChannelId(0), direction: Direction::Zero },
        capacity: Msat::ZERO,
        policy: None,
    };
}

/// A place in an array as a number of 32 bits.
pub(crate) fn number(place: usize) -> u32 {
    u32::try_from(place).expect("GraphBuilder admits fewer than 2³¹ arcs")
}
