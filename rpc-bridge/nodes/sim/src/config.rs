//! Generated networks: from a handful of nodes to more than the public network has.

use crate::{
    assemble::{SLOTS_MAX, check_count},
    builder::SimBuilder,
    error::SimError,
    settings::Settings,
    state::State,
};
use ecs_systems::{
    port::FailureCode,
    units::{Blocks, Msat, Ppm},
};
use payecs_planner::{Policy, Rng};
use serde::{Deserialize, Serialize};

/// The name of our node in a generated network; the others are `n0`, `n1`, ….
pub const OUR_NAME: &str = "us";

/// How a generated channel's balance is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalanceModel {
    /// Any share is equally likely.
    #[default]
    Uniform,
    /// Nearly everything is on one side: that side has 80 to 100 %.
    Bimodal,
    /// Each side has half.
    Even,
}

/// Our own channels in a generated network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OurChannels {
    /// How many, each with another peer.
    pub count: usize,
    /// The size of each.
    pub capacity_msat: Msat,
    /// What of it is ours.
    pub our_share: Ppm,
    /// HTLCs that each end may offer. Core Lightning allows 30 on mainnet.
    pub slots: u32,
}

impl OurChannels {
    /// What of each is ours in msat.
    pub(crate) fn ours_msat(&self) -> Msat {
        let share = u64::from(self.our_share.0.min(1_000_000));
        Msat(self.capacity_msat.0 / 1_000_000 * share)
    }
}

/// A network to be generated. The same configuration gives the same network on any machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimConfig {
    /// How many nodes, ours included: 2 to 250 000. Default: 100.
    pub nodes: usize,
    /// Where keys, channels, balances, latencies and faults come from. Default: 1.
    pub seed: u64,
    /// Mean number of channels of a node, ours aside. Default: 6.
    pub channels_per_node: usize,
    /// Smallest channel. Default: 1 000 000 sat.
    pub capacity_min_msat: Msat,
    /// Largest channel. Default: 16 000 000 sat.
    pub capacity_max_msat: Msat,
    /// How balances are spread. Default: uniform.
    pub balances: BalanceModel,
    /// Our channels. Default: 4 of 5 000 000 sat, 80 % ours, 30 slots.
    pub ours: OurChannels,
    /// The rules of the world.
    pub settings: Settings,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            nodes: 100,
            seed: 1,
            channels_per_node: 6,
            capacity_min_msat: Msat(1_000_000_000),
            capacity_max_msat: Msat(16_000_000_000),
            balances: BalanceModel::Uniform,
            ours: OurChannels {
                count: 4,
                capacity_msat: Msat(5_000_000_000),
                our_share: Ppm(800_000),
                slots: 30,
            },
            settings: Settings::default(),
        }
    }
}

impl SimConfig {
    pub(crate) fn build_state(self) -> Result<State, SimError> {
        let count = self.nodes;
        check_count(count)?;
        let others = count - 1;
        let mut rng = Rng::new(self.seed);
        let mut builder = SimBuilder::new(self.seed).settings(self.settings.clone());
        for node in 0..others {
            builder = builder.node(&name(node));
        }
        let pairs = pairs(&mut rng, others, self.channels_per_node);
        for (a, b) in &pairs {
            builder = self.add_channel(builder, &mut rng, *a, *b);
        }
        builder = builder.node(OUR_NAME).us(OUR_NAME);
        for peer in our_peers(&mut rng, &pairs, others, self.ours.count) {
            builder = self.add_our_channel(builder, &mut rng, peer);
        }
        let mut state = builder.build_state()?;
        for node in 0..others {
            if rng.chance(self.settings.faults.offline_ppm) {
                state.peers[node].tricks.offline = Some(FailureCode::UnknownNextPeer);
            }
        }
        Ok(state)
    }

    fn add_channel(&self, builder: SimBuilder, rng: &mut Rng, a: usize, b: usize) -> SimBuilder {
        let doublings = (self.capacity_max_msat.0 / self.capacity_min_msat.0.max(1)).max(1).ilog2();
        let capacity = Msat(self.capacity_min_msat.0 << rng.below(u64::from(doublings) + 1));
        let balance = self.balance(rng, capacity);
        let gossip = [draw_policy(rng, capacity), draw_policy(rng, capacity)];
        let [real_ab, real_ba] = gossip.clone().map(|policy| self.maybe_dearer(rng, policy));
        let [ab, ba] = gossip;
        builder
            .channel(&name(a), &name(b), capacity, balance, ab, ba)
            .really(real_ab, real_ba)
            .reserve(Msat(capacity.0 / 100))
            .slots(SLOTS_MAX)
    }

    fn add_our_channel(&self, builder: SimBuilder, rng: &mut Rng, peer: usize) -> SimBuilder {
        let capacity = self.ours.capacity_msat;
        let ours = self.ours.ours_msat();
        let policies = [draw_policy(rng, capacity), draw_policy(rng, capacity)];
        let [ab, ba] = policies;
        builder
            .channel(OUR_NAME, &name(peer), capacity, ours, ab, ba)
            .reserve(Msat(capacity.0 / 100))
            .slots(self.ours.slots)
    }

    fn balance(&self, rng: &mut Rng, capacity: Msat) -> Msat {
        match self.balances {
            BalanceModel::Uniform => Msat(rng.below(capacity.0 + 1)),
            BalanceModel::Even => Msat(capacity.0 / 2),
            BalanceModel::Bimodal => {
                let little = rng.below(capacity.0 / 5 + 1);
                Msat(if rng.chance(500_000) { little } else { capacity.0 - little })
            }
        }
    }

