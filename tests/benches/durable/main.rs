//! What durability costs, and what the engine makes of it.
//!
//! `cargo bench -p payecs-tests --bench durable -- [--quick] [ROW…] [NAME=NUMBER…]`
//!
//! | row | what it measures |
//! |---|---|
//! | `commits` | records made durable by 1 and by 64 writers, beside `SQLite` and sled |
//! | `engine` | what engine and journal take for a payment, with next to no node and planner |
//! | `payments` | payments of one part on a simulated network, planned and kept on the disk |
//! | `receipts` | paycodes of one part, paid by peers in turns, and kept on the disk |
//! | `resting` | what a paycode takes in memory that nobody pays |
//! | `start` | from the start of a process to its first payment, with a long ledger |
//! | `index` | how an index follows a long ledger |
//!
//! Numbers: `nodes`, `channels`, `payments`, `at_a_time`, `planners`, `resting`, `entries`,
//! `indexed`, `millis`. Nothing is asserted of a time. The ledger of `start` is kept below the
//! target directory.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod commits;
mod host;
mod indexing;
mod load;
mod pay;
mod receive;
mod start;
mod table;

use payflow_default::shell::Limits;
use std::path::PathBuf;
use table::Table;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How large everything is.
#[derive(Clone, Debug)]
struct Sizes {
    /// Nodes of the simulated network.
    nodes: usize,
    /// Our own channels on it.
    channels: usize,
    /// Payments that are measured; a tenth as many are made before.
    payments: usize,
    /// Payments under way at once.
    at_a_time: usize,
    /// Plans made at once.
    planners: usize,
    /// Paycodes that rest.
    resting: usize,
    /// Entries of the ledger that a start finds.
    entries: u64,
    /// Entries that an index is built over.
    indexed: u64,
    /// How long each peer commits.
    millis: u64,
}

impl Sizes {
    fn whole() -> Self {
        Self {
            nodes: 1_000,
            channels: 10,
            payments: 10_000,
            at_a_time: 128,
            planners: Limits::default().jobs,
            resting: 100_000,
            entries: 1_000_000,
            indexed: 100_000,
            millis: 2_000,
        }
    }

    /// For a look whether everything still runs.
    fn quick() -> Self {
        Self {
            nodes: 50,
            payments: 100,
            resting: 1_000,
            entries: 6_000,
            indexed: 2_000,
            millis: 50,
            ..Self::whole()
        }
    }

    fn set(&mut self, name: &str, number: u64) {
        let size = usize::try_from(number).unwrap();
        match name {
            "nodes" => self.nodes = size,
            "channels" => self.channels = size,
            "payments" => self.payments = size,
            "at_a_time" => self.at_a_time = size,
            "planners" => self.planners = size,
            "resting" => self.resting = size,
            "entries" => self.entries = number,
            "indexed" => self.indexed = number,
            "millis" => self.millis = number,
            other => panic!("`{other}` is no size: see the head of this bench"),
        }
    }
}

/// Where files are written, on the disk of the target directory.
fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("durable").join(name)
}

/// A row by its name.
type Row = (&'static str, fn(&Sizes, &mut Table));

const ROWS: [Row; 7] = [
    // First: what others leave free would take it in.
    ("resting", receive::resting),
    ("commits", commits::run),
    ("engine", pay::engine),
    ("payments", pay::payments),
    ("receipts", receive::receipts),
    ("start", start::run),
    ("index", indexing::run),
];

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, dir] = words.as_slice()
        && word == start::CHILD
    {
        return start::child(dir);
    }
    let quick = words.iter().any(|word| word == "--quick");
    let mut sizes = if quick { Sizes::quick() } else { Sizes::whole() };
    let mut rows = Vec::new();
    for word in words.iter().filter(|word| *word != "--quick") {
        match word.split_once('=') {
            Some((name, number)) => sizes.set(name, number.parse().unwrap()),
            None => rows.push(word.as_str()),
        }
    }
    let unknown = rows.iter().find(|row| ROWS.iter().all(|(name, _)| name != *row));
    assert!(unknown.is_none(), "{unknown:?} is no row: see the head of this bench");
    let mut table = Table::new();
    println!("{}", host::told());
    for (name, run) in ROWS {
        if rows.is_empty() || rows.contains(&name) {
            run(&sizes, &mut table);
        }
    }
    println!("{table}{}", host::told());
}
