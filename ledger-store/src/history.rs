//! The past of the books, found by the index and read from the ledger.

use crate::past::claimed_with;
use crate::store::read_entry;
use ecs_systems::port::{History, HistoryError, PastEntry, PaymentRef};
use ecs_systems::units::PaymentHash;
use payecs_index::{
    Answer, Backend, Follower, HISTORY, Index, PAGE_ENTRIES_MAX, QueryError, State,
};
use payecs_journal::{LedgerReader, StoredEntry};
use std::io;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// What books over a [`Store`](crate::store::Store) ask for what they no longer hold: an index says
/// which entries of the ledger name it, and the ledger what they say.
///
/// Books are made before their store is open. So a history is made first, and says that it is being
/// opened until [`LedgerHistory::follow`] has connected it and the index has caught up. Clones are
/// the same one; when the last is dropped, the index is closed.
///
/// Nothing is told from an index that may lack an entry of what is asked for. Books ask only for
/// what lies before the start of the program, or before what [`History::known`] has said since: as
/// long as the index, perhaps built again, has less than that, the answer is that it is opening.
#[derive(Clone, Debug, Default)]
pub struct LedgerHistory {
    connected: Arc<OnceLock<Connected>>,
}

#[derive(Debug)]
struct Connected {
    reader: LedgerReader,
    index: Index,
    history: payecs_index::History,
    /// So many entries, from the first on, must be in the index.
    needed: AtomicU64,
    /// Builds the index until it is dropped.
    follower: Follower,
}

impl LedgerHistory {
    /// Follows a ledger with the index at that place, on a thread of its own; the index, to see how
    /// far it is. Everything that a crash kept from the ledger must be in it, as it is after
    /// [`Store::open`](crate::store::Store::open).
    ///
    /// # Panics
    /// If the history follows a ledger already.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn follow(
        &self,
        reader: LedgerReader,
        backend: impl Backend + 'static,
    ) -> io::Result<Index> {
        let needed = reader.written_count().into();
        let follower = Follower::start(backend, reader.clone(), HISTORY)?;
        let index = follower.index();
        let history = payecs_index::History::of(index.clone());
        let connected = Connected { reader, index: index.clone(), history, needed, follower };
        assert!(self.connected.set(connected).is_ok(), "a history follows one ledger");
        Ok(index)
    }

    /// Makes the index look at the ledger now. It does so by itself ten times a second.
    pub fn nudge(&self) {
        if let Some(connected) = self.connected.get() {
            connected.follower.nudge();
        }
    }

    fn connected(&self) -> Result<&Connected, HistoryError> {
        self.connected.get().ok_or(HistoryError::Opening { done: 0, of: 0 })
    }
}

impl Connected {
    /// What was found, where the index has all that is needed.
    fn told<T>(&self, answer: Result<Answer<T>, QueryError>) -> Result<T, HistoryError> {
        let needed = self.needed.load(Ordering::Acquire);
        let of = self.reader.written_count();
        let opening = |done| Err(HistoryError::Opening { done, of });
        match answer {
            Ok(Answer { found, progress }) if progress.applied >= needed => Ok(found),
            Ok(Answer { progress, .. }) => opening(progress.applied),
            Err(QueryError::NotOpen { state: state @ (State::Failed { .. } | State::Stopped) }) => {
                let what = QueryError::NotOpen { state }.to_string();
                Err(HistoryError::Failed { what })
            }
            // After an error of the store, the follower builds it again.
            Err(QueryError::NotOpen { .. } | QueryError::Store(_)) => opening(0),
        }
    }

    fn entry(&self, index: u64) -> Result<PastEntry, HistoryError> {
        found(index, self.reader.read_at(index))
    }
}

/// What the index led to.
fn found(
    index: u64,
    stored: Result<Option<StoredEntry>, payecs_journal::Error>,
) -> Result<PastEntry, HistoryError> {
    let failed = |what| HistoryError::Failed { what };
    let stored = stored.map_err(|error| failed(error.to_string()))?;
    understood(&stored.ok_or_else(|| failed(format!("entry {index} is missing")))?)
}

fn understood(stored: &StoredEntry) -> Result<PastEntry, HistoryError> {
    let index = stored.entry.index;
    // The words of that error may quote the entry, and callers are told of this one.
    let what = |_| format!("entry {index} is not as this program writes it");
    read_entry(index, &stored.payload).map_err(|error| HistoryError::Failed { what: what(error) })
}

impl History for LedgerHistory {
    fn known(&self) -> u64 {
        let Some(connected) = self.connected.get() else { return 0 };
        match connected.index.state() {
            State::CatchingUp(progress) | State::Ready(progress) => {
                connected.needed.fetch_max(progress.applied, Ordering::AcqRel);
                progress.applied
            }
            State::Opening | State::Failed { .. } | State::Stopped => 0,
        }
    }

    fn count(&self) -> u64 {
        self.connected.get().map_or(0, |connected| connected.reader.written_count())
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<PastEntry>, HistoryError> {
        let failed =
            |error: payecs_journal::Error| HistoryError::Failed { what: error.to_string() };
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let stored = self.connected()?.reader.read(from, limit).map_err(failed)?;
        stored.map(|stored| understood(&stored.map_err(failed)?)).collect()
    }

    fn lines_of(&self, payment_hash: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        let connected = self.connected()?;
        let mut entries = Vec::new();
        let mut from = 0;
        loop {
            let page =
                connected.history.entries_of_payment(&payment_hash.0, from, PAGE_ENTRIES_MAX);
            let page = connected.told(page)?;
            for (index, stored) in page.iter().zip(connected.reader.read_each(&page)) {
                entries.push(found(*index, stored)?);
            }
            match page.last() {
                Some(last) if page.len() == PAGE_ENTRIES_MAX => from = last.saturating_add(1),
                Some(_) | None => return Ok(entries),
            }
        }
    }

    fn payment_of_key(&self, idempotency_key: &str) -> Result<Option<PaymentRef>, HistoryError> {
        let connected = self.connected()?;
        let found = connected.told(connected.history.entry_of_key(idempotency_key))?;
        let Some(index) = found else { return Ok(None) };
        let entry = connected.entry(index)?;
        let claimed = entry.lines.iter().rev().find_map(|it| claimed_with(it, idempotency_key));
        let other = || format!("entry {index} is not what the index has it for");
        claimed.map(Some).ok_or_else(|| HistoryError::Failed { what: other() })
    }
}

#[cfg(test)]
pub(crate) mod tests;
