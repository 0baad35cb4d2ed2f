//! Networks over a graph: its nodes, channels, sizes and policies, with balances made up.

use crate::{
    assemble::{Parts, Plan, SLOTS_MAX, assemble, check_count},
    config::{OUR_NAME, OurChannels, dearer, draw},
    error::SimError,
    network::SimNetwork,
    settings::Settings,
    state::State,
};
use ecs_systems::{
    port::FailureCode,
    units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId},
};
use payecs_planner::{Channel, Graph, HiddenBalances, Policy, Rng, hidden_balance};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many digits of its id in the graph a node is called by.
pub(crate) const NAME_DIGITS: usize = 12;
/// How often a peer is drawn before any is taken.
const DRAWS_MAX: usize = 1_000;

/// Where we are in a network over a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A node that the graph does not know, with channels of its own.
    Joins {
        /// The channels.
        channels: OurChannels,
        /// With whom, by ids of the graph; further ones are drawn, well connected ones more often.
        peers: Vec<NodeId>,
    },
    /// That node of the graph, with the channels it has there.
    StandsIn(NodeId),
}

/// How a network is made over a graph: see [`SimNetwork::over`]. The same configuration and graph
/// give the same network on any machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverGraph {
    /// Where keys, balances, peers and faults come from. Default: 1.
    pub seed: u64,
    /// How balances are spread: [`hidden_balance`] of the same seed, by the ids of the graph.
    /// Default: uniform.
    pub balances: HiddenBalances,
    /// Where we are. Default: a node of its own with the channels of [`crate::SimConfig`].
    pub place: Place,
    /// What the graph is called, such as the path of its file, for those who look later. Default:
    /// empty.
    pub label: String,
    /// The rules of the world.
    pub settings: Settings,
}

impl Default for OverGraph {
    fn default() -> Self {
        let channels = crate::SimConfig::default().ours;
        Self {
            seed: 1,
            balances: HiddenBalances::Uniform,
            place: Place::Joins { channels, peers: Vec::new() },
            label: String::new(),
            settings: Settings::default(),
        }
    }
}

impl SimNetwork {
    /// A network with the nodes, channels, sizes, policies and channel ids of a graph.
    ///
    /// Nodes sign with keys of the simulation, so that they have other ids than in the graph:
    /// [`SimNetwork::of_graph`] and [`SimNetwork::original`] translate. No channel of the graph has
    /// a reserve; each end has 483 slots for HTLCs.
    /// ```
    /// use node_sim::{OverGraph, SimNetwork};
    /// use payecs_planner::{GraphShape, generate};
    ///
    /// let graph = generate(&GraphShape { nodes: 50, ..GraphShape::default() });
    /// let network = SimNetwork::over(&graph, &OverGraph::default())?;
    /// let first = graph.nodes()[0];
    /// let payee = network.of_graph(first)?;
    /// assert_eq!(network.original(payee), Some(first));
    /// assert_eq!(network.id(&first.to_string()[..10])?, payee, "the first digits will do");
    /// # Ok::<(), node_sim::SimError>(())
    /// ```
    ///
    /// # Errors
    /// [`SimError::NodeCount`] outside of 2 to 250 000 nodes; [`SimError::UnknownNode`] for a place
    /// that the graph has not.
    pub fn over(graph: &Graph, config: &OverGraph) -> Result<Self, SimError> {
        Ok(Self::of(config.build_state(graph)?))
    }
}

impl OverGraph {
    pub(crate) fn build_state(&self, graph: &Graph) -> Result<State, SimError> {
        let originals = graph.nodes().to_vec();
        let mut rng = Rng::new(self.seed ^ 0x6772_6170_6800_0000);
        let mut names: Vec<String> = (0..originals.len()).map(|at| name(&originals, at)).collect();
        let mut plans = Vec::with_capacity(graph.channels_count() + 8);
        for channel in graph.channels() {
            plans.push(self.plan(&mut rng, graph, &channel)?);
        }
        let us = match &self.place {
            Place::StandsIn(node) => number(graph, *node)?,
            Place::Joins { channels, peers } => {
                names.push(OUR_NAME.to_owned());
                check_count(names.len())?;
                let peers = drawn_peers(&mut rng, graph, peers, channels.count)?;
                plans.extend(joining(&mut rng, graph, *channels, &peers));
                originals.len()
            }
        };
        let (settings, seed, nodes) = (self.settings.clone(), self.seed, originals.len());
        let mut state = assemble(Parts { settings, seed, names, originals, plans, us })?;
        for node in (0..nodes).filter(|node| *node != us) {
            if rng.chance(self.settings.faults.offline_ppm) {
                state.peers[node].tricks.offline = Some(FailureCode::UnknownNextPeer);
            }
        }
        Ok(state)
    }

