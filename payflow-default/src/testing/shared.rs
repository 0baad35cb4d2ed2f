//! Books and receipts that a test reads, keeps and changes while an engine owns them.

use ecs_core::{EntityId, Json};
use ecs_systems::{
    port::{
        AddReceiptError, Balance, BalanceObject, BooksImage, BooksReader, Claim, ClaimState,
        History, HoldState, IssuedReceipt, Ledger, LedgerEntry, LedgerError, Offered, OpenPayment,
        Over, PartHold, PartImage, PaymentRef, Posting, Receipt, ReceiptCounts, ReceiptFacts,
        ReceiptOrder, ReceiptRequest, Receipts, Verdict,
    },
    units::{
        Msat, PartId, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed,
        ShortChannelId, Timestamp,
    },
};
use ledger_store::{MemoryLedger, MemoryReceipts};
use std::sync::{Arc, Mutex, MutexGuard};

/// Something that the engine and a test both hold: clones are the same.
#[derive(Debug)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Shared<T> {
    /// A handle to `inner`.
    #[must_use]
    pub fn new(inner: T) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    /// It, to read or change; never across a call of the engine.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A copy of it as it is.
    #[must_use]
    pub fn copy(&self) -> T {
        self.lock().clone()
    }

    /// Makes it what it was.
    pub fn set(&self, kept: &T) {
        self.lock().clone_from(kept);
    }
}

impl Ledger for Shared<MemoryLedger> {
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.lock().commit(batch, entity, at)
    }

    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.lock().check(batch, entity, at)
    }

    fn claim(
        &self,
        payment_hash: &PaymentHash,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.lock().claim(payment_hash)
    }

    fn running(&self, payment_hash: &PaymentHash) -> Option<Claim> {
        self.lock().running(payment_hash)
    }

    fn claim_of_key(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.lock().claim_of_key(idempotency_key)
    }

    fn end_of(&self, payment: &PaymentRef) -> Result<Option<LedgerEntry>, LedgerError> {
        self.lock().end_of(payment)
    }

    fn available(&self) -> Msat {
        self.lock().available()
    }

    fn part(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<HoldState>, LedgerError> {
        self.lock().part(payment, part_id)
    }

    fn part_hold(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<PartHold>, LedgerError> {
        self.lock().part_hold(payment, part_id)
    }

    fn is_backup(&self) -> bool {
        self.lock().is_backup()
    }

    fn open_payments(&self) -> Vec<OpenPayment> {
        self.lock().open_payments()
    }

    fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment> {
        self.lock().open_payment(payment)
    }

    fn has_channel(&self, short_channel_id: ShortChannelId) -> bool {
        self.lock().has_channel(short_channel_id)
    }

    fn channel_available(&self, short_channel_id: ShortChannelId) -> Msat {
        self.lock().channel_available(short_channel_id)
    }

    fn balance(&self, account: &str) -> Balance {
        self.lock().balance(account)
    }

    fn trial_balance(&self) -> Vec<(String, Balance)> {
        self.lock().trial_balance()
    }

    fn balance_object(&self) -> BalanceObject {
        self.lock().balance_object()
    }

    fn postings(&self, from: u64, limit: u32) -> Vec<Posting> {
        self.lock().postings(from, limit)
    }

    fn postings_of(&self, payment: &PaymentRef) -> Result<Vec<Posting>, LedgerError> {
        self.lock().postings_of(payment)
    }

    fn entries(&self) -> u64 {
        Ledger::entries(&*self.lock())
    }

    fn reader(&self) -> BooksReader {
        self.lock().reader()
    }

    fn verify(&self) -> Result<(), LedgerError> {
        self.lock().verify()
    }

    fn image(&self) -> BooksImage {
        self.lock().image()
    }

    fn restore(&mut self, image: &Json) -> Result<(), String> {
        self.lock().restore(image)
    }

    fn recall_by(&mut self, past: Option<Arc<dyn History>>) {
        self.lock().recall_by(past);
    }
}

impl Receipts for Shared<MemoryReceipts> {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        self.lock().find(payment_hash)
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        self.lock().shows_secret(payment_hash, shown)
    }

    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict {
        self.lock().judge(offered, at)
    }

    fn draft(
        &self,
        wanted: &ReceiptRequest,
        receipt_id: ReceiptId,
    ) -> Result<IssuedReceipt, AddReceiptError> {
        self.lock().draft(wanted, receipt_id)
    }

    fn payment_secret(&self, payment_hash: &PaymentHash) -> Option<PaymentSecret> {
        self.lock().payment_secret(payment_hash)
    }

    fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret> {
        self.lock().payment_secret_of(draft)
    }

    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts> {
        self.lock().facts(payment_hash)
    }

    fn proof(&self, payment_hash: &PaymentHash) -> Option<Preimage> {
        self.lock().proof(payment_hash)
    }

    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)> {
        self.lock().in_order(order, from, most)
    }

    fn changes(&self) -> u64 {
        self.lock().changes()
    }

    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)> {
        self.lock().of_key(idempotency_key)
    }

    fn of_label(&self, label: &str) -> Option<PaymentHash> {
        self.lock().of_label(label)
    }

    fn counts(&self, invoices: bool) -> ReceiptCounts {
        self.lock().counts(invoices)
    }

    fn unpaid(&self) -> u64 {
        self.lock().unpaid()
    }

    fn expiring(&self, most: usize) -> Vec<(Timestamp, PaymentHash)> {
        self.lock().expiring(most)
    }

    fn check(&self, issued: &IssuedReceipt) -> Result<(), AddReceiptError> {
        self.lock().check(issued)
    }

    fn issue(&mut self, issued: &IssuedReceipt, at: Timestamp) -> Result<(), AddReceiptError> {
        self.lock().issue(issued, at)
    }

    fn withdraw(&mut self, payment_hash: &PaymentHash, at: Timestamp) -> Result<(), String> {
        self.lock().withdraw(payment_hash, at)
    }

    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.lock().release(payment_hash)
    }

    fn restore(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.lock().restore(payment_hash)
    }

    fn settle(
        &mut self,
        payment_hash: &PaymentHash,
        amount: Msat,
        at: Timestamp,
    ) -> Result<(), String> {
        self.lock().settle(payment_hash, amount, at)
    }

    fn expire(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.lock().expire(payment_hash)
    }

    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String> {
        self.lock().delete(payment_hash, keep_tombstone)
    }

    fn over(&self, after: Option<(Timestamp, u64)>, until: Timestamp, most: usize) -> Vec<Over> {
        self.lock().over(after, until, most)
    }

    fn clean(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.lock().clean(payment_hash)
    }

    fn undescribe(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.lock().undescribe(payment_hash)
    }

    fn seal(&self, preimage: &Preimage) -> Option<Sealed> {
        self.lock().seal(preimage)
    }

    fn reveal(&mut self, payment_hash: &PaymentHash, preimage: &Sealed) -> Result<(), String> {
        self.lock().reveal(payment_hash, preimage)
    }

    fn image(&self) -> PartImage {
        self.lock().image()
    }

    fn take_back(&mut self, image: &Json) -> Result<(), String> {
        self.lock().take_back(image)
    }
}
