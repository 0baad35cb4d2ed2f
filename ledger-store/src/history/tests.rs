use super::*;
use crate::MemoryLedger;
use crate::laws::fixture::{
    claim, claimed, complete, dispatch, fail, opening, payment, post, preimage, reserve, void,
};
use crate::past::Memory;
use ecs_core::{EntityId, Json};
use ecs_systems::port::{Claim, Ledger, LedgerEntry, LedgerError};
use ecs_systems::units::Timestamp;
use payecs_index::{MemoryBackend, Order, Pair, Standing, Store, StoreError};
use payecs_journal::{LedgerLog, LogId, MemoryDisk};
use std::ops::Range;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Longer than any of these waits takes.
const AT_MOST: Duration = Duration::from_secs(20);

/// A ledger log that is told what books took, and a history that follows it.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) history: LedgerHistory,
    ledger: Mutex<LedgerLog>,
    index: Index,
}

impl Followed {
    pub(crate) fn new() -> Self {
        Self::of(&MemoryDisk::new(), MemoryBackend::default())
    }

    fn of(disk: &MemoryDisk, backend: impl Backend + 'static) -> Self {
        let (ledger, _) = LedgerLog::open(Arc::new(disk.clone()), LogId([1; 16])).unwrap();
        let history = LedgerHistory::default();
        let index = history.follow(ledger.reader(), backend).unwrap();
        Self { history, ledger: Mutex::new(ledger), index }
    }

    /// Takes a batch that books took.
    pub(crate) fn take(&mut self, batch: &[LedgerEntry], entity: Option<EntityId>, at: Timestamp) {
        let line = |line: &LedgerEntry| {
            Json::object([("system", Json::of(line.system())), ("body", Json::of(line))])
        };
        let lines: Vec<Json> = batch.iter().map(line).collect();
        let entity = entity.map(|entity| ("entity", Json::of(&entity)));
        let fields = [("at_ms", Json::of(&at.0)), ("lines", Json::of(&lines))];
        let entry = Json::object(fields.into_iter().chain(entity));
        let ledger = self.ledger.get_mut().unwrap();
        ledger.append(entry.text().as_bytes()).unwrap();
        ledger.write().unwrap();
    }

    /// Waits until the index has all of it.
    pub(crate) fn catch_up(&self) {
        self.history.nudge();
        let count = self.ledger.lock().unwrap().head().count;
        let all = |state: &State| matches!(state, State::Ready(it) if it.applied == count);
        let state = self.index.wait(AT_MOST, all);
        assert!(all(&state), "{state:?}, not {count}");
    }
}

/// A backend in memory that waits before it puts anything, and fails, as it is told.
#[derive(Clone, Debug, Default)]
struct Told {
    inner: MemoryBackend,
    orders: Arc<(Mutex<Orders>, Condvar)>,
}

#[derive(Debug, Default)]
struct Orders {
    waits: bool,
    opens_fail: bool,
    next_range_fails: bool,
}

impl Told {
    fn tell(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.0.lock().unwrap());
        self.orders.1.notify_all();
    }
}

impl Backend for Told {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let orders = self.orders.0.lock().unwrap();
        if orders.opens_fail {
            return Err(StoreError::refused(&"no room"));
        }
        Ok(Arc::new(ToldStore { inner: self.inner.open()?, told: self.clone() }))
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.inner.remove()
    }
}

#[derive(Debug)]
struct ToldStore {
    inner: Arc<dyn Store>,
    told: Told,
}

impl Store for ToldStore {
    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        self.inner.standing()
    }

    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError> {
        let orders = self.told.orders.0.lock().unwrap();
        let waited = self.told.orders.1.wait_timeout_while(orders, AT_MOST, |it| it.waits);
        drop(waited.unwrap());
        self.inner.apply(puts, standing)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }

    fn range(
        &self,
        keys: Range<&[u8]>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        if std::mem::take(&mut self.told.orders.0.lock().unwrap().next_range_fails) {
            return Err(StoreError::damaged(&"a bad sector"));
        }
        self.inner.range(keys, order, limit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }
}

fn with_key(number: u8, group: u64) -> LedgerEntry {
    let idempotency_key = Some("a".to_owned());
    LedgerEntry::Claim(Claim { idempotency_key, ..claimed(number, group, 500) })
}

/// Two entries: payment 1, with the key `a`, failed.
fn failed_once() -> [LedgerEntry; 2] {
    [with_key(1, 1), fail(payment(1, 1))]
}

