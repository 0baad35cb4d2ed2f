//! The real binary under load, killed at random moments, and an auditor who trusts neither side.
//!
//! `PAYECS_KILLS=200` kills it 200 times instead of ten; `PAYECS_SEED` repeats the moments.

use ecs_core::{Engine, EntityId};
use ecs_systems::{
    components::Status,
    policy::Policy,
    port::{Books, ClaimState, History, Ledger, LedgerEntry},
    units::{Msat, PaymentHash},
};
use ledger_store::{
    Account, LATE_PAYMENTS_MAX, LedgerHistory, MemoryLedger, MemoryReceipts, store::Store,
};
use node_sim::{OUR_NAME, PaymentTruth, SimNetwork, audit_disk};
use payecs_index::{SledBackend, State};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use payflow_default::app::{Parts, engine};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

/// After so many kills everything is brought to its end and audited.
const KILLS_PER_AUDIT: u64 = 5;
/// A run lives up to so long after it has opened.
const LIFE_MS_MAX: u64 = 700;

/// What the binary says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Said {
    Opened {},
    TakenUp {},
    Rate {},
    Started { entity: EntityId },
    Paid { payment_hash: PaymentHash, amount_msat: Msat, fee_msat: Msat },
    Failed { message: String },
    Closed { books_agree: Option<bool>, difference: Option<String> },
}

/// What was said before a kill: it must be true for ever.
#[derive(Debug, Default)]
struct Promised {
    started: Vec<EntityId>,
    paid: BTreeMap<PaymentHash, (Msat, Msat)>,
    /// Lines of all kinds.
    lines: u64,
}

impl Promised {
    /// Takes a line; the last one of a killed process may be cut.
    fn hear(&mut self, line: &str) -> Option<Said> {
        let said: Said = serde_json::from_str(line).ok()?;
        self.lines += 1;
        match &said {
            Said::Started { entity } => self.started.push(*entity),
            Said::Paid { payment_hash, amount_msat, fee_msat } => {
                let before = self.paid.insert(*payment_hash, (*amount_msat, *fee_msat));
                assert_eq!(before, None, "{payment_hash} was paid twice");
            }
            Said::Failed { message } => panic!("on this network every payment arrives: {message}"),
            Said::Opened {} | Said::TakenUp {} | Said::Rate {} | Said::Closed { .. } => {}
        }
        Some(said)
    }
}

/// A data directory that is removed where the test passes.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        let dir = env::temp_dir().join(format!("payecs-kills-{}", process::id()));
        // What an earlier process of that number left.
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    fn disk(&self, part: &str) -> Arc<dyn Disk> {
        Arc::new(OsDisk::open(self.0.join(part)).expect("the directory is there"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the data directory is left for inspection: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The binary of this build. With a test beside it and the whole workspace around it, `cargo`
/// takes the features of `cargo test`, and finds most of it built.
fn binary() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--bin", "payecs", "--test", "directory"])
        .status();
    assert!(built.expect("cargo runs").success(), "the binary is built");
    let test = env::current_exe().expect("a test has a file");
    let dir = test.ancestors().nth(2).expect("it is in `deps` of its profile");
    dir.join(format!("payecs{}", env::consts::EXE_SUFFIX))
}

fn start(binary: &Path, home: &Home, more: &[&str]) -> Child {
    Command::new(binary)
        // A slow machine must not use up what a payment may take of the network's time.
        .args(["demo", "--json", "--speed", "3", "--load", "16", "--nodes", "60", "--data-dir"])
        .arg(&home.0)
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

#[expect(clippy::disallowed_methods, reason = "another process lives meanwhile")]
fn let_live(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// Runs it until that long after it has opened, or, where `opening`, after it was started.
fn run_and_kill(binary: &Path, home: &Home, promised: &mut Promised, opening: bool, life_ms: u64) {
    let mut child = start(binary, home, &[]);
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    let (opened, is_open) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            for line in out.lines() {
                let line = line.expect("it prints text");
                if let Some(Said::TakenUp {}) = promised.hear(&line) {
                    let _killed = opened.send(());
                }
            }
        });
        if !opening {
            is_open.recv_timeout(Duration::from_mins(1)).expect("it opens");
        }
        let_live(life_ms);
        child.kill().expect("it runs");
        reader.join().expect("what it says is understood");
    });
    let ended = child.wait().expect("it was started");
    assert_eq!(ended.code(), None, "it was killed");
}

/// Brings everything to its end.
fn settle(binary: &Path, home: &Home, promised: &mut Promised) {
    let output = start(binary, home, &["--count", "0"]).wait_with_output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success(), "{text}");
    let last = text.lines().filter_map(|line| promised.hear(line)).last();
    let Some(Said::Closed { books_agree, difference }) = last else { panic!("{last:?}") };
    assert_eq!((books_agree, difference), (Some(true), None));
}