    fn plan(&self, rng: &mut Rng, graph: &Graph, channel: &Channel) -> Result<Plan, SimError> {
        let scid = channel.short_channel_id;
        let gossip = [Direction::Zero, Direction::One]
            .map(|direction| graph.policy(ChannelDirection { scid, direction }).cloned());
        let stale = self.settings.faults.stale_gossip_ppm;
        let real = gossip.clone().map(|policy| match policy {
            Some(policy) if rng.chance(stale) => dearer(&policy),
            Some(policy) => policy,
            None => SILENT,
        });
        let capacity = channel.capacity;
        Ok(Plan {
            scid,
            ends: [number(graph, channel.node_a)?, number(graph, channel.node_b)?],
            capacity,
            balance_of_first: hidden_balance(self.balances, self.seed, scid, capacity),
            gossip,
            real,
            reserve: Msat::ZERO,
            slots: SLOTS_MAX,
            announced: true,
        })
    }
}

/// Different peers for us: those that were named, then ends of channels drawn at random.
fn drawn_peers(
    rng: &mut Rng,
    graph: &Graph,
    named: &[NodeId],
    count: usize,
) -> Result<Vec<usize>, SimError> {
    let mut peers: Vec<usize> =
        named.iter().map(|node| number(graph, *node)).collect::<Result<_, _>>()?;
    let ends: Vec<NodeId> =
        graph.channels().flat_map(|channel| [channel.node_a, channel.node_b]).collect();
    let mut taken: BTreeSet<usize> = peers.iter().copied().collect();
    for _ in 0..DRAWS_MAX.saturating_mul(count) {
        if peers.len() >= count || ends.is_empty() {
            break;
        }
        let drawn = number(graph, ends[draw(rng, ends.len())])?;
        if taken.insert(drawn) {
            peers.push(drawn);
        }
    }
    let rest = (0..graph.nodes_count()).filter(|node| !taken.contains(node));
    let missing = count.saturating_sub(peers.len());
    peers.extend(rest.take(missing));
    Ok(peers)
}

/// What a direction is like of which nothing was announced: it takes nothing.
const SILENT: Policy = Policy {
    enabled: false,
    fee_base_msat: Msat::ZERO,
    fee_rate: Ppm(0),
    cltv_delta: Blocks(40),
    htlc_minimum_msat: Msat::ZERO,
    htlc_maximum_msat: Msat::ZERO,
};

/// Our channels, with ids of blocks that the graph has no channel in.
fn joining(rng: &mut Rng, graph: &Graph, ours: OurChannels, peers: &[usize]) -> Vec<Plan> {
    let free = (1_u64..).map(|block| ShortChannelId(block << 40 | 1 << 16));
    let free = free.filter(|scid| graph.channel(*scid).is_none());
    let us = graph.nodes_count();
    let plan = |(scid, peer): (ShortChannelId, &usize)| {
        let policies = [(); 2].map(|()| crate::config::draw_policy(rng, ours.capacity_msat));
        Plan {
            scid,
            ends: [us, *peer],
            capacity: ours.capacity_msat,
            balance_of_first: ours.ours_msat(),
            gossip: policies.clone().map(Some),
            real: policies,
            reserve: Msat(ours.capacity_msat.0 / 100),
            slots: ours.slots,
            announced: true,
        }
    };
    free.zip(peers).map(plan).collect()
}

fn number(graph: &Graph, node: NodeId) -> Result<usize, SimError> {
    graph.nodes().binary_search(&node).map_err(|_| SimError::UnknownNode { node })
}

/// The first digits of a node's id in the graph; all of them where its neighbours have the same.
fn name(originals: &[NodeId], at: usize) -> String {
    let text = originals[at].to_string();
    let short = &text[..NAME_DIGITS];
    let neighbours = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten();
    let mut neighbours = neighbours.filter_map(|it| originals.get(it));
    if neighbours.any(|it| it.to_string().starts_with(short)) { text } else { short.to_owned() }
}

impl State {
    /// The number of the node that is called so: by its name, or where there is a graph by its id
    /// there, or the first digits of it if no other begins so.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        let begins = |at: usize| self.originals.get(at).is_some_and(|id| begins_so(id, name));
        if !name.is_empty() && name.bytes().all(|it| it.is_ascii_hexdigit()) {
            let at = self.originals.partition_point(|id| id.to_string().as_str() < name);
            if begins(at) && !begins(at + 1) {
                return Some(at);
            }
        }
        self.peers.iter().position(|peer| peer.name == name)
    }
}

fn begins_so(id: &NodeId, digits: &str) -> bool {
    id.to_string().starts_with(digits)
}

#[cfg(test)]
mod tests;