fn take_all(followed: &mut Followed, entries: &[LedgerEntry]) {
    for entry in entries {
        followed.take(std::slice::from_ref(entry), None, Timestamp(5));
    }
}

#[test]
fn a_history_that_follows_no_ledger_is_opening() {
    let history = LedgerHistory::default();
    let opening = HistoryError::Opening { done: 0, of: 0 };
    assert_eq!(history.known(), 0);
    assert_eq!(history.lines_of(&preimage(1).hash()), Err(opening.clone()));
    assert_eq!(history.payment_of_key("a"), Err(opening));
}

#[test]
fn an_index_behind_its_ledger_never_says_that_something_is_not_there() {
    let (disk, place) = (MemoryDisk::new(), Told::default());
    let mut followed = Followed::of(&disk, place.clone());
    take_all(&mut followed, &failed_once());
    followed.catch_up();
    drop(followed);
    let (mut ledger, _) = LedgerLog::open(Arc::new(disk.clone()), LogId([1; 16])).unwrap();
    let stored: Vec<_> = ledger.read(0, 2).unwrap().map(|it| it.unwrap().payload).collect();
    for payload in stored.iter().chain(&stored) {
        ledger.append(payload).unwrap();
    }
    ledger.sync().unwrap();
    drop(ledger);
    place.tell(|orders| orders.waits = true);
    let followed = Followed::of(&disk, place.clone());
    let behind = |state: &State| matches!(state, State::CatchingUp(it) if it.applied == 2);
    assert!(behind(&followed.index.wait(AT_MOST, behind)));
    let opening = HistoryError::Opening { done: 2, of: 6 };
    let history = followed.history.clone();
    assert_eq!(history.known(), 2);
    for number in [1, 2] {
        assert_eq!(history.lines_of(&preimage(number).hash()), Err(opening.clone()));
    }
    for key in ["a", "b"] {
        assert_eq!(history.payment_of_key(key), Err(opening.clone()));
    }
    place.tell(|orders| orders.waits = false);
    followed.catch_up();
    assert_eq!(history.lines_of(&preimage(1).hash()).unwrap().len(), 6);
    assert_eq!(history.lines_of(&preimage(2).hash()), Ok(Vec::new()));
    assert_eq!(history.payment_of_key("b"), Ok(None));
}

#[test]
fn while_an_index_is_built_again_nothing_is_told_that_it_was_known_to_have() {
    let place = Told::default();
    let mut followed = Followed::of(&MemoryDisk::new(), place.clone());
    let mut books = MemoryLedger::over("sim", Arc::new(followed.history.clone()), 0);
    for entry in failed_once().into_iter().chain([claim(2, 1, 5), fail(payment(2, 1))]) {
        books.commit(std::slice::from_ref(&entry), None, Timestamp(5)).unwrap();
        followed.take(&[entry], None, Timestamp(5));
        followed.catch_up();
    }
    place.tell(|orders| (orders.waits, orders.next_range_fails) = (true, true));
    let refused = LedgerError::HistoryOpening { done: 0, of: 4 };
    assert_eq!(books.claim_of_key("a"), Err(refused.clone()));
    let empty = |state: &State| matches!(state, State::CatchingUp(it) if it.applied == 0);
    assert!(empty(&followed.index.wait(AT_MOST, empty)), "it is built again");
    let again = [claim(1, 2, 500)];
    assert_eq!(books.claim_of_key("a"), Err(refused.clone()));
    assert_eq!(books.commit(&again, None, Timestamp(7)), Err(refused));
    assert_eq!(followed.history.known(), 0);
    place.tell(|orders| orders.waits = false);
    followed.catch_up();
    assert!(followed.index.rebuilt().is_some_and(|why| why.contains("a bad sector")));
    books.commit(&again, None, Timestamp(8)).expect("it failed before, and that is told");
}

#[test]
fn an_index_that_fails_is_told_and_holds_up_nothing_new() {
    let place = Told::default();
    place.tell(|orders| orders.opens_fail = true);
    let followed = Followed::of(&MemoryDisk::new(), place);
    let failed = |state: &State| matches!(state, State::Failed { .. });
    assert!(failed(&followed.index.wait(AT_MOST, failed)));
    assert_eq!(followed.history.known(), 0);
    let told = followed.history.lines_of(&preimage(1).hash());
    let Err(HistoryError::Failed { what }) = told else { panic!("{told:?}") };
    assert!(what.contains("no room"), "{what}");
    let mut books = MemoryLedger::over("sim", Arc::new(followed.history.clone()), 0);
    for entry in failed_once().into_iter().chain([claim(1, 2, 500)]) {
        books.commit(&[entry], None, Timestamp(5)).expect("all of it is at hand");
    }
}

