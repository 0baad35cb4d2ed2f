//! Small networks by hand, with every balance and policy said.

use crate::{
    assemble::{Parts, Plan, SLOTS_MAX, assemble, check_count},
    error::SimError,
    network::SimNetwork,
    settings::Settings,
    state::State,
};
use ecs_systems::units::{Blocks, Msat, Ppm, ShortChannelId};
use payecs_planner::Policy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A policy as most nodes have it: 40 blocks, 1 msat at least, 2⁴⁸ msat at most, enabled.
/// ```
/// # use ecs_systems::units::Msat;
/// assert_eq!(node_sim::policy(1_000, 10).fee_base_msat, Msat(1_000));
/// ```
#[must_use]
pub fn policy(fee_base_msat: u64, fee_ppm: u32) -> Policy {
    Policy {
        enabled: true,
        fee_base_msat: Msat(fee_base_msat),
        fee_rate: Ppm(fee_ppm),
        cltv_delta: Blocks(40),
        htlc_minimum_msat: Msat(1),
        htlc_maximum_msat: Msat(1 << 48),
    }
}

/// Nodes' numbers by their names.
type Names = BTreeMap<String, usize>;

/// A channel to be: from the first to the second node named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ChannelPlan {
    ends: [String; 2],
    capacity: Msat,
    balance_of_first: Msat,
    gossip: [Policy; 2],
    real: [Policy; 2],
    reserve: Msat,
    slots: u32,
    announced: bool,
}

/// Builds a network node by node and channel by channel. Mistakes are reported by
/// [`SimBuilder::build`], the first one first.
///
/// Channels get the ids `1000x1x0`, `1001x1x0`, … in the order in which they are added.
/// ```
/// # use ecs_systems::units::Msat;
/// # use node_sim::{SimBuilder, policy};
/// let network = SimBuilder::new(7)
///     .node("alice")
///     .node("bob")
///     .channel("alice", "bob", Msat(1_000_000), Msat(600_000), policy(0, 0), policy(0, 0))
///     .us("alice")
///     .build()?;
/// assert_eq!(network.our_balance()[0].1, Msat(600_000));
/// # Ok::<(), node_sim::SimError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimBuilder {
    seed: u64,
    settings: Settings,
    nodes: Vec<String>,
    channels: Vec<ChannelPlan>,
    us: Option<String>,
    #[serde(skip)]
    mistake: Option<SimError>,
}

