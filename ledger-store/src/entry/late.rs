//! What the node says when it contradicts itself: a part cost more than was held for it, or arrived
//! after it had failed.

use super::part::{accounts, spent, transfers};
use super::{Writer, above_64_bits, named, part_named, posted};
use crate::chart::Account;
use crate::journal::{Transfer, broken};
use crate::payment::{Part, Payment};
use ecs_systems::port::{ClaimState, HoldState, LedgerError, PaymentRef};
use ecs_systems::units::{Msat, PartId, Preimage};

impl Writer<'_> {
    /// `expenses:fee:…` ← the part's channel, on top of what was posted.
    pub(super) fn overspend(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
        amount: Msat,
        circular: bool,
    ) -> Result<(), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        let part = part_in(&mut paying, part_id, HoldState::Paid)?.clone();
        let [_, debit] = accounts(circular);
        let channel = Account::Channel(part.hold.short_channel_id);
        let transfer = Transfer {
            payment: Some(*payment),
            part_id: Some(part_id),
            began: circular.then_some(paying.began),
            ..posted("overspend", debit, channel, amount)
        };
        self.post_from_rest(&mut paying, &[transfer])?;
        self.note_spend(&paying, amount);
        self.put(paying);
        Ok(())
    }

    /// Posts amount and fee of a part that was voided. Where its payment is over, nothing more is
    /// awaited to come back: what went around is made even at once.
    pub(super) fn late_part(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
        fee: Msat,
        circular: bool,
    ) -> Result<(), LedgerError> {
        let mut paying = self.own_payment(payment)?.clone();
        match &mut paying.state {
            ClaimState::Open => {}
            ClaimState::Complete { fee_msat, .. } => {
                *fee_msat = fee_msat.checked_add(fee).ok_or_else(above_64_bits)?;
            }
            ClaimState::Failed => return Err(broken(format!("{} has failed", named(payment)))),
        }
        let part = part_in(&mut paying, part_id, HoldState::Void)?;
        part.state = HoldState::Paid;
        let part = part.clone();
        let transfers = transfers(&paying, &part, fee, circular, ["late", "late_fee"]);
        self.post_from_rest(&mut paying, &transfers)?;
        self.note_spend(&paying, spent(&part.hold, fee, circular)?);
        let is_over = paying.state != ClaimState::Open;
        let began = paying.began;
        self.put(paying);
        if is_over {
            self.level_self(payment, began, Some(part_id))?;
        }
        Ok(())
    }

    /// Makes a failed payment complete.
    pub(super) fn prove(
        &mut self,
        payment: &PaymentRef,
        preimage: &Preimage,
    ) -> Result<(), LedgerError> {
        let mut paying = self.own_payment(payment)?.clone();
        if preimage.hash() != payment.payment_hash {
            return Err(broken(format!("{}: the preimage is of another hash", named(payment))));
        }
        match paying.state {
            ClaimState::Open => return Err(broken(format!("{} still runs", named(payment)))),
            ClaimState::Complete { .. } => return Ok(()),
            ClaimState::Failed => {}
        }
        paying.state = ClaimState::Complete { preimage: *preimage, fee_msat: Msat::ZERO };
        self.put(paying);
        self.let_the_complete_one_count(*payment);
        Ok(())
    }

    /// Where the latest claim on the hash has failed, and another is complete, that one counts.
    pub(super) fn let_the_complete_one_count(&mut self, of: PaymentRef) {
        let hash = of.payment_hash;
        if self.counting(&hash).is_some_and(|latest| latest.state != ClaimState::Failed) {
            return;
        }
        let before = self.dossier(&hash).into_iter().flat_map(|dossier| dossier.payments.values());
        let complete = (self.written.payments.values().chain(before))
            .map(|paying| paying.claim.payment)
            .filter(|other| other.payment_hash == hash)
            .find(|other| self.payment(other).is_some_and(Payment::is_complete));
        if let Some(complete) = complete {
            self.written.latest.insert(hash, complete);
        }
    }

    /// Posts what nothing was held for; what the payment has still set aside covers it first.
    fn post_from_rest(
        &mut self,
        paying: &mut Payment,
        transfers: &[Transfer],
    ) -> Result<(), LedgerError> {
        let sum = Msat::sum(transfers.iter().map(|it| it.amount)).ok_or_else(above_64_bits)?;
        let left = paying.rest_amount().saturating_sub(sum);
        self.void_rest(paying)?;
        self.transfer_all(transfers)?;
        self.set_rest(paying, left)
    }
}

/// The part of a payment, if it is in that state.
fn part_in(
    paying: &mut Payment,
    part_id: PartId,
    state: HoldState,
) -> Result<&mut Part, LedgerError> {
    let name = part_named(&paying.claim.payment, part_id);
    let part = paying.parts.get_mut(&part_id).filter(|part| part.state == state);
    part.ok_or_else(|| broken(format!("{name} is not {state:?}")))
}
