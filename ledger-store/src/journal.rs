//! Immutable transfers between accounts.
//!
//! A transfer is posted at once, or set aside as pending and later resolved exactly once: posted up
//! to its amount, which returns the remainder, or voided. What resolves it is a transfer of its own
//! that names it; its id is derived from that of the pending one, so there can be no second. The
//! same transfer again is the one that exists; another one with its id is refused.

mod batch;

pub(crate) use batch::{Batch, Changes, Circumstances, Resolution, Transfer};

use ecs_systems::port::{Balance, EntryId, LedgerError, PaymentRef, Posting};
use ecs_systems::units::Msat;
use std::collections::BTreeMap;

/// Everything that was written, and what it sums to.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    /// What all accounts of this journal begin with.
    node: String,
    accounts: BTreeMap<String, Balance>,
    postings: Vec<Posting>,
    places: BTreeMap<EntryId, usize>,
    of_payment: BTreeMap<PaymentRef, Vec<usize>>,
    last_tx_id: u64,
    /// What the channels have that is neither spent nor held by a part.
    unheld_msat: Msat,
}

impl Journal {
    /// A journal without postings.
    pub(crate) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            accounts: BTreeMap::new(),
            postings: Vec::new(),
            places: BTreeMap::new(),
            of_payment: BTreeMap::new(),
            last_tx_id: 0,
            unheld_msat: Msat::ZERO,
        }
    }

    /// The node whose books these are.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// An account's sums; zeros for one without postings.
    pub(crate) fn balance(&self, account: &str) -> Balance {
        self.accounts.get(account).copied().unwrap_or_default()
    }

    /// Every account with postings, in byte order.
    pub(crate) fn accounts(&self) -> &BTreeMap<String, Balance> {
        &self.accounts
    }

    /// All postings, in the order in which they were written.
    pub(crate) fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// The postings of one payment, in the order in which they were written.
    pub(crate) fn postings_of(&self, payment: &PaymentRef) -> impl Iterator<Item = &Posting> {
        let places = self.of_payment.get(payment).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.postings.get(*place))
    }

    /// What the channels have that is neither spent nor held by a part.
    pub(crate) fn unheld(&self) -> Msat {
        self.unheld_msat
    }

    fn posting(&self, id: &EntryId) -> Option<&Posting> {
        self.places.get(id).and_then(|place| self.postings.get(*place))
    }

    /// Takes over what a batch came to.
    pub(crate) fn apply(&mut self, changes: Changes) {
        self.last_tx_id = changes.postings.last().map_or(self.last_tx_id, |last| last.tx_id);
        self.unheld_msat = changes.unheld_msat;
        self.accounts.extend(changes.accounts);
        for posting in changes.postings {
            let place = self.postings.len();
            self.places.insert(posting.entry_id.clone(), place);
            if let Some(payment) = posting.payment {
                self.of_payment.entry(payment).or_default().push(place);
            }
            self.postings.push(posting);
        }
    }
}

/// The breach of an invariant, in words.
pub(crate) fn broken(what: impl Into<String>) -> LedgerError {
    LedgerError::Invariant { what: what.into() }
}

#[cfg(test)]
mod tests;
