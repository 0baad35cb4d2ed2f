//! [`MemoryReceipts`] as the flow sees them.

use super::{
    MemoryReceipts, Seed, image,
    judge::same_secret,
    made::{Made, Outcome},
    order::Places,
};
use ecs_core::Json;
use ecs_systems::port::{
    AddReceiptError, IssuedReceipt, Offered, PartImage, Receipt, ReceiptFacts, ReceiptOrder,
    ReceiptRequest, ReceiptSecrets, ReceiptState, Receipts, Verdict,
};
use ecs_systems::units::{
    Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Timestamp,
};

impl Receipts for MemoryReceipts {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let held = self.held.get(payment_hash)?;
        let terms = held.made.terms();
        Some(Receipt {
            payment_hash: *payment_hash,
            amount_msat: held.made.amount_msat(),
            overpay: terms.overpay,
            cltv: terms.cltv,
            expires_at: held.made.expires_at(),
            hold: terms.hold,
            preimage_known: match &held.made {
                Made::Here(_) => true,
                Made::Issued(issued) => {
                    self.seed.is_some() && issued.secrets != ReceiptSecrets::Awaited
                }
            },
            state: match held.outcome {
                Outcome::Unpaid => ReceiptState::Unpaid,
                Outcome::Settling => ReceiptState::Settling,
                Outcome::Paid { .. } => ReceiptState::Paid,
                Outcome::Cancelled { .. } => ReceiptState::Cancelled,
            },
        })
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        let secrets = self.held.get(payment_hash).and_then(|held| self.secrets_of(held));
        secrets.is_some_and(|(_, secret)| same_secret(secret.as_ref(), shown))
    }

    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict {
        match self.verdict(offered, at) {
            Ok(preimage) => Verdict::Settle(preimage),
            Err(why) => Verdict::Refuse(why),
        }
    }

    fn draft(
        &self,
        wanted: &ReceiptRequest,
        receipt_id: ReceiptId,
    ) -> Result<IssuedReceipt, AddReceiptError> {
        let seed = self.seed.as_ref().ok_or(AddReceiptError::NoSeed)?;
        Ok(seed.draft(wanted, receipt_id))
    }

    fn payment_secret(&self, payment_hash: &PaymentHash) -> Option<PaymentSecret> {
        self.secrets_of(self.held.get(payment_hash)?)?.1
    }

    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts> {
        let (receipt, held) = (self.find(payment_hash)?, self.held.get(payment_hash)?);
        let metadata = match &held.made {
            Made::Here(_) => None,
            Made::Issued(issued) => issued.metadata.clone(),
        };
        let Places { created, updated } = held.places;
        let paid = self.paid(payment_hash);
        let (created_index, updated_index) = (created, updated);
        Some(ReceiptFacts { receipt, paid, metadata, created_index, updated_index })
    }

    fn proof(&self, payment_hash: &PaymentHash) -> Option<Preimage> {
        let held = self.held.get(payment_hash)?;
        match held.outcome {
            Outcome::Paid { .. } => self.secrets_of(held)?.0,
            Outcome::Unpaid | Outcome::Settling | Outcome::Cancelled { .. } => None,
        }
    }

    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)> {
        self.order.from(order, from).take(most).collect()
    }

    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)> {
        let hash = self.keys.get(idempotency_key)?;
        Some((*hash, self.held.get(hash)?.made.key()?.request))
    }

    fn unpaid(&self) -> u64 {
        self.unpaid.len() as u64
    }

    fn check(&self, issued: &IssuedReceipt) -> Result<(), AddReceiptError> {
        let IssuedReceipt { payment_hash, seed: theirs, .. } = *issued;
        let ours = self.seed.as_ref().map(Seed::id).or(self.issued_under);
        match ours.filter(|ours| *ours != theirs) {
            Some(ours) => return Err(AddReceiptError::OtherSeed { payment_hash, theirs, ours }),
            None => self.may_be_added(payment_hash, issued.amount_msat, issued.cltv)?,
        }
        match &issued.key {
            Some(key) if self.keys.contains_key(&key.idempotency_key) => {
                let idempotency_key = key.idempotency_key.clone();
                Err(AddReceiptError::KeyTaken { idempotency_key })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn issue(&mut self, issued: &IssuedReceipt, at: Timestamp) -> Result<(), AddReceiptError> {
        self.check(issued)?;
        self.issued_under = Some(issued.seed);
        self.put(issued.payment_hash, Made::Issued(issued.clone()));
        self.forget(at);
        Ok(())
    }

    fn withdraw(&mut self, payment_hash: &PaymentHash, at: Timestamp) -> Result<(), String> {
        self.cancel_at(*payment_hash, at).map_err(|error| error.to_string())
    }

    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.change(payment_hash, ReceiptState::Unpaid, Outcome::Settling)
    }

    fn restore(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.change(payment_hash, ReceiptState::Settling, Outcome::Unpaid)
    }

    fn settle(
        &mut self,
        payment_hash: &PaymentHash,
        amount: Msat,
        at: Timestamp,
    ) -> Result<(), String> {
        let held = self.held.get(payment_hash);
        match held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?.outcome {
            Outcome::Unpaid | Outcome::Settling => {
                let paid = Outcome::Paid { received_msat: amount, at_ms: at.0 };
                self.become_outcome(payment_hash, paid);
                self.forget(at);
                Ok(())
            }
            Outcome::Paid { received_msat, .. } if received_msat == amount => Ok(()),
            Outcome::Paid { received_msat, .. } => Err(format!(
                "the receipt of hash {payment_hash} was paid with {received_msat}, not with \
                 {amount}"
            )),
            Outcome::Cancelled { .. } => {
                Err(format!("the receipt of hash {payment_hash} was cancelled"))
            }
        }
    }

    fn image(&self) -> PartImage {
        image::of(self)
    }

    fn take_back(&mut self, from: &Json) -> Result<(), String> {
        image::take_back(self, from)
    }
}
