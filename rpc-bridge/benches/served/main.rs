//! What a call costs through the server, beside jsonrpsee alone with an answer that is always the
//! same.
//!
//! `cargo bench -p rpc-bridge --bench served -- [--quick]`
//!
//! Ours reads `payecs_getcomponents` of an engine behind a lock, and judges host, token and grant;
//! the other one does nothing. Both answer with the same bytes, in turns, in one run. Clients are
//! threads of this process that wait for each answer. Nothing is asserted of a time.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its figures are what a bench is for")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod client;
mod servers;

use client::{Client, Via};
use servers::Peer;
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the two take turns.
const ROUNDS: usize = 5;

/// What one turn came to.
struct Turn {
    calls_per_s: f64,
    p99: Duration,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let turn = Duration::from_millis(if quick { 300 } else { 2_000 });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ours = runtime.block_on(servers::ours(dir.path()));
    let bare = runtime.block_on(servers::bare());
    println!("calls/s and p99 of {ROUNDS} turns of {} ms, medians", turn.as_millis());
    println!(
        "{:<10} {:>7} {:>10} {:>10} {:>6} {:>9} {:>9}",
        "", "clients", "ours", "bare", "ratio", "p99 ours", "p99 bare"
    );
    for via in [Via::Http, Via::WebSocket] {
        for clients in [1, 64] {
            let (mut our_turns, mut bare_turns) = (vec![], vec![]);
            for _ in 0..ROUNDS {
                our_turns.push(measure(&ours, via, clients, turn));
                bare_turns.push(measure(&bare, via, clients, turn));
            }
            let ratios = our_turns.iter().zip(&bare_turns);
            let ratio = median(ratios.map(|(our, bare)| our.calls_per_s / bare.calls_per_s));
            let [our, bare] = [&our_turns, &bare_turns].map(|turns| {
                let calls_per_s = median(turns.iter().map(|turn| turn.calls_per_s));
                (calls_per_s, median(turns.iter().map(|turn| turn.p99)))
            });
            println!(
                "{:<10} {clients:>7} {:>10.0} {:>10.0} {ratio:>6.2} {:>6} µs {:>6} µs",
                via.name(),
                our.0,
                bare.0,
                our.1.as_micros(),
                bare.1.as_micros()
            );
        }
    }
}

fn median<T: PartialOrd + Copy>(all: impl Iterator<Item = T>) -> T {
    let mut all: Vec<T> = all.collect();
    all.sort_by(|one, other| one.partial_cmp(other).unwrap());
    all[all.len() / 2]
}

/// Calls with so many clients for so long.
fn measure(peer: &Peer, via: Via, clients: usize, turn: Duration) -> Turn {
    let (barrier, over) = (Arc::new(Barrier::new(clients + 1)), Arc::new(AtomicBool::new(false)));
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (barrier, over) = (Arc::clone(&barrier), Arc::clone(&over));
            let mut client = Client::connect(peer, via);
            thread::spawn(move || {
                client.call();
                barrier.wait();
                let mut took = vec![];
                while !over.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    client.call();
                    took.push(begun.elapsed());
                }
                took
            })
        })
        .collect();
    barrier.wait();
    let begun = Instant::now();
    thread::park_timeout(turn);
    over.store(true, Ordering::Relaxed);
    let elapsed = begun.elapsed();
    let mut took: Vec<Duration> =
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    took.sort_unstable();
    let calls = f64::from(u32::try_from(took.len()).unwrap());
    Turn { calls_per_s: calls / elapsed.as_secs_f64(), p99: took[took.len() * 99 / 100] }
}
