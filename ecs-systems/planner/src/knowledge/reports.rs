//! What others say of liquidity, and what this knowledge says to others.

use super::{Ceiling, DECAYED_HALF_LIVES, Knowledge, Learned, Way};
use crate::cost::decayed;
use payecs_units::{ChannelDirection, Msat, Timestamp};
use serde::{Deserialize, Serialize};

/// What was seen of the liquidity of one direction at a moment, whoever saw it. HTLCs of whoever
/// saw it count as if they were not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiquidityReport {
    /// Which one.
    pub short_channel_id_dir: ChannelDirection,
    /// This much could pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_msat: Option<Msat>,
    /// No more than this could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_msat: Option<Msat>,
    /// When it was so.
    pub at: Timestamp,
}

impl Knowledge {
    /// Takes reports: each bound counts as if it had been learned at its moment, and decays from
    /// then on. So where two bounds can't both be, the younger holds; of two minimums that which
    /// has more left; of two maximums less than a half-life apart the smaller, as of the younger
    /// moment, else the younger. The same again changes nothing. A moment that has not come counts
    /// as `now`; what is older than [`DECAYED_HALF_LIVES`] is left out.
    ///
    /// A maximum forbids every HTLC above it within the half-life, as a refusal of one does.
    pub fn told(&mut self, reports: &[LiquidityReport], now: Timestamp) {
        self.bump();
        let half_life_ms = self.config.half_life_ms();
        for report in reports {
            let at = report.at.min(now);
            if self.is_decayed(at, now) {
                continue;
            }
            let way = self.ways.get(report.short_channel_id_dir);
            let mut known = way.learned.unwrap_or_default();
            if let Some(hi) = report.maximum_msat {
                let refused = Msat(hi.0.saturating_add(1));
                let ceiling = Ceiling { hi, refused, refused_most: refused, at };
                known.lower(ceiling, half_life_ms);
            }
            if let Some(lo) = report.minimum_msat.filter(|lo| *lo > Msat::ZERO) {
                known.raise(lo, at, half_life_ms);
            }
            let learned = Some(known).filter(|known| *known != Learned::default());
            self.ways.set(report.short_channel_id_dir, Way { learned, ..way });
        }
        self.evict();
    }

    /// What was learned of a direction itself and has not decayed: bounds as they were then, not
    /// relaxed. One report where both are of the same moment, else the minimum first.
    pub fn reports(
        &self,
        direction: ChannelDirection,
        now: Timestamp,
    ) -> impl Iterator<Item = LiquidityReport> + use<> {
        let learned = self.ways.get(direction).learned.unwrap_or_default();
        let bare = |at| LiquidityReport {
            short_channel_id_dir: direction,
            minimum_msat: None,
            maximum_msat: None,
            at,
        };
        let lowest = (learned.lo > Msat::ZERO)
            .then(|| LiquidityReport { minimum_msat: Some(learned.lo), ..bare(learned.lo_at) });
        let highest = learned
            .ceiling
            .map(|ceiling| LiquidityReport { maximum_msat: Some(ceiling.hi), ..bare(ceiling.at) });
        let both = match (lowest, highest) {
            (Some(lowest), Some(highest)) if lowest.at == highest.at => {
                [Some(LiquidityReport { maximum_msat: highest.maximum_msat, ..lowest }), None]
            }
            apart => [apart.0, apart.1],
        };
        let decayed = both.map(|it| it.filter(|report| !self.is_decayed(report.at, now)));
        decayed.into_iter().flatten()
    }

    /// Every direction of which something is known itself, not of its twin alone; in no order.
    pub fn directions(&self) -> impl Iterator<Item = ChannelDirection> + '_ {
        self.ways.iter().map(|(direction, _)| direction)
    }

    /// Until when a direction is to be avoided, as [`Knowledge::is_disabled`] says; `None`: it
    /// isn't.
    #[must_use]
    pub fn disabled_until(&self, direction: ChannelDirection, now: Timestamp) -> Option<Timestamp> {
        self.ways.get(direction).disabled_until.filter(|until| now < *until)
    }

    /// Whether so little is left of what was learned at a moment that it is not kept.
    fn is_decayed(&self, at: Timestamp, now: Timestamp) -> bool {
        let stays_ms = self.config.half_life_ms().saturating_mul(DECAYED_HALF_LIVES);
        now.0.saturating_sub(at.0) > stays_ms
    }
}

impl Learned {
    /// So much could pass at a moment.
    pub(super) fn raise(&mut self, amount: Msat, at: Timestamp, half_life_ms: u64) {
        let younger = self.ceiling.filter(|ceiling| ceiling.at > at);
        if younger.is_none() {
            self.ceiling = self.ceiling.and_then(|ceiling| ceiling.above(amount));
        }
        let amount = younger.map_or(amount, |ceiling| amount.min(ceiling.hi));
        let has_more = if at >= self.lo_at {
            amount >= self.lo_now(at, half_life_ms)
        } else {
            decayed(amount, self.lo_at.0.saturating_sub(at.0), half_life_ms) > self.lo
        };
        if has_more {
            (self.lo, self.lo_at) = (amount, at);
        }
    }

    /// So much could not pass at a moment.
    pub(super) fn lower(&mut self, fresh: Ceiling, half_life_ms: u64) {
        if self.lo_at > fresh.at && self.lo > fresh.hi {
            return;
        }
        let (older, younger) = match self.ceiling {
            None => (None, fresh),
            Some(old) if old.at <= fresh.at => (Some(old), fresh),
            Some(old) => (Some(fresh), old),
        };
        let still = older
            .filter(|older| younger.at.0.saturating_sub(older.at.0) < half_life_ms)
            .unwrap_or(younger);
        let ceiling = Ceiling {
            hi: younger.hi.min(still.hi),
            refused: younger.refused.min(still.refused),
            refused_most: younger.refused_most.max(still.refused_most),
            at: younger.at,
        };
        self.ceiling = Some(ceiling);
        if self.lo_at <= ceiling.at {
            self.lo = self.lo.min(ceiling.hi);
        }
    }
}
