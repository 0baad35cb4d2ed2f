//! [`MemoryReceipts`] as the flow sees them.

use super::{
    MemoryReceipts, Seed, image,
    judge::same_secret,
    made::{Made, Outcome},
    order::Places,
};
use crate::guards;
use ecs_core::Json;
use ecs_systems::port::{
    AddReceiptError, IssuedReceipt, Offered, PartImage, Receipt, ReceiptCounts, ReceiptFacts,
    ReceiptOrder, ReceiptRequest, ReceiptSecrets, ReceiptState, Receipts, Verdict,
};
use ecs_systems::units::{
    Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed, Timestamp,
};
use std::sync::Arc;

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
                    let here = issued.secrets != ReceiptSecrets::Awaited || held.revealed.is_some();
                    self.seed.is_some() && here
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

    fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret> {
        self.seed.as_ref()?.secrets_of(draft)?.1
    }

    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts> {
        let (receipt, held) = (self.find(payment_hash)?, self.held.get(payment_hash)?);
        let (metadata, prepend) = match &held.made {
            Made::Here(_) => (None, Vec::new()),
            Made::Issued(issued) => (issued.metadata.clone(), issued.prepend.clone()),
        };
        let Places { created, updated } = held.places;
        let paid = self.paid(payment_hash);
        let (created_index, updated_index) = (created, updated);
        let given = held.made.invoice().zip(held.invoiced.as_ref());
        let invoice = given.map(|(issued, given)| given.facts(issued));
        Some(ReceiptFacts {
            receipt,
            paid,
            metadata,
            prepend,
            created_index,
            updated_index,
            invoice,
        })
    }

    fn proof(&self, payment_hash: &PaymentHash) -> Option<Preimage> {
        let held = self.held.get(payment_hash)?;
        match held.outcome {
            Outcome::Paid { .. } => self.secrets_of(held)?.0,
            Outcome::Unpaid | Outcome::Settling | Outcome::Cancelled { .. } => None,
        }
    }

    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)> {
        match order {
            ReceiptOrder::Created | ReceiptOrder::Updated => {
                self.order.from(order, from).take(most).collect()
            }
            ReceiptOrder::InvoiceCreated
            | ReceiptOrder::InvoiceUpdated
            | ReceiptOrder::InvoicePaid => self.invoices.from(order, from).take(most).collect(),
        }
    }

    fn changes(&self) -> u64 {
        self.order.counts().updated
    }

    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)> {
        let hash = self.keys.get(idempotency_key)?;
        Some((*hash, self.held.get(hash)?.made.key()?.request))
    }

    fn of_label(&self, label: &str) -> Option<PaymentHash> {
        self.invoices.of_label(label)
    }

    fn counts(&self, invoices: bool) -> ReceiptCounts {
        if invoices { self.invoices.counts() } else { self.order.counts() }
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
        if let Some(invoice) = &issued.invoice
            && self.invoices.of_label(&invoice.label).is_some()
        {
            return Err(AddReceiptError::LabelTaken { label: invoice.label.clone() });
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

    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String> {
        let held = self.held.get(payment_hash).cloned();
        let held = held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        let Some((line, at)) = self.line(&held.made, held.outcome) else {
            return Err(format!("the receipt of hash {payment_hash} is being paid"));
        };
        line.remove(&(at, *payment_hash));
        let fingerprint = guards::of_hash(payment_hash);
        if matches!(held.outcome, Outcome::Paid { .. }) {
            self.paid_before.insert(fingerprint);
        } else if keep_tombstone {
            self.deleted.insert(fingerprint);
        }
        self.remove(payment_hash);
        self.order.count_change();
        Ok(())
    }

    fn undescribe(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let invoice = self.held.get(payment_hash).and_then(|held| held.made.invoice());
        let invoice = invoice.ok_or_else(|| format!("no invoice of hash {payment_hash}"))?;
        if invoice.description.is_none() {
            return Err(format!("the invoice of hash {payment_hash} has no description"));
        }
        if let Some(held) = self.change_places(payment_hash, false)
            && let Made::Issued(IssuedReceipt { invoice: Some(invoice), .. }) = &mut held.made
        {
            Arc::make_mut(invoice).description = None;
        }
        Ok(())
    }

    fn seal(&self, preimage: &Preimage) -> Option<Sealed> {
        match &self.held.get(&preimage.hash())?.made {
            Made::Here(_) => None,
            Made::Issued(issued) => Some(self.seed.as_ref()?.sealed_later(issued, preimage)),
        }
    }

    fn reveal(&mut self, payment_hash: &PaymentHash, preimage: &Sealed) -> Result<(), String> {
        let held = self.held.get(payment_hash);
        let held = held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        let awaits = match &held.made {
            Made::Here(_) => None,
            Made::Issued(issued) => {
                Some(issued).filter(|issued| issued.secrets == ReceiptSecrets::Awaited)
            }
        };
        let awaits = awaits.ok_or("the receipt waits for no preimage")?;
        let is_it = |seed: &Seed| seed.opened(awaits, preimage).hash() == *payment_hash;
        // Without the seed nobody can tell, and nothing is paid out.
        if !self.seed.as_ref().is_none_or(is_it) {
            return Err("it is not the preimage of the receipt".to_owned());
        }
        if held.revealed.is_none() {
            let Some(held) = self.change_places(payment_hash, false) else { return Ok(()) };
            held.revealed = Some(*preimage);
        }
        Ok(())
    }

    fn image(&self) -> PartImage {
        image::of(self)
    }

    fn take_back(&mut self, from: &Json) -> Result<(), String> {
        image::take_back(self, from)
    }
}
