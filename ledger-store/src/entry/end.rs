//! A payment is over.

use super::{Writer, named};
use crate::journal::broken;
use crate::payment::Payment;
use ecs_systems::port::{ClaimState, EntryId, HoldState, LedgerError, PaymentRef};
use ecs_systems::units::{Msat, Preimage};

impl Writer<'_> {
    /// Gives the rest back and keeps the proof. A payment without a reservation may be complete.
    pub(super) fn complete(
        &mut self,
        payment: &PaymentRef,
        preimage: &Preimage,
        fee_msat: Msat,
    ) -> Result<Vec<EntryId>, LedgerError> {
        let paying = self.open_payment(payment)?;
        if preimage.hash() != payment.payment_hash {
            return Err(broken(format!("{}: the preimage is of another hash", named(payment))));
        }
        self.end(paying, ClaimState::Complete { preimage: *preimage, fee_msat })
    }

    /// Gives the rest back and frees the hash. Refused once anything was paid.
    pub(super) fn fail(&mut self, payment: &PaymentRef) -> Result<Vec<EntryId>, LedgerError> {
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

    fn end(&mut self, mut paying: Payment, state: ClaimState) -> Result<Vec<EntryId>, LedgerError> {
        let open = paying.count(HoldState::Held);
        if open > 0 {
            let what = format!("{}: {open} parts are open", named(&paying.claim.payment));
            return Err(broken(what));
        }
        let mut ids = Vec::new();
        self.void_rest(&mut paying, &mut ids)?;
        paying.state = state;
        let payment = paying.claim.payment;
        self.put(paying);
        self.let_the_complete_one_count(payment);
        Ok(ids)
    }
}
