//! The ledger: chained, completed after a crash, and told when it was changed.

use super::{copy, frames, open_ledger, shared};
use payecs_journal::{
    Error, Faults, Harm, Head, LedgerLog, LogId, MemoryDisk, Operation, VerifyError, verify,
};
use sha2::{Digest as _, Sha256};

const FILE: &str = "ledger/entries.log";

fn line(index: u64) -> Vec<u8> {
    format!("line {index} {}", "y".repeat(usize::try_from(index % 13).unwrap())).into_bytes()
}

fn filled(count: u64) -> (MemoryDisk, LedgerLog) {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    for index in 0..count {
        ledger.append(&line(index)).unwrap();
        if index % 5 == 4 {
            ledger.sync().unwrap();
        }
    }
    ledger.sync().unwrap();
    (disk, ledger)
}

#[test]
fn hash_follows_from_the_entry_and_the_one_before() {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    let mut previous = [0; 32];
    for index in 0..3_u64 {
        let entry = ledger.append(&line(index)).unwrap();
        let bytes = [previous.as_slice(), &index.to_be_bytes(), &line(index)].concat();
        previous = Sha256::digest(bytes).into();
        assert_eq!((entry.index, entry.hash), (index, previous));
    }
    assert_eq!(ledger.head(), Head { id: LogId([0xa5; 16]), count: 3, hash: previous });
}

#[test]
fn any_entry_is_found_and_any_range_is_read() {
    let (disk, ledger) = filled(2500);
    drop(ledger);
    let ledger = open_ledger(&disk).unwrap();
    for index in [0, 1, 4, 1023, 1024, 1025, 2047, 2048, 2499] {
        let stored = ledger.read_at(index).unwrap().unwrap();
        assert_eq!((stored.entry.index, stored.payload), (index, line(index)));
    }
    assert_eq!(ledger.read_at(2500), Ok(None));
    for (from, limit, count) in [(0, 3, 3), (1020, 10, 10), (2490, 100, 10), (9999, 1, 0)] {
        let read: Result<Vec<_>, _> = ledger.read(from, limit).unwrap().collect();
        let lines: Vec<_> = read.unwrap().into_iter().map(|stored| stored.payload).collect();
        assert_eq!(lines, (from..from + count).map(line).collect::<Vec<_>>());
    }
}

#[test]
fn entries_that_wait_are_not_read_and_are_not_durable() {
    let (_, mut ledger) = filled(5);
    ledger.append(&line(5)).unwrap();
    assert_eq!(ledger.read_at(5), Ok(None));
    assert_eq!((ledger.head().count, ledger.durable_count()), (6, 5));
    ledger.write().unwrap();
    assert_eq!(ledger.read_at(5).unwrap().unwrap().payload, line(5));
    assert_eq!(ledger.durable_count(), 5);
}

#[test]
fn completing_appends_what_is_missing_and_compares_what_is_there() {
    let (disk, mut ledger) = filled(10);
    assert_eq!(ledger.complete_from(7, (7..12).map(line)), Ok(2));
    assert_eq!(ledger.complete_from(12, [[0; 0]; 0]), Ok(0));
    let missing = ledger.complete_from(13, [line(13)]);
    assert_eq!(missing, Err(Error::EntriesMissing { count: 12, from: 13 }));
    let differs = ledger.complete_from(3, [line(3), line(9)]);
    assert_eq!(differs, Err(Error::EntryDiffers { index: 4 }));
    let behind = ledger.complete_from(3, (3..8).map(line));
    assert_eq!(behind, Err(Error::StateBehind { count: 12, known: 8 }));
    drop(ledger);
    disk.power_loss(3);
    let ledger = open_ledger(&disk).unwrap();
    assert_eq!(ledger.head().count, 12, "completing is durable");
    assert_eq!(ledger.verify(&mut |_| {}), Ok(ledger.head()));
}

#[test]
fn second_process_is_refused() {
    let (disk, ledger) = filled(1);
    let error = open_ledger(&disk).unwrap_err();
    assert_eq!(error, Error::Locked { file: "ledger/LOCK".to_owned(), pid: Some(0) });
    drop(ledger);
    open_ledger(&disk).unwrap();
}

#[test]
fn each_flipped_bit_breaks_the_entry_it_is_in() {
    let (disk, ledger) = filled(12);
    drop(ledger);
    let bytes = disk.bytes(FILE).unwrap();
    let starts = frames(&bytes);
    for at in 0..bytes.len() {
        let changed = copy(&disk);
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        changed.put(FILE, &flipped);
        let start = starts.iter().rposition(|start| *start <= at);
        let verified = verify(&changed, &[], &mut |_| {});
        let opened = open_ledger(&changed).map(|ledger| ledger.head().count);
        let Some(frame) = start else {
            assert!(matches!(verified, Err(VerifyError::Unreadable(Error::Damaged(_)))), "{at}");
            assert!(matches!(opened, Err(Error::Damaged(_))), "byte {at}");
            continue;
        };
        let before = starts[..frame].iter().filter(|at| bytes[**at + 28] == 1).count() as u64;
        let Err(VerifyError::Broken { index, offset, harm, holds }) = verified else {
            panic!("byte {at}: {verified:?}");
        };
        assert_eq!((index, holds.count, harm), (before, before, Harm::Frame), "byte {at}");
        assert_eq!(offset, starts[frame] as u64, "byte {at}");
        if frame == starts.len() - 1 {
            assert_eq!(opened, Ok(12), "byte {at} of the last mark");
        } else {
            let Err(Error::Damaged(damage)) = opened else { panic!("byte {at}: {opened:?}") };
            assert_eq!(damage.offset, starts[frame] as u64);
        }
    }
}

