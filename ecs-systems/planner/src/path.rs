//! A way through the net with the HTLC of each hop, and what the paths of one plan carry together.

use crate::cost::probability_ppm;
use crate::net::{Edge, Net};
use crate::wide::TRUST_WHOLE;
use crate::{Hop, Limit, Route};
use payecs_units::{Blocks, ChannelDirection, Msat, NodeId};
use std::collections::BTreeMap;

/// The HTLC on one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Htlc {
    pub(crate) amount: Msat,
    pub(crate) cltv: Blocks,
}

/// Edges in travelling order, with the HTLC on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) edges: Vec<u32>,
    pub(crate) htlcs: Vec<Htlc>,
}

impl Path {
    /// The HTLCs that deliver `amount` over `edges`: each node is left the fee it asks for, and an
    /// HTLC below a minimum is raised to it (the last one can't be). Other limits are not looked
    /// at. `None` below the last minimum, above 2⁶⁴−1 msat or 2³²−1 blocks, without an edge.
    pub(crate) fn priced(net: &Net<'_>, edges: &[u32], amount: Msat) -> Option<Self> {
        let last = net.edge(*edges.last()?);
        if amount < last.min {
            return None;
        }
        let mut htlcs = Vec::with_capacity(edges.len());
        let (mut need, mut cltv) = (amount, net.request.final_cltv_blocks);
        for edge in edges.iter().rev().map(|edge| net.edge(*edge)) {
            let amount = need.max(edge.min);
            htlcs.push(Htlc { amount, cltv });
            need = amount.checked_add(amount.forwarding_fee(edge.fee_base, edge.fee_rate)?)?;
            cltv = cltv.checked_add(edge.cltv_delta)?;
        }
        htlcs.reverse();
        Some(Self { edges: edges.to_vec(), htlcs })
    }

    pub(crate) fn amount(&self) -> Msat {
        self.htlcs.last().map_or(Msat::ZERO, |htlc| htlc.amount)
    }

    pub(crate) fn fee(&self) -> Msat {
        let sent = self.htlcs.first().map_or(Msat::ZERO, |htlc| htlc.amount);
        sent.saturating_sub(self.amount())
    }

    pub(crate) fn delay(&self) -> Blocks {
        self.htlcs.first().map_or(Blocks(0), |htlc| htlc.cltv)
    }

    /// −ln of the chance that it passes on top of `load`, in millionths; `None` where a limit of
    /// an edge forbids it.
    pub(crate) fn neg_ln_micro(&self, net: &Net<'_>, load: &Load) -> Option<u64> {
        let hops = self.edges.iter().zip(&self.htlcs);
        hops.map(|(edge, htlc)| load.takes(&net.edge(*edge), htlc.amount))
            .try_fold(0_u64, |sum, cost| sum.checked_add(cost?))
    }

    pub(crate) fn to_route(&self, net: &Net<'_>) -> Route {
        let chance = self.neg_ln_micro(net, &Load::default()).map_or(0, probability_ppm);
        let mut from = net.request.source;
        let mut hops = Vec::with_capacity(self.edges.len());
        for (edge, htlc) in self.edges.iter().zip(&self.htlcs) {
            let edge = net.edge(*edge);
            let to = net.node_id(edge.to);
            hops.push(hop(edge.direction, from, to, *htlc));
            from = to;
        }
        Route { hops, probability_ppm: chance }
    }
}

fn hop(short_channel_id_dir: ChannelDirection, from: NodeId, to: NodeId, htlc: Htlc) -> Hop {
    Hop { short_channel_id_dir, from, to, amount_msat: htlc.amount, cltv_blocks: htlc.cltv }
}

/// What the paths of one plan carry on each direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    lanes: BTreeMap<u32, (Msat, u32)>,
}

impl Load {
    pub(crate) fn of(net: &Net<'_>, paths: &[Path]) -> Self {
        let mut load = Self::default();
        for path in paths {
            for (edge, htlc) in path.edges.iter().zip(&path.htlcs) {
                let (msat, htlcs) = load.lanes.entry(net.edge(*edge).lane).or_default();
                *msat = Msat(msat.0.saturating_add(htlc.amount.0));
                *htlcs = htlcs.saturating_add(1);
            }
        }
        load
    }

