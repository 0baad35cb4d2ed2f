//! What one caller counts with beside what is announced and learned.

use crate::{Bounds, Channel, Policy};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bias is from minus this to this.
pub const BIAS_MAX: i8 = 100;

/// How channels of a node are favoured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeBias {
    /// Of directions that end at it.
    pub into: i8,
    /// Of directions that start from it.
    pub out: i8,
}

/// What a caller says of the liquidity of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Informed {
    /// At least so much can pass.
    AtLeast(Msat),
    /// At most so much can pass.
    AtMost(Msat),
    /// So much passed, and is at the other end now.
    Moved(Msat),
}

/// What holds for a direction in place of some of what is announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TermsChange {
    /// Fee for each HTLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_base_msat: Option<Msat>,
    /// Fee in proportion to the amount that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_proportional_millionths: Option<Ppm>,
    /// Blocks kept between the expiries of the incoming and the outgoing HTLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cltv_expiry_delta: Option<Blocks>,
    /// Smallest HTLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub htlc_minimum_msat: Option<Msat>,
    /// Largest HTLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub htlc_maximum_msat: Option<Msat>,
    /// Whether it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl TermsChange {
    /// Takes a later change in: what it says counts, and else what was said before.
    pub fn change(&mut self, later: Self) {
        *self = Self {
            fee_base_msat: later.fee_base_msat.or(self.fee_base_msat),
            fee_proportional_millionths: later
                .fee_proportional_millionths
                .or(self.fee_proportional_millionths),
            cltv_expiry_delta: later.cltv_expiry_delta.or(self.cltv_expiry_delta),
            htlc_minimum_msat: later.htlc_minimum_msat.or(self.htlc_minimum_msat),
            htlc_maximum_msat: later.htlc_maximum_msat.or(self.htlc_maximum_msat),
            enabled: later.enabled.or(self.enabled),
        };
    }

    /// What holds then. Where nothing was announced, what isn't said asks for nothing.
    fn on(&self, announced: Option<&Policy>) -> Policy {
        let free = Policy {
            enabled: true,
            fee_base_msat: Msat::ZERO,
            fee_rate: Ppm(0),
            cltv_delta: Blocks(0),
            htlc_minimum_msat: Msat::ZERO,
            htlc_maximum_msat: Msat(u64::MAX),
        };
        let old = announced.unwrap_or(&free);
        Policy {
            enabled: self.enabled.unwrap_or(old.enabled),
            fee_base_msat: self.fee_base_msat.unwrap_or(old.fee_base_msat),
            fee_rate: self.fee_proportional_millionths.unwrap_or(old.fee_rate),
            cltv_delta: self.cltv_expiry_delta.unwrap_or(old.cltv_delta),
            htlc_minimum_msat: self.htlc_minimum_msat.unwrap_or(old.htlc_minimum_msat),
            htlc_maximum_msat: self.htlc_maximum_msat.unwrap_or(old.htlc_maximum_msat),
        }
    }
}

/// What one caller counts with beside what is announced and learned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layer {
    /// How directions are favoured: see [`BIAS_MAX`]. What a hop costs, its fee, its delay and its
    /// chance to fail, counts e^(−bias × ln 30 / 100) times where ways are compared by all of that:
    /// 1/30 with 100, 30 with −100. Fees that are paid, limits and probabilities are what they are.
    /// A minimum above what arrives counts by what it is above. All biases of a direction, and of
    /// the nodes at its ends, are summed up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub biases: Vec<(ChannelDirection, i8)>,
    /// How all directions of nodes are favoured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_biases: Vec<(NodeId, NodeBias)>,
    /// What is known of the liquidity of directions, in the order in which it was found out. It
    /// narrows what was learned, and holds in its place where both can't be. Of our own channels
    /// it counts for nothing: what they can spend is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub informed: Vec<(ChannelDirection, Informed)>,
    /// What is in flight on directions beside what the engine knows of. All of it is summed up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<(ChannelDirection, Msat)>,
    /// Channels that are not announced. The first of one id counts; one that is announced after all
    /// counts as announced. Those of the source are first hops, for free.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Other terms of announced channels, and the terms of those in `channels`: without any, a
    /// direction of them can't be used. Of several for one direction all count, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<(ChannelDirection, TermsChange)>,
}

impl Layer {
    /// Whether nothing is different with it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the graph is another one with it.
    pub(crate) fn changes_graph(&self) -> bool {
        !self.channels.is_empty() || !self.terms.is_empty()
    }

