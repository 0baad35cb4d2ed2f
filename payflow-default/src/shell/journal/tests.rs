//! The journal's thread on a full disk that nobody waits for any more.

use super::*;
use crate::app::{Parts, engine};
use ecs_core::{Inputs, Systems, Write, Writer};
use ecs_systems::policy::Policy;
use ledger_store::{MemoryLedger, MemoryReceipts};
use payecs_journal::{Disk, Faults, LogId, MemoryDisk, Options};

/// Longer than a thread takes to see that it is abandoned.
const AT_MOST: Duration = Duration::from_secs(20);

/// A thread to be, which finds this to do: records, then as many snapshots, and nobody who would
/// send more. Its disk is full.
fn abandoned(snapshots: usize) -> Keeper {
    let mut app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .unwrap();
    let disk = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { reserve_bytes: 0, ..Options::new(LogId([7; 16])) };
    let options = Options { segment_bytes: 4_096, ..options };
    let (store, _) = Store::open(&shared, options, &mut app, &mut |_| {}).unwrap();
    app.record_changes(true);
    app.begin(Inputs { now_ms: 1, entropy: [2; 32] });
    let mut records = Vec::new();
    for number in 1..100 {
        let write = Write::to(app.new_entity()).attach(&Systems::listing(["acme:x"; 20]));
        app.set_components(&Writer::Engine, &[write], &[]).unwrap();
        let (must_sync, delta) = (true, app.take_delta().unwrap());
        records.push(JournalRecord { number, must_sync, delta });
    }
    let number = records.len() as u64;
    let (work, from) = channel();
    work.send(Work::Keep(records)).unwrap();
    for _ in 0..snapshots {
        work.send(Work::Snapshot(number, Box::new(Image::of(&app)), work.clone())).unwrap();
    }
    disk.plan(Faults { capacity_bytes: Some(0), ..Faults::default() });
    let told = Told { progress: Mutex::new(Progress::default()), waker: Waker::noop().clone() };
    Keeper {
        store,
        from,
        told: End(Arc::new(told)),
        records: VecDeque::new(),
        unsynced_since: None,
        looked_for_room: now(),
        snapshot: None,
        writing: None,
        written: false,
    }
}

#[test]
fn a_thread_that_is_stopped_on_a_full_disk_ends_whatever_snapshots_wait() {
    // One is taken up when the disk turns out full, the others wait behind it.
    for snapshots in 0..4 {
        let keeper = abandoned(snapshots);
        let (ended, end) = channel();
        thread::spawn(move || ended.send(keeper.run()));
        let result = end.recv_timeout(AT_MOST);
        let error = result.expect("it ends").expect_err("what was to be kept is not").to_string();
        assert!(error.contains("free space"), "{snapshots}: {error}");
    }
}