#[test]
fn a_key_leads_to_its_last_claim_also_within_one_batch() {
    for (batches, group) in [
        (vec![vec![with_key(1, 1), fail(payment(1, 1)), with_key(1, 2)]], (1, 2)),
        (vec![vec![with_key(1, 1), fail(payment(1, 1)), with_key(2, 7)]], (2, 7)),
        (vec![vec![with_key(1, 1), fail(payment(1, 1)), claim(1, 2, 500)]], (1, 1)),
        (vec![failed_once().to_vec(), vec![with_key(2, 1), fail(payment(2, 1))]], (2, 1)),
        (vec![vec![with_key(2, 1), fail(payment(2, 1)), with_key(1, 1)], vec![]], (1, 1)),
    ] {
        let (mut followed, mut memory) = (Followed::new(), Memory::default());
        for (index, lines) in (0..).zip(batches) {
            followed.take(&lines, None, Timestamp(index));
            let at = Timestamp(index);
            memory.entries.push(Arc::new(PastEntry { index, at, entity: None, lines }));
        }
        followed.catch_up();
        let history = followed.history;
        assert_eq!(history.payment_of_key("a"), Ok(Some(payment(group.0, group.1))));
        assert_eq!(history.payment_of_key("a"), memory.payment_of_key("a"));
        for number in 1..4 {
            let hash = preimage(number).hash();
            assert_eq!(history.lines_of(&hash), memory.lines_of(&hash));
        }
    }
}

#[test]
fn all_pages_of_a_hash_are_read() {
    let (mut followed, count) = (Followed::new(), PAGE_ENTRIES_MAX + 1);
    for _ in 0..count {
        take_all(&mut followed, &[void(payment(1, 1), 1)]);
    }
    followed.catch_up();
    assert_eq!(followed.history.lines_of(&preimage(1).hash()).unwrap().len(), count);
}

#[test]
fn an_entry_that_has_changed_is_told_as_unreadable() {
    let (disk, place) = (MemoryDisk::new(), MemoryBackend::default());
    let mut followed = Followed::of(&disk, place.clone());
    take_all(&mut followed, &failed_once());
    followed.catch_up();
    let mut bytes = disk.bytes("ledger/entries.log").unwrap();
    let first = bytes.windows(5).position(|word| word == b"at_ms").unwrap();
    bytes[first] ^= 1;
    disk.put("ledger/entries.log", &bytes);
    let told = followed.history.lines_of(&preimage(1).hash());
    assert!(matches!(told, Err(HistoryError::Failed { .. })), "{told:?}");
}

#[test]
fn books_that_kept_everything_come_back_as_books_that_do_not() {
    let mut whole = MemoryLedger::new("sim");
    let mut followed = Followed::new();
    let paid = [
        opening(1, 9_000),
        claim(2, 1, 300),
        reserve(payment(2, 1), 300, 10),
        dispatch(payment(2, 1), &[(1, 1, 300, 10)]),
        post(payment(2, 1), 1, 4),
        complete(2, 1, 4),
        claim(3, 1, 10),
    ];
    for entry in failed_once().into_iter().chain(paid) {
        whole.commit(std::slice::from_ref(&entry), None, Timestamp(5)).unwrap();
        followed.take(&[entry], None, Timestamp(5));
    }
    followed.catch_up();
    let mut books = MemoryLedger::over("sim", Arc::new(followed.history.clone()), 0);
    books.restore(&whole.image().json()).unwrap();
    let next = fail(payment(3, 1));
    for books in [&mut whole, &mut books] {
        books.commit(std::slice::from_ref(&next), None, Timestamp(6)).unwrap();
    }
    followed.take(&[next], None, Timestamp(6));
    assert_eq!(books.image().entries(), 10);
    assert_eq!(books.trial_balance(), whole.trial_balance());
    for number in 1..4 {
        assert_eq!(books.claim(&preimage(number).hash()), whole.claim(&preimage(number).hash()));
    }
    books.verify().unwrap();
    assert!(whole.restore(&books.image().json()).is_err(), "the other way round they lack much");
}
