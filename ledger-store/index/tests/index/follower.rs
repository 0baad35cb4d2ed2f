//! The follower: built, caught up, thrown away, failed, stopped.

use crate::{
    fakes::{AT_MOST, BY_WORD, Log, Plan, Planned, brought_up, follow, settled},
    laws::all,
};
use payecs_index::{
    Backend, Extractor, Follower, MemoryBackend, Progress, QueryError, Source as _, State, Store,
    StoreError,
};
use payecs_journal::LogId;
use std::{
    sync::{Arc, Mutex, mpsc::Receiver},
    time::Duration,
};

#[test]
fn a_missing_index_is_built_and_one_behind_is_caught_up_from_where_it_was() {
    let (place, log) = (MemoryBackend::default(), Log::of(3_000));
    assert_eq!(brought_up(place.clone(), &log), None);
    assert_eq!(log.lowest_read(), 0);
    for more in [1, 5_000] {
        let had = log.count();
        (had..had + more).for_each(|index| log.append(&crate::fakes::payload(index, "")));
        assert_eq!(brought_up(place.clone(), &log), None);
        assert_eq!(log.lowest_read(), had - 1, "only its last entry is read again");
    }
    let empty = Log::salted(LogId([8; 16]), 0, "");
    assert_eq!(brought_up(MemoryBackend::default(), &empty), None);
}

#[test]
fn entries_that_are_appended_later_are_followed() {
    let log = Log::of(2);
    let follower = follow(MemoryBackend::default(), &log);
    let index = follower.index();
    for count in 3..6 {
        log.append(b"later x");
        follower.nudge();
        let state = settled(&index, count);
        assert_eq!(state, State::Ready(Progress { applied: count, of: count }));
    }
    log.append(b"unasked x");
    assert!(matches!(settled(&index, 6), State::Ready(_)), "it looks by itself");
}

#[test]
fn it_answers_while_it_is_behind_and_says_how_far_it_is() {
    let log = Log::of(3_000);
    let open = log.gate(2_500);
    let follower = follow(MemoryBackend::default(), &log);
    let index = follower.index();
    let behind = Progress { applied: 2_048, of: 3_000 };
    let state = index.wait(AT_MOST, |state| *state == State::CatchingUp(behind));
    assert_eq!(state, State::CatchingUp(behind));
    let answer = index.query(|store| Ok(all(store))).unwrap();
    assert_eq!((answer.progress, answer.found.len()), (behind, 2_048));
    drop(open);
    assert!(matches!(settled(&index, 3_000), State::Ready(_)));
}

#[test]
fn it_is_ready_while_it_is_less_than_a_batch_behind_and_not_before_it_was_in_step() {
    let log = Log::of(10);
    let follower = follow(MemoryBackend::default(), &log);
    let index = follower.index();
    settled(&index, 10);
    let open = log.gate(10);
    log.append(b"a x");
    let near = State::Ready(Progress { applied: 10, of: 11 });
    assert_eq!(index.wait(AT_MOST, |state| *state == near), near);
    drop(open);
    settled(&index, 11);
    let open = log.gate(11);
    (0..1_025).for_each(|_| log.append(b"b x"));
    let behind = index.wait(AT_MOST, |state| matches!(state, State::CatchingUp(_)));
    assert!(matches!(behind, State::CatchingUp(_)), "{behind:?}");
    drop(open);
    settled(&index, 1_036);
    follower.stop();
}

#[test]
fn an_index_that_is_not_of_its_log_is_thrown_away() {
    let id = LogId([1; 16]);
    for (log, why) in [
        (Log::salted(LogId([2; 16]), 100, ""), "it is of the ledger 01010101"),
        (Log::salted(id, 99, ""), "it has 100 entries and the ledger 99"),
        (Log::salted(id, 0, ""), "it has 100 entries and the ledger 0"),
        (Log::salted(id, 100, "'"), "its entry 99 is not that of the ledger"),
        (Log::salted(id, 150, "'"), "its entry 99 is not that of the ledger"),
    ] {
        let place = MemoryBackend::default();
        brought_up(place.clone(), &Log::of(100));
        let rebuilt = brought_up(place.clone(), &log).expect("it is thrown away");
        assert!(rebuilt.contains(why), "{rebuilt}");
        assert_eq!(brought_up(place, &log), None, "it is right from then on");
    }
}

#[test]
fn an_index_of_another_format_is_thrown_away() {
    let (place, log) = (MemoryBackend::default(), Log::of(20));
    brought_up(place.clone(), &log);
    let newer = Extractor { format: 2, ..BY_WORD };
    let follower = Follower::start(place.clone(), log.clone(), newer).unwrap();
    settled(&follower.index(), 20);
    let rebuilt = follower.index().rebuilt();
    assert_eq!(rebuilt.unwrap(), "it has format 1, this program writes 2".to_owned());
    follower.stop();
    assert!(brought_up(place, &log).unwrap().contains("format 2"));
}

#[test]
fn an_index_that_lacks_a_key_or_has_another_is_thrown_away() {
    let log = Log::of(5_000);
    let whole = MemoryBackend::default();
    brought_up(whole.clone(), &log);
    let store = whole.open().unwrap();
    let standing = store.standing().unwrap().unwrap();
    let pairs = all(&*store);
    let mut changed = pairs.clone();
    changed[4_711].1.push(b'!');
    let mut swapped = pairs.clone();
    swapped[9].0[0] = b'o';
    let mut surplus = pairs.clone();
    surplus.push((b"zz".to_vec(), vec![]));
    for puts in [&pairs[1..], &pairs[..4_999], &changed, &swapped, &surplus] {
        let place = MemoryBackend::default();
        let store = place.open().unwrap();
        store.apply(puts, &standing).unwrap();
        store.flush().unwrap();
        let rebuilt = brought_up(place, &log).expect("it is thrown away");
        assert!(rebuilt.contains("are not the 5000 that were written"), "{rebuilt}");
    }
}

