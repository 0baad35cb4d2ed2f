//! Everything recomputed from the postings alone, by other means than they were written by.

use crate::chart::{Account, PostingKey, is_channel};
use crate::dossier::Dossier;
use crate::journal::{Booked, Journal, broken};
use crate::payment::Payment;
use crate::state::State;
use ecs_systems::port::{Balance, EntryId, LedgerError, PaymentRef, Posting, PostingState};
use ecs_systems::units::Msat;
use std::collections::{BTreeMap, BTreeSet};

/// What an account's postings sum to, in signed 128 bits so that nothing wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    debits_pending: i128,
    debits_posted: i128,
    credits_pending: i128,
    credits_posted: i128,
}

impl Sums {
    fn of(balance: &Balance) -> Self {
        Self {
            debits_pending: balance.debits_pending_msat.0.into(),
            debits_posted: balance.debits_posted_msat.0.into(),
            credits_pending: balance.credits_pending_msat.0.into(),
            credits_posted: balance.credits_posted_msat.0.into(),
        }
    }

    /// What is neither spent nor held.
    fn unheld(&self) -> i128 {
        self.debits_posted.saturating_sub(self.credits_posted).saturating_sub(self.credits_pending)
    }
}

/// The books as an auditor keeps them, one posting after the other.
#[derive(Debug)]
pub(crate) struct Auditor {
    node: String,
    accounts: BTreeMap<String, Sums>,
    unresolved: BTreeMap<EntryId, Posting>,
    tx_id: u64,
    /// What all channels have that is neither spent nor held.
    unheld: i128,
}

/// Checks a journal against all its postings.
///
/// # Errors
/// The first of these that does not hold: ids are unique and `tx_id`s never fall, but where a
/// circular payment that began before goes on; each pending
/// posting is resolved at most once, by at most its amount, between its accounts; no channel is
/// overdrawn and no more is reserved than the channels have, after any posting; debits equal
/// credits, pending and posted; the counters are what the postings sum to.
pub(crate) fn postings(
    journal: &Journal,
    postings: impl IntoIterator<Item = Posting>,
) -> Result<(), LedgerError> {
    let mut auditor = Auditor::new(journal.node());
    let mut seen = BTreeSet::new();
    for posting in postings {
        if !seen.insert(posting.entry_id.clone()) {
            return Err(at(&posting, "its id is used twice"));
        }
        auditor.see(&posting)?;
    }
    auditor.compare(&journal.named_accounts())
}

impl Auditor {
    /// An auditor who has seen nothing.
    pub(crate) fn new(node: &str) -> Self {
        let (accounts, unresolved) = (BTreeMap::new(), BTreeMap::new());
        Self { node: node.to_owned(), accounts, unresolved, tx_id: 0, unheld: 0 }
    }

    /// Takes a posting, the next in order.
    ///
    /// # Errors
    /// What does not hold after it.
    pub(crate) fn see(&mut self, posting: &Posting) -> Result<(), LedgerError> {
        if posting.tx_id < self.tx_id && !self.goes_around(posting) {
            return Err(at(posting, "its transaction is older than the one before"));
        }
        self.tx_id = self.tx_id.max(posting.tx_id);
        let amount = i128::from(posting.amount_msat.0);
        let returned = self.resolved(posting)?;
        let (pending, posted) = match posting.state {
            PostingState::Pending => (amount, 0),
            PostingState::Posted => (0_i128.saturating_sub(returned), amount),
            PostingState::Voided => (0_i128.saturating_sub(returned), 0),
        };
        let debit = self.change(&posting.debit_account, |sums| {
            sums.debits_pending = sums.debits_pending.saturating_add(pending);
            sums.debits_posted = sums.debits_posted.saturating_add(posted);
        });
        let credit = self.change(&posting.credit_account, |sums| {
            sums.credits_pending = sums.credits_pending.saturating_add(pending);
            sums.credits_posted = sums.credits_posted.saturating_add(posted);
        });
        if debit < 0 || credit < 0 {
            return Err(at(posting, "a channel is overdrawn"));
        }
        let spendable = Account::Spendable.of(&self.node);
        let reserved = self.accounts.get(spendable.as_str()).map_or(0, |it| it.credits_pending);
        if reserved > self.unheld {
            return Err(at(posting, "more is reserved than the channels have"));
        }
        Ok(())
    }

