//! A store held against its log.

use crate::fakes::{BY_WORD, Log, brought_up};
use payecs_index::{
    Backend, Content, Fault, MemoryBackend, Pair, Progress, Standing, Store, compare,
};
use payecs_journal::LogId;
use std::sync::Arc;

/// A store with these pairs, and a standing that says so, or what `change` makes of it.
fn store_of(
    pairs: &[Pair],
    standing: Standing,
    change: impl FnOnce(&mut Standing),
) -> Arc<dyn Store> {
    let mut standing = Standing { content: Content::default(), ..standing };
    for (key, value) in pairs {
        standing.content.add(key, value);
    }
    change(&mut standing);
    let store = MemoryBackend::default().open().unwrap();
    store.apply(pairs, &standing).unwrap();
    store
}

#[test]
fn every_difference_between_a_store_and_its_log_is_told() {
    let log = Log::of(5_000);
    let place = MemoryBackend::default();
    brought_up(place.clone(), &log);
    let whole = place.open().unwrap();
    let (pairs, standing) = (log.pairs(), whole.standing().unwrap().unwrap());
    let told = |store: &dyn Store, log: &Log| {
        let mut heard = vec![];
        let told = compare(store, log, &BY_WORD, &mut |progress| heard.push(progress));
        assert!(heard.len() < 3 && heard.is_sorted_by_key(|progress| progress.applied));
        told.map_err(|fault| fault.to_string())
    };
    assert_eq!(told(&*whole, &log), Ok(Progress { applied: 5_000, of: 5_000 }));
    let (lost, surplus) = (pairs[1..].to_vec(), (b"n1 and more than that".to_vec(), vec![]));
    let mut other = pairs.clone();
    other[4_321].1.push(0);
    let more = [pairs.clone(), vec![surplus]].concat();
    for (store, expected) in [
        (store_of(&lost, standing, |_| {}), "entry 0 of the ledger is not found"),
        (store_of(&other, standing, |_| {}), "of the ledger is not found by all its names"),
        (store_of(&more, standing, |_| {}), "it has 5001 keys, the ledger's are 5000"),
        (store_of(&pairs, standing, |it| it.content.sum ^= 1), "it says that it has 5000 keys"),
        (store_of(&pairs, standing, |it| it.head.id = LogId([9; 16])), "it is of the ledger 0909"),
        (store_of(&pairs, standing, |it| it.head.hash[0] ^= 1), "its entry 4999 is not that"),
        (store_of(&pairs, standing, |it| it.head.count = 5_001), "it has 5001 entries and the"),
        (store_of(&pairs, standing, |it| it.head.count = 4_999), "its entry 4998 is not that"),
        (store_of(&pairs, standing, |it| it.format = 7), "it has format 7"),
    ] {
        let told = told(&*store, &log).unwrap_err();
        assert!(told.contains(expected), "{told}, not {expected}");
    }
    log.append(b"later x");
    assert_eq!(told(&*whole, &log), Ok(Progress { applied: 5_000, of: 5_001 }), "it is behind");
    let unreadable = compare(&*whole, &log.broken(), &BY_WORD, &mut |_| {});
    assert!(matches!(unreadable, Err(Fault::Log(_))), "{unreadable:?}");
}

#[test]
fn an_empty_store_is_behind_and_no_fault() {
    let store = MemoryBackend::default().open().unwrap();
    let told = compare(&*store, &Log::of(3), &BY_WORD, &mut |_| {});
    assert_eq!(told, Ok(Progress { applied: 0, of: 3 }));
}
