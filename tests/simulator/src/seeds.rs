//! Many seeds, several at a time.

use crate::{
    args::Args,
    show::{self, Pace},
};
use payflow_default::testing::simulator::{Finding, Report, Simulation};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// What came of a seed.
type Played = (u64, Result<Report, Box<Finding>>);

/// Runs the seeds that are asked for. Whether a law was broken.
pub(crate) fn run(args: &Args) -> bool {
    let jobs = args
        .jobs
        .filter(|jobs| *jobs > 0)
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    let until = args.minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes.max(0.0)));
    let end = until.map_or(args.start.saturating_add(args.seeds), |_| u64::MAX);
    let (next, stops) = (AtomicU64::new(args.start), AtomicBool::new(false));
    let since = now();
    let (sender, played) = channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            let (next, stops) = (&next, &stops);
            scope.spawn(move || {
                while !stops.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || until.is_some_and(|until| since.elapsed() >= until) {
                        break;
                    }
                    let played = Simulation::new(args.config(seed)).run_and_shrink();
                    // Nobody hears it where all were told to stop.
                    let _told = sender.send((seed, played));
                }
            });
        }
        drop(sender);
        let found = gather(args, &played, since);
        stops.store(true, Ordering::Relaxed);
        found
    })
}

/// Takes what comes, and tells how far it is. Whether a law was broken.
fn gather(args: &Args, played: &Receiver<Played>, since: Instant) -> bool {
    let (mut sum, mut seeds) = (Report::default(), 0_u64);
    let mut found = BTreeMap::new();
    let mut told = since;
    loop {
        match played.recv_timeout(TOLD_EVERY) {
            Ok((_, Ok(report))) => {
                sum += &report;
                seeds += 1;
            }
            Ok((seed, Err(finding))) => {
                seeds += 1;
                show::finding(args, &finding);
                found.insert(seed, finding);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if told.elapsed() >= TOLD_EVERY {
            told = now();
            show::progress(args, &sum, &Pace::of(seeds, since.elapsed().as_secs_f64()));
        }
    }
    show::report(args, &sum, &Pace::of(seeds, since.elapsed().as_secs_f64()));
    !found.is_empty()
}

#[expect(clippy::disallowed_methods, reason = "the edge: how fast it is")]
fn now() -> Instant {
    Instant::now()
}
