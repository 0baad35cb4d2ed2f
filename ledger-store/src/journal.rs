//! Immutable transfers between accounts.
//!
//! A transfer is posted at once, or set aside as pending and later resolved exactly once: posted up
//! to its amount, which returns the remainder, or voided. What resolves it is a transfer of its own
//! that names it; its id is derived from that of the pending one, so there can be no second. The
//! same transfer again is the one that exists; another one with its id is refused.

mod batch;

pub(crate) use batch::{Batch, Booked, Changes, Circumstances, Resolution, Transfer, unheld};

use crate::chart::Account;
use ecs_systems::port::{Balance, LedgerError};
use ecs_systems::units::Msat;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What everything that was written sums to.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    /// What all accounts of this journal begin with.
    node: String,
    accounts: BTreeMap<Account, Balance>,
    /// How many batches were taken.
    batches: u64,
    /// What the channels have that is neither spent nor held by a part.
    unheld_msat: Msat,
}

impl Journal {
    /// A journal without postings.
    pub(crate) fn new(node: &str) -> Self {
        Self::restored(node.to_owned(), BTreeMap::new(), 0, Msat::ZERO)
    }

    /// A journal that has come so far.
    pub(crate) fn restored(
        node: String,
        accounts: BTreeMap<Account, Balance>,
        batches: u64,
        unheld_msat: Msat,
    ) -> Self {
        Self { node, accounts, batches, unheld_msat }
    }

    /// The node whose books these are.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// An account's sums; zeros for one without postings.
    pub(crate) fn balance(&self, account: Account) -> Balance {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    /// Every account with postings.
    pub(crate) fn accounts(&self) -> &BTreeMap<Account, Balance> {
        &self.accounts
    }

    /// The same by their full names, in byte order.
    pub(crate) fn named_accounts(&self) -> BTreeMap<String, Balance> {
        self.accounts.iter().map(|(account, balance)| (account.of(&self.node), *balance)).collect()
    }

    /// How many batches were taken.
    pub(crate) fn batches(&self) -> u64 {
        self.batches
    }

    /// What the channels have that is neither spent nor held by a part.
    pub(crate) fn unheld(&self) -> Msat {
        self.unheld_msat
    }

    /// Takes over what a batch came to; its postings.
    pub(crate) fn apply(&mut self, changes: Changes) -> Vec<Arc<Booked>> {
        self.batches = self.batches.saturating_add(1);
        self.unheld_msat = changes.unheld_msat;
        self.accounts.extend(changes.accounts);
        changes.postings.into_iter().map(Arc::new).collect()
    }
}

/// The breach of an invariant, in words.
pub(crate) fn broken(what: impl Into<String>) -> LedgerError {
    LedgerError::Invariant { what: what.into() }
}

#[cfg(test)]
mod tests;
