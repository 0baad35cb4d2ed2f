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
    AddReceiptError, IssuedReceipt, Offered, Over, PartImage, Receipt, ReceiptCounts, ReceiptFacts,
    ReceiptOrder, ReceiptRequest, ReceiptSecrets, ReceiptState, Receipts, Terms, Verdict,
};
use ecs_systems::units::{
    Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed, Timestamp,
};
use std::sync::Arc;

impl Receipts for MemoryReceipts {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let held = self.shelf.get(payment_hash)?;
        let Terms { overpay, cltv, hold } = held.made.terms;
        Some(Receipt {
            payment_hash: *payment_hash,
            amount_msat: held.made.amount_msat(),
            overpay,
            cltv,
            expires_at: held.made.expires_at,
            hold,
            preimage_known: match held.made.secrets() {
                None => true,
                Some(secrets) => {
                    let here = secrets != ReceiptSecrets::Awaited || held.revealed().is_some();
                    self.seed.is_some() && here
                }
            },
            state: match held.outcome {
                Outcome::Unpaid | Outcome::Expired => ReceiptState::Unpaid,
                Outcome::Settling => ReceiptState::Settling,
                Outcome::Paid { .. } => ReceiptState::Paid,
                Outcome::Cancelled { .. } => ReceiptState::Cancelled,
            },
        })
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        let secrets = self.shelf.get(payment_hash).and_then(|held| self.secrets_of(held));
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
        self.secrets_of(self.shelf.get(payment_hash)?)?.1
    }

    fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret> {
        self.seed.as_ref()?.payment_secret_of(draft)
    }

    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts> {
        let (receipt, held) = (self.find(payment_hash)?, self.shelf.get(payment_hash)?);
        let more = held.made.more.as_deref();
        let metadata = more.and_then(|more| more.metadata.clone());
        let prepend = more.map(|more| more.prepend.clone()).unwrap_or_default();
        let Places { created, updated } = held.places;
        let paid = self.paid(payment_hash);
        let (created_index, updated_index) = (created, updated);
        let given = held.made.invoice().zip(held.invoiced());
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
        let held = self.shelf.get(payment_hash)?;
        match held.outcome {
            Outcome::Paid { .. } => self.secrets_of(held)?.0,
            Outcome::Unpaid | Outcome::Expired | Outcome::Settling | Outcome::Cancelled { .. } => {
                None
            }
        }
    }

    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)> {
        let places: Vec<(u64, u64)> = match order {
            ReceiptOrder::Created => {
                let places = self.shelf.from(from).map(|held| held.places.created);
                places.take(most).map(|place| (place, place)).collect()
            }
            ReceiptOrder::Updated => self.order.from(from).take(most).collect(),
            ReceiptOrder::InvoiceCreated
            | ReceiptOrder::InvoiceUpdated
            | ReceiptOrder::InvoicePaid => self.invoices.from(order, from, most),
        };
        let hash = |(place, on_shelf)| Some((place, self.shelf.at(on_shelf)?.made.hash));
        places.into_iter().filter_map(hash).collect()
    }

    fn changes(&self) -> u64 {
        self.order.counts().updated
    }

    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)> {
        let made = &self.shelf.at(*self.keys.get(idempotency_key)?)?.made;
        Some((made.hash, made.key()?.request))
    }

    fn of_label(&self, label: &str) -> Option<PaymentHash> {
        Some(self.shelf.at(self.invoices.of_label(label)?)?.made.hash)
    }

    fn counts(&self, invoices: bool) -> ReceiptCounts {
        if invoices { self.invoices.counts() } else { self.order.counts() }
    }

    fn unpaid(&self) -> u64 {
        self.unpaid.len().saturating_add(self.expired.len()) as u64
    }

    fn expiring(&self, most: usize) -> Vec<(Timestamp, PaymentHash)> {
        let hash = |place| Some(self.shelf.at(place)?.made.hash);
        let by_time = self.unpaid.from((0, 0)).take(most);
        by_time.filter_map(|(at_ms, place)| Some((Timestamp(*at_ms), hash(*place)?))).collect()
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
        self.put(Made::issued(issued.clone()));
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
        let held = self.shelf.get(payment_hash);
        match held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?.outcome {
            Outcome::Unpaid | Outcome::Expired | Outcome::Settling => {
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

    fn expire(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let held = self.shelf.get(payment_hash);
        match held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?.outcome {
            Outcome::Unpaid => {
                self.become_outcome(payment_hash, Outcome::Expired);
                Ok(())
            }
            Outcome::Expired
            | Outcome::Settling
            | Outcome::Paid { .. }
            | Outcome::Cancelled { .. } => {
                Err(format!("the receipt of hash {payment_hash} is not unpaid, or has expired"))
            }
        }
    }

    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String> {
        let held = self.shelf.get(payment_hash).cloned();
        let held = held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        let Some((line, at)) = self.line(&held.made, held.outcome) else {
            return Err(format!("the receipt of hash {payment_hash} is being paid"));
        };
        line.remove((at.0, held.places.created));
        let fingerprint = guards::of_hash(payment_hash);
        if matches!(held.outcome, Outcome::Paid { .. }) {
            self.paid_before.insert(fingerprint);
        } else if keep_tombstone {
            self.deleted.insert(fingerprint);
        }
        self.remove(held.places.created);
        self.order.count_change();
        Ok(())
    }

    fn over(&self, after: Option<(Timestamp, u64)>, until: Timestamp, most: usize) -> Vec<Over> {
        self.over_from(after, until).take(most).collect()
    }

    fn clean(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.clean_away(payment_hash)
    }

    fn undescribe(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let invoice = self.shelf.get(payment_hash).and_then(|held| held.made.invoice());
        let invoice = invoice.ok_or_else(|| format!("no invoice of hash {payment_hash}"))?;
        if invoice.description.is_none() {
            return Err(format!("the invoice of hash {payment_hash} has no description"));
        }
        if let Some(held) = self.change_places(payment_hash, false)
            && let Some(invoice) = held.made.more.as_mut().and_then(|more| more.invoice.as_mut())
        {
            Arc::make_mut(invoice).description = None;
        }
        Ok(())
    }

    fn seal(&self, preimage: &Preimage) -> Option<Sealed> {
        let made = &self.shelf.get(&preimage.hash())?.made;
        made.secrets()?;
        Some(self.seed.as_ref()?.sealed_later(made.name(), preimage))
    }

    fn reveal(&mut self, payment_hash: &PaymentHash, preimage: &Sealed) -> Result<(), String> {
        let held = self.shelf.get(payment_hash);
        let held = held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        if held.made.secrets() != Some(ReceiptSecrets::Awaited) {
            return Err("the receipt waits for no preimage".to_owned());
        }
        let is_it = |seed: &Seed| seed.opened(held.made.name(), preimage).hash() == *payment_hash;
        // Without the seed nobody can tell, and nothing is paid out.
        if !self.seed.as_ref().is_none_or(is_it) {
            return Err("it is not the preimage of the receipt".to_owned());
        }
        if held.revealed().is_none() {
            let Some(held) = self.change_places(payment_hash, false) else { return Ok(()) };
            held.later.get_or_insert_default().revealed = Some(*preimage);
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