    /// Whether it is of a circular payment, whose transaction begins with the claim.
    fn goes_around(&self, posting: &Posting) -> bool {
        let own = [Account::SelfPayment, Account::RebalanceFee].map(|it| it.of(&self.node));
        own.contains(&posting.debit_account) || own.contains(&posting.credit_account)
    }

    /// What a posting takes off the pending counters: all that it resolves.
    fn resolved(&mut self, posting: &Posting) -> Result<i128, LedgerError> {
        let Some(pending_id) = &posting.pending_id else {
            let twice = match posting.state {
                PostingState::Pending => {
                    self.unresolved.insert(posting.entry_id.clone(), posting.clone())
                }
                PostingState::Posted => None,
                PostingState::Voided => return Err(at(posting, "it voids nothing")),
            };
            return twice.map_or(Ok(0), |_| Err(at(posting, "its id is used twice")));
        };
        let pending = self
            .unresolved
            .remove(pending_id)
            .ok_or_else(|| at(posting, "what it resolves is not pending"))?;
        let accounts = (&pending.debit_account, &pending.credit_account);
        if accounts != (&posting.debit_account, &posting.credit_account)
            || posting.amount_msat > pending.amount_msat
        {
            return Err(at(posting, "it is not of what it resolves"));
        }
        if posting.state == PostingState::Pending {
            return Err(at(posting, "it is pending and resolves another"));
        }
        Ok(pending.amount_msat.0.into())
    }

    /// Changes an account's sums. Returns what is unheld if it is a channel, otherwise 0.
    fn change(&mut self, account: &str, change: impl FnOnce(&mut Sums)) -> i128 {
        let is_channel = is_channel(&self.node, account);
        if !self.accounts.contains_key(account) {
            self.accounts.insert(account.to_owned(), Sums::default());
        }
        let Some(sums) = self.accounts.get_mut(account) else { return 0 };
        let before = sums.unheld();
        change(sums);
        let after = sums.unheld();
        if !is_channel {
            return 0;
        }
        self.unheld = self.unheld.saturating_sub(before).saturating_add(after);
        after
    }

    /// Holds the sums against counters.
    ///
    /// # Errors
    /// The first account that differs.
    pub(crate) fn compare(&self, counters: &BTreeMap<String, Balance>) -> Result<(), LedgerError> {
        for (account, balance) in counters {
            if self.accounts.get(account) != Some(&Sums::of(balance)) {
                return Err(broken(format!("{account}: its counters are not its postings")));
            }
        }
        match self.accounts.keys().find(|account| !counters.contains_key(*account)) {
            None => Ok(()),
            Some(account) => Err(broken(format!("{account} has postings and no counters"))),
        }
    }
}

/// Checks the counters alone.
///
/// # Errors
/// The first of these that does not hold: debits equal credits, pending and posted; no channel is
/// overdrawn, and what they have sums to what is known of them; no more is reserved than that.
pub(crate) fn sums(state: &State) -> Result<(), LedgerError> {
    let accounts = state.journal.accounts();
    let all: Vec<Sums> = accounts.values().map(Sums::of).collect();
    let total = |of: fn(&Sums) -> i128| all.iter().map(of).sum::<i128>();
    for (what, debits, credits) in [
        ("pending", total(|it| it.debits_pending), total(|it| it.credits_pending)),
        ("posted", total(|it| it.debits_posted), total(|it| it.credits_posted)),
    ] {
        if debits != credits {
            return Err(broken(format!("{debits} msat {what} debits, {credits} credits")));
        }
    }
    let mut unheld = 0_i128;
    for (account, balance) in accounts {
        if account.is_channel() {
            let there = Sums::of(balance).unheld();
            if there < 0 {
                let account = account.of(state.journal.node());
                return Err(broken(format!("{account} is overdrawn")));
            }
            unheld = unheld.saturating_add(there);
        }
    }
    if unheld != i128::from(state.journal.unheld().0) {
        return Err(broken("what the channels have is not what they sum to"));
    }
    let reserved = state.journal.balance(Account::Spendable);
    if i128::from(reserved.credits_pending_msat.0) > unheld {
        return Err(broken("more is reserved than the channels have"));
    }
    Ok(())
}

