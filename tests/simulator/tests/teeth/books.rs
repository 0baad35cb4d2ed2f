//! Books that post a wrong fee, or less than came in.

use ecs_core::{EntityId, Json};
use ecs_systems::{
    port::{
        Balance, BalanceObject, BooksImage, BooksReader, Claim, ClaimState, History, HoldState,
        Ledger, LedgerEntry, LedgerError, OpenPayment, PartHold, PaymentRef, Posting,
    },
    units::{Msat, PartId, PaymentHash, ShortChannelId, Timestamp},
};
use payflow_default::testing::simulator::Around;
use std::sync::Arc;

/// Every fee is booked as nothing.
pub(crate) struct WrongFee;

impl Around for WrongFee {
    fn ledger(&self, ledger: Box<dyn Ledger>) -> Box<dyn Ledger> {
        Box::new(Books(ledger, without_fee))
    }
}

/// Of all that comes in, a millisatoshi less is booked.
pub(crate) struct LessIncome;

impl Around for LessIncome {
    fn ledger(&self, ledger: Box<dyn Ledger>) -> Box<dyn Ledger> {
        Box::new(Books(ledger, with_less))
    }
}

struct Books(Box<dyn Ledger>, fn(&mut LedgerEntry));

fn without_fee(line: &mut LedgerEntry) {
    if let LedgerEntry::PostPart { fee_msat, .. } = line {
        *fee_msat = Msat::ZERO;
    }
}

fn with_less(line: &mut LedgerEntry) {
    if let LedgerEntry::SettleSet { htlcs, .. } = line {
        for htlc in htlcs {
            htlc.amount_msat = htlc.amount_msat.saturating_sub(Msat(1));
        }
    }
}

impl Books {
    /// The lines as they are booked.
    fn wrong(&self, batch: &[LedgerEntry]) -> Vec<LedgerEntry> {
        let mut batch = batch.to_vec();
        batch.iter_mut().for_each(self.1);
        batch
    }
}

impl Ledger for Books {
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let batch = self.wrong(batch);
        self.0.commit(&batch, entity, at)
    }

    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.0.check(&self.wrong(batch), entity, at)
    }

    fn claim(
        &self,
        payment_hash: &PaymentHash,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.0.claim(payment_hash)
    }

    fn running(&self, payment_hash: &PaymentHash) -> Option<Claim> {
        self.0.running(payment_hash)
    }

    fn claim_of_key(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        self.0.claim_of_key(idempotency_key)
    }

    fn end_of(&self, payment: &PaymentRef) -> Result<Option<LedgerEntry>, LedgerError> {
        self.0.end_of(payment)
    }

    fn available(&self) -> Msat {
        self.0.available()
    }

    fn part(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<HoldState>, LedgerError> {
        self.0.part(payment, part_id)
    }

    fn part_hold(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<PartHold>, LedgerError> {
        self.0.part_hold(payment, part_id)
    }

    fn is_backup(&self) -> bool {
        self.0.is_backup()
    }

    fn open_payments(&self) -> Vec<OpenPayment> {
        self.0.open_payments()
    }

    fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment> {
        self.0.open_payment(payment)
    }

    fn has_channel(&self, short_channel_id: ShortChannelId) -> bool {
        self.0.has_channel(short_channel_id)
    }

    fn channel_available(&self, short_channel_id: ShortChannelId) -> Msat {
        self.0.channel_available(short_channel_id)
    }

    fn balance(&self, account: &str) -> Balance {
        self.0.balance(account)
    }

    fn trial_balance(&self) -> Vec<(String, Balance)> {
        self.0.trial_balance()
    }

    fn balance_object(&self) -> BalanceObject {
        self.0.balance_object()
    }

    fn postings(&self, from: u64, limit: u32) -> Vec<Posting> {
        self.0.postings(from, limit)
    }

    fn postings_of(&self, payment: &PaymentRef) -> Result<Vec<Posting>, LedgerError> {
        self.0.postings_of(payment)
    }

    fn entries(&self) -> u64 {
        self.0.entries()
    }

    fn reader(&self) -> BooksReader {
        self.0.reader()
    }

    fn verify(&self) -> Result<(), LedgerError> {
        self.0.verify()
    }

    fn image(&self) -> BooksImage {
        self.0.image()
    }

    fn restore(&mut self, image: &Json) -> Result<(), String> {
        self.0.restore(image)
    }

    fn recall_by(&mut self, past: Option<Arc<dyn History>>) {
        self.0.recall_by(past);
    }
}