    fn maybe_dearer(&self, rng: &mut Rng, policy: Policy) -> Policy {
        if !rng.chance(self.settings.faults.stale_gossip_ppm) {
            return policy;
        }
        dearer(&policy)
    }
}

/// A policy that asks for more: a sat, and twice the rate.
pub(crate) fn dearer(policy: &Policy) -> Policy {
    let fee_rate = Ppm(policy.fee_rate.0.saturating_mul(2).saturating_add(1));
    let fee_base_msat = Msat(policy.fee_base_msat.0.saturating_add(1_000));
    Policy { fee_base_msat, fee_rate, ..policy.clone() }
}

fn name(node: usize) -> String {
    format!("n{node}")
}

/// Channels between `nodes` nodes: a tree that reaches all, then more until the mean is met. Nodes
/// with many channels draw more, as in the real network.
fn pairs(rng: &mut Rng, nodes: usize, per_node: usize) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for node in 1..nodes {
        let peer = preferred(rng, &pairs, node);
        pairs.push((peer, node));
    }
    let wanted = nodes.saturating_mul(per_node) / 2;
    let most = if nodes > 1 { wanted.saturating_sub(pairs.len()) } else { 0 };
    for _ in 0..most {
        let (a, b) = (preferred(rng, &pairs, nodes), draw(rng, nodes));
        if a != b {
            pairs.push((a, b));
        }
    }
    pairs
}

/// A node below `nodes`: an end of a channel drawn at random, or by one chance in four any node.
fn preferred(rng: &mut Rng, pairs: &[(usize, usize)], nodes: usize) -> usize {
    if pairs.is_empty() || rng.chance(250_000) {
        return draw(rng, nodes);
    }
    let (a, b) = pairs[draw(rng, pairs.len())];
    if rng.chance(500_000) { a } else { b }
}

/// Different peers for us, well connected ones more often.
fn our_peers(rng: &mut Rng, pairs: &[(usize, usize)], nodes: usize, count: usize) -> Vec<usize> {
    let mut peers: Vec<usize> = Vec::new();
    while peers.len() < count.min(nodes) {
        let drawn = preferred(rng, pairs, nodes);
        let fresh = (0..nodes).map(|step| (drawn + step) % nodes).find(|at| !peers.contains(at));
        peers.extend(fresh);
    }
    peers
}

pub(crate) fn draw_policy(rng: &mut Rng, capacity: Msat) -> Policy {
    const RATES: [u32; 6] = [0, 10, 50, 100, 500, 1_000];
    const BASES: [u64; 4] = [0, 0, 1, 1_000];
    const DELTAS: [u32; 4] = [18, 34, 40, 80];
    Policy {
        enabled: true,
        fee_base_msat: Msat(BASES[draw(rng, BASES.len())]),
        fee_rate: Ppm(RATES[draw(rng, RATES.len())]),
        cltv_delta: Blocks(DELTAS[draw(rng, DELTAS.len())]),
        htlc_minimum_msat: Msat(if rng.chance(500_000) { 1 } else { 1_000 }),
        htlc_maximum_msat: Msat(capacity.0 / 100 * 99),
    }
}

/// A number below `n`.
pub(crate) fn draw(rng: &mut Rng, n: usize) -> usize {
    let n = u64::try_from(n).expect("a length fits 64 bits");
    usize::try_from(rng.below(n)).expect("it is below a length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assemble::{NODES_MAX, NODES_MIN},
        network::SimNetwork,
    };
    use ecs_systems::{port::Node, units::Timestamp};

    #[test]
    fn a_thousand_nodes_are_built_connected_and_whole() {
        let config = SimConfig { nodes: 1_000, ..SimConfig::default() };
        let network = SimNetwork::new(config).unwrap();
        let graph = network.connect(Timestamp(0)).graph();
        assert_eq!(graph.nodes_count(), 1_000);
        assert!(graph.channels_count() > 2_500, "{}", graph.channels_count());
        network.audit().unwrap();
        let us = network.us();
        let others = network.others();
        let reached = others.iter().filter(|node| {
            network.route(us, **node, Msat(1_000), Blocks(20), Timestamp(0)).is_some()
        });
        assert!(reached.count() > 900);
    }

    #[test]
    fn any_size_is_built_and_sizes_out_of_range_are_refused() {
        for nodes in [2, 3, 5, 17] {
            let network = SimNetwork::new(SimConfig { nodes, ..SimConfig::default() }).unwrap();
            assert_eq!(network.others().len(), nodes - 1);
            assert_eq!(network.our_balance().len(), 4.min(nodes - 1));
        }
        for count in [0, 1, 250_001] {
            let error = SimNetwork::new(SimConfig { nodes: count, ..SimConfig::default() });
            let expected = SimError::NodeCount { count, min: NODES_MIN, max: NODES_MAX };
            assert_eq!(error.unwrap_err(), expected);
        }
    }

    #[test]
    fn bimodal_balances_are_nearly_all_on_one_side() {
        let config = SimConfig { balances: BalanceModel::Bimodal, ..SimConfig::default() };
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            let balance = config.balance(&mut rng, Msat(1_000)).0;
            assert!(balance <= 200 || (800..=1_000).contains(&balance), "{balance}");
        }
    }
}