    /// One of its channels.
    pub(crate) fn channel(&self, scid: ShortChannelId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.short_channel_id == scid)
    }

    /// What holds for a direction that this was announced for.
    pub(crate) fn policy(
        &self,
        direction: ChannelDirection,
        announced: Option<&Policy>,
    ) -> Option<Policy> {
        let changes = self.terms.iter().filter(|(way, _)| *way == direction);
        changes.fold(announced.cloned(), |policy, (_, change)| Some(change.on(policy.as_ref())))
    }
}

/// A layer as it is looked up.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    biases: BTreeMap<ChannelDirection, i32>,
    nodes: BTreeMap<NodeId, [i32; 2]>,
    /// By channel: what was found out of one direction tells of the other.
    informed: BTreeMap<ShortChannelId, Vec<(Direction, Informed)>>,
    reserved: BTreeMap<ChannelDirection, Msat>,
}

impl Lookup {
    pub(crate) fn new(layer: &Layer) -> Self {
        let mut lookup = Self::default();
        let known = |bias: i8| i32::from(bias.clamp(-BIAS_MAX, BIAS_MAX));
        for (direction, bias) in &layer.biases {
            let sum = lookup.biases.entry(*direction).or_default();
            *sum = sum.saturating_add(known(*bias));
        }
        for (node, NodeBias { into, out }) in &layer.node_biases {
            let sums = lookup.nodes.entry(*node).or_default();
            for (sum, bias) in sums.iter_mut().zip([into, out]) {
                *sum = sum.saturating_add(known(*bias));
            }
        }
        lookup.biases.retain(|_, sum| *sum != 0);
        lookup.nodes.retain(|_, sums| *sums != [0, 0]);
        for (ChannelDirection { scid, direction }, informed) in &layer.informed {
            lookup.informed.entry(*scid).or_default().push((*direction, *informed));
        }
        for (direction, msat) in &layer.reserved {
            let sum = lookup.reserved.entry(*direction).or_default();
            *sum = Msat(sum.0.saturating_add(msat.0));
        }
        lookup
    }

    /// Whether nothing is said of liquidity.
    pub(crate) fn is_silent(&self) -> bool {
        self.informed.is_empty() && self.reserved.is_empty()
    }

    /// Whether any direction is favoured or disfavoured.
    pub(crate) fn is_biased(&self) -> bool {
        !self.biases.is_empty() || !self.nodes.is_empty()
    }

    /// The bias of a direction between these nodes.
    pub(crate) fn bias(&self, direction: ChannelDirection, (from, to): (&NodeId, &NodeId)) -> i8 {
        let own = self.biases.get(&direction).copied().unwrap_or(0);
        let of = |node, which: usize| self.nodes.get(node).map_or(0, |sums| sums[which]);
        let sum = own.saturating_add(of(to, 0)).saturating_add(of(from, 1));
        let bias = sum.clamp(i32::from(-BIAS_MAX), i32::from(BIAS_MAX));
        i8::try_from(bias).expect("100 fits into 8 bits")
    }

    pub(crate) fn reserved(&self, direction: ChannelDirection) -> Msat {
        self.reserved.get(&direction).copied().unwrap_or(Msat::ZERO)
    }

    /// Bounds with what the caller says, and how much it says that passes.
    pub(crate) fn narrowed(
        &self,
        direction: ChannelDirection,
        capacity: Msat,
        known: Bounds,
    ) -> (Bounds, Msat) {
        let informed = self.informed.get(&direction.scid).map_or(&[][..], Vec::as_slice);
        let (Bounds { mut lo, mut hi }, mut passes) = (known, Msat::ZERO);
        for (way, informed) in informed {
            let is_ours = *way == direction.direction;
            let more = |bound: Msat, by: Msat| Msat(bound.0.saturating_add(by.0)).min(capacity);
            match *informed {
                Informed::AtLeast(msat) if is_ours => {
                    lo = lo.max(msat.min(capacity));
                    hi = hi.max(lo);
                    passes = lo;
                }
                Informed::AtMost(msat) if is_ours => {
                    hi = hi.min(msat);
                    lo = lo.min(hi);
                    passes = passes.min(hi);
                }
                Informed::AtLeast(_) | Informed::AtMost(_) => {}
                Informed::Moved(msat) if is_ours => {
                    [lo, hi, passes] = [lo, hi, passes].map(|it| it.saturating_sub(msat));
                }
                Informed::Moved(msat) => (lo, hi) = (more(lo, msat), more(hi, msat)),
            }
        }
        (Bounds { lo, hi }, passes)
    }
}
