//! Everything recomputed from the postings alone, by other means than they were written by.

use crate::chart::{Account, is_channel};
use crate::journal::{Journal, broken};
use crate::memory::State;
use crate::payment::Payment;
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
struct Auditor<'a> {
    node: &'a str,
    accounts: BTreeMap<&'a str, Sums>,
    seen: BTreeSet<&'a EntryId>,
    unresolved: BTreeMap<&'a EntryId, &'a Posting>,
    /// What all channels have that is neither spent nor held.
    unheld: i128,
}

/// Checks a journal against its postings.
///
/// # Errors
/// The first of these that does not hold: ids are unique and `tx_id`s never fall; each pending
/// posting is resolved at most once, by at most its amount, between its accounts; no channel is
/// overdrawn and no more is reserved than the channels have, after any posting; debits equal
/// credits, pending and posted; the counters are what the postings sum to.
pub(crate) fn journal(journal: &Journal) -> Result<(), LedgerError> {
    let mut auditor = Auditor {
        node: journal.node(),
        accounts: BTreeMap::new(),
        seen: BTreeSet::new(),
        unresolved: BTreeMap::new(),
        unheld: 0,
    };
    let mut tx_id = 0;
    for posting in journal.postings() {
        if posting.tx_id < tx_id {
            return Err(at(posting, "its batch is older than the one before"));
        }
        tx_id = posting.tx_id;
        auditor.see(posting)?;
    }
    auditor.compare(journal)
}

impl<'a> Auditor<'a> {
    fn see(&mut self, posting: &'a Posting) -> Result<(), LedgerError> {
        if !self.seen.insert(&posting.entry_id) {
            return Err(at(posting, "its id is used twice"));
        }
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
        let spendable = Account::Spendable.of(self.node);
        let reserved = self.accounts.get(spendable.as_str()).map_or(0, |it| it.credits_pending);
        if reserved > self.unheld {
            return Err(at(posting, "more is reserved than the channels have"));
        }
        Ok(())
    }

    /// What a posting takes off the pending counters: all that it resolves.
    fn resolved(&mut self, posting: &'a Posting) -> Result<i128, LedgerError> {
        let Some(pending_id) = &posting.pending_id else {
            match posting.state {
                PostingState::Pending => self.unresolved.insert(&posting.entry_id, posting),
                PostingState::Posted => None,
                PostingState::Voided => return Err(at(posting, "it voids nothing")),
            };
            return Ok(0);
        };
        let pending = self
            .unresolved
            .remove(pending_id)
            .ok_or_else(|| at(posting, "what it resolves is not pending"))?;
        let accounts = |posting: &'a Posting| (&posting.debit_account, &posting.credit_account);
        if accounts(pending) != accounts(posting) || posting.amount_msat > pending.amount_msat {
            return Err(at(posting, "it is not of what it resolves"));
        }
        if posting.state == PostingState::Pending {
            return Err(at(posting, "it is pending and resolves another"));
        }
        Ok(pending.amount_msat.0.into())
    }

    /// Changes an account's sums. Returns what is unheld if it is a channel, otherwise 0.
    fn change(&mut self, account: &'a str, change: impl FnOnce(&mut Sums)) -> i128 {
        let sums = self.accounts.entry(account).or_default();
        let before = sums.unheld();
        change(sums);
        let after = sums.unheld();
        if !is_channel(self.node, account) {
            return 0;
        }
        self.unheld = self.unheld.saturating_sub(before).saturating_add(after);
        after
    }

    fn compare(&self, journal: &Journal) -> Result<(), LedgerError> {
        let total = |of: fn(&Sums) -> i128| self.accounts.values().map(of).sum::<i128>();
        for (what, debits, credits) in [
            ("pending", total(|it| it.debits_pending), total(|it| it.credits_pending)),
            ("posted", total(|it| it.debits_posted), total(|it| it.credits_posted)),
        ] {
            if debits != credits {
                return Err(broken(format!("{debits} msat {what} debits, {credits} credits")));
            }
        }
        for (account, balance) in journal.accounts() {
            if self.accounts.get(account.as_str()) != Some(&Sums::of(balance)) {
                return Err(broken(format!("{account}: its counters are not its postings")));
            }
        }
        if self.accounts.len() != journal.accounts().len() {
            return Err(broken("an account with postings has no counters"));
        }
        if self.unheld != i128::from(journal.unheld().0) {
            return Err(broken("what the channels have is not what they sum to"));
        }
        Ok(())
    }
}

/// Checks that what each payment has set aside is what its unresolved postings hold, and that those
/// with nothing set aside are not counted as under way.
///
/// # Errors
/// The first payment of which that is not so.
pub(crate) fn payments(state: &State) -> Result<(), LedgerError> {
    let mut held: BTreeMap<PaymentRef, i128> = BTreeMap::new();
    for posting in unresolved(&state.journal).filter(|it| leaves(state.journal.node(), it)) {
        let Some(payment) = posting.payment else { continue };
        let sum = held.entry(payment).or_default();
        *sum = sum.saturating_add(posting.amount_msat.0.into());
    }
    let known: BTreeMap<PaymentRef, i128> = state
        .payments_under_way()
        .map(|paying| (paying.claim.payment, paying.set_aside().0.into()))
        .collect();
    if known == held && state.payments.values().all(is_whole) {
        return Ok(());
    }
    Err(broken("what payments have set aside is not what their pending postings hold"))
}

/// Checks that what is pending of sets is what their unresolved postings hold.
///
/// # Errors
/// There is one that no set knows, or a set knows one that is not there.
pub(crate) fn sets(state: &State) -> Result<(), LedgerError> {
    let node = state.journal.node();
    let comes = unresolved(&state.journal).filter(|posting| !leaves(node, posting));
    let there: BTreeSet<&EntryId> = comes.map(|posting| &posting.entry_id).collect();
    let known: BTreeSet<&EntryId> =
        state.sets.values().flat_map(crate::entry::SetState::pending).collect();
    if there == known {
        return Ok(());
    }
    Err(broken("what sets have pending is not what their pending postings hold"))
}

/// The pending postings that nothing has resolved.
fn unresolved(journal: &Journal) -> impl Iterator<Item = &Posting> {
    let resolved: BTreeSet<&EntryId> =
        journal.postings().iter().filter_map(|it| it.pending_id.as_ref()).collect();
    journal.postings().iter().filter(move |posting| {
        posting.state == PostingState::Pending && !resolved.contains(&posting.entry_id)
    })
}

/// Whether a posting takes from our channels; else it brings something.
fn leaves(node: &str, posting: &Posting) -> bool {
    is_channel(node, &posting.credit_account)
        || posting.credit_account == Account::Spendable.of(node)
}

/// Whether a payment that has a rest has a reservation.
fn is_whole(paying: &Payment) -> bool {
    paying.reservation.is_some() || paying.set_aside() == Msat::ZERO
}

fn at(posting: &Posting, what: &str) -> LedgerError {
    broken(format!("posting {}: {what}", posting.entry_id.0))
}
