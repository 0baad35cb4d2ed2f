//! How long a million entries take: to build an index, to open it again, to follow and to ask.
//!
//! `cargo bench -p payecs-index -- [entries] [sled|redb]…`

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use payecs_index::{Backend, Follower, HISTORY, History, Index, RedbBackend, SledBackend, State};
use payecs_journal::{LedgerLog, LedgerMark, LogId, OsDisk};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const AT_MOST: Duration = Duration::from_hours(1);
const PAID_PER_KEY: u64 = 4;
const QUERIES: u64 = 1_000;
const LAG_ENTRIES: u64 = 10_000;

/// The payment hash of an entry: four entries in a row have the same.
fn hash(index: u64) -> [u8; 32] {
    let mut state = index / PAID_PER_KEY;
    let mut hash = [0; 32];
    for bytes in hash.chunks_mut(8) {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.copy_from_slice(&(state ^ (state >> 33)).to_be_bytes());
    }
    hash
}

/// About 200 bytes, every fourth with an idempotency key.
fn payload(index: u64) -> Vec<u8> {
    let hash = hex::encode(hash(index));
    let key = match index % PAID_PER_KEY {
        0 => format!(r#","idempotency_key":"order-{index}""#),
        _ => r#","fee_msat":1000,"partid":1"#.to_owned(),
    };
    let body = format!(r#"{{"entry":"claim","payment_hash":"{hash}","groupid":1{key}}}"#);
    let at_ms = 1_790_000_000_000 + index * 7;
    let line = format!(r#"{{"system":"ledger:claim","body":{body}}}"#);
    format!(r#"{{"at_ms":{at_ms},"entity":1,"lines":[{line}]}}"#).into_bytes()
}

fn append(ledger: &mut LedgerLog, count: u64) {
    for done in 0..count {
        ledger.append(&payload(ledger.head().count)).unwrap();
        if done % 1_000 == 999 {
            ledger.write().unwrap();
        }
    }
    ledger.write().unwrap();
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// The most memory that the process had, in MiB, where the system tells.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn ready(index: &Index, count: u64) {
    let state = index.wait(AT_MOST, |state| match state {
        State::Ready(progress) => progress.applied >= count,
        State::Opening | State::CatchingUp(_) => false,
        State::Failed { .. } | State::Stopped => true,
    });
    assert!(matches!(state, State::Ready(_)), "{state:?}");
}

fn size_mib(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let data = entry.metadata().unwrap();
        bytes += if data.is_dir() { size_mib(&entry.path()) << 20 } else { data.len() };
    }
    bytes >> 20
}

fn ask(history: &History, count: u64) -> Duration {
    let begun = Instant::now();
    for number in 0..QUERIES {
        let entry = number.wrapping_mul(7_919) % count / PAID_PER_KEY * PAID_PER_KEY;
        let found = history.entries_of_payment(&hash(entry), 0, 100).unwrap().found;
        assert_eq!(found.first(), Some(&entry));
    }
    begun.elapsed() / u32::try_from(QUERIES).unwrap()
}

fn run<B: Backend + Clone + 'static>(name: &str, backend: &B, dir: &Path, ledger: &mut LedgerLog) {
    let count = ledger.head().count;
    let reader = ledger.reader();
    let start = || Follower::start(backend.clone(), reader.clone(), HISTORY).unwrap();
    let begun = Instant::now();
    let follower = start();
    ready(&follower.index(), count);
    let built = seconds(begun);
    let query = ask(&History::of(follower.index()), count);
    let begun = Instant::now();
    follower.stop();
    let stopped = seconds(begun);
    println!(
        "{name}: {count} entries built in {built:.1} s, stopped in {stopped:.2} s, {} MiB on the \
         disk, {} µs a query, peak memory {} MiB",
        size_mib(dir),
        query.as_micros(),
        peak_mib(),
    );
    let begun = Instant::now();
    let follower = start();
    ready(&follower.index(), count);
    let opened = seconds(begun);
    let begun = Instant::now();
    append(ledger, LAG_ENTRIES);
    let appended = seconds(begun);
    ready(&follower.index(), count + LAG_ENTRIES);
    let in_step = seconds(begun);
    println!(
        "{name}: opened and looked through in {opened:.1} s; {LAG_ENTRIES} entries appended in \
         {appended:.3} s were in it after {in_step:.3} s; peak memory {} MiB",
        peak_mib(),
    );
    follower.stop();
}

fn ledger(root: &Path, mark: Option<&LedgerMark>) -> LedgerLog {
    let disk = Arc::new(OsDisk::open(root).unwrap());
    LedgerLog::open_from(disk, LogId([3; 16]), mark, &mut |_| {}).unwrap().0
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let asked = |name: &str| {
        let named = words.iter().any(|word| word == "sled" || word == "redb");
        !named || words.iter().any(|word| word == name)
    };
    let root = tempfile::tempdir().unwrap();
    let mut log = ledger(root.path(), None);
    append(&mut log, count);
    log.sync().unwrap();
    let mark = log.mark();
    drop(log);
    let begun = Instant::now();
    drop(ledger(root.path(), None));
    let whole = seconds(begun);
    let begun = Instant::now();
    let mut log = ledger(root.path(), Some(&mark));
    println!("ledger: opened in {whole:.3} s, from its mark in {:.4} s", seconds(begun));
    println!("ledger: peak memory {} MiB", peak_mib());
    let dir = root.path().join("index");
    if asked("sled") {
        run("sled", &SledBackend::new(&dir), &dir, &mut log);
        fs::remove_dir_all(&dir).unwrap();
    }
    if asked("redb") {
        run("redb", &RedbBackend::new(&dir), &dir, &mut log);
    }
}
