//! How an index follows a ledger: built, opened again, and how far it is behind.

use crate::{Sizes, commits::Record, host::timed, place, table::Table};
use payecs_index::{Follower, HISTORY, Index, SledBackend, State};
use payecs_journal::{LedgerLog, LogId, OsDisk};
use std::{fs, sync::Arc, time::Duration};

/// Entries that are appended while the index follows.
const APPENDED: u64 = 10_000;
const AT_MOST: Duration = Duration::from_hours(1);

/// Waits until so many entries are in it.
pub(crate) fn in_step(index: &Index, count: u64) {
    let state = index.wait(AT_MOST, |state| match state {
        State::Ready(progress) => progress.applied >= count,
        State::Opening | State::CatchingUp(_) => false,
        State::Failed { .. } | State::Stopped => true,
    });
    assert!(matches!(state, State::Ready(_)), "{state:?}");
}

fn append(ledger: &mut LedgerLog, count: u64) {
    for number in 0..count {
        ledger.append(&Record::new(ledger.head().count).payload).unwrap();
        if number % 1_000 == 999 {
            ledger.write().unwrap();
        }
    }
    ledger.write().unwrap();
}

pub(crate) fn run(sizes: &Sizes, table: &mut Table) {
    let dir = place("index");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let disk = Arc::new(OsDisk::open(&dir).unwrap());
    let (mut ledger, _) = LedgerLog::open(disk, LogId([4; 16])).unwrap();
    append(&mut ledger, sizes.indexed);
    let count = ledger.head().count;
    let start = || {
        let backend = SledBackend::new(dir.join("index"));
        Follower::start(backend, ledger.reader(), HISTORY).unwrap()
    };
    let per_entry = |took: Duration, count: u64| {
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
    };
    let ((), built) = timed(|| {
        let follower = start();
        in_step(&follower.index(), count);
        follower.stop();
    });
    let note = format!("{count} entries of {} bytes, sled", Record::new(0).payload.len());
    table.add("index", "built", per_entry(built, count), "µs/entry", &note);
    let follower = start();
    let ((), opened) = timed(|| in_step(&follower.index(), count));
    table.add("index", "opened again", opened.as_secs_f64() * 1e3, "ms", "in a thread of its own");
    append(&mut ledger, APPENDED);
    let ((), lag) = timed(|| in_step(&follower.index(), count + APPENDED));
    let note = format!("{APPENDED} entries at once");
    table.add("index", "lag", lag.as_secs_f64() * 1e3, "ms", &note);
    follower.stop();
    drop(ledger);
    let _ = fs::remove_dir_all(&dir);
}
