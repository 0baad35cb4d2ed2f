//! A payment is over.

use super::{Writer, above_64_bits, named, posted};
use crate::chart::Account;
use crate::journal::{Transfer, broken};
use crate::payment::Payment;
use ecs_systems::port::{ClaimState, HoldState, LedgerError, PaymentRef};
use ecs_systems::units::{Msat, PartId, Preimage};

impl Writer<'_> {
    /// Gives the rest back and keeps the proof. A payment without a reservation may be complete.
    pub(super) fn complete(
        &mut self,
        payment: &PaymentRef,
        preimage: &Preimage,
        fee_msat: Msat,
    ) -> Result<(), LedgerError> {
        let paying = self.open_payment(payment)?;
        if preimage.hash() != payment.payment_hash {
            return Err(broken(format!("{}: the preimage is of another hash", named(payment))));
        }
        self.end(paying, ClaimState::Complete { preimage: *preimage, fee_msat })
    }

    /// Gives the rest back and frees the hash. Refused once anything was paid.
    pub(super) fn fail(&mut self, payment: &PaymentRef) -> Result<(), LedgerError> {
        let paying = self.open_payment(payment)?;
        let paid = paying.count(HoldState::Paid);
        if paid > 0 {
            return Err(broken(format!("{}: {paid} parts are paid", named(payment))));
        }
        if let Some(amount) = paying.self_paid {
            return Err(broken(format!("{}: {amount} was paid to ourselves", named(payment))));
        }
        self.end(paying, ClaimState::Failed)
    }

    fn end(&mut self, mut paying: Payment, state: ClaimState) -> Result<(), LedgerError> {
        let open = paying.count(HoldState::Held);
        if open > 0 {
            let what = format!("{}: {open} parts are open", named(&paying.claim.payment));
            return Err(broken(what));
        }
        let sets = paying.sets_settling;
        if sets > 0 {
            let what = format!("{}: {sets} sets are being settled", named(&paying.claim.payment));
            return Err(broken(what));
        }
        self.void_rest(&mut paying)?;
        self.level_self(&paying.claim.payment, paying.began, None)?;
        paying.state = state;
        let payment = paying.claim.payment;
        self.put(paying);
        self.let_the_complete_one_count(payment);
        Ok(())
    }

    /// Brings `control:self` to zero for a payment that is over: what left us and never came back
    /// is an expense, what came back for a part that never left is income. Mostly it is zero. It is
    /// done at the end, and for each part that is late for that.
    pub(super) fn level_self(
        &mut self,
        payment: &PaymentRef,
        began: u64,
        part_id: Option<PartId>,
    ) -> Result<(), LedgerError> {
        let net = self.batch.net_of(payment, Account::SelfPayment);
        let Some(wanted) = (match net.signum() {
            1 => Some(posted("rebalance_lost", Account::Payment, Account::SelfPayment, Msat(0))),
            -1 => {
                Some(posted("rebalance_won", Account::SelfPayment, Account::IncomeInvoice, Msat(0)))
            }
            _ => None,
        }) else {
            return Ok(());
        };
        let amount = u64::try_from(net.unsigned_abs()).map_err(|_| above_64_bits())?;
        tracing::warn!(target: "payflow::ledger", %net, "what went around is not what came back");
        let (payment, began) = (Some(*payment), Some(began));
        let transfer = Transfer { amount: Msat(amount), payment, part_id, began, ..wanted };
        self.batch.transfer(&transfer).map(|_| ())
    }
}
