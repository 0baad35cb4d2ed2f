//! The ledger in memory.

use crate::chart::Account;
use crate::entry::{ENTRIES_PER_BATCH_MAX, EntryKey, Writer, Written};
use crate::image;
use crate::journal::{Booked, Changes, Circumstances, broken};
use crate::past::{Memory, Past};
use crate::payment::Payment;
use crate::reader;
use crate::state::State;
use crate::verify;
use ecs_core::{EntityId, Json};
use ecs_systems::port::{
    Balance, BalanceObject, BooksImage, BooksReader, Claim, ClaimState, History, HoldState, Ledger,
    LedgerEntry, LedgerError, OpenPayment, PartHold, PastEntry, PaymentRef, Posting,
};
use ecs_systems::units::{Msat, PartId, PaymentHash, ShortChannelId, Timestamp};
use std::sync::Arc;

/// A double-entry ledger in memory: with all that was ever written, or with what is needed at once
/// and a [`History`] for the rest.
///
/// Accounts are named `<node>:<account>` (see [`Account`]). `control:spendable` and channels may
/// not be overdrawn: what is reserved is at most what the channels have that no part holds. Ids of
/// postings are derived from what they are for, so that a repeated entry finds what it wrote
/// before. A clone is an independent copy.
/// ```
/// use ecs_systems::port::{Ledger, LedgerEntry};
/// use ecs_systems::units::{Msat, Timestamp};
/// use ledger_store::{Account, MemoryLedger};
///
/// let mut books = MemoryLedger::new("sim");
/// let short_channel_id = "1x2x3".parse().expect("a channel");
/// let opening = LedgerEntry::Opening { short_channel_id, amount_msat: Msat(1_000) };
/// books.commit(&[opening.clone()], None, Timestamp(0)).expect("a first opening");
/// books.commit(&[opening], None, Timestamp(1)).expect("the same again is no error");
/// let channel = books.balance(&Account::Channel(short_channel_id).of("sim"));
/// assert_eq!(channel.debits_posted_msat, Msat(1_000));
/// assert_eq!(books.available(), Msat(1_000));
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLedger {
    state: State,
}

/// How many payments that have ended are kept at hand where the history is elsewhere.
pub const LATE_PAYMENTS_MAX: usize = 10_000;

impl MemoryLedger {
    /// Empty books of the node with that name, which keep everything they are told.
    #[must_use]
    pub fn new(node_name: &str) -> Self {
        Self { state: State::new(node_name, Past::Memory(Memory::default()), None) }
    }

    /// Empty books that keep what has not ended, and of what has ended the newest `late_max`. What
    /// else they need they read from `history`, which must be given every batch in the order in
    /// which it was taken; see [`History`].
    #[must_use]
    pub fn over(node_name: &str, history: Arc<dyn History>, late_max: usize) -> Self {
        let past = Past::Elsewhere { history, instead: None };
        Self { state: State::new(node_name, past, Some(late_max)) }
    }

    /// As [`MemoryLedger::over`], with a history of their own in memory: for tests.
    #[must_use]
    pub fn folding(node_name: &str, late_max: usize) -> Self {
        let past = Past::Memory(Memory::default());
        Self { state: State::new(node_name, past, Some(late_max)) }
    }

    /// The name that all accounts of these books begin with.
    #[must_use]
    pub fn node_name(&self) -> &str {
        self.state.journal.node()
    }

    /// Every batch that was taken; none where the history is elsewhere.
    #[must_use]
    pub fn entries(&self) -> Vec<PastEntry> {
        let memory = self.state.past.memory();
        let entries = memory.map(|memory| memory.entries.as_slice()).unwrap_or_default();
        entries.iter().map(|entry| PastEntry::clone(entry)).collect()
    }

