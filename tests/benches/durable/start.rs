//! How long a process takes from its start to its first payment, behind a long ledger.

use crate::{
    Sizes, host,
    load::{Running, START, engine_of, invoices, store},
    pay::pair,
    place,
    table::Table,
};
use ecs_core::Inputs;
use ecs_systems::{
    port::{LedgerEntry, PaymentRef},
    records::ledger_record,
    units::{GroupId, Msat, Preimage, Timestamp},
};
use ledger_store::{
    MemoryReceipts,
    laws::fixture::{claimed, dispatch, opening, post, reserve},
    store::{Image, Store},
};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// What asks this program to be the process that is measured; the directory follows.
pub(crate) const CHILD: &str = "--start-in";
/// Entries of a payment in one part.
const ENTRIES_PER_PAYMENT: u64 = 5;
/// There once the ledger is whole.
const MADE: &str = "made";
/// How often a start is measured: the first reads files that may not be in memory.
const TIMES: usize = 3;

/// The entries of a payment that was paid.
fn entries(number: u64) -> [LedgerEntry; 5] {
    let mut preimage = [0; 32];
    preimage[..8].copy_from_slice(&number.to_be_bytes());
    let preimage = Preimage(preimage);
    let payment = PaymentRef { payment_hash: preimage.hash(), group_id: GroupId(1) };
    let mut claim = claimed(0, 1, 1_000);
    claim.payment = payment;
    [
        LedgerEntry::Claim(claim),
        reserve(payment, 1_000, 50),
        dispatch(payment, &[(1, 1, 1_000, 10)]),
        post(payment, 1, 5),
        LedgerEntry::Complete {
            payment,
            preimage,
            fee_msat: Msat(5),
            successful_parts: 1,
            failed_parts: 0,
            amount_msat: Some(Msat(1_000)),
        },
    ]
}

/// Writes a ledger of so many entries as the engine does, with a snapshot behind it.
fn make(dir: &Path, count: u64) {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).unwrap();
    let mut engine = engine_of(MemoryReceipts::default());
    engine.record_changes(true);
    let mut store = store(dir, &mut engine);
    let mut write = |store: &mut Store, entry: LedgerEntry, now_ms: u64| {
        engine.begin(Inputs { now_ms, ..Inputs::default() });
        engine.keep_records(&[ledger_record(&entry)]).unwrap();
        store.append(&engine.take_delta().unwrap()).unwrap();
    };
    write(&mut store, opening(1, u64::MAX / 4), 0);
    let payments = count / ENTRIES_PER_PAYMENT;
    // Half a minute apart, so that spends leave the longest window.
    let begun_ms = START.0 - payments * 30_000;
    for number in 0..payments {
        for entry in entries(number) {
            write(&mut store, entry, begun_ms + number * 30_000);
        }
        if number % 1_000 == 0 {
            store.sync().unwrap();
        }
    }
    store.snapshot(Image::of(&engine)).unwrap();
    store.close().unwrap();
    fs::write(dir.join(MADE), "").unwrap();
}

/// The process that is measured: one payment, then what it has in memory.
pub(crate) fn child(dir: &str) {
    let mut engine = engine_of(MemoryReceipts::default());
    let store = store(Path::new(dir), &mut engine);
    let now = engine.resource::<Inputs>().map_or(START, |inputs| Timestamp(inputs.now_ms));
    let network = pair();
    // An invoice that no start before has paid.
    let invoice = invoices(&network, 1 + usize::try_from(store.last() % 1_000).unwrap(), now);
    let mut running = Running::start(&network, engine, store, now, 1);
    let paid = running.pay(&invoice[invoice.len() - 1..], 1);
    println!("{} {}", paid.paid, host::resident_mib());
    running.stop();
}

pub(crate) fn run(sizes: &Sizes, table: &mut Table) {
    let count = sizes.entries;
    let dir = place(&format!("ledger-{count}"));
    if !dir.join(MADE).exists() {
        let ((), took) = host::timed(|| make(&dir, count));
        let rate = f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64();
        table.add("start", "entries written", rate, "/s", "through the store's own write path");
    }
    for time in 1..=TIMES {
        let begun = Instant::now();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(CHILD).arg(&dir).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let took = begun.elapsed().as_secs_f64() * 1e3;
        assert!(child.wait().unwrap().success(), "the process that is measured failed");
        let (paid, resident) = line.trim().split_once(' ').unwrap();
        let note = format!("{count} entries, start {time}, {paid} paid; aim: 1000");
        table.add("start", "first payment paid", took, "ms", &note);
        table.add("start", "resident", resident.parse().unwrap(), "MiB", "");
    }
}