impl SimBuilder {
    /// An empty network. Keys, secrets and every draw come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let settings = Settings::default();
        Self { seed, settings, nodes: Vec::new(), channels: Vec::new(), us: None, mistake: None }
    }

    /// Other rules of the world than [`Settings::default`].
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a node.
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        self.nodes.push(name.to_owned());
        self
    }

    /// Adds an announced channel from `a` to `b`, of which `balance_a` is `a`'s and the rest `b`'s;
    /// `policy_ab` is `a`'s policy for what goes to `b`. No reserve; 483 HTLCs each way.
    #[must_use]
    pub fn channel(
        mut self,
        a: &str,
        b: &str,
        capacity: Msat,
        balance_a: Msat,
        policy_ab: Policy,
        policy_ba: Policy,
    ) -> Self {
        let policies = [policy_ab, policy_ba];
        self.channels.push(ChannelPlan {
            ends: [a.to_owned(), b.to_owned()],
            capacity,
            balance_of_first: balance_a,
            gossip: policies.clone(),
            real: policies,
            reserve: Msat::ZERO,
            slots: SLOTS_MAX,
            announced: true,
        });
        self
    }

    /// The last channel really has these policies, whatever was announced.
    #[must_use]
    pub fn really(self, policy_ab: Policy, policy_ba: Policy) -> Self {
        self.with_last(|channel| channel.real = [policy_ab, policy_ba])
    }

    /// Gossip does not know of the last channel.
    #[must_use]
    pub fn private(self) -> Self {
        self.with_last(|channel| channel.announced = false)
    }

    /// Each end of the last channel keeps at least this much.
    #[must_use]
    pub fn reserve(self, reserve: Msat) -> Self {
        self.with_last(|channel| channel.reserve = reserve)
    }

    /// Each end of the last channel has room for this many HTLCs.
    #[must_use]
    pub fn slots(self, slots: u32) -> Self {
        self.with_last(|channel| channel.slots = slots)
    }

    fn with_last(mut self, change: impl FnOnce(&mut ChannelPlan)) -> Self {
        match self.channels.last_mut() {
            Some(channel) => change(channel),
            None => self.mistake = self.mistake.or(Some(SimError::NoChannelYet)),
        }
        self
    }

    /// Says which node is ours.
    #[must_use]
    pub fn us(mut self, name: &str) -> Self {
        self.us = Some(name.to_owned());
        self
    }

    /// The network.
    ///
    /// # Errors
    /// Fewer than 2 or more than 250 000 nodes, a name used twice or not at all, a balance above
    /// its channel's capacity, a channel of a node with itself, nobody named as us.
    pub fn build(self) -> Result<SimNetwork, SimError> {
        self.build_state().map(SimNetwork::of)
    }

    pub(crate) fn build_state(self) -> Result<State, SimError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        check_count(self.nodes.len())?;
        let numbers = numbered(&self.nodes)?;
        let us = number_of(&numbers, &self.us.ok_or(SimError::NobodyIsUs)?)?;
        let plans = self.channels.into_iter().enumerate();
        let plans = plans.map(|(index, plan)| plan.numbered(index, &numbers));
        let plans = plans.collect::<Result<_, _>>()?;
        let (settings, seed, names) = (self.settings, self.seed, self.nodes);
        assemble(Parts { settings, seed, names, originals: Vec::new(), plans, us })
    }
}

impl ChannelPlan {
    fn numbered(self, index: usize, names: &Names) -> Result<Plan, SimError> {
        let block = 1_000 + u64::try_from(index).expect("a length fits 64 bits");
        let [first, second] = &self.ends;
        Ok(Plan {
            scid: ShortChannelId(block << 40 | 1 << 16),
            ends: [number_of(names, first)?, number_of(names, second)?],
            capacity: self.capacity,
            balance_of_first: self.balance_of_first,
            gossip: self.gossip.map(Some),
            real: self.real,
            reserve: self.reserve,
            slots: self.slots,
            announced: self.announced,
        })
    }
}

/// Each name with its number.
fn numbered(names: &[String]) -> Result<Names, SimError> {
    let mut numbered = Names::new();
    for (number, name) in names.iter().enumerate() {
        if numbered.insert(name.clone(), number).is_some() {
            return Err(SimError::SameName { name: name.clone() });
        }
    }
    Ok(numbered)
}

fn number_of(names: &Names, name: &str) -> Result<usize, SimError> {
    names.get(name).copied().ok_or_else(|| SimError::UnknownName { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let two = || SimBuilder::new(1).node("a").node("b").us("a");
        let channel = |builder: SimBuilder, a, b, balance| {
            builder.channel(a, b, Msat(10), Msat(balance), policy(0, 0), policy(0, 0))
        };
        let unknown = |name: &str| SimError::UnknownName { name: name.to_owned() };
        let (balance, capacity) = (Msat(11), Msat(10));
        for (builder, error) in [
            (two().us("c"), unknown("c")),
            (two().node("a"), SimError::SameName { name: "a".to_owned() }),
            (channel(two(), "a", "c", 5), unknown("c")),
            (channel(two(), "a", "b", 11), SimError::BalanceAboveCapacity { balance, capacity }),
            (two().private(), SimError::NoChannelYet),
            (SimBuilder::new(1).node("a").node("b"), SimError::NobodyIsUs),
        ] {
            assert_eq!(builder.build().unwrap_err(), error);
        }
        assert!(matches!(channel(two(), "a", "a", 5).build(), Err(SimError::Graph(_))));
    }
}
