//! Clients that ask for some time, each as fast as it is answered.

use payecs_tests::callers::{Caller, Door};
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What one turn came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) a_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Turn {
    /// Of how long each call took, and all of them.
    pub(crate) fn of(mut took: Vec<Duration>, long: Duration) -> Self {
        took.sort_unstable();
        let calls = f64::from(u32::try_from(took.len()).unwrap());
        let at = |percent: usize| took[took.len() * percent / 100].as_secs_f64() * 1e6;
        Self { a_second: calls / long.as_secs_f64(), p50_us: at(50), p99_us: at(99) }
    }
}

pub(crate) fn median(all: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Calls with so many clients for so long. What is asked follows from the client and how often it
/// has asked.
pub(crate) fn measure(
    door: &Door,
    clients: usize,
    turn: Duration,
    request: impl Fn(usize, u64) -> String + Sync,
) -> Turn {
    let (barrier, over) = (Barrier::new(clients + 1), AtomicBool::new(false));
    let ask = &|client: usize| {
        let mut caller = Caller::connect(door).unwrap();
        let mut took = vec![];
        for number in 0_u64.. {
            let text = request(client, number);
            let begun = Instant::now();
            let said = caller.ask(&text).unwrap();
            assert!(said.contains(r#""result":"#), "{said}");
            if number == 0 {
                barrier.wait();
            } else if over.load(Ordering::Relaxed) {
                break;
            } else {
                took.push(begun.elapsed());
            }
        }
        took
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(move || ask(client))).collect();
        barrier.wait();
        let begun = Instant::now();
        thread::sleep(turn);
        over.store(true, Ordering::Relaxed);
        let long = begun.elapsed();
        Turn::of(threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect(), long)
    })
}
