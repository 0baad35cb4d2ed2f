//! Compare-and-set of a payment hash.

use super::{Writer, named};
use crate::journal::broken;
use crate::payment::Payment;
use ecs_systems::port::{Claim, ClaimState, LedgerError};

impl Writer<'_> {
    /// The latest claim with that idempotency key.
    fn claimed_with(&mut self, key: &str) -> Result<Option<Claim>, LedgerError> {
        if let Some(payment) = self.written.keys.get(key) {
            return Ok(self.payment(payment).map(|paying| paying.claim.clone()));
        }
        let Some(hash) = self.state.map(|state| state.hash_of_key(key)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        let dossier = self.load(hash)?;
        let paying = dossier.keys.get(key).and_then(|group| dossier.payments.get(group));
        Ok(paying.map(|paying| paying.claim.clone()))
    }

    /// Takes the hash, unless another claim on it is open or complete, or its idempotency key
    /// belongs to another request. Nothing is posted.
    ///
    /// The very claim that is open is no error. After a failure the hash is free for a new group;
    /// a group is never used twice, since its postings stay.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<(), LedgerError> {
        let payment = claim.payment;
        if let Some(writer) = self.batch.circumstances().entity.filter(|it| *it != claim.entity) {
            let what = format!("entity {writer} claims for entity {}", claim.entity);
            return Err(broken(what));
        }
        let hash = payment.payment_hash;
        let key = claim.idempotency_key.as_ref();
        if let Some(key) = key
            && let Some(earlier) = self.claimed_with(key)?
            && !earlier.same_request(claim)
        {
            let payment_hash = earlier.payment.payment_hash;
            return Err(LedgerError::KeyUsed { idempotency_key: key.clone(), payment_hash });
        }
        // Also where nothing else is new: the ledger's last claim with a key says whose it is.
        self.written.keys.extend(key.map(|key| (key.clone(), payment)));
        if let Some(held) = self.counting(&hash) {
            let other = &held.claim;
            match held.state {
                ClaimState::Open if other == claim => return Ok(()),
                ClaimState::Open if other.same_intent(claim) => {
                    return Err(LedgerError::InProgress { entity: other.entity });
                }
                ClaimState::Open | ClaimState::Complete { .. } => {
                    return Err(LedgerError::HashUsed {
                        used_msat: other.amount_msat,
                        destination: other.destination,
                    });
                }
                ClaimState::Failed => {}
            }
        }
        if self.payment(&payment).is_some() {
            return Err(broken(format!("{} has failed already: use a new group", named(&payment))));
        }
        self.written.latest.insert(hash, payment);
        self.put(Payment::claimed(claim.clone(), self.batch.number()));
        Ok(())
    }
}
