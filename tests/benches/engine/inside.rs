//! The engine in this process.

use crate::{
    child::resident_bytes,
    life::{Bare, Life},
    thread_time::ThreadTime,
};
use criterion::Criterion;
use ecs_core::EntityId;
use std::{fs, path::Path, time::Duration};

/// Entities whose steps are taken in turn.
const ENTITIES: usize = 10_000;
/// Steps of one command, and of one Entity: within the bounds of the engine.
const STEPS_PER_COMMAND: u64 = 900;
const STEPS_PER_ENTITY: u64 = 9_000;
/// Entities whose memory is looked at.
const HELD: u64 = 100_000;

/// The row that criterion doesn't time.
const BYTES: &str = "bytes per Entity";

/// A row that criterion times, and at most how many nanoseconds it is to take.
struct Row {
    name: &'static str,
    /// `None`: it is there to be compared with.
    target_ns: Option<f64>,
    /// What that many runs of it take.
    time: fn(u64) -> Duration,
}

const ROWS: [Row; 4] = [
    Row { name: "step, one Entity", target_ns: Some(1e9 / 3e6), time: one_entity },
    Row { name: "step, 10 000 Entities", target_ns: Some(1e9 / 0.8e6), time: many_entities },
    Row { name: "life", target_ns: Some(5_000.0), time: life },
    Row { name: "life, bevy alone", target_ns: None, time: bare_life },
];

pub(crate) fn rows(quick: bool, shows: impl Fn(&str) -> bool) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine");
    let _ = fs::remove_dir_all(&dir);
    let mut criterion = Criterion::default().with_measurement(ThreadTime).output_directory(&dir);
    if quick {
        let (short, samples) = (Duration::from_millis(500), 10);
        criterion = criterion.warm_up_time(short).measurement_time(short).sample_size(samples);
    }
    let rows: Vec<&Row> = ROWS.iter().filter(|row| shows(row.name)).collect();
    for row in &rows {
        criterion.bench_function(row.name, |timed| timed.iter_custom(row.time));
    }
    println!("{:<24}{:>12}{:>12}{:>14}", "CPU of the thread", "ns", "target", "a second");
    for row in &rows {
        let ns = median_ns(&dir, row.name);
        let target = row.target_ns.map_or_else(String::new, |ns| format!("{ns:.0}"));
        println!("{:<24}{ns:>12.0}{target:>12}{:>14.0}", row.name, 1e9 / ns);
    }
    if shows(BYTES) {
        println!("{BYTES:<24}{:>12}{:>12}", held(), 1_500);
    }
    let _ = fs::remove_dir_all(&dir);
}

/// What criterion has come to.
fn median_ns(dir: &Path, row: &str) -> f64 {
    // Criterion names the folder so.
    let file = dir.join(row).join("new/estimates.json");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let estimates: serde_json::Value = serde_json::from_str(&text).unwrap();
    estimates["median"]["point_estimate"].as_f64().unwrap()
}

fn one_entity(steps: u64) -> Duration {
    let mut life = Life::new();
    let mut spent = Duration::ZERO;
    let (mut entity, mut taken) = (life.counter(), 0);
    let mut left = steps;
    while left > 0 {
        if taken + STEPS_PER_COMMAND > STEPS_PER_ENTITY {
            life.end(entity);
            (entity, taken) = (life.counter(), 0);
        }
        let now = left.min(STEPS_PER_COMMAND);
        spent += ThreadTime::of(|| life.steps(entity, u32::try_from(now).unwrap()));
        (left, taken) = (left - now, taken + now);
    }
    spent
}

fn many_entities(steps: u64) -> Duration {
    let mut life = Life::new();
    let mut entities: Vec<EntityId> = (0..ENTITIES).map(|_| life.counter()).collect();
    let (mut spent, mut left, mut rounds) = (Duration::ZERO, steps, 0);
    while left > 0 {
        if rounds == STEPS_PER_ENTITY {
            entities.drain(..).for_each(|entity| life.end(entity));
            entities.extend((0..ENTITIES).map(|_| life.counter()));
            rounds = 0;
        }
        let now = entities.len().min(usize::try_from(left).unwrap());
        spent += ThreadTime::of(|| entities[..now].iter().for_each(|it| life.steps(*it, 1)));
        left -= now as u64;
        rounds += 1;
    }
    spent
}

fn life(lives: u64) -> Duration {
    let mut life = Life::new();
    ThreadTime::of(|| (0..lives).for_each(|_| life.live()))
}

fn bare_life(lives: u64) -> Duration {
    let mut bare = Bare::new();
    ThreadTime::of(|| (0..lives).for_each(|_| bare.live()))
}

/// What an Entity of five Components holds of memory, in bytes.
fn held() -> u64 {
    let mut life = Life::new();
    life.five(0);
    let before = resident_bytes("self");
    (0..HELD).for_each(|number| life.five(number));
    (resident_bytes("self") - before) / HELD
}
