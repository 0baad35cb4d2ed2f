//! How reports of parts change what is known.

use super::{Ceiling, Knowledge, Way, twin_of};
use crate::{Hop, Route};
use payecs_units::{ChannelDirection, Msat, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a hop refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopFailure {
    /// Too little liquidity (`temporary_channel_failure`).
    LiquidityLack,
    /// The channel is down, or refuses what its policy allows (`channel_disabled`,
    /// `unknown_next_peer` and the like).
    DisabledOrPolicy,
    /// It asks for other terms than the part kept, and said which: with those it may be tried
    /// again, so nothing is learned of it.
    OtherTerms,
    /// The node as a whole failed (`temporary_node_failure` and the like).
    Node,
}

/// Where a part failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedAt {
    /// The near end of the hop `index` (`Hop::from`) refused to send over it.
    Hop {
        /// Which hop of the route, from 0. Beyond the route it counts as [`FailedAt::Unreadable`].
        index: usize,
        /// Why.
        kind: HopFailure,
    },
    /// The payee refused: the part had crossed every hop.
    Destination,
    /// It can't be told where: nothing is learned.
    Unreadable,
}

impl Knowledge {
    /// A part left on `route`: reserves its amounts until [`Knowledge::paid`] or
    /// [`Knowledge::failed`].
    pub fn sent(&mut self, route: &Route) {
        self.bump();
        for hop in &route.hops {
            let mut way = self.ways.get(hop.short_channel_id_dir);
            way.in_flight = Msat(way.in_flight.0.saturating_add(hop.amount_msat.0));
            self.ways.set(hop.short_channel_id_dir, way);
        }
    }

    /// The part on `route` arrived: its liquidity moved to the far ends.
    pub fn paid(&mut self, route: &Route, now: Timestamp) {
        self.release(route);
        for hop in &route.hops {
            self.shift(hop.short_channel_id_dir, hop.amount_msat, now);
        }
        self.evict();
    }

    /// The part on `route` came back: the hops it had crossed could carry it, and of the one that
    /// refused is known why.
    pub fn failed(&mut self, route: &Route, at: FailedAt, now: Timestamp) {
        self.release(route);
        let crossed = match at {
            FailedAt::Hop { index, .. } if index < route.hops.len() => index,
            FailedAt::Hop { .. } | FailedAt::Unreadable => 0,
            FailedAt::Destination => route.hops.len(),
        };
        for hop in &route.hops[..crossed] {
            self.carried(hop.short_channel_id_dir, hop.amount_msat, now);
        }
        if let FailedAt::Hop { index, kind } = at
            && let Some(hop) = route.hops.get(index)
        {
            self.refused(hop, kind, now);
        }
        self.evict();
    }

    /// The direction announced another policy: it may be tried again.
    pub fn policy_changed(&mut self, direction: ChannelDirection) {
        let way = self.ways.get(direction);
        if way.disabled_until.is_some() {
            self.ways.set(direction, Way { disabled_until: None, ..way });
            self.bump();
        }
    }

