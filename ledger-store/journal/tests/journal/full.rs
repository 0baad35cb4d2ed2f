//! A disk that is full.

use super::{files, fill, open, options, payload, payloads, shared, snapshot_of};
use payecs_journal::{Error, Faults, MemoryDisk, Options, Seq, SpaceState, StateLog};

fn with_reserve() -> Options {
    Options { reserve_bytes: 500, ..options() }
}

#[test]
fn full_disk_at_any_byte_loses_nothing_acknowledged_and_goes_on_with_room() {
    for capacity in (0..2600).step_by(7) {
        let disk = MemoryDisk::new();
        disk.plan(Faults { capacity_bytes: Some(capacity), ..Faults::default() });
        let (mut log, mut durable) = match StateLog::open(shared(&disk), with_reserve()) {
            Ok((log, _)) => (log, 0),
            Err(error) => {
                assert!(matches!(error, Error::Full(_)), "{capacity}: {error}");
                continue;
            }
        };
        for number in 1..=12 {
            log.append(&payload(number)).unwrap();
            match log.sync() {
                Ok(seq) => durable = seq.0,
                Err(error) => {
                    assert!(matches!(error, Error::Full(_)), "{capacity}: {error}");
                    assert_eq!(log.space(), SpaceState::Reserve, "{capacity}");
                    assert!(log.waiting_bytes() > 0);
                }
            }
        }
        let mut lost = StateLog::open(shared(&reopened(&disk, capacity)), with_reserve())
            .unwrap_or_else(|error| panic!("{capacity}: {error}"));
        assert!(lost.0.durable().0 >= durable, "{capacity}");
        let kept: Result<Vec<_>, _> = lost.1.records.by_ref().collect();
        let kept: Vec<_> = kept.unwrap().into_iter().map(|record| record.payload).collect();
        assert_eq!(kept, payloads(kept.len() as u64), "{capacity}");

        // Whoever waits for room gets on.
        disk.plan(Faults::default());
        assert_eq!(log.sync(), Ok(Seq(12)), "{capacity}");
        assert_eq!(log.refill(), Ok(SpaceState::Plenty));
        drop(log);
        disk.power_loss(capacity);
        let (log, content) = open(&disk).unwrap();
        assert_eq!(content.payloads, payloads(12), "{capacity}");
        drop(log);
    }
}

/// The disk as a power loss leaves it now, with room.
fn reopened(disk: &MemoryDisk, seed: u64) -> MemoryDisk {
    let copy = disk.fork();
    copy.plan(Faults::default());
    copy.power_loss(seed);
    copy
}

#[test]
fn reserve_takes_records_when_nothing_else_does() {
    let disk = MemoryDisk::new();
    let options = Options { segment_bytes: 400, reserve_bytes: 1000, ..options() };
    disk.plan(Faults { capacity_bytes: Some(1700), ..Faults::default() });
    let (mut log, _) = StateLog::open(shared(&disk), options).unwrap();
    assert_eq!(log.space(), SpaceState::Plenty);
    let mut states = vec![];
    let full = loop {
        log.append(&payload(log.last().0 + 1)).unwrap();
        let synced = log.sync();
        states.push(log.space());
        if synced.is_err() {
            break synced;
        }
    };
    assert!(matches!(full, Err(Error::Full(_))), "{full:?}");
    states.dedup();
    assert_eq!(states, [SpaceState::Plenty, SpaceState::Low, SpaceState::Reserve]);
    let used: usize = disk.files().iter().map(|name| disk.bytes(name).unwrap().len()).sum();
    assert_eq!(used, 1700, "every byte was used");
}

#[test]
fn snapshot_never_takes_from_the_reserve() {
    let disk = MemoryDisk::new();
    let options = Options { segment_bytes: 400, reserve_bytes: 1000, ..options() };
    disk.plan(Faults { capacity_bytes: Some(1600), ..Faults::default() });
    let (mut log, _) = StateLog::open(shared(&disk), options).unwrap();
    fill(&mut log, &[2]).unwrap();
    let refused = log.snapshot(Seq(2), Seq(2), [vec![b'a'; 900]]);
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    assert_eq!(log.space(), SpaceState::Plenty);
    assert_eq!(files(&disk, ".tmp"), [""; 0], "what was taken is free");
    fill(&mut log, &[1]).unwrap();
    log.snapshot(Seq(3), Seq(3), snapshot_of(&payloads(3)[..0])).unwrap();
}