/// The engine with its books and their history as the files have them, and nothing else of the
/// binary.
fn stored(home: &Home) -> (Engine, LedgerHistory) {
    let history = LedgerHistory::default();
    let past = Arc::new(history.clone());
    let mut app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::over(OUR_NAME, past, LATE_PAYMENTS_MAX)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .expect("the default flow fits together");
    let options = Options { reserve_bytes: 0, ..Options::new(LogId([0; 16])) };
    let opened = Store::open(&home.disk("journal"), options, &mut app, &mut |_| {});
    let (store, _) = opened.expect("it opens");
    let place = SledBackend::new(home.0.join("index"));
    let index = history.follow(store.reader(), place).expect("there is a thread");
    let ready = |state: &State| matches!(state, State::Ready(_));
    let state = index.wait(Duration::from_mins(1), ready);
    assert!(ready(&state), "{state:?}");
    assert_eq!(index.rebuilt(), None, "whatever a kill leaves of it is of use");
    (app, history)
}

/// What really happened, from the network's own files.
fn truth(home: &Home) -> (SimNetwork, BTreeMap<PaymentHash, PaymentTruth>) {
    let mut truths = BTreeMap::<PaymentHash, PaymentTruth>::new();
    let network = audit_disk(&home.disk("network"), &mut |hash, truth| {
        truths.entry(hash).or_default().add(truth);
    });
    (network.expect("it opens"), truths)
}

/// Holds what was said and what the books have against what really happened.
fn audit(home: &Home, promised: &mut Promised) {
    let (network, truths) = truth(home);
    network.audit().expect("the network lost nothing");
    assert_eq!(network.in_flight(), 0);
    let (app, history) = stored(home);
    let books: &dyn Ledger = &*app.resource::<Books>().expect("there are books").0;
    books.verify().expect("the books add up");
    for (channel, really) in network.our_balance() {
        let booked = books.balance(&Account::Channel(channel).of(OUR_NAME));
        let ours = booked.debits_posted_msat.checked_sub(booked.credits_posted_msat);
        assert_eq!(ours, Some(really), "our side of {channel}");
    }
    let mut received = Msat::ZERO;
    for (hash, truth) in &truths {
        assert!(truth.sets_taken <= 1, "{hash} was paid {} times", truth.sets_taken);
        received = received.checked_add(truth.received_in_all()).expect("it fits");
        let complete = matches!(books.claim(hash), Ok(Some((_, ClaimState::Complete { .. }))));
        assert_eq!(complete, truth.sets_taken == 1, "{hash}: {truth:?}");
        let lines = history.lines_of(hash).expect("it is told").into_iter();
        let ends = |line: &LedgerEntry| matches!(line, LedgerEntry::Complete { .. });
        let complete = lines.flat_map(|entry| entry.lines).filter(ends).count();
        assert_eq!(complete as u64, u64::from(truth.sets_taken), "{hash} by the index");
    }
    assert_eq!(books.balance_object().outgoing_total_msat, received);
    for (hash, (amount, fee)) in &promised.paid {
        let truth = &truths[hash];
        assert_eq!(truth.received_in_all(), *amount, "{hash}");
        assert_eq!(truth.spent(), amount.checked_add(*fee).expect("it fits"), "{hash}");
    }
    for entity in promised.started.drain(..) {
        assert_eq!(app.get::<Status>(entity), Some(&Status::complete()), "payment {entity}");
    }
}

#[test]
fn what_was_said_before_a_kill_is_true_and_nothing_is_paid_twice() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let kills: u64 = number("PAYECS_KILLS").unwrap_or(10);
    let seed: u64 = number("PAYECS_SEED").unwrap_or(u64::from(process::id()));
    println!("PAYECS_SEED={seed}");
    let mut random = ecs_systems::planner::Rng::new(seed);
    let (binary, home, mut promised) = (binary(), Home::new(), Promised::default());
    for kill in 1..=kills {
        // One in four dies while it opens.
        let opening = random.below(4) == 0;
        let life_ms = random.below(if opening { 150 } else { LIFE_MS_MAX });
        run_and_kill(&binary, &home, &mut promised, opening, life_ms);
        if kill % KILLS_PER_AUDIT == 0 || kill == kills {
            settle(&binary, &home, &mut promised);
            audit(&home, &mut promised);
        }
    }
    assert!(promised.paid.len() as u64 > kills, "it was killed at work: {}", promised.paid.len());
    println!("{kills} kills, {} payments, {} lines", promised.paid.len(), promised.lines);
}