    fn on(&self, edge: &Edge) -> (Msat, u32) {
        self.lanes.get(&edge.lane).copied().unwrap_or_default()
    }

    /// What is there already, ours from other plans included; `None` where a limit forbids a
    /// further HTLC of `amount`.
    pub(crate) fn room(&self, edge: &Edge, amount: Msat) -> Option<Msat> {
        let (used, htlcs) = self.on(edge);
        let within = edge.min <= amount && amount <= edge.max && amount < edge.refused;
        if edge.blocked.is_some() || !within || htlcs >= edge.slots {
            return None;
        }
        let there = edge.in_flight.checked_add(used)?;
        (there.checked_add(amount)? <= edge.bounds.hi).then_some(there)
    }

    /// −ln of the chance that an HTLC of `amount` passes on top of what is there, in millionths;
    /// `None` where a limit forbids it.
    pub(crate) fn takes(&self, edge: &Edge, amount: Msat) -> Option<u64> {
        edge.bounds.neg_ln_micro(self.room(edge, amount)?, amount)
    }

    /// The largest further HTLC, where of what is not known of the direction so much is
    /// counted on, of [`TRUST_WHOLE`].
    pub(crate) fn counts_on(&self, edge: &Edge, trust: u64) -> Msat {
        let (used, _) = self.on(edge);
        let taken = Msat(used.0.saturating_add(edge.in_flight.0));
        let unknown = edge.bounds.hi.saturating_sub(edge.bounds.lo);
        let hoped =
            u128::from(unknown.0) * u128::from(trust.min(TRUST_WHOLE)) / u128::from(TRUST_WHOLE);
        let hoped = u64::try_from(hoped).expect("a share of 64 bits is 64 bits");
        let there = Msat(edge.bounds.lo.0.saturating_add(hoped)).saturating_sub(taken);
        self.allows(edge).0.min(there)
    }

    /// The largest further HTLC, and which limit that is.
    pub(crate) fn allows(&self, edge: &Edge) -> (Msat, Limit) {
        if let Some(limit) = edge.blocked {
            return (Msat::ZERO, limit);
        }
        let (used, htlcs) = self.on(edge);
        if htlcs >= edge.slots {
            return (Msat::ZERO, Limit::Htlc);
        }
        let taken = Msat(used.0.saturating_add(edge.in_flight.0));
        let learned = edge.bounds.hi.saturating_sub(taken);
        [
            (edge.capacity.saturating_sub(used), Limit::Capacity),
            (edge.max, Limit::Htlc),
            (learned.min(edge.refused.saturating_sub(Msat(1))), Limit::Knowledge),
        ]
        .into_iter()
        .min_by_key(|(msat, _)| *msat)
        .expect("there are three limits")
    }
}

/// What all `paths` carry on each direction.
fn lanes(net: &Net<'_>, paths: &[Path]) -> Option<BTreeMap<u32, (Edge, Msat)>> {
    let mut lanes: BTreeMap<u32, (Edge, Msat)> = BTreeMap::new();
    for (edge, htlc) in paths.iter().flat_map(|path| path.edges.iter().zip(&path.htlcs)) {
        let edge = net.edge(*edge);
        let (_, sum) = lanes.entry(edge.lane).or_insert((edge, Msat::ZERO));
        *sum = sum.checked_add(htlc.amount)?;
    }
    Some(lanes)
}

/// −ln of the chance that all `paths` pass, in millionths: those that share a direction are counted
/// together on it. `None` where a limit forbids it.
pub(crate) fn joint_neg_ln_micro(net: &Net<'_>, paths: &[Path]) -> Option<u64> {
    let lanes = lanes(net, paths)?;
    let mut costs =
        lanes.values().map(|(edge, sum)| edge.bounds.neg_ln_micro(edge.in_flight, *sum));
    costs.try_fold(0_u64, |total, cost| total.checked_add(cost?))
}
