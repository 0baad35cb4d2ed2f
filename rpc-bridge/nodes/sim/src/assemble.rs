//! Nodes and channels become a network.

use crate::{
    channel::{Changed, Channel, Side},
    error::SimError,
    fault::Tricks,
    keys,
    ours::Ours,
    settings::Settings,
    state::{SimPeer, State},
    tell::view_of,
};
use bitcoin::secp256k1::{Secp256k1, SignOnly};
use ecs_systems::units::{Direction, Msat, NodeId, ShortChannelId, Timestamp};
use payecs_planner::{Graph, GraphBuilder, Policy};
use std::collections::BTreeSet;

/// The fewest nodes of a network.
pub(crate) const NODES_MIN: usize = 2;
/// The most nodes of a network.
pub(crate) const NODES_MAX: usize = 250_000;
/// Slots of a channel unless said otherwise (BOLT 2 allows no more).
pub(crate) const SLOTS_MAX: u32 = 483;

/// A channel to be; what is said of two ends is said of the first one first.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scid: ShortChannelId,
    /// The nodes, by number.
    pub(crate) ends: [usize; 2],
    pub(crate) capacity: Msat,
    pub(crate) balance_of_first: Msat,
    /// What is announced; absent where nothing is.
    pub(crate) gossip: [Option<Policy>; 2],
    pub(crate) real: [Policy; 2],
    pub(crate) reserve: Msat,
    pub(crate) slots: u32,
    pub(crate) announced: bool,
}

/// What a network is made from.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) seed: u64,
    /// What nodes are called, in their order.
    pub(crate) names: Vec<String>,
    /// The ids that the first nodes have in a graph, in order; empty without one.
    pub(crate) originals: Vec<NodeId>,
    pub(crate) plans: Vec<Plan>,
    /// Our number.
    pub(crate) us: usize,
}

/// The network.
///
/// # Errors
/// A number of nodes out of bounds, a balance above its channel's capacity, two channels of one
/// id, a channel of a node with itself.
pub(crate) fn assemble(parts: Parts) -> Result<State, SimError> {
    let Parts { settings, seed, names, originals, plans, us } = parts;
    check_count(names.len())?;
    let secp = Secp256k1::signing_only();
    let mut peers = peers(&secp, seed, names);
    let mut channels = Vec::with_capacity(plans.len());
    for (index, plan) in plans.into_iter().enumerate() {
        let channel = channel_of(plan, &peers)?;
        for side in &channel.sides {
            peers[side.node].channels.push(index);
        }
        channels.push(channel);
    }
    let mut scids = BTreeSet::new();
    if let Some(twice) = channels.iter().find(|channel| !scids.insert(channel.scid)) {
        return Err(payecs_planner::GraphError::KnownChannel { scid: twice.scid }.into());
    }
    let view = view_of(&settings, us, &peers, &channels, (settings.height, Timestamp(0)));
    let ours = Ours::new(us, view);
    Ok(State::new(settings, seed, secp, peers, originals, channels, ours))
}

/// # Errors
/// [`SimError::NodeCount`].
pub(crate) fn check_count(count: usize) -> Result<(), SimError> {
    if (NODES_MIN..=NODES_MAX).contains(&count) {
        return Ok(());
    }
    Err(SimError::NodeCount { count, min: NODES_MIN, max: NODES_MAX })
}

fn peers(secp: &Secp256k1<SignOnly>, seed: u64, names: Vec<String>) -> Vec<SimPeer> {
    let keys = keys::node_keys(secp, seed, names.len());
    let peer = |(name, key)| SimPeer {
        name,
        key,
        channels: Vec::new(),
        tricks: Tricks::default(),
        parked: Vec::new(),
    };
    names.into_iter().zip(keys).map(peer).collect()
}

fn channel_of(plan: Plan, peers: &[SimPeer]) -> Result<Channel, SimError> {
    let (scid, [first, second]) = (plan.scid, plan.ends);
    if first == second {
        let node = peers[first].key.id;
        return Err(payecs_planner::GraphError::SameEnds { scid, node }.into());
    }
    let (balance, capacity) = (plan.balance_of_first, plan.capacity);
    let rest = capacity
        .checked_sub(balance)
        .ok_or(SimError::BalanceAboveCapacity { balance, capacity })?;
    let [gossip_first, gossip_second] = plan.gossip;
    let [real_first, real_second] = plan.real;
    let side = |node, balance, policy, gossip| Side {
        node,
        balance,
        locked: Msat::ZERO,
        htlcs: 0,
        next_htlc: 0,
        policy,
        gossip,
    };
    let first_side = side(first, balance, real_first, gossip_first);
    let second_side = side(second, rest, real_second, gossip_second);
    let direction = Direction::between(&peers[first].key.id, &peers[second].key.id);
    let sides = match direction {
        Direction::Zero => [first_side, second_side],
        Direction::One => [second_side, first_side],
    };
    Ok(Channel {
        scid,
        capacity,
        sides,
        reserve: plan.reserve,
        slots: plan.slots,
        dust: Msat::ZERO,
        announced: plan.announced,
        closed: false,
        changed: Changed::Nothing,
    })
}

impl State {
    /// What gossip says by now.
    pub(crate) fn announced(&self) -> Graph {
        let mut graph = GraphBuilder::new();
        for channel in self.channels.iter().filter(|it| it.announced && !it.closed) {
            let [a, b] = [0, 1].map(|side: usize| self.peers[channel.sides[side].node].key.id);
            let added = graph.add_channel(channel.scid, a, b, channel.capacity);
            added.expect("each channel has its own id and two ends");
            for (side, it) in channel.sides.iter().enumerate() {
                if let Some(policy) = &it.gossip {
                    let set = graph.set_policy(channel.direction(side), policy.clone());
                    set.expect("the channel was just added");
                }
            }
        }
        graph.build()
    }
}
