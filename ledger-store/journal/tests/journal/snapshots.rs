//! Snapshots and what they replace.

use super::{files, fill, open, payloads, shared, snapshot_of};
use payecs_journal::{Error, MemoryDisk, Seq, StateLog};

fn take(log: &mut StateLog, seq: u64) -> Result<(), Error> {
    log.snapshot(Seq(seq), Seq(seq), snapshot_of(&payloads(seq)))
}

#[test]
fn newest_and_the_one_before_are_kept_with_their_records() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for seq in [6, 12, 18, 24] {
        fill(&mut log, &[6]).unwrap();
        take(&mut log, seq).unwrap();
    }
    let snapshots = files(&disk, ".snapshot");
    assert_eq!(
        snapshots,
        ["state/00000000000000000018.snapshot", "state/00000000000000000024.snapshot"]
    );
    assert_eq!(files(&disk, ".log")[0], "state/00000000000000000019.log");
    drop(log);
    let (_, content) = open(&disk).unwrap();
    assert_eq!((content.payloads, content.snapshot), (payloads(24), Some(Seq(24))));
}

#[test]
fn snapshot_is_refused_before_records_and_ledger_are_durable_or_when_it_is_old() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[3]).unwrap();
    log.append(b"not yet").unwrap();
    let ahead = log.snapshot(Seq(4), Seq(4), [""]);
    assert_eq!(ahead, Err(Error::SnapshotAhead { asked: 4, durable: 3 }));
    let behind = log.snapshot(Seq(3), Seq(2), [""]);
    assert_eq!(behind, Err(Error::LedgerBehind { asked: 3, synced: 2 }));
    take(&mut log, 3).unwrap();
    let old = log.snapshot(Seq(2), Seq(3), [""]);
    assert_eq!(old, Err(Error::SnapshotNotNewer { asked: 2, newest: 3 }));
    assert_eq!(log.sync(), Ok(Seq(4)), "the log goes on");
}

#[test]
fn records_are_appended_while_a_snapshot_is_written_elsewhere() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[5]).unwrap();
    let mut writer = log.begin_snapshot(Seq(5), Seq(5)).unwrap();
    let elsewhere = std::thread::spawn(move || {
        snapshot_of(&payloads(5)).iter().try_for_each(|line| writer.write(line.as_bytes()))?;
        writer.finish()
    });
    fill(&mut log, &[4, 4]).unwrap();
    let file = elsewhere.join().unwrap().unwrap();
    assert_eq!(file.seq(), Seq(5));
    log.adopt(file).unwrap();
    fill(&mut log, &[1]).unwrap();
    drop(log);
    let (_, content) = open(&disk).unwrap();
    assert_eq!((content.payloads, content.snapshot), (payloads(14), Some(Seq(5))));
}

#[test]
fn dropped_snapshot_leaves_nothing_that_counts() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[5]).unwrap();
    let mut writer = log.begin_snapshot(Seq(5), Seq(5)).unwrap();
    writer.write(b"half").unwrap();
    drop(writer);
    drop(log);
    let (_, content) = open(&disk).unwrap();
    assert_eq!((content.payloads, content.snapshot), (payloads(5), None));
    assert_eq!(files(&disk, ".tmp"), [""; 0]);
}

#[test]
fn large_snapshot_comes_back_in_pieces_of_a_bounded_size() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[1]).unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    log.snapshot(Seq(1), Seq(1), [&bytes[..10], &[], &bytes[10..]]).unwrap();
    drop(log);
    let (_, recovered) = StateLog::open(shared(&disk), super::options()).unwrap();
    let pieces: Result<Vec<_>, _> = recovered.snapshot.unwrap().collect();
    let pieces = pieces.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= 1 << 20));
    assert_eq!(pieces.concat(), bytes);
}

#[test]
fn damaged_newest_is_made_up_for_wherever_the_older_one_ends() {
    for older in 1..=18 {
        let disk = MemoryDisk::new();
        let (mut log, _) = open(&disk).unwrap();
        fill(&mut log, &[6, 6, 6]).unwrap();
        take(&mut log, older).unwrap();
        fill(&mut log, &[6]).unwrap();
        take(&mut log, 24).unwrap();
        drop(log);
        let newest = files(&disk, ".snapshot").pop().unwrap();
        disk.put(&newest, b"damaged");
        let (_, content) = open(&disk).unwrap_or_else(|error| panic!("{older}: {error}"));
        assert_eq!((content.payloads, content.snapshot), (payloads(24), Some(Seq(older))));
        assert_eq!(content.skipped, [Seq(24)]);
    }
}
