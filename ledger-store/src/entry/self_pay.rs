//! We pay ourselves without a channel.

use super::{Writer, named, posted};
use crate::chart::Account;
use crate::journal::{Transfer, broken};
use ecs_systems::port::{LedgerError, PaidReceipt, PaymentRef};
use ecs_systems::units::Msat;

impl Writer<'_> {
    /// `expenses:payment` ← `control:self` and `control:self` ← `income:invoice`. Linked; no asset
    /// moves, so it needs no reservation and counts towards no limit.
    pub(super) fn self_pay(
        &mut self,
        payment: &PaymentRef,
        amount: Msat,
        paid: Option<&PaidReceipt>,
    ) -> Result<(), LedgerError> {
        let mut paying = self.open_payment(payment)?;
        let claimed = paying.claim.amount_msat;
        if amount == Msat::ZERO || amount > claimed {
            let what = format!("{}: {amount} self-paid of {claimed} claimed", named(payment));
            return Err(broken(what));
        }
        if paid.is_some_and(|paid| paid.amount_msat != amount) {
            return Err(broken(format!("{}: told as {paid:?}, posted {amount}", named(payment))));
        }
        for (code, debit, credit) in [
            ("self_pay", Account::Payment, Account::SelfPayment),
            ("self_income", Account::SelfPayment, Account::IncomeInvoice),
        ] {
            let transfer = posted(code, debit, credit, amount);
            self.batch.transfer(&Transfer { payment: Some(*payment), ..transfer })?;
        }
        paying.self_paid = Some(amount);
        self.put(paying);
        Ok(())
    }
}
