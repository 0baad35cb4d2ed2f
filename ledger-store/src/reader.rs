//! The past of the books, told on any thread.

use crate::dossier::Dossier;
use crate::entry::Writer;
use crate::journal::{Booked, Circumstances, Journal};
use crate::past::Past;
use crate::state::State;
use ecs_systems::port::{
    BooksReader, History, HistoryError, LedgerEntry, LedgerError, LinesOf, PastEntry, Posting,
};
use ecs_systems::units::PaymentHash;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A reader of what these books were told until now.
pub(crate) fn of(state: &State) -> BooksReader {
    let past: Arc<dyn History> = match &state.past {
        Past::Memory(memory) => Arc::new(memory.clone()),
        Past::Elsewhere { history, .. } => Arc::clone(history),
    };
    let teller = Teller::new(state.journal.node());
    BooksReader::new(past, move |entry, lines_of| teller.postings(entry, lines_of))
}

/// Most hashes whose dossiers are kept while entries are told.
const KEPT_MAX: usize = 1_024;

/// Tells the postings of entries. Mostly these are asked for in order, so that each of a hash goes
/// on from the dossier that the one before came to.
struct Teller {
    journal: Journal,
    kept: Mutex<BTreeMap<PaymentHash, Kept>>,
}

/// A dossier up to an entry, that one included.
struct Kept {
    until: u64,
    dossier: Arc<Dossier>,
}

impl Teller {
    fn new(node: &str) -> Self {
        Self { journal: Journal::new(node), kept: Mutex::default() }
    }

    /// What an entry came to when it was taken.
    fn postings(
        &self,
        entry: &PastEntry,
        lines_of: &mut LinesOf<'_>,
    ) -> Result<Vec<Posting>, HistoryError> {
        let failed = |what| HistoryError::Failed { what };
        let hashes: BTreeSet<PaymentHash> =
            entry.lines.iter().filter_map(LedgerEntry::payment_hash).collect();
        let mut postings = self.of_no_hash(entry).map_err(|error| failed(error.to_string()))?;
        for hash in hashes {
            let dossier = self.dossier(hash, entry.index, lines_of(&hash)?).map_err(failed)?;
            let batch = entry.index.saturating_add(1);
            // They are in order.
            let (all, of) = (dossier.postings(), |it: &Arc<Booked>| it.batch);
            let own = &all[all.partition_point(|it| of(it) < batch)..];
            let own = own.iter().take_while(|it| of(it) == batch);
            postings.extend(own.map(|booked| booked.posting(self.journal.node())));
        }
        Ok(postings)
    }

    /// The dossier of a hash up to an entry, which is the last of these.
    fn dossier(
        &self,
        hash: PaymentHash,
        until: u64,
        lines: Vec<PastEntry>,
    ) -> Result<Arc<Dossier>, String> {
        let before = self.kept().remove(&hash).filter(|kept| kept.until <= until);
        let (from, before) = match before {
            Some(kept) => (kept.until.saturating_add(1), kept.dossier),
            None => (0, Arc::default()),
        };
        let newer = lines.into_iter().filter(|entry| entry.index >= from);
        let dossier = Dossier::go_on(&self.journal, hash, before, newer)?;
        let mut kept = self.kept();
        if kept.len() == KEPT_MAX {
            kept.clear();
        }
        kept.insert(hash, Kept { until, dossier: Arc::clone(&dossier) });
        Ok(dossier)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<PaymentHash, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The postings of lines about channels.
    fn of_no_hash(&self, entry: &PastEntry) -> Result<Vec<Posting>, LedgerError> {
        let circumstances = Circumstances { entity: entry.entity, at: entry.at };
        // Such lines ask for no dossier.
        let nothing = (PaymentHash([0; 32]), Arc::default());
        let mut writer = Writer::again(&self.journal, nothing, entry.index, circumstances);
        for line in entry.lines.iter().filter(|line| line.payment_hash().is_none()) {
            writer.write(line)?;
        }
        let booked = writer.into_changes().0.postings;
        Ok(booked.iter().map(|booked| booked.posting(self.journal.node())).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::MemoryLedger;
    use crate::laws::fixture::{
        claim, complete, dispatch, fail, opening, payment, post, reserve, void,
    };
    use ecs_systems::port::{Ledger, LedgerEntry, PastEntry, Posting};
    use ecs_systems::units::Timestamp;

    /// Books in which two hashes take turns, and one of them is paid by its second payment.
    fn books() -> MemoryLedger {
        let (first, second, other) = (payment(1, 1), payment(1, 2), payment(2, 3));
        let lines: Vec<LedgerEntry> = vec![
            opening(1, 1_000_000),
            claim(1, 1, 1_000),
            claim(2, 3, 2_000),
            reserve(first, 1_000, 10),
            reserve(other, 2_000, 10),
            dispatch(first, &[(1, 1, 1_000, 5)]),
            dispatch(other, &[(1, 1, 2_000, 5)]),
            void(first, 1),
            post(other, 1, 4),
            fail(first),
            complete(2, 3, 4),
            claim(1, 2, 1_000),
            reserve(second, 1_000, 10),
            dispatch(second, &[(1, 1, 1_000, 5)]),
            post(second, 1, 5),
            complete(1, 2, 5),
        ];
        let mut books = MemoryLedger::new("sim");
        for (at, line) in (0..).zip(&lines) {
            books.commit(std::slice::from_ref(line), None, Timestamp(at)).unwrap();
        }
        books
    }

    #[test]
    fn an_entry_comes_to_the_same_whatever_was_asked_for_before() {
        let books = books();
        let reader = books.reader();
        let mut look = reader.look().unwrap();
        let entries = look.entries(0, usize::MAX).unwrap();
        let alone = |entry: &PastEntry| -> Vec<Posting> {
            books.reader().look().unwrap().postings(entry).unwrap()
        };
        let all: Vec<Vec<Posting>> = entries.iter().map(alone).collect();
        assert_eq!(all.concat(), books.postings(0, u32::MAX), "in order");
        let forth = 0..entries.len();
        let back = forth.clone().rev();
        let twice = forth.clone().flat_map(|at| [at, at]);
        for at in forth.clone().chain(back).chain(twice) {
            assert_eq!(look.postings(&entries[at]).unwrap(), all[at], "{:?}", entries[at]);
        }
    }
}
