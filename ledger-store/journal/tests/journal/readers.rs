//! Reading a ledger anywhere while it grows.

use super::{cases, open_ledger, shared};
use payecs_journal::{Faults, LedgerLog, LogId, MemoryDisk, Operation};
use proptest::{collection::vec, prelude::*};
use std::thread;

const FILE: &str = "ledger/entries.log";

fn line(index: u64) -> Vec<u8> {
    format!("line {index} {}", "w".repeat(usize::try_from(index * 7 % 501).unwrap())).into_bytes()
}

#[test]
fn reader_on_another_thread_sees_every_entry_whole_and_in_order() {
    const COUNT: u64 = 20_000;
    let mut ledger = open_ledger(&MemoryDisk::new()).unwrap();
    let reader = ledger.reader();
    let following = thread::spawn(move || {
        let mut next = 0;
        while next < COUNT {
            let (from, written) = (next, reader.written_count());
            for stored in reader.read(next, 700).unwrap() {
                let stored = stored.unwrap();
                assert_eq!((stored.entry.index, &stored.payload), (next, &line(next)));
                next += 1;
            }
            assert!(next >= written.min(from + 700), "what is counted is read");
            thread::yield_now();
        }
        assert_eq!(reader.read_at(COUNT), Ok(None));
    });
    for index in 0..COUNT {
        ledger.append(&line(index)).unwrap();
        match index % 64 {
            63 => ledger.sync().map(|_| ()).unwrap(),
            31 => ledger.write().unwrap(),
            _ => {}
        }
    }
    ledger.sync().unwrap();
    following.join().unwrap();
}

#[test]
fn reader_reads_what_is_written_and_tells_what_is_durable() {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    let reader = ledger.reader();
    assert_eq!(reader.id(), ledger.id());
    let counts = || (reader.written_count(), reader.durable_count());
    ledger.append(&line(0)).unwrap();
    assert_eq!((counts(), reader.read_at(0)), ((0, 0), Ok(None)));
    ledger.write().unwrap();
    assert_eq!((counts(), reader.read_at(0).unwrap().unwrap().payload), ((1, 0), line(0)));
    ledger.sync().unwrap();
    assert_eq!(counts(), (1, 1));
    let clone = reader.clone();
    ledger.append(&line(1)).unwrap();
    ledger.sync().unwrap();
    assert_eq!((clone.written_count(), reader.written_count()), (2, 2));
    drop(ledger);
    assert_eq!(clone.read_at(1).unwrap().unwrap().payload, line(1));
    let reopened = open_ledger(&disk).unwrap().reader();
    assert_eq!((reopened.written_count(), reopened.durable_count()), (2, 2));
}

#[test]
fn frames_of_another_ledger_in_a_payload_are_not_taken_for_entries() {
    let other = MemoryDisk::new();
    let (mut inner, _) = LedgerLog::open(shared(&other), LogId([1; 16])).unwrap();
    for index in 0..3_000 {
        inner.append(&line(index)).unwrap();
    }
    inner.sync().unwrap();
    let bytes = other.bytes(FILE).unwrap();
    let mut ledger = open_ledger(&MemoryDisk::new()).unwrap();
    for index in 0..40 {
        ledger.append(if index == 20 { &bytes } else { b"short" }).unwrap();
    }
    ledger.sync().unwrap();
    for index in 0..40 {
        let stored = ledger.read_at(index).unwrap().unwrap();
        assert_eq!((stored.entry.index, stored.payload.len() > 5), (index, index == 20));
    }
}

#[test]
fn entries_that_stand_near_each_other_are_looked_for_once() {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    for index in 0..2_000 {
        ledger.append(&line(index)).unwrap();
    }
    ledger.sync().unwrap();
    let reader = ledger.reader();
    let opened = |indexes: &[u64]| {
        disk.plan(Faults::default());
        for (index, stored) in indexes.iter().zip(reader.read_each(indexes)) {
            let stored = stored.unwrap().expect("it is written");
            assert_eq!((stored.entry.index, stored.payload), (*index, line(*index)));
        }
        disk.count(Operation::Open)
    };
    let once = opened(&[1_000]);
    assert_eq!(opened(&[1_000, 1_001, 1_007, 1_030, 1_030 + 31]), once);
    assert_eq!(opened(&[1_000, 1_500]), 2 * once, "too far");
    assert_eq!(opened(&[1_000, 1_000, 999]), 3 * once, "not behind it");
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn an_entry_is_never_other_because_of_those_asked_for_before_it(
        lengths in vec(0..400_usize, 1..120),
        indexes in vec(0..130_u64, 0..60),
        in_order: bool,
        flipped: Option<prop::sample::Index>,
    ) {
        let disk = MemoryDisk::new();
        let mut ledger = open_ledger(&disk).unwrap();
        for len in &lengths {
            ledger.append(&vec![b'a'; *len]).unwrap();
        }
        ledger.sync().unwrap();
        let mut indexes = indexes;
        if in_order {
            indexes.sort_unstable();
        }
        let reader = ledger.reader();
        let whole: Vec<_> = indexes.iter().map(|index| reader.read_at(*index).unwrap()).collect();
        let mut bytes = disk.bytes(FILE).unwrap();
        if let Some(flipped) = flipped {
            let at = flipped.index(bytes.len());
            bytes[at] ^= 1;
            disk.put(FILE, &bytes);
        }
        for ((index, stored), whole) in indexes.iter().zip(reader.read_each(&indexes)).zip(whole) {
            match stored {
                Ok(stored) => prop_assert_eq!(stored, whole),
                Err(_) => prop_assert!(flipped.is_some() && reader.read_at(*index).is_err()),
            }
        }
    }

    #[test]
    fn no_entry_is_hidden_by_the_lengths_of_others(
        lengths in vec(prop_oneof![8 => 0..400_usize, 1 => 0..40_000_usize], 1..120),
        groups in 1..40_usize,
    ) {
        let mut ledger = open_ledger(&MemoryDisk::new()).unwrap();
        for (index, len) in lengths.iter().enumerate() {
            ledger.append(&vec![b'a'; *len]).unwrap();
            if index % groups == 0 {
                ledger.sync().unwrap();
            }
        }
        ledger.sync().unwrap();
        for (index, len) in (0..).zip(&lengths) {
            let stored = ledger.read_at(index).unwrap().expect("it is written");
            prop_assert_eq!((stored.entry.index, stored.payload.len()), (index, *len));
        }
    }
}
