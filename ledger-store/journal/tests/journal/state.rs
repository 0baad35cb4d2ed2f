//! What the state log promises when nothing goes wrong, and who may have it.

use super::{fill, open, options, payloads, shared};
use payecs_journal::{Error, Faults, MemoryDisk, Operation, RECORD_BYTES_MAX, Seq, StateLog};

#[test]
fn one_fdatasync_makes_a_group_durable_and_none_is_done_for_nothing() {
    let disk = MemoryDisk::new();
    let mut roomy = options();
    roomy.segment_bytes = 1 << 20;
    let (mut log, _) = StateLog::open(shared(&disk), roomy).unwrap();
    disk.plan(Faults::default());
    fill(&mut log, &[100]).unwrap();
    assert_eq!(disk.count(Operation::Sync), 1);
    assert_eq!(log.sync(), Ok(Seq(100)));
    log.write().unwrap();
    assert_eq!(disk.count(Operation::Sync), 1);
    assert_eq!(disk.count(Operation::Write), 2, "the group, then the mark");
}

#[test]
fn appended_is_not_written_and_written_is_not_durable() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[1]).unwrap();
    log.append(b"two").unwrap();
    log.write().unwrap();
    log.append(b"three").unwrap();
    assert_eq!((log.last(), log.durable()), (Seq(3), Seq(1)));
    let forked = disk.fork();
    disk.crash();
    assert_eq!(open(&disk).unwrap().1.payloads.len(), 2, "the system has what was written");
    let lost = (0..32).any(|seed| {
        let disk = forked.fork();
        disk.power_loss(seed);
        open(&disk).unwrap().1.payloads.len() == 1
    });
    assert!(lost, "a power loss may take it");
}

#[test]
fn second_process_is_refused_with_the_holder_and_the_first_goes_on() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let error = open(&disk).unwrap_err();
    assert_eq!(error, Error::Locked { file: "state/LOCK".to_owned(), pid: Some(0) });
    assert!(error.to_string().contains("process 0"), "{error}");
    fill(&mut log, &[2]).unwrap();
    log.close().unwrap();
    assert_eq!(open(&disk).unwrap().1.payloads, payloads(2));
}

#[test]
fn longest_record_fits_and_a_longer_one_is_refused_and_forgotten() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let longest = vec![7; RECORD_BYTES_MAX];
    log.append(&longest).unwrap();
    let (bytes, max) = (RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX);
    let refused = log.append(&vec![7; bytes]);
    assert_eq!(refused, Err(Error::TooLong { bytes, max }));
    log.append(&[]).unwrap();
    assert_eq!(log.sync(), Ok(Seq(2)));
    drop(log);
    let (_, content) = open(&disk).unwrap();
    assert_eq!(content.payloads, [longest, vec![]]);
}

#[test]
fn what_waits_is_bounded() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    let record = vec![1; RECORD_BYTES_MAX];
    let refused = (0..17).map(|_| log.append(&record)).find_map(Result::err);
    assert!(matches!(refused, Some(Error::BufferFull { .. })), "{refused:?}");
    log.write().unwrap();
    log.append(&record).unwrap();
}

#[test]
fn payload_that_looks_like_frames_of_another_log_is_only_bytes() {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    fill(&mut log, &[2, 2]).unwrap();
    let inside = disk.bytes("state/00000000000000000001.log").unwrap();
    let fresh = MemoryDisk::new();
    let mut others = options();
    others.id.0[0] ^= 1;
    let (mut log, _) = StateLog::open(shared(&fresh), others).unwrap();
    log.append(b"one").unwrap();
    log.sync().unwrap();
    log.append(&inside).unwrap();
    log.write().unwrap();
    let name = "state/00000000000000000001.log";
    let mut bytes = fresh.bytes(name).unwrap();
    let second = super::frames(&bytes)[2];
    bytes[second] ^= 1;
    fresh.put(name, &bytes);
    fresh.crash();
    let (_, content) = open(&fresh).unwrap();
    assert_eq!(content.payloads, [b"one".to_vec()]);
    assert_eq!(content.torn.unwrap().whole_records, 0);
}
