//! Where the books find what they no longer hold.

use crate::journal::Booked;
use ecs_systems::port::{History, HistoryError, LedgerEntry, PastEntry, PaymentRef};
use ecs_systems::units::PaymentHash;
use std::sync::Arc;

/// Everything that was written, in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) entries: Vec<Arc<PastEntry>>,
    pub(crate) postings: Vec<Arc<Booked>>,
}

impl History for Memory {
    fn known(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let entries = self.entries.iter().skip(from).take(limit);
        Ok(entries.map(|entry| PastEntry::clone(entry)).collect())
    }

    fn lines_of(&self, payment_hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        let is_it = |line: &LedgerEntry| line.payment_hash() == Some(*payment_hash);
        let of_hash = self.entries.iter().filter(|entry| entry.lines.iter().any(is_it));
        Ok(of_hash.map(|entry| PastEntry::clone(entry)).collect())
    }

    fn payment_of_key(&self, idempotency_key: &str) -> Result<Option<PaymentRef>, HistoryError> {
        let lines = self.entries.iter().flat_map(|entry| &entry.lines);
        Ok(lines.rev().find_map(|line| claimed_with(line, idempotency_key)))
    }
}

/// The payment that a line claims with that key.
pub(crate) fn claimed_with(line: &LedgerEntry, idempotency_key: &str) -> Option<PaymentRef> {
    let LedgerEntry::Claim(claim) = line else { return None };
    let has_it = claim.idempotency_key.as_deref() == Some(idempotency_key);
    has_it.then_some(claim.payment)
}

/// Who tells the books about the past.
#[derive(Clone, Debug)]
pub(crate) enum Past {
    /// They keep it themselves.
    Memory(Memory),
    /// Another does; during a restart `instead`, if there is one.
    Elsewhere { history: Arc<dyn History>, instead: Option<Arc<dyn History>> },
}

impl Past {
    /// Who tells it now.
    pub(crate) fn told(&self) -> &dyn History {
        match self {
            Self::Memory(memory) => memory,
            Self::Elsewhere { history, instead } => &**instead.as_ref().unwrap_or(history),
        }
    }

    /// Everything, where they keep it themselves.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        match self {
            Self::Memory(memory) => Some(memory),
            Self::Elsewhere { .. } => None,
        }
    }
}