#[test]
fn the_first_failure_rebuilds_and_the_second_is_final_with_its_reason() {
    let log = Log::of(2_000);
    for (plan, why) in [
        (Plan { open_panics: 1, ..Plan::default() }, "the backend is as it should be"),
        (Plan { apply_fails: 1, ..Plan::default() }, "the index is damaged: by plan"),
    ] {
        let rebuilt = brought_up(Planned::of(plan), &log).expect("it is built again");
        assert!(rebuilt.contains(why), "{rebuilt}");
    }
    for (plan, reason) in [
        (Plan { open_panics: 2, ..Plan::default() }, "the backend is as it should be"),
        (Plan { apply_fails: 2, ..Plan::default() }, "by plan"),
        (Plan { open_panics: 1, apply_fails: 1, ..Plan::default() }, "by plan"),
        (Plan { apply_fails: 1, remove_fails: 1, ..Plan::default() }, "by plan"),
    ] {
        let follower = follow(Planned::of(plan), &log);
        let index = follower.index();
        let State::Failed { why } = settled(&index, 2_000) else { panic!("{plan:?}") };
        assert!(why.contains(reason), "{plan:?}: {why}");
        let refused = index.query(|store| store.get(b"a")).unwrap_err();
        assert_eq!(refused, QueryError::NotOpen { state: State::Failed { why } });
        follower.stop();
    }
}

#[test]
fn a_log_that_cannot_be_read_fails_at_once_and_the_index_stays() {
    let (place, log) = (MemoryBackend::default(), Log::of(10));
    brought_up(place.clone(), &log);
    let follower = follow(place.clone(), &log.clone().broken());
    let State::Failed { why } = settled(&follower.index(), 10) else { panic!("it is broken") };
    assert!(why.contains("the log is broken"), "{why}");
    assert_eq!(follower.index().rebuilt(), None);
    follower.stop();
    log.append(b"? x");
    let follower = follow(place.clone(), &log);
    let State::Failed { why } = settled(&follower.index(), 11) else { panic!("it has no name") };
    assert_eq!(why, "entry 10 of the ledger: it has no name");
    follower.stop();
    assert_eq!(place.open().unwrap().standing().unwrap().unwrap().head.count, 10);
}

#[test]
fn an_extractor_that_panics_fails_the_index_and_nothing_else() {
    let log = Log::of(10);
    log.append(b"panic x");
    let follower = follow(MemoryBackend::default(), &log);
    let State::Failed { why } = settled(&follower.index(), 11) else { panic!("it panics") };
    assert!(why.contains("entry 10 made it panic"), "{why}");
}

#[test]
fn a_question_that_finds_damage_makes_the_index_new() {
    let log = Log::of(10);
    let follower = follow(Planned::of(Plan { get_fails: 1, ..Plan::default() }), &log);
    let index = follower.index();
    settled(&index, 10);
    let damaged = StoreError::damaged(&"by plan");
    let asked = index.query(|store| store.get(b"a"));
    assert_eq!(asked, Err(QueryError::Store(damaged.clone())));
    // The state before the question may still be seen.
    log.append(b"after x");
    assert!(matches!(settled(&index, 11), State::Ready(_)));
    assert_eq!(index.rebuilt(), Some(damaged.to_string()));
    assert_eq!(index.query(|store| store.get(b"a")).unwrap().found, None);
}

#[test]
fn what_was_applied_is_flushed_when_it_stops() {
    let (place, log) = (MemoryBackend::default(), Log::of(10));
    let follower = follow(place.clone(), &log);
    settled(&follower.index(), 10);
    drop(follower);
    let standing = place.open().unwrap().standing().unwrap();
    assert_eq!(standing.map(|standing| standing.head.count), Some(10));
}

/// A backend that opens when it is told to.
#[derive(Debug)]
struct Slow {
    inner: MemoryBackend,
    word: Mutex<Receiver<()>>,
}

impl Backend for Slow {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        // Who is to give the word may be gone.
        let _ = self.word.lock().unwrap().recv();
        self.inner.open()
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.inner.remove()
    }
}

#[test]
fn stopping_does_not_wait_for_a_backend_that_opens() {
    let (open, word) = std::sync::mpsc::channel();
    let slow = Slow { inner: MemoryBackend::default(), word: Mutex::new(word) };
    let follower = follow(slow, &Log::of(10));
    let index = follower.index();
    let refused = index.query(|store| store.get(b"a")).unwrap_err();
    assert_eq!(refused, QueryError::NotOpen { state: State::Opening });
    follower.stop();
    drop(open);
    let state = index.wait(AT_MOST, |state| *state == State::Stopped);
    assert_eq!(state, State::Stopped);
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let (open, word) = std::sync::mpsc::channel();
    let slow = Slow { inner: MemoryBackend::default(), word: Mutex::new(word) };
    let follower = follow(slow, &Log::of(10));
    let waited = follower.index().wait(Duration::from_millis(1), |_| false);
    assert_eq!(waited, State::Opening);
    drop(open);
}
