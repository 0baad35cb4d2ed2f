//! A part arrived, or failed.

use super::{Writer, part_named};
use crate::chart::Account;
use crate::journal::{Resolution, Transfer, broken};
use crate::limit::Spend;
use crate::payment::{Part, PartState, Payment};
use ecs_systems::port::{EntryId, LedgerError, PaymentRef};
use ecs_systems::units::{Msat, PartId};

impl Writer<'_> {
    /// Posts the amount and the fee that was spent; what the route did not take returns to the
    /// rest. A circular part is voided and posted anew against `control:self` and
    /// `expenses:fee:rebalance`, since what resolves a transfer keeps its accounts.
    pub(super) fn post_part(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
        fee: Msat,
        circular: bool,
    ) -> Result<Vec<EntryId>, LedgerError> {
        let (mut paying, part) = self.open_part(payment, part_id, PartState::Paid)?;
        let hold = part.hold;
        let returned = hold.fee_msat.checked_sub(fee).ok_or_else(|| {
            let (most, name) = (hold.fee_msat, part_named(payment, part_id));
            broken(format!("{name}: fee of {fee}, {most} held"))
        })?;
        let mut ids = Vec::new();
        if circular {
            self.void_part_holds(&part, &mut ids)?;
            self.post_circular(payment, &part, fee, &mut ids)?;
        } else {
            self.resolve(&part.amount_id, Resolution::Post(hold.amount_msat), &mut ids)?;
            if let Some(fee_id) = &part.fee_id {
                let spent =
                    if fee == Msat::ZERO { Resolution::Void } else { Resolution::Post(fee) };
                self.resolve(fee_id, spent, &mut ids)?;
            }
        }
        self.return_to_rest(&mut paying, returned, &mut ids)?;
        let sent = if circular { Msat::ZERO } else { hold.amount_msat };
        let msat = sent.checked_add(fee).ok_or_else(super::above_64_bits)?;
        let label = paying.reservation.as_ref().and_then(|reserved| reserved.label.clone());
        let at = self.batch.circumstances().at;
        self.written.spends.push(Spend { at, msat, label });
        self.put(paying);
        Ok(ids)
    }

    /// Voids what the part holds; all of it returns to the rest.
    pub(super) fn void_part(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Vec<EntryId>, LedgerError> {
        let (mut paying, part) = self.open_part(payment, part_id, PartState::Void)?;
        let mut ids = Vec::new();
        self.void_part_holds(&part, &mut ids)?;
        let held = part.hold.amount_msat.checked_add(part.hold.fee_msat);
        let held = held.ok_or_else(super::above_64_bits)?;
        self.return_to_rest(&mut paying, held, &mut ids)?;
        self.put(paying);
        Ok(ids)
    }

    /// The payment with the part brought to `next`, and the part as it was.
    fn open_part(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
        next: PartState,
    ) -> Result<(Payment, Part), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        let part = paying.parts.get_mut(&part_id);
        let open = part.filter(|part| part.state == PartState::Open);
        let open = open
            .ok_or_else(|| broken(format!("{} is not under way", part_named(payment, part_id))))?;
        let before = open.clone();
        open.state = next;
        Ok((paying, before))
    }

    fn void_part_holds(&mut self, part: &Part, ids: &mut Vec<EntryId>) -> Result<(), LedgerError> {
        self.resolve(&part.amount_id, Resolution::Void, ids)?;
        match &part.fee_id {
            Some(fee_id) => self.resolve(fee_id, Resolution::Void, ids),
            None => Ok(()),
        }
    }

    fn post_circular(
        &mut self,
        payment: &PaymentRef,
        part: &Part,
        fee: Msat,
        ids: &mut Vec<EntryId>,
    ) -> Result<(), LedgerError> {
        let amount = Transfer {
            code: "rebalance",
            debit: Account::SelfPayment,
            credit: Account::Channel(part.hold.short_channel_id),
            amount: part.hold.amount_msat,
            pending: false,
            payment: Some(*payment),
            part_id: Some(part.hold.part_id),
            number: 0,
        };
        self.transfer(&amount, ids)?;
        if fee == Msat::ZERO {
            return Ok(());
        }
        let debit = Account::RebalanceFee;
        self.transfer(&Transfer { code: "rebalance_fee", debit, amount: fee, ..amount }, ids)
    }
}
