//! A part arrived, or failed.

use super::{Writer, above_64_bits, part_named, posted};
use crate::chart::Account;
use crate::journal::{Resolution, Transfer, broken};
use crate::payment::{Part, Payment};
use ecs_systems::port::{HoldState, LedgerError, PartHold, PaymentRef};
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
    ) -> Result<(), LedgerError> {
        let (mut paying, part) = self.open_part(payment, part_id, HoldState::Paid)?;
        let hold = part.hold;
        let returned = hold.fee_msat.checked_sub(fee).ok_or_else(|| {
            let (most, name) = (hold.fee_msat, part_named(payment, part_id));
            broken(format!("{name}: fee of {fee}, {most} held"))
        })?;
        if circular {
            self.void_part_holds(&part)?;
            let codes = ["rebalance", "rebalance_fee"];
            self.transfer_all(&transfers(&paying, &part, fee, circular, codes))?;
        } else {
            self.resolve(&part.amount_key, Resolution::Post(hold.amount_msat))?;
            if let Some(fee_key) = &part.fee_key {
                let spent =
                    if fee == Msat::ZERO { Resolution::Void } else { Resolution::Post(fee) };
                self.resolve(fee_key, spent)?;
            }
        }
        self.return_to_rest(&mut paying, returned)?;
        self.note_spend(&paying, spent(&hold, fee, circular)?);
        self.put(paying);
        Ok(())
    }

    /// Voids what the part holds; all of it returns to the rest.
    pub(super) fn void_part(
        &mut self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<(), LedgerError> {
        let (mut paying, part) = self.open_part(payment, part_id, HoldState::Void)?;
        self.void_part_holds(&part)?;
        let held = part.hold.amount_msat.checked_add(part.hold.fee_msat);
        let held = held.ok_or_else(above_64_bits)?;
        self.return_to_rest(&mut paying, held)?;
        self.put(paying);
        Ok(())
    }

    /// The payment with the part brought to `next`, and the part as it was.
    fn open_part(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
        next: HoldState,
    ) -> Result<(Payment, Part), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        let part = paying.parts.get_mut(&part_id);
        let open = part.filter(|part| part.state == HoldState::Held);
        let open = open
            .ok_or_else(|| broken(format!("{} is not under way", part_named(payment, part_id))))?;
        let before = open.clone();
        open.state = next;
        Ok((paying, before))
    }

    fn void_part_holds(&mut self, part: &Part) -> Result<(), LedgerError> {
        self.resolve(&part.amount_key, Resolution::Void)?;
        match &part.fee_key {
            Some(fee_key) => self.resolve(fee_key, Resolution::Void),
            None => Ok(()),
        }
    }
}

/// What a part took away: of a circular one the fee alone.
pub(super) fn spent(hold: &PartHold, fee: Msat, circular: bool) -> Result<Msat, LedgerError> {
    let sent = if circular { Msat::ZERO } else { hold.amount_msat };
    sent.checked_add(fee).ok_or_else(above_64_bits)
}

/// The accounts that a part's amount and fee go to.
pub(super) fn accounts(circular: bool) -> [Account; 2] {
    if circular {
        [Account::SelfPayment, Account::RebalanceFee]
    } else {
        [Account::Payment, Account::RoutingFee]
    }
}

/// Transfers of what a part costs, amount and fee, posted at once: of a circular one in the
/// transaction that its claim began.
pub(super) fn transfers(
    paying: &Payment,
    part: &Part,
    fee: Msat,
    circular: bool,
    codes: [&'static str; 2],
) -> [Transfer; 2] {
    let channel = Account::Channel(part.hold.short_channel_id);
    let [amount_to, fee_to] = accounts(circular);
    let [amount_code, fee_code] = codes;
    [(amount_code, amount_to, part.hold.amount_msat), (fee_code, fee_to, fee)].map(
        |(code, debit, amount)| Transfer {
            payment: Some(paying.claim.payment),
            part_id: Some(part.hold.part_id),
            began: circular.then_some(paying.began),
            ..posted(code, debit, channel, amount)
        },
    )
}
