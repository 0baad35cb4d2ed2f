//! Each operation of the disk fails once, at each place where it is asked for.

use super::{content, files, open, open_ledger, options, payload, payloads, shared, snapshot_of};
use payecs_journal::{Error, Faults, MemoryDisk, Operation, Seq, StateLog};

const OPERATIONS: &[Operation] = &[
    Operation::Open,
    Operation::Create,
    Operation::Read,
    Operation::Write,
    Operation::Truncate,
    Operation::Sync,
    Operation::Reserve,
    Operation::Rename,
    Operation::Remove,
    Operation::MakeDir,
    Operation::SyncDir,
    Operation::List,
    Operation::Lock,
];

/// Two lives of a program with rotations and snapshots; `durable` is what it was told.
fn script(disk: &MemoryDisk, durable: &mut u64) -> Result<(), Error> {
    let mut options = options();
    options.reserve_bytes = 300;
    for life in 0..2 {
        let (mut log, recovered) = StateLog::open(shared(disk), options.clone())?;
        content(recovered)?;
        for group in 0..6 {
            for _ in 0..3 {
                log.append(&payload(log.last().0 + 1))?;
            }
            log.write()?;
            *durable = log.sync()?.0;
            if group % 2 == 1 {
                let kept = payloads(*durable);
                log.snapshot(Seq(*durable), Seq(*durable), snapshot_of(&kept))?;
            }
        }
        log.append(&payload(log.last().0 + 1))?;
        log.write()?;
        disk.power_loss(life);
        // The next life finds a torn tail, whatever was kept.
        let segment = files(disk, ".log").pop().expect("there is a segment");
        let torn = [disk.bytes(&segment).expect("it is listed"), vec![1; 40]].concat();
        disk.put(&segment, &torn);
    }
    Ok(())
}

#[test]
fn no_failing_operation_loses_an_acknowledged_record() {
    for operation in OPERATIONS {
        for words in [None, Some("broken".to_owned())] {
            let mut reached = 0;
            for at in 1.. {
                let disk = MemoryDisk::new();
                let fail = Some((*operation, at));
                disk.plan(Faults { fail, words: words.clone(), ..Faults::default() });
                let mut durable = 0;
                let ran = script(&disk, &mut durable);
                let count = disk.count(*operation);
                disk.plan(Faults::default());
                disk.power_loss(at);
                let (_, found) = open(&disk).unwrap_or_else(|error| {
                    panic!("{operation:?} {at} {words:?}: {ran:?}, then {error}")
                });
                let there = found.payloads.len() as u64;
                assert!(there >= durable, "{operation:?} {at} {words:?}: {there} of {durable}");
                assert_eq!(found.payloads, payloads(there), "{operation:?} {at}");
                if count < at {
                    assert_eq!(ran, Ok(()), "{operation:?} was not reached");
                    break;
                }
                reached = at;
            }
            assert!(reached > 0, "the script asks for {operation:?}");
        }
    }
}

#[test]
fn failed_sync_is_final_and_said_so() {
    for at in 1..=8 {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk).unwrap();
        disk.plan(Faults { fail: Some((Operation::Sync, at)), ..Faults::default() });
        // The sync of a new segment fails when the group is durable: the next call says so.
        let failed = loop {
            let durable = log.durable();
            let synced = log.append(&payload(log.last().0 + 1)).and_then(|_| log.sync());
            if let Err(error) = synced {
                assert_eq!(log.durable(), durable, "sync {at}");
                break error;
            }
        };
        assert!(failed.to_string().contains("cannot sync state/"), "{failed}");
        let Err(refused) = log.append(b"") else { panic!("sync {at}: it goes on") };
        let Error::Refused { after } = &refused else { panic!("{refused}") };
        assert!(failed.to_string().contains(after), "{failed} / {after}");
        assert_eq!(log.write(), Err(refused.clone()));
        assert_eq!(log.sync(), Err(refused.clone()));
        assert_eq!(log.refill(), Err(refused.clone()));
        assert_eq!(log.begin_snapshot(Seq(0), Seq(0)).err(), Some(refused.clone()));
        assert_eq!(log.close(), Err(refused));
    }
}

#[test]
fn record_that_outlived_a_failed_sync_is_made_durable_by_opening() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    log.append(b"first").unwrap();
    log.sync().unwrap();
    disk.plan(Faults { fail: Some((Operation::Sync, 1)), ..Faults::default() });
    log.append(b"in the page cache alone").unwrap();
    log.sync().unwrap_err();

    disk.crash();
    disk.plan(Faults::default());
    let (log, found) = open(&disk).unwrap();
    assert_eq!(found.payloads.len(), 2);
    drop(log);
    for seed in 0..64 {
        let disk = copy_after(&disk, seed);
        assert_eq!(open(&disk).unwrap().1.payloads.len(), 2, "seed {seed}");
    }
}

/// The disk after a power loss, which is the same whatever was lost before.
fn copy_after(disk: &MemoryDisk, seed: u64) -> MemoryDisk {
    disk.power_loss(seed);
    disk.clone()
}

#[test]
fn file_whose_name_outlived_a_crash_alone_is_made_durable_by_opening() {
    for seed in 0..32 {
        let disk = MemoryDisk::new();
        outlive(&disk, "state/00000000000000000001.log", &|| open(&disk).map(|_| ()));
        outlive(&disk, "ledger/entries.log", &|| open_ledger(&disk).map(|_| ()));
        let (mut log, _) = open(&disk).unwrap();
        let mut ledger = open_ledger(&disk).unwrap();
        super::fill(&mut log, &[1]).unwrap();
        ledger.append(b"line").unwrap();
        ledger.sync().unwrap();
        disk.power_loss(seed);
        assert_eq!(open(&disk).unwrap().1.payloads, payloads(1), "seed {seed}");
        assert_eq!(open_ledger(&disk).unwrap().head().count, 1, "seed {seed}");
    }
}

/// Kills a process that opens when a file has its name, and the name is not durable.
fn outlive(disk: &MemoryDisk, file: &str, open: &dyn Fn() -> Result<(), Error>) {
    for at in 1.. {
        disk.plan(Faults { fail: Some((Operation::SyncDir, at)), ..Faults::default() });
        let opened = open();
        assert!(matches!(opened, Err(Error::Disk(_))), "{file}: {opened:?}");
        disk.crash();
        if disk.bytes(file).is_some() {
            break;
        }
    }
    disk.plan(Faults::default());
}

#[test]
fn read_only_disk_is_refused_at_opening_and_nothing_changes() {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk).unwrap();
    log.close().unwrap();
    let before: Vec<_> = disk.files().iter().map(|name| disk.bytes(name)).collect();
    disk.plan(Faults { read_only: true, ..Faults::default() });
    let error = open(&disk).unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    let after: Vec<_> = disk.files().iter().map(|name| disk.bytes(name)).collect();
    assert_eq!(before, after);
}

#[test]
fn short_reads_change_nothing() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    super::fill(&mut log, &[3, 4, 5, 6]).unwrap();
    let kept = payloads(10);
    log.snapshot(Seq(10), Seq(10), snapshot_of(&kept)).unwrap();
    drop(log);
    disk.plan(Faults { short_reads: true, ..Faults::default() });
    assert_eq!(open(&disk).unwrap().1.payloads, payloads(18));
}
