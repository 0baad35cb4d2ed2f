//! Parts leave: their share moves from the reservation to their channels.

use super::{PARTS_PER_DISPATCH_MAX, Writer, above_64_bits, named, part_named};
use crate::chart::Account;
use crate::journal::{Transfer, broken};
use crate::payment::{Part, Payment};
use ecs_systems::port::{HoldState, LedgerError, PartHold, PaymentRef};
use ecs_systems::units::{Msat, PartId, ShortChannelId};
use std::collections::BTreeMap;

impl Writer<'_> {
    /// Voids the pending rest, sets each part's amount and fee aside on its channel, and sets the
    /// new rest aside. Linked.
    ///
    /// A channel that has less than its parts want is no breach, since another payment may have
    /// been quicker: [`LedgerError::InsufficientFunds`] with that channel's figures.
    pub(super) fn dispatch(
        &mut self,
        payment: &PaymentRef,
        parts: &[PartHold],
    ) -> Result<(), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        if parts.len() > PARTS_PER_DISPATCH_MAX {
            let what = format!("{} parts, {PARTS_PER_DISPATCH_MAX} allowed", parts.len());
            return Err(broken(what));
        }
        let wants = wanted(&paying, parts)?;
        let sum = Msat::sum(wants.values().copied()).ok_or_else(above_64_bits)?;
        let rest = paying.rest_amount();
        let new_rest = rest.checked_sub(sum).ok_or_else(|| {
            broken(format!("{}: parts of {sum} exceed the rest of {rest}", named(payment)))
        })?;
        if !self.batch.is_again() {
            self.check_channels(&wants)?;
        }
        self.void_rest(&mut paying)?;
        for hold in parts {
            self.hold_part(&mut paying, *hold)?;
        }
        self.set_rest(&mut paying, new_rest)?;
        self.put(paying);
        Ok(())
    }

    fn check_channels(&self, wants: &BTreeMap<ShortChannelId, Msat>) -> Result<(), LedgerError> {
        for (channel, requested_msat) in wants {
            let balance = self.batch.balance(Account::Channel(*channel));
            let available_msat = balance
                .debits_posted_msat
                .saturating_sub(balance.credits_posted_msat)
                .saturating_sub(balance.credits_pending_msat);
            if *requested_msat > available_msat {
                let requested_msat = *requested_msat;
                return Err(LedgerError::InsufficientFunds { requested_msat, available_msat });
            }
        }
        Ok(())
    }

    fn hold_part(&mut self, paying: &mut Payment, hold: PartHold) -> Result<(), LedgerError> {
        let amount = Transfer {
            code: "part",
            debit: Account::Payment,
            credit: Account::Channel(hold.short_channel_id),
            amount: hold.amount_msat,
            pending: true,
            payment: Some(paying.claim.payment),
            part_id: Some(hold.part_id),
            began: None,
            number: 0,
        };
        let fee =
            Transfer { code: "fee", debit: Account::RoutingFee, amount: hold.fee_msat, ..amount };
        let amount_key = self.batch.transfer(&amount)?;
        let fee_key = match fee.amount {
            Msat::ZERO => None,
            Msat(_) => Some(self.batch.transfer(&fee)?),
        };
        paying
            .parts
            .insert(hold.part_id, Part { hold, amount_key, fee_key, state: HoldState::Held });
        Ok(())
    }
}

/// What the parts want of each channel.
///
/// # Errors
/// There are none, one of them is number 0 or worth nothing, or its id was used before.
fn wanted(
    paying: &Payment,
    parts: &[PartHold],
) -> Result<BTreeMap<ShortChannelId, Msat>, LedgerError> {
    let payment = &paying.claim.payment;
    if parts.is_empty() {
        return Err(broken(format!("{}: a dispatch without parts", named(payment))));
    }
    let mut wants = BTreeMap::new();
    let mut seen = Vec::with_capacity(parts.len());
    for hold in parts {
        let name = || part_named(payment, hold.part_id);
        if hold.part_id == PartId(0) {
            return Err(broken(format!("{}: parts are numbered from 1", name())));
        }
        if hold.amount_msat == Msat::ZERO {
            return Err(broken(format!("{} is worth nothing", name())));
        }
        if paying.parts.contains_key(&hold.part_id) || seen.contains(&hold.part_id) {
            return Err(broken(format!("{} was dispatched before", name())));
        }
        seen.push(hold.part_id);
        let want: &mut Msat = wants.entry(hold.short_channel_id).or_default();
        *want = want
            .checked_add(hold.amount_msat)
            .and_then(|sum| sum.checked_add(hold.fee_msat))
            .ok_or_else(above_64_bits)?;
    }
    Ok(wants)
}
