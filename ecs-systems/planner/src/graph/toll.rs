//! What an arc costs at least, in 20 bytes: read of every arc that a search comes by.

use super::ArcFacts;
use crate::cost::{delay_at_least, forwarding_fee};
use payecs_units::{Blocks, Msat};

/// Binary places that the room of an arc is told without.
const ROOM_SHIFT: u32 = 10;
/// Nothing goes that way.
const CLOSED: u16 = u16::MAX;

/// An arc as one of its ends sees it. What doesn't fit is told smaller where it costs, and larger
/// where it limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Toll {
    /// The node at the other end.
    pub(crate) far: u32,
    base_msat: u32,
    rate_ppm: u32,
    /// Largest HTLC, in units of 2^[`ROOM_SHIFT`] msat, rounded up.
    room: u32,
    cltv_delta: u16,
}

impl Toll {
    pub(super) const CLOSED: Self =
        Self { far: 0, base_msat: 0, rate_ppm: 0, room: 0, cltv_delta: CLOSED };

    pub(super) fn of(far: u32, facts: &ArcFacts) -> Self {
        let Some(policy) = facts.policy.as_ref().filter(|policy| policy.enabled) else {
            return Self { far, ..Self::CLOSED };
        };
        let most = policy.htlc_maximum_msat.min(facts.capacity);
        Self {
            far,
            base_msat: u32::try_from(policy.fee_base_msat.0).unwrap_or(u32::MAX),
            rate_ppm: policy.fee_rate.0,
            room: u32::try_from((most.0 >> ROOM_SHIFT) + 1).unwrap_or(u32::MAX),
            cltv_delta: u16::try_from(policy.cltv_delta.0).unwrap_or(CLOSED - 1).min(CLOSED - 1),
        }
    }

    /// Whether an HTLC of `amount` may fit.
    pub(crate) fn is_open_for(&self, amount: Msat) -> bool {
        let fits = self.room == u32::MAX || amount.0 >> ROOM_SHIFT <= u64::from(self.room);
        fits && self.is_announced()
    }

    /// Whether something goes that way.
    pub(crate) fn is_announced(&self) -> bool {
        self.cltv_delta != CLOSED
    }

    /// No larger HTLC fits.
    pub(crate) fn most(&self) -> Msat {
        if self.room == u32::MAX {
            return Msat(u64::MAX);
        }
        Msat((u64::from(self.room) + 1) << ROOM_SHIFT)
    }

    /// What is asked for forwarding `amount`; `None` above 2⁶⁴−1 msat.
    pub(crate) fn fee(&self, amount: Msat) -> Option<u64> {
        forwarding_fee(amount.0, self.base_msat, self.rate_ppm)
    }

    /// What is asked for `amount`, and what the delay costs at such a rate at least; `None` above
    /// 2⁶⁴−1 msat.
    pub(crate) fn least(&self, amount: Msat, delay_rate_q32: u64) -> Option<u64> {
        let waiting = delay_at_least(delay_rate_q32, self.cltv_delta());
        self.fee(amount)?.checked_add(waiting)
    }

    pub(crate) fn cltv_delta(&self) -> Blocks {
        Blocks(self.cltv_delta.into())
    }
}
