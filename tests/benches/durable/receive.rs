//! What a receipt takes that others pay, and what paycodes take that rest.

use crate::{
    Sizes, host,
    host::Spent,
    load::{Outcome, Running, START, engine_of, store},
    pay::{CHANNEL, settings, tell},
    place,
    table::Table,
};
use ecs_systems::{
    port::{ReceiptRequest, Receipts, ReceiptsBook},
    units::{Msat, NodeId, PaymentHash, Timestamp},
};
use ledger_store::{Issued, Issuer, MemoryReceipts, Seed};
use node_sim::{OUR_NAME, RemotePart, SimBuilder, SimNetwork, policy};
use payflow_default::Driver;
use std::{
    collections::VecDeque,
    fs,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// What each receipt asks for.
const AMOUNT: Msat = Msat(10_000);
/// How many are issued by one command.
const ISSUED_AT_ONCE: usize = 100;
/// How often is looked what was paid.
const LOOK_EVERY: Duration = Duration::from_millis(1);

fn seed() -> Seed {
    Seed::new(&Zeroizing::new([7; 32]))
}

/// Us and so many peers, each of which has half of its channel with us.
fn star(peers: usize) -> SimNetwork {
    let names: Vec<String> = (0..peers).map(|number| format!("peer{number}")).collect();
    let builder = SimBuilder::new(1).settings(settings()).node(OUR_NAME).us(OUR_NAME);
    let half = Msat(CHANNEL.0 / 2);
    let with_peer = |builder: SimBuilder, name: &String| {
        let (ours, theirs) = (policy(0, 0), policy(0, 0));
        builder.node(name).channel(OUR_NAME, name, CHANNEL, half, ours, theirs)
    };
    names.iter().fold(builder, with_peer).build().unwrap()
}

/// Paycodes of one part each, paid by our peers in turns.
pub(crate) fn receipts(sizes: &Sizes, table: &mut Table) {
    let network = star(sizes.channels);
    let mut running = start(&network, "receipts", sizes);
    let before = issue(&running, sizes.payments / 10);
    pay(&mut running, &network, before, sizes.at_a_time);
    let measured = issue(&running, sizes.payments);
    let paid = pay(&mut running, &network, measured, sizes.at_a_time);
    tell("receipts", &paid, sizes, table);
    running.stop();
    network.audit().unwrap();
    let _ = fs::remove_dir_all(place("receipts"));
}

/// Paycodes that nobody pays.
pub(crate) fn resting(sizes: &Sizes, table: &mut Table) {
    let network = star(1);
    let running = start(&network, "resting", sizes);
    issue(&running, ISSUED_AT_ONCE);
    let before = host::resident_mib();
    // What is learned of each isn't kept: the issuer's memory is not what is measured.
    let at_once = ISSUED_AT_ONCE.min(sizes.resting);
    let commands = sizes.resting / at_once;
    let once = |_| issue(&running, at_once).len();
    let (issued, took) = host::timed(|| (0..commands).map(once).sum::<usize>());
    let count = f64::from(u32::try_from(issued).unwrap());
    let grown = (host::resident_mib() - before) * 1_024.0 * 1_024.0 / count;
    let note = format!("{issued} at rest; aim: 400");
    table.add("resting", "in memory", grown, "B/paycode", &note);
    table.add("resting", "made", count / took.as_secs_f64(), "/s", "100 by a command");
    running.stop();
    let _ = fs::remove_dir_all(place("resting"));
}

fn start(network: &SimNetwork, row: &str, sizes: &Sizes) -> Running {
    let dir = place(row);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let mut engine = engine_of(MemoryReceipts::with_seed(seed()));
    let store = store(&dir, &mut engine);
    Running::start(network, engine, store, START, sizes.planners)
}

/// Issues so many. Who asks for more waits until the last are durable, as a caller does.
fn issue(running: &Running, count: usize) -> Vec<Issued> {
    let issuer = Issuer::new(seed());
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let (issuer, now_many) = (issuer.clone(), ISSUED_AT_ONCE.min(count - all.len()));
        all.extend(running.call(move |driver, now| {
            let wanted = ReceiptRequest::of(Some(AMOUNT), now.after_ms(86_400_000));
            driver.command(now, |engine| {
                let one = |_| issuer.issue(engine, &wanted).unwrap();
                (0..now_many).map(one).collect::<Vec<_>>()
            })
        }));
        while !running.call(|driver, _| driver.is_kept()) {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    all
}

/// Has them paid, so many at a time.
fn pay(
    running: &mut Running,
    network: &SimNetwork,
    issued: Vec<Issued>,
    at_a_time: usize,
) -> Outcome {
    let peers: Vec<NodeId> = network.others();
    let (begun, before) = (Instant::now(), Spent::now());
    let mut paid = Outcome::default();
    let mut waiting = issued.into_iter().zip(peers.into_iter().cycle());
    let mut sent: VecDeque<(PaymentHash, Instant)> = VecDeque::new();
    loop {
        let hashes: Vec<PaymentHash> = sent.iter().map(|(hash, _)| *hash).collect();
        let (done, now) = running.call(move |driver, now| (leading(driver, &hashes), now));
        for (_, since) in sent.drain(..done) {
            paid.paid += 1;
            paid.latencies.push(since.elapsed());
        }
        let room = at_a_time - sent.len();
        sent.extend(waiting.by_ref().take(room).map(|it| send(network, it, now)));
        if sent.is_empty() && running.call(|driver, _| driver.is_kept()) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    paid.took = begun.elapsed();
    paid.spent = Spent::now().since(&before);
    paid.latencies.sort();
    paid
}

fn send(
    network: &SimNetwork,
    (issued, peer): (Issued, NodeId),
    now: Timestamp,
) -> (PaymentHash, Instant) {
    let secret = issued.payment_secret.unwrap();
    let part = RemotePart::whole(issued.payment_hash, secret, AMOUNT);
    network.pay_us(peer, part, now).unwrap();
    (issued.payment_hash, Instant::now())
}

/// How many of these are paid, up to the first that is not.
fn leading(driver: &Driver, hashes: &[PaymentHash]) -> usize {
    let receipts: &dyn Receipts = &*driver.engine().resource::<ReceiptsBook>().unwrap().0;
    let is_paid = |hash: &&PaymentHash| receipts.facts(hash).unwrap().paid.is_some();
    hashes.iter().take_while(is_paid).count()
}