    pub(super) fn bump(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    /// Takes back what [`Knowledge::sent`] reserved.
    fn release(&mut self, route: &Route) {
        self.bump();
        for hop in &route.hops {
            let way = self.ways.get(hop.short_channel_id_dir);
            let in_flight = way.in_flight.saturating_sub(hop.amount_msat);
            self.ways.set(hop.short_channel_id_dir, Way { in_flight, ..way });
        }
    }

    /// `amount` could pass, and is back where it was.
    fn carried(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let way = self.ways.get(direction);
        let mut known = way.learned.unwrap_or_default();
        known.raise(amount, now, self.config.half_life_ms());
        self.ways.set(direction, Way { learned: Some(known), ..way });
    }

    /// `amount` passed and stays on the other side.
    fn shift(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let half_life_ms = self.config.half_life_ms();
        let way = self.ways.get(direction);
        if let Some(mut known) = way.learned {
            known.lo = known.lo.saturating_sub(amount);
            known.ceiling = known.ceiling.filter(|ceiling| amount <= ceiling.hi);
            if let Some(ceiling) = &mut known.ceiling {
                ceiling.hi = ceiling.hi.saturating_sub(amount);
            }
            self.ways.set(direction, Way { learned: Some(known), ..way });
        }
        let way = self.ways.get(twin_of(direction));
        let mut twin = way.learned.unwrap_or_default();
        let raised = |msat: Msat| Msat(msat.0.saturating_add(amount.0));
        (twin.lo, twin.lo_at) = (raised(twin.lo_now(now, half_life_ms)), now);
        if let Some(ceiling) = &mut twin.ceiling {
            for msat in [&mut ceiling.hi, &mut ceiling.refused, &mut ceiling.refused_most] {
                *msat = raised(*msat);
            }
        }
        self.ways.set(twin_of(direction), Way { learned: Some(twin), ..way });
    }

    fn refused(&mut self, hop: &Hop, kind: HopFailure, now: Timestamp) {
        let direction = hop.short_channel_id_dir;
        let until = now.after(self.config.disabled_for);
        match kind {
            HopFailure::LiquidityLack => self.lacked(direction, hop.amount_msat, now),
            HopFailure::DisabledOrPolicy => {
                let way = self.ways.get(direction);
                self.ways.set(direction, Way { disabled_until: Some(until), ..way });
            }
            HopFailure::OtherTerms => {}
            HopFailure::Node => {
                self.disabled_nodes.insert(hop.from, until);
            }
        }
    }

    /// `amount` could not pass on top of what else we had on it.
    fn lacked(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let way = self.ways.get(direction);
        let hi = Msat(way.in_flight.0.saturating_add(amount.0).saturating_sub(1));
        let fresh = Ceiling { hi, refused: amount, refused_most: amount, at: now };
        let mut known = way.learned.unwrap_or_default();
        known.lower(fresh, self.config.half_life_ms());
        self.ways.set(direction, Way { learned: Some(known), ..way });
    }

    /// Forgets the oldest beyond `entries_max`.
    pub(super) fn evict(&mut self) {
        let max = usize::try_from(self.config.entries_max).unwrap_or(usize::MAX);
        if self.ways.learned_count() > max {
            let learned = self.ways.iter().filter_map(|(direction, way)| {
                way.learned.map(|learned| (learned.learned_at(), direction))
            });
            for direction in oldest(learned, max) {
                let way = self.ways.get(direction);
                self.ways.set(direction, Way { learned: None, ..way });
            }
        }
        if self.ways.disabled_count() > max {
            let disabled = self
                .ways
                .iter()
                .filter_map(|(direction, way)| way.disabled_until.map(|until| (until, direction)));
            for direction in oldest(disabled, max) {
                let way = self.ways.get(direction);
                self.ways.set(direction, Way { disabled_until: None, ..way });
            }
        }
        if self.disabled_nodes.len() > max {
            let disabled = self.disabled_nodes.iter().map(|(node, until)| (*until, *node));
            for node in oldest(disabled, max) {
                self.disabled_nodes.remove(&node);
            }
        }
    }
}

impl Ceiling {
    /// What is left of it once `amount` has passed: all that was refused above.
    pub(super) fn above(self, amount: Msat) -> Option<Self> {
        let refused = self.refused.max(Msat(amount.0.checked_add(1)?));
        let hi = if amount <= self.hi { self.hi } else { self.refused_most };
        (refused <= self.refused_most).then_some(Self { hi, refused, ..self })
    }
}

/// The oldest, so many that 7/8 of `max` are left: so that they aren't sorted at each report.
fn oldest<K: Ord>(ages: impl Iterator<Item = (Timestamp, K)>, max: usize) -> Vec<K> {
    let mut ages: Vec<(Timestamp, K)> = ages.collect();
    ages.sort_unstable();
    ages.truncate(ages.len().saturating_sub(max - max / 8));
    ages.into_iter().map(|(_, key)| key).collect()
}
