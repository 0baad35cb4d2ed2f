//! What one attempt to pay has reserved, sent, paid and got back.

use crate::chart::PostingKey;
use ecs_systems::port::{Claim, ClaimState, HoldState, PartHold};
use ecs_systems::units::{Msat, PartId};
use litemap::LiteMap;

/// One attempt to pay a hash, from its claim on.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) claim: Claim,
    /// The batch that it was claimed in.
    pub(crate) began: u64,
    pub(crate) state: ClaimState,
    pub(crate) reservation: Option<Reservation>,
    /// What of the reservation no part holds; `None`: nothing.
    pub(crate) rest: Option<Rest>,
    /// How often a rest was set aside.
    pub(crate) rests: u64,
    pub(crate) parts: LiteMap<PartId, Part>,
    /// What it paid ourselves without a channel.
    pub(crate) self_paid: Option<Msat>,
    /// Sets of ours whose preimage leaves, with parts of this payment among their HTLCs.
    pub(crate) sets_settling: u32,
}

/// What was asked to be set aside.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) amount: Msat,
    pub(crate) label: Option<String>,
}

/// A pending posting from `control:spendable`.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    pub(crate) key: PostingKey,
    pub(crate) amount: Msat,
}

/// A part and the pending postings that hold its money.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) hold: PartHold,
    pub(crate) amount_key: PostingKey,
    /// `None` where the route may keep nothing.
    pub(crate) fee_key: Option<PostingKey>,
    pub(crate) state: HoldState,
}

impl Payment {
    /// A payment that has only its claim.
    pub(crate) fn claimed(claim: Claim, began: u64) -> Self {
        Self {
            claim,
            began,
            state: ClaimState::Open,
            reservation: None,
            rest: None,
            rests: 0,
            parts: LiteMap::new(),
            self_paid: None,
            sets_settling: 0,
        }
    }

    /// Whether its hash is paid.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, ClaimState::Complete { .. })
    }

    /// What no part holds of the reservation.
    pub(crate) fn rest_amount(&self) -> Msat {
        self.rest.as_ref().map_or(Msat::ZERO, |rest| rest.amount)
    }

    /// How many parts are in that state.
    pub(crate) fn count(&self, state: HoldState) -> usize {
        self.parts.values().filter(|part| part.state == state).count()
    }

    /// The rest, and what open parts hold with their fees. It never passes what was reserved.
    pub(crate) fn set_aside(&self) -> Msat {
        let open = self.parts.values().filter(|part| part.state == HoldState::Held);
        let held = open.flat_map(|part| [part.hold.amount_msat, part.hold.fee_msat]);
        let sum = Msat::sum(held.chain([self.rest_amount()]));
        sum.expect("what is set aside of a reservation is at most the reservation")
    }

    /// What is set aside, as amount still to be paid and as fee budget.
    pub(crate) fn amount_and_fees_set_aside(&self) -> (Msat, Msat) {
        let paid = self.parts.values().filter(|part| part.state == HoldState::Paid);
        let unpaid = paid.fold(
            self.reservation.as_ref().map_or(Msat::ZERO, |reserved| reserved.amount),
            |left, part| left.saturating_sub(part.hold.amount_msat),
        );
        let all = self.set_aside();
        let amount = unpaid.min(all);
        (amount, all.saturating_sub(amount))
    }
}
