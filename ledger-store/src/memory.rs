//! The ledger in memory.

use crate::chart::Account;
use crate::entry::{Applied, ENTRIES_PER_BATCH_MAX, EntryKey, SetState, Writer, Written};
use crate::journal::{Changes, Circumstances, Journal, broken};
use crate::limit::Spend;
use crate::payment::Payment;
use crate::verify;
use ecs_core::EntityId;
use ecs_systems::port::{
    Balance, BalanceObject, Claim, ClaimState, EntryId, HoldState, Ledger, LedgerEntry,
    LedgerError, PartHold, PaymentRef, Posting, SetRef,
};
use ecs_systems::units::{GroupId, Msat, PartId, PaymentHash, Seconds, ShortChannelId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A double-entry ledger that lives as long as the process.
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

/// All that a batch reads, and changes at once when it is accepted.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) journal: Journal,
    pub(crate) payments: BTreeMap<PaymentRef, Payment>,
    /// The claim that counts on each hash: the complete one; without one the latest.
    pub(crate) latest: BTreeMap<PaymentHash, PaymentRef>,
    /// The latest claim with each idempotency key.
    pub(crate) keys: BTreeMap<String, PaymentRef>,
    pub(crate) applied: BTreeMap<EntryKey, Applied>,
    /// Sets that were held or settled.
    pub(crate) sets: BTreeMap<SetRef, SetState>,
    /// Payments that have something set aside.
    under_way: BTreeSet<PaymentRef>,
    /// By time; the number keeps apart those of one moment.
    spends: BTreeMap<(Timestamp, usize), Spend>,
}

impl State {
    /// The payments that have something set aside.
    pub(crate) fn payments_under_way(&self) -> impl Iterator<Item = &Payment> {
        self.under_way.iter().filter_map(|payment| self.payments.get(payment))
    }

    /// Every attempt to pay that hash.
    pub(crate) fn payments_of(&self, payment_hash: PaymentHash) -> impl Iterator<Item = &Payment> {
        let of = |group_id| PaymentRef { payment_hash, group_id };
        self.payments.range(of(GroupId(0))..=of(GroupId(u64::MAX))).map(|(_, paying)| paying)
    }

    /// What was spent within `window` before `now`, and what is dated later than `now`.
    pub(crate) fn spends_since(
        &self,
        window: Seconds,
        now: Timestamp,
    ) -> impl Iterator<Item = &Spend> {
        let since = Timestamp(now.0.saturating_sub(window.0.saturating_mul(1_000)));
        self.spends.range((since, 0)..).map(|(_, spend)| spend)
    }

    fn apply(&mut self, changes: Changes, written: Written) {
        self.journal.apply(changes);
        self.latest.extend(written.latest);
        self.keys.extend(written.keys);
        self.applied.extend(written.applied);
        self.sets.extend(written.sets);
        for spend in written.spends {
            self.spends.insert((spend.at, self.spends.len()), spend);
        }
        for (payment, paying) in written.payments {
            if paying.set_aside() == Msat::ZERO {
                self.under_way.remove(&payment);
            } else {
                self.under_way.insert(payment);
            }
            self.payments.insert(payment, paying);
        }
    }
}

impl MemoryLedger {
    /// Empty books of the node with that name.
    #[must_use]
    pub fn new(node_name: &str) -> Self {
        Self {
            state: State {
                journal: Journal::new(node_name),
                payments: BTreeMap::new(),
                latest: BTreeMap::new(),
                keys: BTreeMap::new(),
                applied: BTreeMap::new(),
                sets: BTreeMap::new(),
                under_way: BTreeSet::new(),
                spends: BTreeMap::new(),
            },
        }
    }

    /// The name that all accounts of these books begin with.
    #[must_use]
    pub fn node_name(&self) -> &str {
        self.state.journal.node()
    }

    /// What a batch would come to, and its postings' ids.
    fn write(
        &self,
        batch: &[LedgerEntry],
        circumstances: Circumstances,
    ) -> Result<(Changes, Written, Vec<EntryId>), LedgerError> {
        if batch.len() > ENTRIES_PER_BATCH_MAX {
            let what = format!("{} entries, {ENTRIES_PER_BATCH_MAX} allowed", batch.len());
            return Err(broken(what));
        }
        let mut writer = Writer::new(&self.state, circumstances);
        let mut ids = Vec::new();
        for entry in batch {
            ids.extend(writer.write(entry)?);
        }
        let (changes, written) = writer.into_changes();
        Ok((changes, written, ids))
    }

    fn sums(&self, account: Account) -> Balance {
        self.state.journal.balance(&account.of(self.node_name()))
    }
}

impl Ledger for MemoryLedger {
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<Vec<EntryId>, LedgerError> {
        let (changes, written, ids) = self.write(batch, Circumstances { entity, at })?;
        let postings = changes.len();
        self.state.apply(changes, written);
        let entries = batch.len();
        tracing::debug!(target: "payflow::ledger", entries, postings, "batch written");
        Ok(ids)
    }

    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(batch, Circumstances { entity, at }).map(|_| ())
    }

    fn claim(&self, payment_hash: &PaymentHash) -> Option<(Claim, ClaimState)> {
        let payment = self.state.latest.get(payment_hash)?;
        let paying = self.state.payments.get(payment)?;
        Some((paying.claim.clone(), paying.state.clone()))
    }

    fn claim_of_key(&self, idempotency_key: &str) -> Option<(Claim, ClaimState)> {
        let payment = self.state.keys.get(idempotency_key)?;
        let paying = self.state.payments.get(payment)?;
        Some((paying.claim.clone(), paying.state.clone()))
    }

    fn end_of(&self, payment: &PaymentRef) -> Option<LedgerEntry> {
        self.state.applied.get(&EntryKey::End(*payment)).map(|applied| applied.entry.clone())
    }

    fn available(&self) -> Msat {
        let set_aside = self.sums(Account::Spendable).credits_pending_msat;
        self.state.journal.unheld().saturating_sub(set_aside)
    }

    fn part(&self, payment: &PaymentRef, part_id: PartId) -> Option<HoldState> {
        Some(self.state.payments.get(payment)?.parts.get(&part_id)?.state)
    }

    fn part_hold(&self, payment: &PaymentRef, part_id: PartId) -> Option<PartHold> {
        Some(self.state.payments.get(payment)?.parts.get(&part_id)?.hold)
    }

    fn has_channel(&self, short_channel_id: ShortChannelId) -> bool {
        self.state.applied.contains_key(&EntryKey::Opening(short_channel_id))
    }

    fn channel_available(&self, short_channel_id: ShortChannelId) -> Msat {
        let sums = self.sums(Account::Channel(short_channel_id));
        let held = sums.credits_posted_msat.0.saturating_add(sums.credits_pending_msat.0);
        Msat(sums.debits_posted_msat.0.saturating_sub(held))
    }

    fn balance(&self, account: &str) -> Balance {
        self.state.journal.balance(account)
    }

    fn trial_balance(&self) -> Vec<(String, Balance)> {
        let accounts = self.state.journal.accounts();
        accounts.iter().map(|(account, balance)| (account.clone(), *balance)).collect()
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
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.state.journal.postings().iter().skip(from).take(limit).cloned().collect()
    }

    fn postings_of(&self, payment: &PaymentRef) -> Vec<Posting> {
        self.state.journal.postings_of(payment).cloned().collect()
    }

    fn verify(&self) -> Result<(), LedgerError> {
        verify::journal(&self.state.journal)?;
        verify::payments(&self.state)?;
        verify::sets(&self.state)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may overflow: then they fail")]
mod tests;
