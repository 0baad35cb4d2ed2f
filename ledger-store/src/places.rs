//! Where in the ledger each hash and each idempotency key is named.

use crate::guards;
use crate::past::claimed_with;
use ecs_systems::port::{History, HistoryError, LedgerEntry, PastEntry, PaymentRef};
use ecs_systems::units::PaymentHash;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Fingerprints with the entries that they are named in.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The first `sorted` of them are in order.
    all: Vec<(u64, u64)>,
    sorted: usize,
}

/// Most places that are looked through one by one before they are sorted.
const UNSORTED_MAX: usize = 1_024;

impl Places {
    /// Notes an entry, the next in order.
    pub(crate) fn note(&mut self, entry: &PastEntry) {
        for line in &entry.lines {
            let key = match line {
                LedgerEntry::Claim(claim) => claim.idempotency_key.as_deref().map(guards::of_key),
                LedgerEntry::Opening { .. }
                | LedgerEntry::Adjust { .. }
                | LedgerEntry::Backup
                | LedgerEntry::Reconciled { .. }
                | LedgerEntry::Reserve { .. }
                | LedgerEntry::Dispatch { .. }
                | LedgerEntry::PostPart { .. }
                | LedgerEntry::VoidPart { .. }
                | LedgerEntry::Overspend { .. }
                | LedgerEntry::LatePart { .. }
                | LedgerEntry::Prove { .. }
                | LedgerEntry::SelfPay { .. }
                | LedgerEntry::HoldSet { .. }
                | LedgerEntry::SettleSet { .. }
                | LedgerEntry::ClaimSet { .. }
                | LedgerEntry::VoidSet { .. }
                | LedgerEntry::Complete { .. }
                | LedgerEntry::Fail { .. }
                | LedgerEntry::FailDraft { .. } => None,
            };
            let hash = line.payment_hash().as_ref().map(guards::of_hash);
            for fingerprint in hash.into_iter().chain(key) {
                if self.all.last() != Some(&(fingerprint, entry.index)) {
                    self.all.push((fingerprint, entry.index));
                }
            }
        }
    }

    /// The entries that name it, in order; a few may name something else.
    pub(crate) fn of(&mut self, fingerprint: u64) -> Vec<u64> {
        if self.all.len().saturating_sub(self.sorted) > UNSORTED_MAX {
            self.all.sort_unstable();
            self.sorted = self.all.len();
        }
        let (sorted, others) = self.all.split_at(self.sorted);
        let from = sorted.partition_point(|(it, _)| *it < fingerprint);
        let in_order = sorted.iter().skip(from).take_while(|(it, _)| *it == fingerprint);
        let found = in_order.chain(others.iter().filter(|(it, _)| *it == fingerprint));
        let mut found: Vec<u64> = found.map(|(_, index)| *index).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whoever can read the ledger.
pub trait Reader: fmt::Debug + Send + Sync {
    /// Entries from an index on, as they are asked for.
    ///
    /// # Errors
    /// What stands in the way, as a sentence. An entry that can't be read is an error of its own.
    fn read_from(&self, index: u64) -> Result<PastEntries<'_>, String>;
}

/// Entries in order.
pub type PastEntries<'a> = Box<dyn Iterator<Item = Result<PastEntry, String>> + 'a>;

/// A history that reads the ledger again and again, and remembers only where things are.
#[derive(Debug)]
pub(crate) struct Reread {
    reader: Arc<dyn Reader>,
    /// `None`: nobody has looked through the ledger.
    places: Mutex<Option<Places>>,
    known: u64,
}

impl Reread {
    /// A history that looks through all of the ledger once it is asked for anything.
    pub(crate) fn lazily(reader: Arc<dyn Reader>) -> Self {
        Self { reader, places: Mutex::new(None), known: 0 }
    }

    /// A history of what [`Reread::note`] is told of.
    pub(crate) fn told(reader: Arc<dyn Reader>) -> Self {
        Self { reader, places: Mutex::new(Some(Places::default())), known: u64::MAX }
    }

    /// Notes an entry, the next in order.
    pub(crate) fn note(&self, entry: &PastEntry) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get_or_insert_default().note(entry);
    }

    fn entries(&self, fingerprint: u64) -> Result<Vec<PastEntry>, HistoryError> {
        let failed = |what| HistoryError::Failed { what };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = match &mut *places {
            Some(places) => places,
            none => {
                let mut all = Places::default();
                for entry in self.reader.read_from(0).map_err(failed)? {
                    all.note(&entry.map_err(failed)?);
                }
                none.insert(all)
            }
        };
        let read = |index| {
            let entry = self.reader.read_from(index)?.next();
            entry.unwrap_or_else(|| Err(format!("entry {index} is missing")))
        };
        places.of(fingerprint).into_iter().map(|index| read(index).map_err(failed)).collect()
    }
}

impl History for Reread {
    fn known(&self) -> u64 {
        self.known
    }

    fn lines_of(&self, payment_hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        self.entries(guards::of_hash(payment_hash))
    }

    fn payment_of_key(&self, idempotency_key: &str) -> Result<Option<PaymentRef>, HistoryError> {
        let entries = self.entries(guards::of_key(idempotency_key))?;
        let mut lines = entries.iter().flat_map(|entry| &entry.lines).rev();
        Ok(lines.find_map(|line| claimed_with(line, idempotency_key)))
    }
}
