//! Receipts of which one thing is broken.

use ecs_core::Json;
use ecs_systems::{
    port::{
        AddReceiptError, IssuedReceipt, Offered, Over, PartImage, Receipt, ReceiptCounts,
        ReceiptFacts, ReceiptOrder, ReceiptRequest, ReceiptState, Receipts, Verdict,
    },
    units::{
        Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed, Timestamp,
    },
};
use payflow_default::testing::simulator::Around;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// What is broken; by itself, nothing is.
#[derive(Clone, Copy)]
pub(crate) struct Bend {
    /// What of a receipt is found,
    pub(crate) find: fn(Receipt) -> Receipt,
    /// whether its secret was shown,
    pub(crate) shows: fn(bool) -> bool,
    /// how much it is said to be paid with,
    pub(crate) settles: fn(Msat) -> Msat,
    /// and what it does wrong.
    pub(crate) slip: Option<Slip>,
}

/// What receipts do wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    /// They judge what is offered as if it had come in time, with all that was asked for.
    Lenient,
    /// They forget what is to be withdrawn or deleted,
    Forgets,
    /// what was issued, when they are opened again,
    Loses,
    /// or that they were paid, and take the same again.
    Again,
}

/// Nothing is broken.
pub(crate) const WHOLE: Bend = Bend { find: |it| it, shows: |it| it, settles: |it| it, slip: None };

/// Receipts of which that is broken.
pub(crate) struct Broken(pub(crate) Bend);

impl Around for Broken {
    fn receipts(&self, receipts: Box<dyn Receipts>) -> Box<dyn Receipts> {
        Box::new(Shelf { receipts, bend: self.0, settled: Mutex::default() })
    }
}

struct Shelf {
    receipts: Box<dyn Receipts>,
    bend: Bend,
    /// What was settled, where the same is taken again.
    settled: Mutex<BTreeMap<PaymentHash, Preimage>>,
}

impl Shelf {
    fn slips(&self, slip: Slip) -> bool {
        self.bend.slip == Some(slip)
    }

    /// The verdict, but for what was settled already.
    fn settles_again(&self, payment_hash: PaymentHash, verdict: Verdict) -> Verdict {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Verdict::Settle(preimage) => {
                settled.insert(payment_hash, preimage);
                Verdict::Settle(preimage)
            }
            Verdict::Refuse(why) => {
                settled.get(&payment_hash).map_or(Verdict::Refuse(why), |it| Verdict::Settle(*it))
            }
        }
    }

    fn forget_payment(&self, done: Result<(), String>) -> Result<(), String> {
        if self.slips(Slip::Again) { Ok(()) } else { done }
    }
}

impl Receipts for Shelf {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let receipt = self.receipts.find(payment_hash).map(self.bend.find)?;
        let state = if self.slips(Slip::Again) { ReceiptState::Unpaid } else { receipt.state };
        Some(Receipt { state, ..receipt })
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        (self.bend.shows)(self.receipts.shows_secret(payment_hash, shown))
    }

    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict {
        if self.slips(Slip::Again) {
            return self.settles_again(offered.payment_hash, self.receipts.judge(offered, at));
        }
        if !self.slips(Slip::Lenient) {
            return self.receipts.judge(offered, at);
        }
        let found = self.receipts.find(&offered.payment_hash);
        let asked = found.and_then(|it| it.amount_msat).unwrap_or(offered.total_msat);
        let offered = Offered {
            amount_msat: asked,
            total_msat: asked,
            payment_secret: self.receipts.payment_secret(&offered.payment_hash),
            ..offered.clone()
        };
        self.receipts.judge(&offered, Timestamp(0))
    }

    fn draft(
        &self,
        wanted: &ReceiptRequest,
        receipt_id: ReceiptId,
    ) -> Result<IssuedReceipt, AddReceiptError> {
        self.receipts.draft(wanted, receipt_id)
    }

    fn payment_secret(&self, payment_hash: &PaymentHash) -> Option<PaymentSecret> {
        self.receipts.payment_secret(payment_hash)
    }

    fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret> {
        self.receipts.payment_secret_of(draft)
    }

    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts> {
        self.receipts.facts(payment_hash)
    }

    fn proof(&self, payment_hash: &PaymentHash) -> Option<Preimage> {
        self.receipts.proof(payment_hash)
    }

    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)> {
        self.receipts.in_order(order, from, most)
    }

    fn changes(&self) -> u64 {
        self.receipts.changes()
    }

    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)> {
        self.receipts.of_key(idempotency_key).filter(|_| !self.slips(Slip::Loses))
    }

    fn of_label(&self, label: &str) -> Option<PaymentHash> {
        self.receipts.of_label(label)
    }

    fn counts(&self, invoices: bool) -> ReceiptCounts {
        self.receipts.counts(invoices)
    }

    fn unpaid(&self) -> u64 {
        self.receipts.unpaid()
    }

    fn expiring(&self, most: usize) -> Vec<(Timestamp, PaymentHash)> {
        self.receipts.expiring(most)
    }

    fn check(&self, issued: &IssuedReceipt) -> Result<(), AddReceiptError> {
        self.receipts.check(issued)
    }

    fn issue(&mut self, issued: &IssuedReceipt, at: Timestamp) -> Result<(), AddReceiptError> {
        let keyless = IssuedReceipt { key: None, ..issued.clone() };
        self.receipts.issue(if self.slips(Slip::Loses) { &keyless } else { issued }, at)
    }

    fn withdraw(&mut self, payment_hash: &PaymentHash, at: Timestamp) -> Result<(), String> {
        if self.slips(Slip::Forgets) { Ok(()) } else { self.receipts.withdraw(payment_hash, at) }
    }

    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let released = self.receipts.release(payment_hash);
        self.forget_payment(released)
    }

    fn restore(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.receipts.restore(payment_hash)
    }

    fn settle(
        &mut self,
        payment_hash: &PaymentHash,
        amount: Msat,
        at: Timestamp,
    ) -> Result<(), String> {
        let settled = self.receipts.settle(payment_hash, (self.bend.settles)(amount), at);
        self.forget_payment(settled)
    }

    fn expire(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.receipts.expire(payment_hash)
    }

    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String> {
        if self.slips(Slip::Forgets) {
            Ok(())
        } else {
            self.receipts.delete(payment_hash, keep_tombstone)
        }
    }

    fn over(&self, after: Option<(Timestamp, u64)>, until: Timestamp, most: usize) -> Vec<Over> {
        self.receipts.over(after, until, most)
    }

    fn clean(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        if self.slips(Slip::Forgets) { Ok(()) } else { self.receipts.clean(payment_hash) }
    }

    fn undescribe(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.receipts.undescribe(payment_hash)
    }

    fn seal(&self, preimage: &Preimage) -> Option<Sealed> {
        self.receipts.seal(preimage)
    }

    fn reveal(&mut self, payment_hash: &PaymentHash, preimage: &Sealed) -> Result<(), String> {
        self.receipts.reveal(payment_hash, preimage)
    }

    fn image(&self) -> PartImage {
        self.receipts.image()
    }

    fn take_back(&mut self, image: &Json) -> Result<(), String> {
        self.receipts.take_back(image)
    }
}
