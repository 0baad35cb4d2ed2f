//! The disk of the operating system.

use super::{content, fill, options, payloads, snapshot_of};
use payecs_journal::{
    Cause, Disk as _, Error, LedgerLog, LogId, Open, OsDisk, SchnorrKey, Seq, SpaceState, StateLog,
    checkpoints,
};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn assert_private(dir: &Path) -> usize {
    assert_eq!(mode(dir), 0o700, "{}", dir.display());
    let mut files = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_private(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files += 1;
        }
    }
    files
}

#[test]
fn logs_live_on_a_real_disk_and_only_their_owner_reads_them() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().join("some").join("data");
    let disk = Arc::new(OsDisk::open(&root).unwrap());
    let mut reserving = options();
    reserving.reserve_bytes = 100_000;
    let (mut log, _) = StateLog::open(disk.clone(), reserving.clone()).unwrap();
    assert_eq!(log.space(), SpaceState::Plenty);
    for seq in [6, 12, 18] {
        fill(&mut log, &[6]).unwrap();
        log.snapshot(Seq(seq), Seq(seq), snapshot_of(&payloads(seq))).unwrap();
    }
    fill(&mut log, &[2]).unwrap();
    let (mut ledger, _) = LedgerLog::open(disk.clone(), LogId([3; 16])).unwrap();
    for line in payloads(20) {
        ledger.append(&line).unwrap();
    }
    let key = SchnorrKey::open(&*disk, "ledger/key", [5; 32]).unwrap();
    ledger.checkpoint(&key, 1).unwrap();
    assert_eq!(checkpoints(&*disk).unwrap().len(), 1);
    assert!(assert_private(&root) >= 9);
    assert_eq!(mode(&temporary.path().join("some")), 0o700);
    log.close().unwrap();

    let (log, recovered) = StateLog::open(disk, reserving).unwrap();
    let found = content(recovered).unwrap();
    assert_eq!((found.payloads, found.snapshot), (payloads(20), Some(Seq(18))));
    assert_eq!(found.torn, None);
    assert_eq!(log.durable(), Seq(20));
    assert_eq!(ledger.verify(&mut |_| {}), Ok(ledger.head()));
}

#[test]
fn second_holder_is_refused_with_the_pid_of_the_first() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(OsDisk::open(root.path()).unwrap());
    let (log, _) = StateLog::open(disk.clone(), options()).unwrap();
    let other = Arc::new(OsDisk::open(root.path()).unwrap());
    let error = StateLog::open(other.clone(), options()).unwrap_err();
    let pid = Some(std::process::id());
    assert_eq!(error, Error::Locked { file: "state/LOCK".to_owned(), pid });
    drop(log);
    StateLog::open(other, options()).unwrap();
}

#[test]
fn reserved_space_is_taken_and_does_not_lengthen_the_file() {
    let root = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(root.path()).unwrap();
    let mut file = disk.open("reserved", Open::New).unwrap();
    let taken = file.reserve(1 << 20).unwrap();
    let data = fs::metadata(root.path().join("reserved")).unwrap();
    assert_eq!(data.len(), 0);
    assert_eq!(taken, data.blocks() * 512 >= 1 << 20, "{} blocks", data.blocks());
}

#[test]
fn files_are_opened_as_asked_and_what_is_refused_is_named() {
    let root = tempfile::tempdir().unwrap();
    let disk = OsDisk::open(root.path()).unwrap();
    disk.make_dir("a").unwrap();
    let missing = disk.open("a/x", Open::Write).unwrap_err();
    assert_eq!((missing.cause, missing.file.as_str()), (Cause::Missing, "a/x"));
    let mut file = disk.open("a/x", Open::New).unwrap();
    file.write_at(3, b"abc").unwrap();
    file.truncate(5).unwrap();
    file.sync().unwrap();
    assert!(disk.open("a/x", Open::New).is_err());
    let mut reader = disk.open("a/x", Open::Read).unwrap();
    let mut bytes = [9; 8];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), 5);
    assert_eq!(bytes, [0, 0, 0, b'a', b'b', 9, 9, 9]);
    assert!(reader.write_at(0, b"x").is_err());
    disk.rename("a/x", "a/y").unwrap();
    assert_eq!(disk.list("a").unwrap(), ["y"]);
    disk.remove("a/y").unwrap();
    assert_eq!(disk.remove("a/y").unwrap_err().cause, Cause::Missing);
    disk.sync_dir("a").unwrap();
}
