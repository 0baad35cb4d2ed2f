//! How reports of parts change what is known.

use super::{Ceiling, Knowledge, Learned, twin_of};
use crate::{Hop, Route};
use payecs_units::{ChannelDirection, Msat, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a hop refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopFailure {
    /// Too little liquidity (`temporary_channel_failure`).
    LiquidityLack,
    /// The channel is down or its policy is another than ours (`channel_disabled`,
    /// `fee_insufficient`, `incorrect_cltv_expiry`, `unknown_next_peer` and the like).
    DisabledOrPolicy,
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
            let sum = self.in_flight.entry(hop.short_channel_id_dir).or_default();
            *sum = Msat(sum.0.saturating_add(hop.amount_msat.0));
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
        if self.disabled.remove(&direction).is_some() {
            self.bump();
        }
    }

    fn bump(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    /// Takes back what [`Knowledge::sent`] reserved.
    fn release(&mut self, route: &Route) {
        self.bump();
        for hop in &route.hops {
            let direction = hop.short_channel_id_dir;
            let left = self.in_flight(direction).saturating_sub(hop.amount_msat);
            if left == Msat::ZERO {
                self.in_flight.remove(&direction);
            } else {
                self.in_flight.insert(direction, left);
            }
        }
    }

    /// `amount` could pass, and is back where it was.
    fn carried(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let half_life_ms = self.config.half_life_ms();
        let known = self.learned.entry(direction).or_default();
        if amount >= known.lo_now(now, half_life_ms) {
            (known.lo, known.lo_at) = (amount, now);
        }
        if known.ceiling.is_some_and(|ceiling| ceiling.hi < amount || ceiling.refused <= amount) {
            known.ceiling = None;
        }
    }

    /// `amount` passed and stays on the other side.
    fn shift(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let half_life_ms = self.config.half_life_ms();
        if let Some(known) = self.learned.get_mut(&direction) {
            known.lo = known.lo.saturating_sub(amount);
            known.ceiling = known.ceiling.filter(|ceiling| amount <= ceiling.hi);
            if let Some(ceiling) = &mut known.ceiling {
                ceiling.hi = ceiling.hi.saturating_sub(amount);
            }
        }
        let twin: &mut Learned = self.learned.entry(twin_of(direction)).or_default();
        let raised = |msat: Msat| Msat(msat.0.saturating_add(amount.0));
        (twin.lo, twin.lo_at) = (raised(twin.lo_now(now, half_life_ms)), now);
        if let Some(ceiling) = &mut twin.ceiling {
            (ceiling.hi, ceiling.refused) = (raised(ceiling.hi), raised(ceiling.refused));
        }
    }

    fn refused(&mut self, hop: &Hop, kind: HopFailure, now: Timestamp) {
        let direction = hop.short_channel_id_dir;
        let until = now.after(self.config.disabled_for);
        match kind {
            HopFailure::LiquidityLack => self.lacked(direction, hop.amount_msat, now),
            HopFailure::DisabledOrPolicy => {
                self.disabled.insert(direction, until);
            }
            HopFailure::Node => {
                self.disabled_nodes.insert(hop.from, until);
            }
        }
    }

    /// `amount` could not pass on top of what else we had on it.
    fn lacked(&mut self, direction: ChannelDirection, amount: Msat, now: Timestamp) {
        let half_life_ms = self.config.half_life_ms();
        let flying = self.in_flight(direction);
        let hi = Msat(flying.0.saturating_add(amount.0).saturating_sub(1));
        let mut fresh = Ceiling { hi, refused: amount, at: now };
        let known = self.learned.entry(direction).or_default();
        if let Some(old) = known.ceiling
            && now.0.saturating_sub(old.at.0) < half_life_ms
        {
            fresh.hi = fresh.hi.min(old.hi);
            fresh.refused = fresh.refused.min(old.refused);
        }
        known.ceiling = Some(fresh);
        known.lo = known.lo.min(fresh.hi);
    }

    /// Forgets the oldest beyond `entries_max`.
    pub(super) fn evict(&mut self) {
        let max = usize::try_from(self.config.entries_max).unwrap_or(usize::MAX);
        keep_youngest(&mut self.learned, max, Learned::learned_at);
        keep_youngest(&mut self.disabled, max, |until| *until);
        keep_youngest(&mut self.disabled_nodes, max, |until| *until);
    }
}

/// Once above `max`, drops the oldest down to 7/8 of it, so that it isn't sorted at each report.
fn keep_youngest<K: Ord + Copy, V>(
    map: &mut BTreeMap<K, V>,
    max: usize,
    at: impl Fn(&V) -> Timestamp,
) {
    if map.len() <= max {
        return;
    }
    let mut ages: Vec<(Timestamp, K)> = map.iter().map(|(key, value)| (at(value), *key)).collect();
    ages.sort_unstable();
    for (_, key) in &ages[..ages.len() - (max - max / 8)] {
        map.remove(key);
    }
}
