//! The index over the ledger log itself, through crashes and restores.

use crate::{
    fakes::{BY_WORD, payload, settled},
    laws::all,
    places::{OnSled, Place as _},
};
use payecs_index::{Follower, MemoryBackend, SledBackend, State};
use payecs_journal::{LedgerLog, LogId, MemoryDisk};
use std::sync::Arc;

fn open(disk: &MemoryDisk) -> LedgerLog {
    LedgerLog::open(Arc::new(disk.clone()), LogId([1; 16])).unwrap().0
}

fn append(ledger: &mut LedgerLog, count: u64) {
    for _ in 0..count {
        ledger.append(&payload(ledger.head().count, "")).unwrap();
    }
    ledger.write().unwrap();
}

fn sled_at(place: &OnSled) -> SledBackend {
    SledBackend::new(place.0.path().join("index"))
}

fn follow(place: &OnSled, ledger: &LedgerLog) -> Follower {
    Follower::start(sled_at(place), ledger.reader(), BY_WORD).unwrap()
}

/// Brings the index up to the ledger and stops; why it was built again.
fn brought_up(place: &OnSled, ledger: &LedgerLog) -> Option<String> {
    let follower = follow(place, ledger);
    let (index, count) = (follower.index(), ledger.head().count);
    assert!(matches!(settled(&index, count), State::Ready(_)), "{:?}", index.state());
    let found = index.query(|store| Ok(all(store))).unwrap().found;
    let mut expected: Vec<_> = (0..count)
        .map(|index| {
            let payload = payload(index, "");
            let (name, value) = payload.split_at(payload.iter().position(|b| *b == b' ').unwrap());
            (payecs_index::key(name, index), value[1..].to_vec())
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    follower.stop();
    index.rebuilt()
}

#[test]
fn the_index_follows_a_ledger_that_is_written_meanwhile() {
    let (place, disk) = (OnSled::new(), MemoryDisk::new());
    let mut ledger = open(&disk);
    let follower = follow(&place, &ledger);
    for _ in 0..50 {
        append(&mut ledger, 37);
        follower.nudge();
    }
    assert!(matches!(settled(&follower.index(), 1_850), State::Ready(_)));
    follower.stop();
    assert_eq!(brought_up(&place, &ledger), None);
}

#[test]
fn killed_between_the_ledger_and_the_index_it_is_caught_up() {
    let (mut place, disk) = (OnSled::new(), MemoryDisk::new());
    append(&mut open(&disk), 300);
    brought_up(&place, &open(&disk));
    for _ in 0..5 {
        let mut ledger = open(&disk);
        let follower = follow(&place, &ledger);
        settled(&follower.index(), ledger.head().count);
        append(&mut ledger, 100);
        // Whatever of it the index has: nothing, a batch, or all.
        let killed = place.killed();
        follower.stop();
        disk.crash();
        place = killed;
        assert_eq!(brought_up(&place, &open(&disk)), None);
    }
}

#[test]
fn an_index_ahead_of_a_ledger_that_was_restored_from_a_backup_is_built_again() {
    let (place, disk) = (OnSled::new(), MemoryDisk::new());
    append(&mut open(&disk), 200);
    let backup = disk.fork();
    append(&mut open(&disk), 100);
    brought_up(&place, &open(&disk));
    let rebuilt = brought_up(&place, &open(&backup)).expect("it is built again");
    assert_eq!(rebuilt, "it has 300 entries and the ledger 200");
}

#[test]
fn a_ledger_restored_from_a_backup_that_went_another_way_is_told_by_its_hash() {
    let (place, disk) = (OnSled::new(), MemoryDisk::new());
    append(&mut open(&disk), 200);
    let backup = disk.fork();
    let mut ledger = open(&disk);
    ledger.append(b"other way").unwrap();
    ledger.write().unwrap();
    let follower = follow(&place, &ledger);
    settled(&follower.index(), 201);
    follower.stop();
    append(&mut open(&backup), 100);
    let rebuilt = brought_up(&place, &open(&backup)).expect("it is built again");
    assert_eq!(rebuilt, "its entry 200 is not that of the ledger");
}

#[test]
fn a_damaged_entry_fails_the_index_with_its_place_and_the_ledger_goes_on() {
    let disk = MemoryDisk::new();
    append(&mut open(&disk), 100);
    let mut bytes = disk.bytes("ledger/entries.log").unwrap();
    let mark = {
        let mut ledger = open(&disk);
        ledger.sync().unwrap();
        ledger.mark()
    };
    bytes[2_000] ^= 1;
    disk.put("ledger/entries.log", &bytes);
    let shared = Arc::new(disk.clone());
    let id = LogId([1; 16]);
    let (mut ledger, _) = LedgerLog::open_from(shared, id, Some(&mark), &mut |_| {}).unwrap();
    let follower = Follower::start(MemoryBackend::default(), ledger.reader(), BY_WORD).unwrap();
    let State::Failed { why } = settled(&follower.index(), 100) else { panic!("it is damaged") };
    assert!(why.contains("ledger/entries.log is damaged at byte"), "{why}");
    append(&mut ledger, 10);
    ledger.sync().unwrap();
}
