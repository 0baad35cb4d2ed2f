//! What was learned from earlier payments: bounds on liquidity, what is in flight, what to avoid.

mod learn;
mod reports;
mod image;
mod ways;
#[cfg(test)]
mod tests;

pub use image::{DECAYED_HALF_LIVES, KnowledgeImage};
pub use learn::{FailedAt, HopFailure};
pub use reports::LiquidityReport;

use crate::cost::{Bounds, decayed};
use crate::{Graph, Hop, Route};
use payecs_units::{ChannelDirection, Msat, NodeId, Seconds, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use ways::{Way, Ways};

/// How long and how much to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeConfig {
    /// An upper bound holds as it is for this long, then half of the way back to ignorance is gone,
    /// and so on; a lower bound shrinks by half in it. Default 1 h. 0 counts as 1 ms.
    pub half_life: Seconds,
    /// How long a direction or node that refused for another cause than liquidity is avoided.
    /// Default 30 min.
    pub disabled_for: Seconds,
    /// Most directions, and most disabled directions or nodes, that are remembered: beyond it the
    /// oldest goes. Default 100 000.
    pub entries_max: u32,
}

impl Default for KnowledgeConfig {
    fn default() -> Self {
        Self { half_life: Seconds(3_600), disabled_for: Seconds(1_800), entries_max: 100_000 }
    }
}

impl KnowledgeConfig {
    fn half_life_ms(&self) -> u64 {
        self.half_life.0.saturating_mul(1_000).max(1)
    }
}

/// The liquidity known of each direction, and our HTLCs on it. Shared between payments; to persist
/// it, serialise it.
///
/// Report every part: [`Knowledge::sent`] once when it leaves, then [`Knowledge::paid`] or
/// [`Knowledge::failed`] once with the same route. Repeating a report counts it twice.
///
/// The liquidity of a direction is what its near end could send if none of our HTLCs were on it.
/// Knowledge of one direction is knowledge of its twin: what the one end has not, the other has.
///
/// A clone is cheap: it shares what neither of the two changes afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    config: KnowledgeConfig,
    version: u64,
    ways: Ways,
    disabled_nodes: BTreeMap<NodeId, Timestamp>,
}

/// What was seen of one direction, as it was then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Learned {
    /// This much could pass at `lo_at`.
    lo: Msat,
    lo_at: Timestamp,
    ceiling: Option<Ceiling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ceiling {
    /// No more than this could pass at `at`, all our HTLCs together.
    hi: Msat,
    /// The least single HTLC that was refused.
    refused: Msat,
    /// The greatest that was: what passes below it says nothing of it.
    #[serde(default)]
    refused_most: Msat,
    at: Timestamp,
}

/// All that is known of a direction at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) bounds: Bounds,
    /// The least single HTLC that it refused lately.
    pub(crate) refused: Option<Msat>,
    pub(crate) in_flight: Msat,
    pub(crate) disabled: bool,
}

impl Learned {
    fn learned_at(&self) -> Timestamp {
        self.lo_at.max(self.ceiling.map_or(Timestamp(0), |ceiling| ceiling.at))
    }

    fn lo_now(&self, now: Timestamp, half_life_ms: u64) -> Msat {
        decayed(self.lo, now.0.saturating_sub(self.lo_at.0), half_life_ms)
    }

    /// The upper bound on a channel of this capacity: held for a half-life, then relaxing.
    fn hi_now(&self, capacity: Msat, now: Timestamp, half_life_ms: u64) -> Option<Msat> {
        let ceiling = self.ceiling?;
        let age_ms = now.0.saturating_sub(ceiling.at.0);
        if age_ms < half_life_ms {
            return Some(ceiling.hi.min(capacity));
        }
        let distance = capacity.saturating_sub(ceiling.hi);
        Some(capacity.saturating_sub(decayed(distance, age_ms, half_life_ms)))
    }
}

