//! A ledger that is opened from a mark: what is before it is trusted, what is behind it is not.

use super::{copy, frames, open_from, open_ledger, shared};
use payecs_journal::{
    Error, Harm, Head, LedgerLog, LedgerMark, LogId, MemoryDisk, Progress, VerifyError,
};

const FILE: &str = "ledger/entries.log";
const COUNT: u64 = 12;

fn line(index: u64) -> Vec<u8> {
    format!("line {index} {}", "z".repeat(usize::try_from(index % 13).unwrap())).into_bytes()
}

/// A ledger in groups of four, and its marks: the empty one, then one for each group.
fn filled(count: u64) -> (MemoryDisk, Vec<LedgerMark>) {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    let mut marks = vec![ledger.mark()];
    for index in 0..count {
        ledger.append(&line(index)).unwrap();
        if index % 4 == 3 {
            assert_eq!(ledger.mark(), marks[marks.len() - 1], "it is not durable yet");
            ledger.sync().unwrap();
            marks.push(ledger.mark());
        }
    }
    (disk, marks)
}

fn lines(ledger: &LedgerLog) -> Vec<Vec<u8>> {
    let read: Result<Vec<_>, _> = ledger.read(0, u64::MAX).unwrap().collect();
    read.unwrap().into_iter().map(|stored| stored.payload).collect()
}

fn assert_whole(ledger: &LedgerLog, count: u64) {
    assert_eq!((ledger.head().count, ledger.durable_count()), (count, count));
    assert_eq!(lines(ledger), (0..count).map(line).collect::<Vec<_>>());
    assert_eq!(ledger.verify(&mut |_| {}), Ok(ledger.head()));
}

#[test]
fn from_each_mark_the_same_ledger_is_opened_and_goes_on() {
    let (disk, marks) = filled(COUNT);
    assert_eq!(marks.iter().map(|mark| mark.head.count).collect::<Vec<_>>(), [0, 4, 8, 12]);
    let whole = open_ledger(&copy(&disk)).unwrap();
    for mark in &marks {
        let disk = copy(&disk);
        let mut ledger = open_from(&disk, mark).unwrap();
        assert_eq!((ledger.head(), ledger.mark()), (whole.head(), whole.mark()));
        assert_whole(&ledger, COUNT);
        ledger.append(&line(COUNT)).unwrap();
        ledger.sync().unwrap();
        let mark = ledger.mark();
        drop(ledger);
        disk.power_loss(0);
        assert_whole(&open_from(&disk, &mark).unwrap(), COUNT + 1);
    }
}

#[test]
fn with_a_mark_nothing_before_it_is_read_and_without_one_everything_with_progress() {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    for index in 0..9_000 {
        ledger.append(&line(index)).unwrap();
    }
    ledger.sync().unwrap();
    let mark = ledger.mark();
    drop(ledger);
    let heard = |mark: Option<&LedgerMark>| {
        let mut heard: Vec<Progress> = vec![];
        let progress = &mut |progress| heard.push(progress);
        LedgerLog::open_from(shared(&disk), LogId([0; 16]), mark, progress).unwrap();
        heard.iter().map(|progress| (progress.entries, progress.read_bytes)).collect::<Vec<_>>()
    };
    let total = disk.bytes(FILE).unwrap().len() as u64;
    let all = heard(None);
    assert_eq!(all.iter().map(|(entries, _)| *entries).collect::<Vec<_>>(), [0, 4096, 8192, 9000]);
    assert!(all.is_sorted() && all.last() == Some(&(9_000, total)), "{all:?}");
    assert_eq!(heard(Some(&mark)), [(9_000, total)]);
}

#[test]
fn each_flipped_bit_behind_the_mark_is_told_and_one_before_it_by_verify() {
    let (disk, marks) = filled(COUNT);
    let mark = marks[2];
    let bytes = disk.bytes(FILE).unwrap();
    let starts = frames(&bytes);
    let marked = usize::try_from(mark.offset).unwrap();
    let behind = starts[starts.iter().position(|start| *start == marked).unwrap() + 1];
    for at in 0..bytes.len() {
        let changed = copy(&disk);
        let mut flipped = bytes.clone();
        flipped[at] ^= 8;
        changed.put(FILE, &flipped);
        let opened = open_from(&changed, &mark);
        let start = starts.iter().copied().rfind(|start| *start <= at).unwrap_or(0);
        if at < 80 {
            assert!(matches!(opened, Err(Error::Damaged(_))), "byte {at} of the file header");
        } else if at < marked {
            let ledger = opened.unwrap();
            let frame = starts.iter().filter(|start| **start <= at);
            let index = frame.filter(|start| bytes[**start + 28] == 1).count() as u64;
            let index = if bytes[start + 28] == 1 { index - 1 } else { index };
            let verified = ledger.verify(&mut |_| {});
            let Err(VerifyError::Broken { index: found, offset, .. }) = verified else {
                panic!("byte {at}: {verified:?}")
            };
            assert_eq!((found, offset), (index, start as u64), "byte {at}");
            let read: Result<Vec<_>, _> = ledger.read(0, u64::MAX).unwrap().collect();
            assert!(matches!(read, Err(Error::Damaged(_))), "byte {at}: who reads it is told");
        } else if at < behind {
            let Err(Error::MarkMisfit { harm, .. }) = opened else { panic!("byte {at}") };
            assert_eq!(harm, Harm::Frame, "byte {at} of the entry before the mark");
        } else if start == starts[starts.len() - 1] {
            assert_whole(&opened.unwrap(), COUNT);
        } else {
            let Err(Error::Damaged(damage)) = opened else { panic!("byte {at}: {opened:?}") };
            assert_eq!(damage.offset, start as u64, "byte {at}");
        }
    }
}