/// A ledger whose entries from one on were written anew, whole in itself.
fn rewritten(count: u64, from: u64) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    for index in 0..count {
        let mut line = line(index);
        if index >= from {
            line[0] = b'L';
        }
        ledger.append(&line).unwrap();
    }
    ledger.sync().unwrap();
    disk
}

#[test]
fn kept_head_tells_a_truncated_and_a_rewritten_ledger() {
    let heads: Vec<Head> = (0..=20).map(|count| filled(count).1.head()).collect();
    let disk = rewritten(20, 15);
    let ledger = open_ledger(&disk).unwrap();
    for head in &heads {
        let verified = ledger.verify_against(head, &mut |_| {});
        if head.count <= 15 {
            assert_eq!(verified, Ok(ledger.head()), "{head}");
        } else {
            assert_eq!(verified, Err(VerifyError::Rewritten { head: *head, holds: 0 }));
        }
    }
    let several = verify(&disk, &[heads[18], heads[4], heads[12]], &mut |_| {});
    assert_eq!(several, Err(VerifyError::Rewritten { head: heads[18], holds: 12 }));

    let (_, shorter) = filled(9);
    for head in &heads[10..] {
        let verified = shorter.verify_against(head, &mut |_| {});
        assert_eq!(verified, Err(VerifyError::Truncated { holds: heads[9], head: *head }));
    }
    let (_, whole) = filled(20);
    let text: Head = heads[9].to_string().parse().unwrap();
    assert_eq!(whole.verify_against(&text, &mut |_| {}), Ok(heads[20]));
    let other = Head { id: LogId([1; 16]), ..heads[9] };
    let verified = whole.verify_against(&other, &mut |_| {});
    assert_eq!(verified, Err(VerifyError::OtherLedger { head: other, id: whole.id() }));
}

#[test]
fn entry_that_was_changed_with_its_checksum_breaks_the_chain() {
    let (disk, ledger) = filled(3);
    drop(ledger);
    let mut bytes = disk.bytes(FILE).unwrap();
    let seed = crc32c::crc32c(&bytes[..76]);
    let starts = frames(&bytes);
    let (start, end) = (starts[1], starts[2]);
    bytes[end - 1] ^= 1;
    let payload_crc = crc32c::crc32c_append(seed, &bytes[start + 32..end]);
    bytes[start + 24..start + 28].copy_from_slice(&payload_crc.to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &bytes[start + 4..start + 32]);
    bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    disk.put(FILE, &bytes);
    let ledger = open_ledger(&disk).unwrap();
    let broken = ledger.verify(&mut |_| {}).unwrap_err();
    let VerifyError::Broken { index, harm, holds, .. } = broken else { panic!("{broken}") };
    assert_eq!((index, harm, holds.count), (1, Harm::Hash, 1));
}

#[test]
fn progress_ends_with_everything() {
    let (_, ledger) = filled(9000);
    let mut seen = vec![];
    ledger.verify(&mut |progress| seen.push(progress)).unwrap();
    assert!(seen.len() >= 3);
    assert!(seen.is_sorted_by_key(|progress| progress.read_bytes));
    let last = seen.last().unwrap();
    assert_eq!((last.entries, last.read_bytes), (9000, last.total_bytes));
}

#[test]
fn full_disk_keeps_entries_waiting_and_failed_sync_is_final() {
    let disk = MemoryDisk::new();
    disk.plan(Faults { capacity_bytes: Some(300), ..Faults::default() });
    let mut ledger = open_ledger(&disk).unwrap();
    for index in 0..5 {
        ledger.append(&line(index)).unwrap();
    }
    assert!(matches!(ledger.sync(), Err(Error::Full(_))));
    disk.plan(Faults { fail: Some((Operation::Sync, 2)), ..Faults::default() });
    assert_eq!(ledger.sync().unwrap().count, 5);
    ledger.append(&line(5)).unwrap();
    assert!(matches!(ledger.sync(), Err(Error::Disk(_))));
    assert!(matches!(ledger.append(&line(6)), Err(Error::Refused { .. })));
    let shared = shared(&disk);
    drop(ledger);
    disk.power_loss(0);
    let (ledger, _) = LedgerLog::open(shared, LogId([0; 16])).unwrap();
    assert!(ledger.head().count >= 5);
}
