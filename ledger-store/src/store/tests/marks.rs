//! A snapshot's mark of the ledger: what stands before it is trusted, and must be there.

use super::*;
use payecs_journal::{Error, VerifyError};

const LEDGER: &str = "ledger/entries.log";

/// A closed store with three records, two entries and a snapshot behind them; the mark in it.
fn closed() -> (MemoryDisk, LedgerMark, Engine) {
    let disk = MemoryDisk::new();
    let (mut store, app) = three(&disk);
    store.snapshot(Image::of(&app)).unwrap();
    let mark = store.ledger.mark();
    store.close().unwrap();
    (disk, mark, app)
}

/// The disk with other bytes in the ledger.
fn with_ledger(disk: &MemoryDisk, bytes: &[u8]) -> MemoryDisk {
    let disk = disk.fork();
    disk.put(LEDGER, bytes);
    disk
}

#[test]
fn what_has_changed_before_the_mark_is_found_by_verify_and_not_by_opening() {
    let (disk, mark, app) = closed();
    assert_eq!(mark.head.count, 2);
    let mut bytes = disk.bytes(LEDGER).unwrap();
    let first = bytes.windows(5).position(|word| word == b"at_ms").unwrap();
    assert!(first < usize::try_from(mark.offset).unwrap());
    bytes[first] ^= 1;
    let disk = with_ledger(&disk, &bytes);
    let (store, other, restored) = open(&disk).unwrap();
    assert_eq!(restored.ledger_read, LedgerRead::FromMark(mark));
    assert_eq!(state(&other), state(&app));
    let verified = payecs_journal::verify(&disk, &[], &mut |_| {});
    assert!(matches!(verified, Err(VerifyError::Broken { index: 0, .. })), "{verified:?}");
    let audit = store.audit("sim");
    assert!(audit.fault.is_some_and(|fault| fault.index == 0));
}

#[test]
fn a_ledger_without_what_the_mark_stands_for_is_refused_and_left_as_it_is() {
    let (disk, mark, _) = closed();
    let bytes = disk.bytes(LEDGER).unwrap();
    let last = usize::try_from(mark.offset).unwrap();
    let mut changed = bytes.clone();
    changed[last + 60] ^= 1;
    for (what, bytes) in [
        ("cut before its last entry", &bytes[..last]),
        ("cut within its last entry", &bytes[..last + 40]),
        ("changed in its last entry", &changed),
    ] {
        let disk = with_ledger(&disk, bytes);
        let refused = open(&disk).unwrap_err();
        let misfit = matches!(refused, StoreError::Journal(Error::MarkMisfit { .. }));
        assert!(misfit, "{what}: {refused}");
        assert_eq!(disk.bytes(LEDGER).unwrap(), bytes, "{what}");
    }
    let gone = disk.fork();
    gone.remove(LEDGER).unwrap();
    let refused = open(&gone).unwrap_err();
    assert!(matches!(refused, StoreError::Journal(Error::MarkMisfit { .. })), "{refused}");
}

#[test]
fn without_a_mark_of_its_moment_all_of_the_ledger_is_read_and_that_is_said() {
    let (disk, mark, app) = closed();
    let text = text_of(Image::of(&app), 2, mark);
    let fields = text.fields().unwrap();
    let earlier = LedgerMark { head: Head { count: 1, ..mark.head }, ..mark };
    for (mark, expected) in [
        (Some(mark.to_string()), LedgerRead::FromMark(mark)),
        (Some(earlier.to_string()), LedgerRead::WithoutMark),
        (Some(format!("{mark} and more")), LedgerRead::WithoutMark),
        (None, LedgerRead::WithoutMark),
    ] {
        let disk = disk.fork();
        let (mut store, mut app, _) = open(&disk).unwrap();
        // A record that changes nothing in the books, so that there is room for a snapshot.
        app.record_changes(true);
        run(&mut app, 9, Command::Draft(3));
        store.append(&app.take_delta().unwrap()).unwrap();
        store.sync().unwrap();
        let mut fields = fields.clone();
        fields.insert("engine".to_owned(), Json::of(&app.snapshot()));
        fields.remove("mark").unwrap();
        fields.extend(mark.as_ref().map(|mark| ("mark".to_owned(), Json::of(mark))));
        let text = Json::of(&fields);
        store.state.snapshot(Seq(4), Seq(4), [text.text().as_bytes()]).unwrap();
        store.close().unwrap();
        let (store, other, restored) = open(&disk).unwrap();
        assert_eq!((restored.records, restored.ledger_read), (0, expected), "{mark:?}");
        assert_eq!((state(&other), store.head().count), (state(&app), 2));
    }
    let (_, _, restored) = open(&MemoryDisk::new()).unwrap();
    assert_eq!(restored.ledger_read, LedgerRead::WithoutSnapshot);
}
