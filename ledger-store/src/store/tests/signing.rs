//! Checkpoints, and when they are made.

use super::*;
use payecs_journal::{SchnorrKey, Sign as _, TrustedKeys};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Three records, then a payment at each of these moments; how many entries each checkpoint has.
fn signed_at(disk: &MemoryDisk, moments: &[u64], close: bool) -> Vec<u64> {
    let (mut store, mut app) = three(disk);
    let key = SchnorrKey::open(disk, CHECKPOINT_KEY, [5; 32]).unwrap();
    let trusted = TrustedKeys { key_ids: [key.key_id()].into() };
    store.sign_with(disk, Box::new(key)).unwrap();
    for (number, at_ms) in (3..).zip(moments) {
        run(&mut app, *at_ms, Command::Pay(number));
        store.append(&app.take_delta().unwrap()).unwrap();
        store.sync().unwrap();
    }
    if close {
        store.close().unwrap();
    }
    payecs_journal::verify_checkpoints(disk, &trusted, &mut |_| {}).unwrap();
    let counts = payecs_journal::checkpoints(disk).unwrap();
    counts.iter().map(|checkpoint| checkpoint.head.count).collect()
}

#[test]
fn what_the_ledger_holds_is_signed_each_hour_and_at_the_end() {
    let moments = [2 * HOUR_MS, 2 * HOUR_MS + 1, 3 * HOUR_MS - 1, 3 * HOUR_MS, 3 * HOUR_MS + 7];
    assert_eq!(signed_at(&MemoryDisk::new(), &moments, false), [3, 6]);
    let disk = MemoryDisk::new();
    assert_eq!(signed_at(&disk, &moments, true), [3, 6, 7]);
    // Nothing more was written: nothing more is signed.
    let (mut store, _, _) = open(&disk).unwrap();
    store
        .sign_with(&disk, Box::new(SchnorrKey::open(&disk, CHECKPOINT_KEY, [6; 32]).unwrap()))
        .unwrap();
    store.close().unwrap();
    assert_eq!(payecs_journal::checkpoints(&disk).unwrap().len(), 3);
}

#[test]
fn a_full_disk_has_no_room_for_a_checkpoint_and_payments_go_on() {
    let disk = MemoryDisk::new();
    let (mut store, mut app) = three(&disk);
    store
        .sign_with(&disk, Box::new(SchnorrKey::open(&disk, CHECKPOINT_KEY, [5; 32]).unwrap()))
        .unwrap();
    run(&mut app, 2 * HOUR_MS, Command::Pay(3));
    store.append(&app.take_delta().unwrap()).unwrap();
    // The first file that is named anew is the next segment of the state.
    disk.plan(Faults { fail: Some((Operation::Rename, 2)), ..Faults::default() });
    let kept = store.sync().unwrap();
    assert_eq!((kept.synced, payecs_journal::checkpoints(&disk).unwrap()), (4, vec![]));
    store.close().unwrap();
    assert_eq!(payecs_journal::checkpoints(&disk).unwrap().len(), 1);
}
