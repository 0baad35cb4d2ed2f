//! From an opened store to one that is in step with its log.

use super::shared::{Progress, Shared, State, Told};
use crate::{
    backend::Backend,
    compare::{Fault, judge, look_through},
    extract::{Extractor, key},
    source::Source,
    store::{Content, Pair, Standing, Store},
};
use std::{sync::Arc, time::Duration};

/// Most entries in a batch.
const BATCH_ENTRIES: u64 = 1_024;
/// A batch takes no entry more once it has so many bytes of payload.
const BATCH_BYTES: usize = 1 << 20;
/// An index is flushed after so many entries: at most so many are read again after a crash.
const FLUSH_ENTRIES: u64 = 65_536;
/// How long the log may grow before it is looked at.
const REST: Duration = Duration::from_millis(100);

/// What a follower works with.
pub(super) struct Life {
    pub(super) shared: Arc<Shared>,
    pub(super) backend: Box<dyn Backend>,
    pub(super) source: Box<dyn Source>,
    pub(super) extractor: Extractor,
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
        let standing = judge(&*store, &*self.source, &self.extractor)?;
        if self.look_through(&*store, &standing.content)? {
            self.follow(&store, standing)?;
        }
        Ok(())
    }

    /// Compares all keys with what was put; `false` when it was told to stop.
    fn look_through(&self, store: &dyn Store, content: &Content) -> Result<bool, Fault> {
        let mut go_on = || !matches!(self.shared.told(), Told::Stop);
        let Some(found) = look_through(store, &mut go_on)? else { return Ok(false) };
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
