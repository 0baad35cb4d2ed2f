//! Signed checkpoints.

use super::{copy, open_ledger, payload};
use payecs_journal::{
    Checkpoint, Error, Faults, MemoryDisk, Operation, SchnorrKey, Sign, TrustedKeys, VerifyError,
    checkpoints, verify_checkpoints,
};

const FILE: &str = "ledger/checkpoints";

fn key(disk: &MemoryDisk, byte: u8) -> SchnorrKey {
    SchnorrKey::open(disk, "ledger/key", [byte; 32]).unwrap()
}

fn trusting(key: &SchnorrKey) -> TrustedKeys {
    TrustedKeys { key_ids: [key.key_id()].into() }
}

/// A ledger with a checkpoint after every third entry.
fn signed(count: u64) -> (MemoryDisk, SchnorrKey) {
    let disk = MemoryDisk::new();
    let mut ledger = open_ledger(&disk).unwrap();
    let key = key(&disk, 7);
    for index in 0..count {
        ledger.append(&payload(index)).unwrap();
        if index % 3 == 2 {
            ledger.checkpoint(&key, 1_700_000_000 + index).unwrap();
        }
    }
    ledger.sync().unwrap();
    (disk, key)
}

#[test]
fn checkpoints_are_durable_read_back_and_vouch_for_the_ledger() {
    let (disk, key) = signed(10);
    disk.power_loss(1);
    let found = checkpoints(&disk).unwrap();
    let counts: Vec<_> = found.iter().map(|found| (found.head.count, found.at_seconds)).collect();
    assert_eq!(counts, [(3, 1_700_000_002), (6, 1_700_000_005), (9, 1_700_000_008)]);
    let (held, vouched) = verify_checkpoints(&disk, &trusting(&key), &mut |_| {}).unwrap();
    assert_eq!((held.count, vouched), (10, 3));
    let line = found[0].to_string();
    assert!(line.starts_with("payecs-checkpoint-1 a5a5a5"), "{line}");
}

#[test]
fn each_flipped_bit_of_a_checkpoint_is_told() {
    let (disk, key) = signed(4);
    let bytes = disk.bytes(FILE).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let changed = copy(&disk);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            changed.put(FILE, &flipped);
            let verified = verify_checkpoints(&changed, &trusting(&key), &mut |_| {});
            assert!(verified.is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn checkpoint_of_a_key_that_is_not_trusted_says_nothing() {
    let (disk, _) = signed(4);
    let stranger = key(&MemoryDisk::with_dir("ledger"), 9);
    let verified = verify_checkpoints(&disk, &trusting(&stranger), &mut |_| {});
    assert!(matches!(verified, Err(VerifyError::Signature { .. })), "{verified:?}");
    let none = TrustedKeys::default();
    assert!(verify_checkpoints(&disk, &none, &mut |_| {}).is_err());
}

#[test]
fn ledger_that_was_cut_behind_a_checkpoint_is_told() {
    let (disk, key) = signed(10);
    let (shorter, _) = signed(7);
    shorter.put(FILE, &disk.bytes(FILE).unwrap());
    let verified = verify_checkpoints(&shorter, &trusting(&key), &mut |_| {});
    let Err(VerifyError::Truncated { holds, head }) = verified else { panic!("{verified:?}") };
    assert_eq!((holds.count, head.count), (7, 9));
}

#[test]
fn failing_operation_leaves_all_older_checkpoints() {
    for operation in [Operation::Create, Operation::Write, Operation::Sync, Operation::Rename] {
        let (disk, key) = signed(6);
        let mut ledger = open_ledger(&disk).unwrap();
        disk.plan(Faults { fail: Some((operation, 1)), ..Faults::default() });
        ledger.checkpoint(&key, 1).unwrap_err();
        disk.power_loss(5);
        assert_eq!(checkpoints(&disk).unwrap().len(), 2, "{operation:?}");
    }
}

#[test]
fn key_is_made_once_kept_and_never_printed() {
    let disk = MemoryDisk::with_dir("ledger");
    let made = key(&disk, 7);
    disk.power_loss(0);
    let kept = key(&disk, 8);
    assert_eq!(made.key_id(), kept.key_id(), "entropy is for a new key alone");
    assert!(!format!("{made:?}").contains("0707"));
    let bytes = disk.bytes("ledger/key").unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        disk.put("ledger/key", &flipped);
        let opened = SchnorrKey::open(&disk, "ledger/key", [1; 32]);
        assert!(matches!(opened, Err(Error::Damaged(_))), "byte {at}");
    }
    let none = SchnorrKey::open(&MemoryDisk::with_dir("ledger"), "ledger/key", [0; 32]);
    assert!(matches!(none, Err(Error::Disk(_))), "{none:?}");
}

#[derive(Debug)]
struct TwoWords;

impl Sign for TwoWords {
    fn key_id(&self) -> String {
        "two words".to_owned()
    }

    fn sign(&self, digest: [u8; 32]) -> Vec<u8> {
        digest.to_vec()
    }
}

#[test]
fn key_id_that_would_break_the_line_is_refused() {
    let (disk, _) = signed(3);
    let mut ledger = open_ledger(&disk).unwrap();
    let refused = ledger.checkpoint(&TwoWords, 1);
    assert_eq!(refused, Err(Error::KeyId { key_id: "two words".to_owned() }));
    assert_eq!(checkpoints(&disk).unwrap().len(), 1);
}

#[test]
fn signature_is_of_the_line_without_it() {
    let (disk, key) = signed(3);
    let Checkpoint { head, at_seconds, key_id, signature } = checkpoints(&disk).unwrap().remove(0);
    assert_eq!(key_id, key.key_id());
    assert_eq!(signature, key.sign(Checkpoint::digest(&head, at_seconds, &key_id)));
}
