//! Many callers that pay at the same time, over all three doors.
//!
//! `PAYECS_LOAD_S=60` pays for a minute instead of a number of times.

use crate::{
    ask,
    daemon::{Daemon, KEPT},
    request,
};
use ecs_core::EntityId;
use ecs_systems::{
    bolt11::decode,
    components::{MainPayment, Parent},
    port::Books,
    units::{Msat, PaymentHash, Preimage},
};
use ledger_store::Account;
use node_sim::{OUR_NAME, SimNetwork};
use payecs_tests::callers::Caller;
use payflow_default::Driver;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env, fs,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Callers at a time.
const CALLERS: usize = 64;
/// Payments, where no time is given.
const PAYMENTS: u64 = 640;

#[derive(Debug, Deserialize)]
struct Answer {
    id: u64,
    result: Option<Paid>,
    error: Option<Failed>,
}

#[derive(Debug, Deserialize)]
struct Paid {
    payment_preimage: Preimage,
    amount_msat: Msat,
}

#[derive(Debug, Deserialize)]
struct Failed {
    code: i32,
    message: String,
}

/// What the callers were told: of each hash what was paid; nothing where it failed.
type Told = BTreeMap<PaymentHash, Option<Msat>>;

/// When callers stop.
struct End {
    payments: u64,
    at: Option<Instant>,
    begun: AtomicU64,
}

impl End {
    #[expect(clippy::disallowed_methods, reason = "a load that is asked for lasts by the clock")]
    fn new() -> Self {
        let seconds = env::var("PAYECS_LOAD_S").ok().and_then(|text| text.parse().ok());
        let at = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let payments = if at.is_some() { u64::MAX } else { PAYMENTS };
        Self { payments, at, begun: AtomicU64::new(0) }
    }

    /// The number of the next payment. `None`: there are enough.
    #[expect(clippy::disallowed_methods, reason = "a load that is asked for lasts by the clock")]
    fn next(&self) -> Option<u64> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let over = number >= self.payments || self.at.is_some_and(|at| Instant::now() >= at);
        (!over).then_some(number)
    }
}

/// What of this process is in memory, in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Pays one invoice after the other; each has one answer, to its own id.
fn pay(daemon: &Daemon, door: usize, end: &End) -> Told {
    let mut caller = Caller::connect(&daemon.doors()[door]).expect("it is open");
    let mut told = Told::new();
    while let Some(number) = end.next() {
        let invoice = daemon.invoice();
        let hash = decode(&invoice).expect("an invoice").payment_hash;
        let said = caller.ask(&request(number, "pay", &format!("[\"{invoice}\"]")));
        let answer: Answer = serde_json::from_str(said.expect("it answers")).expect("an answer");
        assert_eq!(answer.id, number);
        let paid = match (answer.result, answer.error) {
            (Some(paid), None) => {
                assert_eq!(paid.payment_preimage.hash(), hash);
                Some(paid.amount_msat)
            }
            (None, Some(failed)) => {
                eprintln!("payment {number} failed: {} {}", failed.code, failed.message);
                None
            }
            both => panic!("an answer is one of two: {both:?}"),
        };
        assert_eq!(told.insert(hash, paid), None, "each hash is paid once");
    }
    told
}

/// What callers make the server hold: those that wait, connections over HTTP and WebSocket, those
/// over the unix socket, and subscriptions.
fn held(daemon: &Daemon) -> [usize; 4] {
    let waiters = daemon.look(|driver, _| driver.waiters());
    let Daemon { server, socket, .. } = daemon;
    [waiters, server.connections(), socket.connections(), server.subscriptions()]
}

/// Somebody who subscribes and hears nothing of what is told.
fn deaf(daemon: &Daemon) -> Caller {
    let mut caller = Caller::connect(&daemon.doors()[1]).expect("it is open");
    let said = ask(&mut caller, "subscribe_pay_success", "[0]");
    assert!(said.contains(r#""result":"#), "{said}");
    caller
}

/// How many payments are in the engine, once everything that is over for long enough is gone with
/// all that belonged to it.
fn payments_kept(driver: &Driver) -> Option<usize> {
    let engine = driver.engine();
    let all = engine.entities();
    let is_whole = |id: &EntityId| {
        engine.get::<Parent>(*id).is_none_or(|parent| engine.get::<MainPayment>(parent.0).is_some())
    };
    let payments = all.iter().filter(|id| engine.get::<MainPayment>(**id).is_some()).count();
    (all.iter().all(is_whole) && payments <= KEPT).then_some(payments)
}

/// Nothing is under way; books, network and what callers were told are the same.
fn assert_all_agree(driver: &Driver, network: &SimNetwork, told: &Told) {
    let books = &driver.engine().resource::<Books>().expect("books").0;
    books.verify().expect("the books add up");
    network.audit().expect("the network's money is whole");
    assert_eq!((network.in_flight(), driver.waiters()), (0, 0));
    for (channel, ours) in network.our_balance() {
        let sums = books.balance(&Account::Channel(channel).of(OUR_NAME));
        let posted = i128::from(sums.debits_posted_msat.0) - i128::from(sums.credits_posted_msat.0);
        assert_eq!(posted, i128::from(ours.0), "{channel}");
        assert_eq!((sums.debits_pending_msat, sums.credits_pending_msat), Default::default());
    }
    for (hash, paid) in told {
        let received: u64 = network.payment(*hash).received_msat.values().map(|it| it.0).sum();
        assert_eq!(Msat(received), paid.unwrap_or_default(), "{hash}");
    }
}

#[test]
fn every_payment_of_many_callers_has_one_answer_and_all_accounts_agree() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "10".parse().unwrap());
    let end = End::new();
    let mut samples = vec![];
    let before = held(&daemon);
    let deaf = [deaf(&daemon), deaf(&daemon)];
    assert_eq!(held(&daemon), [0, deaf.len(), 0, deaf.len()]);
    let told: Told = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| {
                let (daemon, end) = (&daemon, &end);
                scope.spawn(move || pay(daemon, number % 3, end))
            })
            .collect();
        while !callers.iter().all(thread::ScopedJoinHandle::is_finished) {
            let waiters = daemon.look(|driver, _| driver.waiters());
            assert!(waiters <= CALLERS, "{waiters} of {CALLERS} wait");
            let connections = daemon.server.connections() + daemon.socket.connections();
            assert!(connections <= CALLERS + deaf.len(), "{connections} are open");
            samples.push((end.begun.load(Ordering::Relaxed), resident_kib()));
        }
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    drop(deaf);
    let looks = 0..1_000_000;
    assert!(looks.clone().any(|_| held(&daemon) == before), "{:?}, {before:?}", held(&daemon));
    let mut kept = looks.map(|_| daemon.look(|driver, _| payments_kept(driver)));
    let kept = kept.find_map(|kept| kept).expect("no more payments stay than may");
    let (driver, network) = daemon.stop();
    let paid = told.values().flatten().count();
    let last = *samples.last().unwrap();
    let third = *samples.iter().find(|(begun, _)| *begun * 3 >= last.0).unwrap();
    let (more, grown) = (last.0 - third.0, last.1.saturating_sub(third.1));
    eprintln!(
        "{paid} of {} paid, {kept} kept; resident {} KiB after a third and {} KiB in the end: {} \
         bytes for each payment between",
        told.len(),
        third.1,
        last.1,
        grown * 1_024 / more.max(1)
    );
    assert!(paid * 2 > told.len(), "{paid} of {} paid", told.len());
    assert_all_agree(&driver, &network, &told);
}
