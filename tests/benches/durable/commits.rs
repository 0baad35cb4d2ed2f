//! Durable commits a second: the journal with an index behind it, `SQLite` and sled.
//!
//! Each record is 300 bytes with three keys. A group is what 64 writers hand in while the group
//! before is made durable, as an application would do it; one writer waits for each commit. The
//! journal writes each record twice, as state and into the ledger, and syncs once; its index is not
//! waited for.

use crate::{Sizes, host::timed, indexing::in_step, place, table::Table};
use ecs_systems::units::PaymentHash;
use payecs_index::{Follower, HISTORY, SledBackend};
use payecs_journal::{Disk, LedgerLog, LogId, Options, OsDisk, StateLog};
use rusqlite::Connection;
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 64;
const RECORD_BYTES: usize = 300;

/// A record, and what it is found by.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    number: u64,
    hash: [u8; 32],
    key: String,
    at_ms: u64,
    pub(crate) payload: Vec<u8>,
}

impl Record {
    pub(crate) fn new(number: u64) -> Self {
        let mut hash = [0; 32];
        for (place, bytes) in (0_u64..).zip(hash.chunks_mut(8)) {
            let mixed = (number * 4 + place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bytes.copy_from_slice(&(mixed ^ (mixed >> 29)).to_be_bytes());
        }
        let (key, at_ms) = (format!("order-{number}"), 1_790_000_000_000 + number);
        let text = PaymentHash(hash).to_string();
        let body =
            format!(r#"{{"entry":"claim","payment_hash":"{text}","idempotency_key":"{key}""#);
        let line = format!(r#"{{"system":"ledger:claim","body":{body}}}}}"#);
        let head = format!(r#"{{"at_ms":{at_ms},"entity":1,"lines":[{line}],"pad":""#);
        let pad = "x".repeat(RECORD_BYTES.saturating_sub(head.len() + 2));
        let payload = format!(r#"{head}{pad}"}}"#).into_bytes();
        Self { number, hash, key, at_ms, payload }
    }
}

/// Something that makes groups of records durable.
trait Committer {
    fn commit(&mut self, group: &[Record]);
}

struct Journal {
    state: StateLog,
    ledger: LedgerLog,
}

impl Journal {
    fn open(dir: &Path) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(dir).unwrap());
        let options = Options::new(LogId([5; 16]));
        let (state, _) = StateLog::open(Arc::clone(&disk), options).unwrap();
        let (ledger, _) = LedgerLog::open(disk, state.id()).unwrap();
        Self { state, ledger }
    }
}

impl Committer for Journal {
    fn commit(&mut self, group: &[Record]) {
        for record in group {
            self.state.append(&record.payload).unwrap();
        }
        self.state.sync().unwrap();
        for record in group {
            self.ledger.append(&record.payload).unwrap();
        }
        self.ledger.write().unwrap();
    }
}

struct Sqlite(Connection);

impl Sqlite {
    fn open(dir: &Path) -> Self {
        let database = Connection::open(dir.join("records.sqlite")).unwrap();
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE records (number INTEGER PRIMARY KEY, hash BLOB, key TEXT,
                                       at_ms INTEGER, payload BLOB);
                 CREATE INDEX by_hash ON records (hash, number);
                 CREATE INDEX by_key ON records (key);
                 CREATE INDEX by_time ON records (at_ms, number);",
            )
            .unwrap();
        Self(database)
    }
}

impl Committer for Sqlite {
    fn commit(&mut self, group: &[Record]) {
        let transaction = self.0.transaction().unwrap();
        {
            let insert = "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut insert = transaction.prepare_cached(insert).unwrap();
            for Record { number, hash, key, at_ms, payload } in group {
                let (number, at_ms) = (number.cast_signed(), at_ms.cast_signed());
                insert.execute((number, &hash[..], key, at_ms, payload)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

/// sled groups what writers flush at the same time by itself.
#[derive(Clone)]
struct Sled(sled::Db);

impl Sled {
    fn insert(&self, record: &Record) {
        let number = record.number.to_be_bytes();
        let mut batch = sled::Batch::default();
        batch.insert(&number, record.payload.as_slice());
        for (tag, key) in [
            (b'h', &record.hash[..]),
            (b'k', record.key.as_bytes()),
            (b't', &record.at_ms.to_be_bytes()),
        ] {
            batch.insert([&[tag], key, &number].concat(), &[]);
        }
        self.0.apply_batch(batch).unwrap();
    }
}

impl Committer for Sled {
    fn commit(&mut self, group: &[Record]) {
        for record in group {
            self.insert(record);
        }
        self.0.flush().unwrap();
    }
}

/// Commits a second, and records a commit.
#[derive(Clone, Copy, Debug)]
struct Rate {
    a_second: f64,
    a_group: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
fn rate(records: u64, groups: u64, took: Duration) -> Rate {
    let a_second = records as f64 / took.as_secs_f64();
    Rate { a_second, a_group: records as f64 / groups.max(1) as f64 }
}

fn alone(committer: &mut impl Committer, long: Duration) -> Rate {
    let (begun, mut records) = (Instant::now(), 0);
    while begun.elapsed() < long {
        committer.commit(&[Record::new(records)]);
        records += 1;
    }
    rate(records, records, begun.elapsed())
}

/// Writers that each wait for their record; one thread commits what has come in.
fn grouped(committer: &mut impl Committer, from: u64, long: Duration) -> Rate {
    let (hand_in, handed_in) = mpsc::channel::<(Record, mpsc::SyncSender<()>)>();
    let (begun, next) = (Instant::now(), AtomicU64::new(from));
    let (mut records, mut groups) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let (hand_in, next) = (hand_in.clone(), &next);
            scope.spawn(move || {
                let (tell, told) = mpsc::sync_channel(1);
                while begun.elapsed() < long {
                    let record = Record::new(next.fetch_add(1, Ordering::Relaxed));
                    hand_in.send((record, tell.clone())).unwrap();
                    told.recv().unwrap();
                }
            });
        }
        drop(hand_in);
        while let Ok(first) = handed_in.recv() {
            let (group, waiting): (Vec<_>, Vec<_>) =
                std::iter::once(first).chain(handed_in.try_iter()).unzip();
            committer.commit(&group);
            records += group.len() as u64;
            groups += 1;
            for tell in waiting {
                tell.send(()).unwrap();
            }
        }
    });
    rate(records, groups, begun.elapsed())
}

/// Writers that each insert and flush for themselves.
fn flushing(sled: &Sled, from: u64, long: Duration) -> Rate {
    let (begun, next) = (Instant::now(), AtomicU64::new(from));
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let (mut sled, next) = (sled.clone(), &next);
            scope.spawn(move || {
                while begun.elapsed() < long {
                    sled.commit(&[Record::new(next.fetch_add(1, Ordering::Relaxed))]);
                }
            });
        }
    });
    let records = next.into_inner() - from;
    rate(records, records, begun.elapsed())
}

/// The first number of those that many writers write.
const MANY: u64 = 1 << 32;

fn ours(dir: &Path, long: Duration, table: &mut Table) -> [Rate; 2] {
    let mut journal = Journal::open(dir);
    let follow = SledBackend::new(dir.join("index"));
    let follower = Follower::start(follow, journal.ledger.reader(), HISTORY).unwrap();
    let one = alone(&mut journal, long);
    let many = grouped(&mut journal, MANY, long);
    let count = journal.ledger.head().count;
    let ((), lag) = timed(|| in_step(&follower.index(), count));
    let note = format!("sled, {count} entries");
    table.add("commits", "index behind at the end", lag.as_secs_f64() * 1e3, "ms", &note);
    follower.stop();
    [one, many]
}

pub(crate) fn run(sizes: &Sizes, table: &mut Table) {
    let long = Duration::from_millis(sizes.millis);
    let dir = |name: &str| {
        let dir = place(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    };
    let ours = ours(&dir("journal"), long, table);
    let mut sqlite = Sqlite::open(&dir("sqlite"));
    let sqlite = [alone(&mut sqlite, long), grouped(&mut sqlite, MANY, long)];
    let mut sled = Sled(sled::open(dir("sled")).unwrap());
    let sled = [alone(&mut sled, long), flushing(&sled, MANY, long)];
    for (place, writers) in ["1 writer", "64 writers"].into_iter().enumerate() {
        let base = ours[place].a_second;
        for (name, rate) in [
            ("journal + index", ours[place]),
            ("SQLite FULL", sqlite[place]),
            ("sled, flush each", sled[place]),
        ] {
            let what = format!("{name}, {writers}");
            let group = format!("{:.1} a group, ", rate.a_group);
            let group = if rate.a_group > 1.0 { group.as_str() } else { "" };
            let note = format!("{group}journal is {:.2} x this", base / rate.a_second);
            table.add("commits", &what, rate.a_second, "/s", &note);
        }
    }
    for name in ["journal", "sqlite", "sled"] {
        let _ = fs::remove_dir_all(place(name));
    }
}
