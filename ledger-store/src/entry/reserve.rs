//! Amount and fee budget are set aside, within the limits and what is there.

use super::{Writer, above_64_bits, named};
use crate::journal::broken;
use crate::limit::{self, Spend};
use crate::payment::{Payment, Reservation};
use crate::spends::LIMIT_WINDOW_MAX;
use crate::state::State;
use ecs_systems::port::{LedgerError, PaymentRef, SpendLimit};
use ecs_systems::units::Msat;

/// What is to be set aside, and within which limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) amount: Msat,
    pub(super) fee_budget: Msat,
    pub(super) label: Option<&'a str>,
    pub(super) limits: &'a [SpendLimit],
}

impl Writer<'_> {
    /// Pending `control:reserved` ← `control:spendable`. First the limits in their order, then
    /// what is there.
    pub(super) fn reserve(
        &mut self,
        payment: &PaymentRef,
        request: &Request<'_>,
    ) -> Result<(), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        let (amount, claimed) = (request.amount, paying.claim.amount_msat);
        if amount == Msat::ZERO || amount > claimed {
            let what = format!("{}: {amount} reserved of {claimed} claimed", named(payment));
            return Err(broken(what));
        }
        let requested_msat = amount.checked_add(request.fee_budget).ok_or_else(above_64_bits)?;
        if let Some(state) = self.state {
            for limit in request.limits {
                self.check_limit(state, limit, request.label, requested_msat)?;
            }
            let available_msat = self.batch.available();
            if requested_msat > available_msat {
                return Err(LedgerError::InsufficientFunds { requested_msat, available_msat });
            }
        }
        self.set_rest(&mut paying, requested_msat)?;
        paying.reservation =
            Some(Reservation { amount, label: request.label.map(ToOwned::to_owned) });
        self.put(paying);
        Ok(())
    }

    /// A limit on a label does not concern a payment without it.
    fn check_limit(
        &self,
        state: &State,
        limit: &SpendLimit,
        label: Option<&str>,
        requested: Msat,
    ) -> Result<(), LedgerError> {
        if !limit::concerns(limit, label) {
            return Ok(());
        }
        if limit.window > LIMIT_WINDOW_MAX {
            let (name, window) = (&limit.name, limit.window);
            let what = format!("limit `{name}`: a window of {window}, at most {LIMIT_WINDOW_MAX}");
            return Err(broken(what));
        }
        let now = self.batch.circumstances().at;
        let looked_at = |label: Option<&str>| limit::concerns(limit, label);
        let spends = state
            .spends_since(limit.window, now)
            .chain(&self.written.spends)
            .filter(|spend: &&Spend| looked_at(spend.label.as_deref()));
        let under_way = self.payments_under_way(state).filter(|other| {
            looked_at(other.reservation.as_ref().and_then(|it| it.label.as_deref()))
        });
        let set_aside = Msat::sum(under_way.map(Payment::set_aside)).ok_or_else(above_64_bits)?;
        limit::check(limit, now, spends, set_aside, requested)
    }

    /// Every payment that has something set aside, this batch included.
    fn payments_under_way<'s>(&'s self, state: &'s State) -> impl Iterator<Item = &'s Payment> {
        let written = &self.written.payments;
        let unchanged =
            state.payments_under_way().filter(|it| !written.contains_key(&it.claim.payment));
        unchanged.chain(written.values())
    }
}
