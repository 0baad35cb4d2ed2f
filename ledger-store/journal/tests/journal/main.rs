//! The laws of the journal's file layer.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails it")]

mod schedule;
mod faults;
mod flips;
mod cuts;
mod full;
mod snapshots;
mod state;
mod ledger;
mod marks;
mod readers;
mod checkpoints;
mod garbage;
#[cfg(unix)]
mod os;

use payecs_journal::{
    Disk, Error, LedgerLog, LedgerMark, LogId, MemoryDisk, Options, Recovered, Seq, StateLog, Torn,
};
use proptest::prelude::ProptestConfig;
use std::sync::Arc;

/// Small segments, so that a few records fill one.
pub(crate) const SEGMENT_BYTES: u64 = 600;

/// Properties of one run, which leave no files behind.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

pub(crate) fn options() -> Options {
    Options { id: LogId([0x5a; 16]), segment_bytes: SEGMENT_BYTES, reserve_bytes: 0 }
}

pub(crate) fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// What is in a log: the payloads of all records, those of the snapshot too, which holds them as
/// lines in hex.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) payloads: Vec<Vec<u8>>,
    pub(crate) snapshot: Option<Seq>,
    pub(crate) torn: Option<Torn>,
    pub(crate) skipped: Vec<Seq>,
}

pub(crate) fn content(recovered: Recovered) -> Result<Content, Error> {
    let mut bytes = vec![];
    let snapshot = recovered.snapshot.as_ref().map(payecs_journal::Snapshot::seq);
    for piece in recovered.snapshot.into_iter().flatten() {
        bytes.extend(piece?);
    }
    let text = String::from_utf8(bytes).expect("snapshots here are text");
    let mut payloads: Vec<Vec<u8>> =
        text.lines().map(|line| hex::decode(line).expect("it is hex")).collect();
    assert_eq!(payloads.len() as u64, snapshot.map_or(0, |seq| seq.0), "snapshot {snapshot:?}");
    for record in recovered.records {
        let record = record?;
        payloads.push(record.payload);
        assert_eq!(record.seq.0, payloads.len() as u64, "records come in order, without a gap");
    }
    let skipped = recovered.skipped.iter().map(|skipped| skipped.seq).collect();
    Ok(Content { payloads, snapshot, torn: recovered.torn, skipped })
}

pub(crate) fn snapshot_of(payloads: &[Vec<u8>]) -> Vec<String> {
    payloads.iter().map(|payload| format!("{}\n", hex::encode(payload))).collect()
}

pub(crate) fn open(disk: &MemoryDisk) -> Result<(StateLog, Content), Error> {
    open_with(disk, options())
}

pub(crate) fn open_with(disk: &MemoryDisk, options: Options) -> Result<(StateLog, Content), Error> {
    let (log, recovered) = StateLog::open(shared(disk), options)?;
    let content = content(recovered)?;
    assert_eq!(log.last(), log.durable(), "what was found is durable");
    assert_eq!(log.last().0, content.payloads.len() as u64);
    Ok((log, content))
}

pub(crate) fn open_ledger(disk: &MemoryDisk) -> Result<LedgerLog, Error> {
    LedgerLog::open(shared(disk), LogId([0xa5; 16])).map(|(ledger, _)| ledger)
}

/// Opens the ledger from a mark.
pub(crate) fn open_from(disk: &MemoryDisk, mark: &LedgerMark) -> Result<LedgerLog, Error> {
    let opened = LedgerLog::open_from(shared(disk), LogId([0xa5; 16]), Some(mark), &mut |_| {});
    opened.map(|(ledger, _)| ledger)
}

/// The payload of a record, of a length that differs from its neighbours'.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    let len = usize::try_from(number * 37 % 101).expect("it is small");
    format!("record {number} {}", "x".repeat(len)).into_bytes()
}

pub(crate) fn payloads(count: u64) -> Vec<Vec<u8>> {
    (1..=count).map(payload).collect()
}

/// Appends the next records and makes them durable in groups.
pub(crate) fn fill(log: &mut StateLog, groups: &[u64]) -> Result<(), Error> {
    for group in groups {
        for _ in 0..*group {
            log.append(&payload(log.last().0 + 1))?;
        }
        log.sync()?;
    }
    Ok(())
}

/// Where the frames of a file begin.
pub(crate) fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![];
    let mut at = 80;
    while at < bytes.len() {
        starts.push(at);
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("it is four bytes"));
        at += 32 + usize::try_from(len).expect("it is small");
    }
    assert_eq!(at, bytes.len(), "the frames fill the file");
    starts
}

/// The files of a disk whose names end so, in order.
pub(crate) fn files(disk: &MemoryDisk, ending: &str) -> Vec<String> {
    disk.files().into_iter().filter(|name| name.ends_with(ending)).collect()
}

/// A copy of a disk as it is now, all of it durable.
pub(crate) fn copy(disk: &MemoryDisk) -> MemoryDisk {
    let copy = MemoryDisk::new();
    for name in disk.files() {
        copy.put(&name, &disk.bytes(&name).expect("it is listed"));
    }
    copy
}