/// Checks that everything pending is of what has not ended: what each payment has set aside and
/// each set expects is what its unresolved postings hold, and these sum to the pending counters.
///
/// # Errors
/// The first payment, set or account of which that is not so.
pub(crate) fn pending(state: &State) -> Result<(), LedgerError> {
    let mut held: BTreeMap<Account, (i128, i128)> = BTreeMap::new();
    for dossier in state.open.values() {
        dossier_pending(dossier)?;
        for posting in dossier.unresolved() {
            let amount = i128::from(posting.amount.0);
            let debit = held.entry(posting.debit).or_default();
            debit.0 = debit.0.saturating_add(amount);
            let credit = held.entry(posting.credit).or_default();
            credit.1 = credit.1.saturating_add(amount);
        }
    }
    for (account, balance) in state.journal.accounts() {
        let sums = Sums::of(balance);
        let known = held.get(account).copied().unwrap_or_default();
        if known != (sums.debits_pending, sums.credits_pending) {
            let account = account.of(state.journal.node());
            return Err(broken(format!("{account}: what is pending is of no payment or set")));
        }
    }
    let known: BTreeMap<PaymentRef, Msat> = state
        .payments_under_way()
        .map(|paying| (paying.claim.payment, paying.set_aside()))
        .collect();
    let all = state.open.values().flat_map(|dossier| dossier.payments.values());
    let all = all.map(|paying| (paying.claim.payment, paying.set_aside()));
    if known == all.filter(|(_, msat)| *msat > Msat::ZERO).collect() {
        return Ok(());
    }
    Err(broken("what payments have set aside is not what is known as under way"))
}

/// Checks one dossier.
fn dossier_pending(dossier: &Dossier) -> Result<(), LedgerError> {
    let mut held: BTreeMap<PaymentRef, i128> = BTreeMap::new();
    let mut comes: BTreeSet<PostingKey> = BTreeSet::new();
    for posting in dossier.unresolved() {
        if !leaves(posting) {
            comes.insert(posting.key);
        } else if let Some(payment) = posting.payment() {
            let sum = held.entry(payment).or_default();
            *sum = sum.saturating_add(posting.amount.0.into());
        }
    }
    for paying in dossier.payments.values() {
        let payment = paying.claim.payment;
        let set_aside = i128::from(paying.set_aside().0);
        if held.remove(&payment).unwrap_or_default() != set_aside || !is_whole(paying) {
            let what = format!("payment {} of group {}", payment.payment_hash, payment.group_id);
            return Err(broken(format!("{what} has not set aside what is pending of it")));
        }
    }
    let known: BTreeSet<PostingKey> =
        dossier.sets.values().flat_map(crate::entry::SetState::pending).collect();
    if held.is_empty() && comes == known {
        return Ok(());
    }
    Err(broken("what sets have pending is not what their pending postings hold"))
}

/// Whether a posting takes from our channels; else it brings something.
fn leaves(posting: &Booked) -> bool {
    posting.credit.is_channel() || posting.credit == Account::Spendable
}

/// Whether a payment that has a rest has a reservation.
fn is_whole(paying: &Payment) -> bool {
    paying.reservation.is_some() || paying.set_aside() == Msat::ZERO
}

fn at(posting: &Posting, what: &str) -> LedgerError {
    broken(format!("posting {}: {what}", posting.entry_id.0))
}