#[test]
fn a_ledger_cut_before_its_mark_is_refused_and_one_cut_behind_it_is_opened_to_what_is_left() {
    let (disk, marks) = filled(COUNT);
    let mark = marks[2];
    let bytes = disk.bytes(FILE).unwrap();
    let starts = frames(&bytes);
    let marked = usize::try_from(mark.offset).unwrap();
    let behind = starts[starts.iter().position(|start| *start == marked).unwrap() + 1];
    for len in 0..=bytes.len() {
        let cut = copy(&disk);
        cut.put(FILE, &bytes[..len]);
        let opened = open_from(&cut, &mark);
        if len < 80 {
            assert!(matches!(opened, Err(Error::Damaged(_))), "length {len}");
        } else if len < behind {
            let Err(Error::MarkMisfit { harm, .. }) = opened else { panic!("length {len}") };
            let expected = if len <= marked { Harm::Missing } else { Harm::Frame };
            assert_eq!(harm, expected, "length {len}");
            assert_eq!(cut.bytes(FILE).unwrap(), bytes[..len], "nothing was changed");
        } else {
            let ends = starts.iter().copied().skip(1).chain([bytes.len()]);
            let whole = ends.zip(&starts).filter(|(end, _)| *end <= len);
            let records = whole.filter(|(_, start)| bytes[**start + 28] == 1).count();
            assert_whole(&opened.unwrap(), records as u64);
        }
    }
}

#[test]
fn a_mark_of_something_else_is_refused_and_nothing_is_made() {
    let (disk, marks) = filled(COUNT);
    let mark = marks[2];
    let head = mark.head;
    let next = frames(&disk.bytes(FILE).unwrap())[9] as u64;
    for (mark, harm) in [
        (LedgerMark { head: Head { id: LogId([1; 16]), ..head }, ..mark }, Harm::Misplaced),
        (LedgerMark { head: Head { hash: [7; 32], ..head }, ..mark }, Harm::Hash),
        (LedgerMark { head: Head { count: 9, ..head }, ..mark }, Harm::Order),
        (LedgerMark { offset: next, ..mark }, Harm::Order),
        (LedgerMark { offset: mark.offset + 1, ..mark }, Harm::Frame),
        (LedgerMark { offset: 1 << 40, ..mark }, Harm::Missing),
    ] {
        let opened = open_from(&copy(&disk), &mark).unwrap_err();
        assert_eq!(opened, Error::MarkMisfit { mark: Box::new(mark), harm });
    }
    let none = MemoryDisk::new();
    let opened = open_from(&none, &mark).unwrap_err();
    assert_eq!(opened, Error::MarkMisfit { mark: Box::new(mark), harm: Harm::Missing });
    assert_eq!(none.bytes(FILE), None, "no empty ledger takes its place");
    assert_whole(&open_from(&none, &marks[0]).unwrap(), 0);
}

#[test]
fn a_ledger_restored_from_an_older_copy_does_not_fit_a_newer_mark() {
    let (older, _) = filled(4);
    let (_, marks) = filled(COUNT);
    assert_whole(&open_from(&older, &marks[1]).unwrap(), 4);
    for mark in &marks[2..] {
        let opened = open_from(&older, mark);
        assert!(matches!(opened, Err(Error::MarkMisfit { harm: Harm::Missing, .. })));
    }
}

#[test]
fn no_power_loss_takes_what_a_mark_stands_for() {
    for seed in 0..200 {
        let (disk, marks) = filled(COUNT);
        disk.crash();
        let mut ledger = open_from(&disk, &marks[1]).unwrap();
        let mark = ledger.mark();
        for index in COUNT..COUNT + 9 {
            ledger.append(&line(index)).unwrap();
            ledger.write().unwrap();
        }
        drop(ledger);
        disk.power_loss(seed);
        let ledger = open_from(&disk, &mark).unwrap();
        let count = ledger.head().count;
        assert!((COUNT..=COUNT + 9).contains(&count), "seed {seed}: {count}");
        assert_whole(&ledger, count);
        drop(ledger);
        // What was found is durable, so that another mark may follow it.
        disk.power_loss(seed + 1);
        assert_whole(&open_ledger(&disk).unwrap(), count);
    }
}
