//! From an opened store to one that is in step with its log.

use super::shared::{Progress, Shared, State, Told};
use crate::{
    backend::Backend,
    error::StoreError,
    extract::{Extractor, key},
    source::Source,
    store::{ALL_KEYS, Content, Order, Pair, Standing, Store},
};
use payecs_journal::Head;
use std::{sync::Arc, time::Duration};

/// Most entries in a batch.
const BATCH_ENTRIES: u64 = 1_024;
/// A batch takes no entry more once it has so many bytes of payload.
const BATCH_BYTES: usize = 1 << 20;
/// An index is flushed after so many entries: at most so many are read again after a crash.
const FLUSH_ENTRIES: u64 = 65_536;
/// How many keys are read at once when an index is looked through.
const CHECK_KEYS: usize = 4_096;
/// How long the log may grow before it is looked at.
const REST: Duration = Duration::from_millis(100);

/// What a follower works with.
pub(super) struct Life {
    pub(super) shared: Arc<Shared>,
    pub(super) backend: Box<dyn Backend>,
    pub(super) source: Box<dyn Source>,
    pub(super) extractor: Extractor,
}

/// Why it can't go on.
pub(super) enum Fault {
    /// The index is of no use.
    Index(String),
    /// The log can't be read; an index that is built again would lack the same.
    Log(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Index(error.to_string())
    }
}

impl From<payecs_journal::Error> for Fault {
    fn from(error: payecs_journal::Error) -> Self {
        Self::Log(error.to_string())
    }
}

impl Life {
    /// Opens the store and follows the log until it is told to stop.
    pub(super) fn live(&self) -> Result<(), Fault> {
        if self.shared.in_backend(true) {
            return Ok(());
        }
        let opened = self.backend.open();
        self.shared.in_backend(false);
        let store = opened?;
        let standing = self.judge(&*store)?;
        if self.look_through(&*store, &standing.content)? {
            self.follow(&store, standing)?;
        }
        Ok(())
    }

    /// What is in the store, if it is of the log.
    fn judge(&self, store: &dyn Store) -> Result<Standing, Fault> {
        let of_no_use = |why: String| Err(Fault::Index(why));
        let id = self.source.id();
        let Some(standing) = store.standing()? else {
            let head = Head { id, count: 0, hash: [0; 32] };
            return Ok(Standing {
                format: self.extractor.format,
                head,
                content: Content::default(),
            });
        };
        let Standing { format, head, .. } = standing;
        if format != self.extractor.format {
            let ours = self.extractor.format;
            return of_no_use(format!("it has format {format}, this program writes {ours}"));
        }
        if head.id != id {
            return of_no_use(format!("it is of the ledger {}, not of {id}", head.id));
        }
        let count = self.source.count();
        if head.count > count {
            let has = head.count;
            return of_no_use(format!("it has {has} entries and the ledger {count}"));
        }
        let Some(last) = head.count.checked_sub(1) else { return Ok(standing) };
        let stored = self.source.read(last)?.next().transpose()?;
        if stored.is_none_or(|stored| stored.entry.hash != head.hash) {
            return of_no_use(format!("its entry {last} is not that of the ledger"));
        }
        Ok(standing)
    }

    /// Compares all keys with what was put; `false` when it was told to stop.
    fn look_through(&self, store: &dyn Store, content: &Content) -> Result<bool, Fault> {
        let mut found = Content::default();
        let mut from = ALL_KEYS.start.to_vec();
        loop {
            if matches!(self.shared.told(), Told::Stop) {
                return Ok(false);
            }
            let pairs = store.range(&from..ALL_KEYS.end, Order::Up, CHECK_KEYS)?;
            for (key, value) in &pairs {
                found.add(key, value);
            }
            let Some((last, _)) = pairs.last() else { break };
            from = [last.as_slice(), &[0]].concat();
        }
        if found == *content {
            return Ok(true);
        }
        let (has, had) = (found.keys, content.keys);
        let why = format!("its {has} keys are not the {had} that were written");
        Err(Fault::Index(why))
    }

    fn follow(&self, store: &Arc<dyn Store>, mut standing: Standing) -> Result<(), Fault> {
        let progress = Progress { applied: standing.head.count, of: self.source.count() };
        self.shared.answer_from(Arc::clone(store), progress);
        let mut ready = false;
        let mut unflushed = 0_u64;
        let mut told = Told::Nothing;
        loop {
            match told {
                Told::Nothing => {}
                Told::Damaged(error) => return Err(error.into()),
                Told::Stop => {
                    if let Err(error) = store.flush() {
                        tracing::warn!(target: "ledger::index", %error, "index not flushed");
                    }
                    return Ok(());
                }
            }
            let of = self.source.count();
            let applied = standing.head.count;
            let behind = of.saturating_sub(applied);
            ready = behind == 0 || (ready && behind <= BATCH_ENTRIES);
            let progress = Progress { applied, of };
            self.shared.set(if ready {
                State::Ready(progress)
            } else {
                State::CatchingUp(progress)
            });
            if behind == 0 {
                told = self.shared.rest(REST);
                continue;
            }
            self.advance(&**store, &mut standing)?;
            unflushed = unflushed.saturating_add(standing.head.count.saturating_sub(applied));
            if unflushed >= FLUSH_ENTRIES {
                store.flush()?;
                unflushed = 0;
            }
            told = self.shared.told();
        }
    }

    /// Puts the next batch of entries in.
    fn advance(&self, store: &dyn Store, standing: &mut Standing) -> Result<(), Fault> {
        let mut next = *standing;
        let mut puts: Vec<Pair> = vec![];
        let mut read_bytes = 0_usize;
        let most = usize::try_from(BATCH_ENTRIES).unwrap_or(usize::MAX);
        for stored in self.source.read(next.head.count)?.take(most) {
            let stored = stored?;
            let index = next.head.count;
            let named = if stored.entry.index == index {
                (self.extractor.names)(index, &stored.payload)
            } else {
                Err(format!("entry {} stands there", stored.entry.index))
            };
            let unread = |why| Fault::Log(format!("entry {index} of the ledger: {why}"));
            for (name, value) in named.map_err(unread)? {
                let key = key(&name, index);
                next.content.add(&key, &value);
                puts.push((key, value));
            }
            next.head.count = index.saturating_add(1);
            next.head.hash = stored.entry.hash;
            read_bytes = read_bytes.saturating_add(stored.payload.len());
            if read_bytes >= BATCH_BYTES {
                break;
            }
        }
        if next.head.count == standing.head.count {
            let why = format!("entry {} of the ledger is gone", next.head.count);
            return Err(Fault::Log(why));
        }
        store.apply(&puts, &next)?;
        *standing = next;
        Ok(())
    }
}