    /// What a batch would come to.
    fn write(
        &self,
        batch: &[LedgerEntry],
        circumstances: Circumstances,
    ) -> Result<(Changes, Written), LedgerError> {
        if batch.len() > ENTRIES_PER_BATCH_MAX {
            let what = format!("{} entries, {ENTRIES_PER_BATCH_MAX} allowed", batch.len());
            return Err(broken(what));
        }
        let mut writer = Writer::new(&self.state, circumstances);
        for entry in batch {
            writer.write(entry)?;
        }
        Ok(writer.into_changes())
    }

    /// Writes a batch; the postings it wrote.
    ///
    /// # Errors
    /// As [`Ledger::commit`].
    pub(crate) fn take(
        &mut self,
        batch: &[LedgerEntry],
        circumstances: Circumstances,
    ) -> Result<Vec<Arc<Booked>>, LedgerError> {
        let (changes, written) = self.write(batch, circumstances)?;
        Ok(self.state.apply(batch, circumstances, changes, written))
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn sums(&self, account: Account) -> Balance {
        self.state.journal.balance(account)
    }
}

impl Ledger for MemoryLedger {
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let postings = self.take(batch, Circumstances { entity, at })?;
        let (entries, postings) = (batch.len(), postings.len());
        tracing::debug!(target: "payflow::ledger", entries, postings, "batch written");
        Ok(())
    }

    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(batch, Circumstances { entity, at }).map(|_| ())
    }

    fn claim(
        &self,
        payment_hash: &PaymentHash,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        let dossier = self.state.dossier(payment_hash)?;
        Ok(dossier.counting().map(|paying| (paying.claim.clone(), paying.state.clone())))
    }

    fn running(&self, payment_hash: &PaymentHash) -> Option<Claim> {
        let paying = self.state.open.get(payment_hash)?.counting()?;
        (paying.state == ClaimState::Open).then(|| paying.claim.clone())
    }

    fn claim_of_key(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError> {
        let Some(hash) = self.state.hash_of_key(idempotency_key)? else { return Ok(None) };
        let dossier = self.state.dossier(&hash)?;
        let paying = dossier.keys.get(idempotency_key).and_then(|it| dossier.payments.get(it));
        Ok(paying.map(|paying| (paying.claim.clone(), paying.state.clone())))
    }

    fn end_of(&self, payment: &PaymentRef) -> Result<Option<LedgerEntry>, LedgerError> {
        let dossier = self.state.dossier(&payment.payment_hash)?;
        Ok(dossier.applied.get(&EntryKey::End(*payment)).map(|applied| applied.entry.clone()))
    }

    fn available(&self) -> Msat {
        let set_aside = self.sums(Account::Spendable).credits_pending_msat;
        self.state.journal.unheld().saturating_sub(set_aside)
    }

    fn part(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<HoldState>, LedgerError> {
        let dossier = self.state.dossier(&payment.payment_hash)?;
        Ok(dossier.part(payment.group_id, part_id).map(|part| part.state))
    }

    fn part_hold(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<PartHold>, LedgerError> {
        let dossier = self.state.dossier(&payment.payment_hash)?;
        Ok(dossier.part(payment.group_id, part_id).map(|part| part.hold))
    }

    fn is_backup(&self) -> bool {
        self.state.is_backup
    }

    fn open_payments(&self) -> Vec<OpenPayment> {
        let payments = self.state.open.values().flat_map(|dossier| dossier.payments.values());
        payments.filter_map(open).collect()
    }

    fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment> {
        let dossier = self.state.open.get(&payment.payment_hash)?;
        open(dossier.payments.get(&payment.group_id)?)
    }

    fn has_channel(&self, short_channel_id: ShortChannelId) -> bool {
        self.state.openings.contains_key(&short_channel_id)
    }

    fn channel_available(&self, short_channel_id: ShortChannelId) -> Msat {
        let sums = self.sums(Account::Channel(short_channel_id));
        let held = sums.credits_posted_msat.0.saturating_add(sums.credits_pending_msat.0);
        Msat(sums.debits_posted_msat.0.saturating_sub(held))
    }

    fn balance(&self, account: &str) -> Balance {
        let account = Account::named(self.node_name(), account);
        account.map_or_else(Balance::default, |account| self.sums(account))
    }

    fn trial_balance(&self) -> Vec<(String, Balance)> {
        self.state.journal.named_accounts().into_iter().collect()
    }

    fn balance_object(&self) -> BalanceObject {
        let spent = |account| {
            let Balance { debits_posted_msat, credits_posted_msat, .. } = self.sums(account);
            debits_posted_msat.saturating_sub(credits_posted_msat)
        };
        let income = self.sums(Account::IncomeInvoice);
        let incoming_total_msat =
            income.credits_posted_msat.saturating_sub(income.debits_posted_msat);
        let held = self.sums(Account::HeldIn).debits_pending_msat;
        let pending_incoming = held.checked_add(income.credits_pending_msat);
        let pending_incoming = pending_incoming.unwrap_or(Msat(u64::MAX));
        let outgoing_total_msat = spent(Account::Payment);
        let fees_paid_msat = Msat::sum([Account::RoutingFee, Account::RebalanceFee].map(spent))
            .expect("fees come out of channels, whose openings fit into 64 bits");
        let (mut pending, mut fees) = (Msat::ZERO, Msat::ZERO);
        for paying in self.state.payments_under_way() {
            let (amount, budget) = paying.amount_and_fees_set_aside();
            let sums = (pending.checked_add(amount), fees.checked_add(budget));
            (pending, fees) = (
                sums.0.expect("what is set aside is in the channels"),
                sums.1.expect("what is set aside is in the channels"),
            );
        }
        let net_msat = i128::from(incoming_total_msat.0)
            .saturating_sub(i128::from(outgoing_total_msat.0))
            .saturating_sub(i128::from(fees_paid_msat.0));
        BalanceObject {
            incoming_total_msat,
            outgoing_total_msat,
            fees_paid_msat,
            net_msat,
            pending_incoming_msat: pending_incoming,
            pending_outgoing_msat: pending,
            reserved_fees_msat: fees,
            spendable_msat: self.available(),
            available_msat: net_msat.saturating_sub(i128::from(pending.0)),
        }
    }

    fn postings(&self, from: u64, limit: u32) -> Vec<Posting> {
        let Some(memory) = self.state.past.memory() else { return Vec::new() };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let postings = memory.postings.iter().skip(from).take(limit);
        postings.map(|posting| posting.posting(self.node_name())).collect()
    }

    fn postings_of(&self, payment: &PaymentRef) -> Result<Vec<Posting>, LedgerError> {
        let dossier = self.state.dossier(&payment.payment_hash)?;
        let postings = dossier.postings().iter().filter(|it| it.payment() == Some(*payment));
        Ok(postings.map(|posting| posting.posting(self.node_name())).collect())
    }

    fn entries(&self) -> u64 {
        self.state.journal.batches()
    }

    fn reader(&self) -> BooksReader {
        reader::of(&self.state)
    }

    fn verify(&self) -> Result<(), LedgerError> {
        if let Some(memory) = self.state.past.memory() {
            let postings = memory.postings.iter().map(|it| it.posting(self.node_name()));
            verify::postings(&self.state.journal, postings)?;
        }
        verify::sums(&self.state)?;
        verify::pending(&self.state)
    }

    fn image(&self) -> BooksImage {
        image::of(&self.state)
    }

    fn restore(&mut self, from: &Json) -> Result<(), String> {
        image::restore(&mut self.state, from)
    }

    fn recall_by(&mut self, past: Option<Arc<dyn History>>) {
        if let Past::Elsewhere { instead, .. } = &mut self.state.past {
            *instead = past;
        }
    }
}

/// A payment as others see it, if it has not ended.
fn open(paying: &Payment) -> Option<OpenPayment> {
    (paying.state == ClaimState::Open).then(|| OpenPayment {
        claim: paying.claim.clone(),
        parts: paying.parts.values().map(|part| (part.hold, part.state)).collect(),
    })
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may overflow: then they fail")]
pub(crate) mod tests;
