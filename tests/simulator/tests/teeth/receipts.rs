//! Receipts that forget that they were paid.

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
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

pub(crate) struct Forgetful {
    receipts: Box<dyn Receipts>,
    preimages: Mutex<BTreeMap<PaymentHash, Preimage>>,
}

impl Forgetful {
    pub(crate) fn of(receipts: Box<dyn Receipts>) -> Self {
        Self { receipts, preimages: Mutex::default() }
    }
}

impl Receipts for Forgetful {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let receipt = self.receipts.find(payment_hash)?;
        Some(Receipt { state: ReceiptState::Unpaid, ..receipt })
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        self.receipts.shows_secret(payment_hash, shown)
    }

    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict {
        let mut preimages = self.preimages.lock().unwrap_or_else(PoisonError::into_inner);
        match self.receipts.judge(offered, at) {
            Verdict::Settle(preimage) => {
                preimages.insert(offered.payment_hash, preimage);
                Verdict::Settle(preimage)
            }
            Verdict::Refuse(why) => match preimages.get(&offered.payment_hash) {
                Some(preimage) => Verdict::Settle(*preimage),
                None => Verdict::Refuse(why),
            },
        }
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
        self.receipts.of_key(idempotency_key)
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
        self.receipts.issue(issued, at)
    }

    fn withdraw(&mut self, payment_hash: &PaymentHash, at: Timestamp) -> Result<(), String> {
        self.receipts.withdraw(payment_hash, at)
    }

    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let _forgotten = self.receipts.release(payment_hash);
        Ok(())
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
        let _forgotten = self.receipts.settle(payment_hash, amount, at);
        Ok(())
    }

    fn expire(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.receipts.expire(payment_hash)
    }

    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String> {
        self.receipts.delete(payment_hash, keep_tombstone)
    }

    fn over(&self, after: Option<(Timestamp, u64)>, until: Timestamp, most: usize) -> Vec<Over> {
        self.receipts.over(after, until, most)
    }

    fn clean(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.receipts.clean(payment_hash)
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
