//! A log in memory, and a backend that fails by plan.

use payecs_index::{
    Backend, Extractor, Follower, Index, MemoryBackend, Names, Order, Pair, Source, SourceEntries,
    Standing, State, Store, StoreError,
};
use payecs_journal::{Entry, Error, LogId, StoredEntry};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// Longer than any of these waits takes.
pub(crate) const AT_MOST: Duration = Duration::from_mins(1);

/// The payload of an entry: its name, and what tells it from that of another log.
pub(crate) fn payload(index: u64, salt: &str) -> Vec<u8> {
    format!("n{} {index}{salt}", index % 7).into_bytes()
}

/// Names an entry by its first word; `panic` panics and `?` can't be read.
pub(crate) const BY_WORD: Extractor = Extractor { format: 1, names: by_word };

fn by_word(index: u64, payload: &[u8]) -> Result<Names, String> {
    let text = str::from_utf8(payload).map_err(|error| error.to_string())?;
    let (word, rest) = text.split_once(' ').ok_or("it has one word")?;
    assert!(word != "panic", "entry {index} made it panic");
    if word == "?" {
        return Err("it has no name".to_owned());
    }
    Ok(Names::from([(word.as_bytes().to_vec(), rest.as_bytes().to_vec())]))
}

/// An index, and the word that is waited for before it is read.
type Gate = (u64, Receiver<()>);

/// A log whose clones are the same one. Hashes are chained by adding up.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) id: LogId,
    entries: Arc<Mutex<Vec<StoredEntry>>>,
    /// The lowest index that was read since it was asked.
    lowest: Arc<AtomicU64>,
    /// Where to wait for a word before an entry is read.
    gate: Arc<Mutex<Option<Gate>>>,
    broken: bool,
}

impl Log {
    pub(crate) fn of(count: u64) -> Self {
        Self::salted(LogId([1; 16]), count, "")
    }

    pub(crate) fn salted(id: LogId, count: u64, salt: &str) -> Self {
        let lowest = Arc::new(AtomicU64::new(u64::MAX));
        let (entries, gate) = (Arc::default(), Arc::default());
        let log = Self { id, entries, lowest, gate, broken: false };
        (0..count).for_each(|index| log.append(&payload(index, salt)));
        log
    }

    /// A log that can't be read.
    pub(crate) fn broken(mut self) -> Self {
        self.broken = true;
        self
    }

    pub(crate) fn append(&self, payload: &[u8]) {
        let mut entries = self.entries.lock().unwrap();
        let mut hash = entries.last().map_or([0; 32], |stored| stored.entry.hash);
        for (at, byte) in payload.iter().enumerate() {
            hash[at % 32] = hash[at % 32].wrapping_mul(3).wrapping_add(*byte);
        }
        let entry = Entry { index: entries.len() as u64, hash };
        entries.push(StoredEntry { entry, payload: payload.to_vec() });
    }

    /// The lowest index that was read since this was asked.
    pub(crate) fn lowest_read(&self) -> u64 {
        self.lowest.swap(u64::MAX, Ordering::SeqCst)
    }

    /// Makes who reads an entry wait for a word.
    pub(crate) fn gate(&self, index: u64) -> Sender<()> {
        let (sender, receiver) = channel();
        *self.gate.lock().unwrap() = Some((index, receiver));
        sender
    }

    /// What an index of it must hold.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        let mut pairs = vec![];
        for stored in &*self.entries.lock().unwrap() {
            for (name, value) in by_word(stored.entry.index, &stored.payload).unwrap() {
                pairs.push((payecs_index::key(&name, stored.entry.index), value));
            }
        }
        pairs.sort();
        pairs
    }
}

impl Source for Log {
    fn id(&self) -> LogId {
        self.id
    }

    fn count(&self) -> u64 {
        self.entries.lock().unwrap().len() as u64
    }

    fn read(&self, from: u64) -> Result<SourceEntries<'_>, Error> {
        if self.broken {
            return Err(Error::Refused { after: "the log is broken".to_owned() });
        }
        self.lowest.fetch_min(from, Ordering::SeqCst);
        Ok(Box::new((from..self.count()).map(|index| {
            let mut gate = self.gate.lock().unwrap();
            if let Some((_, word)) = gate.take_if(|(at, _)| *at == index) {
                // Who asked it to wait may be gone.
                let _ = word.recv();
            }
            Ok(self.entries.lock().unwrap()[usize::try_from(index).unwrap()].clone())
        })))
    }
}

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) open_panics: u32,
    pub(crate) apply_fails: u32,
    pub(crate) get_fails: u32,
    pub(crate) remove_fails: u32,
}

/// A backend in memory that fails by plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) inner: MemoryBackend,
    plan: Arc<Mutex<Plan>>,
}

/// Whether it is to fail this time.
fn due(times: &mut u32) -> bool {
    let due = *times > 0;
    *times = times.saturating_sub(1);
    due
}

impl Planned {
    pub(crate) fn of(plan: Plan) -> Self {
        Self { inner: MemoryBackend::default(), plan: Arc::new(Mutex::new(plan)) }
    }

    fn fails(&self, times: impl FnOnce(&mut Plan) -> &mut u32) -> Result<(), StoreError> {
        let fails = due(times(&mut self.plan.lock().unwrap()));
        if fails { Err(StoreError::damaged(&"by plan")) } else { Ok(()) }
    }
}

impl Backend for Planned {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let panics = self.fails(|plan| &mut plan.open_panics);
        panics.expect("the backend is as it should be");
        Ok(Arc::new(PlannedStore { inner: self.inner.open()?, plan: self.clone() }))
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.fails(|plan| &mut plan.remove_fails)?;
        self.inner.remove()
    }
}

#[derive(Debug)]
struct PlannedStore {
    inner: Arc<dyn Store>,
    plan: Planned,
}

impl Store for PlannedStore {
    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        self.inner.standing()
    }

    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError> {
        self.plan.fails(|plan| &mut plan.apply_fails)?;
        self.inner.apply(puts, standing)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.plan.fails(|plan| &mut plan.get_fails)?;
        self.inner.get(key)
    }

    fn range(
        &self,
        keys: Range<&[u8]>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        self.inner.range(keys, order, limit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }
}

pub(crate) fn follow(backend: impl Backend + 'static, log: &Log) -> Follower {
    Follower::start(backend, log.clone(), BY_WORD).unwrap()
}

/// Waits until the index has so many entries, or does nothing more.
pub(crate) fn settled(index: &Index, count: u64) -> State {
    let state = index.wait(AT_MOST, |state| match state {
        State::Ready(progress) => progress.applied == count,
        State::Opening | State::CatchingUp(_) => false,
        State::Failed { .. } | State::Stopped => true,
    });
    assert!(!matches!(state, State::Opening | State::CatchingUp(_)), "{state:?} for ever");
    state
}

/// Builds or mends the index over a log and stops; why it was built again.
pub(crate) fn brought_up(backend: impl Backend + 'static, log: &Log) -> Option<String> {
    let follower = follow(backend, log);
    let index = follower.index();
    let state = settled(&index, log.count());
    assert!(matches!(state, State::Ready(_)), "{state:?}");
    assert_eq!(index.query(|store| Ok(crate::laws::all(store))).unwrap().found, log.pairs());
    let rebuilt = index.rebuilt();
    follower.stop();
    assert_eq!(index.state(), State::Stopped);
    rebuilt
}
