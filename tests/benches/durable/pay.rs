//! What a payment takes: of each thread's time, of the disk, of who waits for it.

use crate::{
    Sizes, host,
    load::{Outcome, Running, START, engine_of, invoices, store},
    place,
    table::Table,
};
use ecs_systems::units::{Msat, Ppm};
use ledger_store::MemoryReceipts;
use node_sim::{OUR_NAME, OurChannels, Settings, SimBuilder, SimConfig, SimNetwork, policy};
use std::{fs, path::Path};

/// The size of each of our channels: large enough for every payment.
pub(crate) const CHANNEL: Msat = Msat(500_000_000_000);

/// Nobody waits for messages, so that what is measured is ours.
pub(crate) fn settings() -> Settings {
    Settings { latency_ms: 0, ..Settings::default() }
}

/// Us and one payee.
pub(crate) fn pair() -> SimNetwork {
    let payee = "payee";
    SimBuilder::new(1)
        .settings(settings())
        .node(OUR_NAME)
        .node(payee)
        .channel(OUR_NAME, payee, CHANNEL, CHANNEL, policy(0, 0), policy(0, 0))
        .us(OUR_NAME)
        .build()
        .unwrap()
}

/// What engine and journal take where there is one way, of one hop.
pub(crate) fn engine(sizes: &Sizes, table: &mut Table) {
    measure("engine", &pair(), sizes, table);
}

/// Payments over a network of many nodes.
pub(crate) fn payments(sizes: &Sizes, table: &mut Table) {
    let ours = OurChannels {
        count: sizes.channels,
        capacity_msat: CHANNEL,
        our_share: Ppm(800_000),
        slots: 483,
    };
    let config =
        SimConfig { nodes: sizes.nodes, ours, settings: settings(), ..SimConfig::default() };
    measure("payments", &SimNetwork::new(config).unwrap(), sizes, table);
}

fn measure(row: &str, network: &SimNetwork, sizes: &Sizes, table: &mut Table) {
    let dir = place(row);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let mut engine = engine_of(MemoryReceipts::default());
    let store = store(&dir, &mut engine);
    let invoices = invoices(network, sizes.payments + sizes.payments / 10, START);
    let (before, measured) = invoices.split_at(sizes.payments / 10);
    let mut running = Running::start(network, engine, store, START, sizes.planners);
    running.pay(before, sizes.at_a_time);
    let written = host::written_bytes();
    let ledger = ledger_bytes(&dir);
    let paid = running.pay(measured, sizes.at_a_time);
    let written = host::written_bytes().saturating_sub(written);
    let ledger = ledger_bytes(&dir).saturating_sub(ledger);
    let resident = host::resident_mib();
    let driver = running.stop();
    tell(row, &paid, sizes, table);
    let records = ratio(driver.last_record(), invoices.len() as u64);
    table.add(row, "records in the state log", records, "/payment", "");
    let bytes = |bytes: u64| ratio(bytes, paid.count()) / 1e3;
    let state = bytes(written.saturating_sub(ledger));
    table.add(row, "state log", state, "KB/payment", "with the snapshots of the run");
    table.add(row, "ledger", bytes(ledger), "KB/payment", "");
    table.add(row, "resident", resident, "MiB", "network, invoices and books included");
    network.audit().unwrap();
    let _ = fs::remove_dir_all(&dir);
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
fn ratio(of: u64, by: u64) -> f64 {
    of as f64 / by.max(1) as f64
}

/// How long the ledger is.
fn ledger_bytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir.join("ledger")).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

pub(crate) fn tell(row: &str, paid: &Outcome, sizes: &Sizes, table: &mut Table) {
    let how = format!("{} paid, {} failed, {} at a time", paid.paid, paid.failed, sizes.at_a_time);
    let rate = ratio(paid.count(), 1) / paid.took.as_secs_f64();
    table.add(row, "rate", rate, "/s", &how);
    table.add(row, "latency, median", paid.latency_ms(50), "ms", "from the call to the news");
    table.add(row, "latency, 99 %", paid.latency_ms(99), "ms", "");
    let by = |thread: &str| paid.spent.by(thread);
    let (engine, journal) = (by("payecs-engine"), by("payecs-journal"));
    for (what, spent, note) in [
        ("engine thread", engine, ""),
        ("journal thread", journal, ""),
        ("engine and journal", engine + journal, "aim: 300"),
        ("node thread", by("payecs-node"), "the network"),
        ("planner threads", by("tokio-"), ""),
        ("whole process", paid.spent.all(), "who pays included; aim: 600"),
    ] {
        let micros = spent.as_secs_f64() * 1e6 / ratio(paid.count(), 1);
        table.add(row, what, micros, "µs CPU/payment", note);
    }
}