impl Knowledge {
    /// Knows nothing.
    #[must_use]
    pub fn new(config: KnowledgeConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// How long and how much it remembers.
    #[must_use]
    pub fn config(&self) -> &KnowledgeConfig {
        &self.config
    }

    /// Goes up at each change: a plan made with another version is stale.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many directions something was learned about.
    #[must_use]
    pub fn directions_count(&self) -> usize {
        self.ways.learned_count()
    }

    /// What we have in flight on a direction.
    #[must_use]
    pub fn in_flight(&self, direction: ChannelDirection) -> Msat {
        self.ways.get(direction).in_flight
    }

    /// All of our HTLCs in flight, summed over the hops they are on; 2⁶⁴−1 msat if more.
    #[must_use]
    pub fn in_flight_total(&self) -> Msat {
        let flying = self.ways.iter().map(|(_, way)| way.in_flight);
        Msat::sum(flying).unwrap_or(Msat(u64::MAX))
    }

    /// All that is known of a direction of a channel of `capacity`.
    pub(crate) fn of(&self, direction: ChannelDirection, capacity: Msat, now: Timestamp) -> Known {
        let Some([own, twin]) = self.ways.both(direction) else {
            let bounds = Bounds { lo: Msat::ZERO, hi: capacity };
            return Known { bounds, refused: None, in_flight: Msat::ZERO, disabled: false };
        };
        let half_life_ms = self.config.half_life_ms();
        Known {
            bounds: bounds([own.learned, twin.learned], capacity, now, half_life_ms),
            refused: own.refused_from(now, half_life_ms),
            in_flight: own.in_flight,
            disabled: own.is_disabled(now),
        }
    }

    /// What is known of a direction of a channel of `capacity`, relaxed from when it was learned
    /// to `now`; rounded to the worse side. Where two reports contradict, the younger holds.
    #[must_use]
    pub fn bounds(&self, direction: ChannelDirection, capacity: Msat, now: Timestamp) -> Bounds {
        self.of(direction, capacity, now).bounds
    }

    /// The least single HTLC that this direction refused within the half-life: nothing as large
    /// should be tried. `None` where nothing was refused.
    #[must_use]
    pub fn refused_from(&self, direction: ChannelDirection, now: Timestamp) -> Option<Msat> {
        self.ways.get(direction).refused_from(now, self.config.half_life_ms())
    }

    /// Whether a direction is to be avoided since it refused for its policy, or was down.
    #[must_use]
    pub fn is_disabled(&self, direction: ChannelDirection, now: Timestamp) -> bool {
        self.ways.get(direction).is_disabled(now)
    }

    /// Whether a node is to be avoided since it failed as a whole.
    #[must_use]
    pub fn is_node_disabled(&self, node: &NodeId, now: Timestamp) -> bool {
        self.disabled_nodes.get(node).is_some_and(|until| now < *until)
    }

    /// Whether no plan would have this route: a hop of it refused as much or less within the
    /// half-life, or it or a node between is to be avoided.
    #[must_use]
    pub fn forbids(&self, route: &Route, now: Timestamp) -> bool {
        let refused = |hop: &Hop| {
            let least = self.refused_from(hop.short_channel_id_dir, now);
            least.is_some_and(|least| least <= hop.amount_msat)
                || self.is_disabled(hop.short_channel_id_dir, now)
        };
        let between = || route.hops.iter().skip(1).map(|hop| &hop.from);
        route.hops.iter().any(refused) || between().any(|node| self.is_node_disabled(node, now))
    }

    /// Whether these routes together, beside what is in flight now, need more of a channel between
    /// others than can be there: no plan would have all of them.
    #[must_use]
    pub fn overfilled_by(&self, routes: &[Route], graph: &Graph, now: Timestamp) -> bool {
        let mut carried: BTreeMap<ChannelDirection, u64> = BTreeMap::new();
        for hop in routes.iter().flat_map(between_others) {
            let sum = carried.entry(hop.short_channel_id_dir).or_default();
            *sum = sum.saturating_add(hop.amount_msat.0);
        }
        carried.into_iter().any(|(direction, carried)| {
            let Some(capacity) = graph.capacity(direction.scid) else { return false };
            let known = self.of(direction, capacity, now);
            known.in_flight > Msat::ZERO
                && known.in_flight.0.saturating_add(carried) > known.bounds.hi.0
        })
    }

    /// The nodes to avoid.
    pub fn disabled_nodes(&self, now: Timestamp) -> impl Iterator<Item = NodeId> + '_ {
        self.disabled_nodes.iter().filter(move |(_, until)| now < **until).map(|(node, _)| *node)
    }
}

/// What two reports of one direction and two of its twin come to, the youngest first.
fn bounds(
    [own, twin]: [Option<Learned>; 2],
    capacity: Msat,
    now: Timestamp,
    half_life_ms: u64,
) -> Bounds {
    let mut reports = [None; 4];
    if let Some(own) = own {
        let lo = own.lo_now(now, half_life_ms);
        reports[0] = Some((own.lo_at, Bounds { lo, hi: capacity }));
        reports[1] = own
            .hi_now(capacity, now, half_life_ms)
            .zip(own.ceiling)
            .map(|(hi, ceiling)| (ceiling.at, Bounds { lo: Msat::ZERO, hi }));
    }
    if let Some(twin) = twin {
        let hi = capacity.saturating_sub(twin.lo_now(now, half_life_ms));
        reports[2] = Some((twin.lo_at, Bounds { lo: Msat::ZERO, hi }));
        reports[3] =
            twin.hi_now(capacity, now, half_life_ms).zip(twin.ceiling).map(|(hi, ceiling)| {
                let lo = capacity.saturating_sub(hi);
                (ceiling.at, Bounds { lo, hi: capacity })
            });
    }
    reports.sort_by_key(|report| Reverse(report.map(|(at, _)| at)));
    let mut known = Bounds { lo: Msat::ZERO, hi: capacity };
    for (_, report) in reports.into_iter().flatten() {
        known.lo = report.lo.clamp(known.lo, known.hi);
        known.hi = report.hi.clamp(known.lo, known.hi);
    }
    known
}

/// The hops of a route but the first, and but the last where it comes back: what our own channels
/// can take is known better.
fn between_others(route: &Route) -> impl Iterator<Item = &Hop> {
    let payer = route.hops.first().map(|hop| hop.from);
    route.hops.iter().skip(1).filter(move |hop| Some(hop.to) != payer)
}

/// The other direction of the same channel.
pub(crate) fn twin_of(direction: ChannelDirection) -> ChannelDirection {
    ChannelDirection { direction: direction.direction.reversed(), ..direction }
}
