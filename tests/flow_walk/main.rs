//! An exhaustive walk over the real Systems.
//!
//! The engine, the Systems and the books are the real ones; node, planner, signer, operator and
//! callers answer in every way they can, in every order, and the process crashes after any record.
//! In each state the laws of money are judged. `PAYECS_DEEP=1` walks further.

mod world;
mod situation;
mod others;
mod third;
mod choice;
mod machine;
mod act;
mod laws;
mod explore;
mod random;
mod guards;
mod story;

use ecs_systems::flow::Amend;
use explore::Walk;
use machine::Machine;
use payflow_default::flow::DEFAULT_FLOW;
use random::{Dice, order, stroll};
use situation::Situation;
use std::{collections::BTreeSet, env, fmt::Write, fs, iter::repeat, sync::Arc};

/// Most states of one walk.
const STATES_MAX: usize = 400_000;

fn unchanged() -> Amend {
    Arc::new(|def| def)
}

/// Whether a variable of the environment asks for more than the daily run.
fn asked_for(name: &str) -> bool {
    env::var_os(name).is_some()
}

/// Whether `PAYECS_SITUATION` names it, or nothing.
fn is_asked_for(situation: &Situation) -> bool {
    env::var("PAYECS_SITUATION").map_or(true, |only| only == situation.name)
}

fn walk(situations: &[Situation]) {
    let mut faults = Vec::new();
    for situation in situations.iter().filter(|situation| is_asked_for(situation)) {
        let deep = situation.clone().deep();
        let situation = if asked_for("PAYECS_DEEP") { &deep } else { situation };
        let mut walk = Walk::new(situation, DEFAULT_FLOW, unchanged(), STATES_MAX);
        if let Err(found) = walk.walk_all() {
            faults.push(story::told(situation, DEFAULT_FLOW, &unchanged(), &found));
        }
        let seen = walk.seen;
        eprintln!("{}: {seen}", situation.name);
        let ends: BTreeSet<i32> = situation.ends.iter().copied().collect();
        let others: Vec<&i32> = seen.ends.keys().filter(|end| !ends.contains(end)).collect();
        if situation.third.is_empty() && (!others.is_empty() || seen.ends.len() < ends.len()) {
            faults.push(format!("{}: ends {:?}, not {ends:?}", situation.name, seen.ends));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_walk_of_a_payment_to_others_keeps_the_laws() {
    walk(&situation::sending());
}

#[test]
fn every_walk_with_a_decision_keeps_the_laws() {
    walk(&situation::deciding());
}

#[test]
fn every_walk_of_two_payments_keeps_the_laws() {
    walk(&others::twice());
}

#[test]
fn every_walk_with_systems_of_third_parties_keeps_the_laws() {
    walk(&others::third_parties());
}

/// All situations, in an order that is not by kind.
fn situations() -> Vec<Situation> {
    let mut all = situation::sending();
    all.extend(situation::deciding());
    all.extend(others::twice());
    all.extend(others::third_parties());
    all
}

#[test]
fn money_laws_hold_in_random_orders() {
    let orders = env::var("PAYECS_ORDERS").ok().and_then(|orders| orders.parse().ok());
    let orders: u64 = orders.unwrap_or(40);
    let all = situations();
    let mut faults = Vec::new();
    for seed in 1..=orders {
        let order = order(seed);
        for situation in all.iter().filter(|situation| is_asked_for(situation)) {
            let mut machine = Machine::new(situation, &order, unchanged());
            if let Err(found) = stroll(&mut machine, &mut Dice(seed)) {
                let story = story::told(situation, &order, &unchanged(), &found);
                faults.push(format!("order {seed}: {story}"));
            }
        }
    }
    eprintln!("{orders} random orders of the list, a stroll each in {} situations", all.len());
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/guards.txt");

#[test]
fn no_guard_is_idle_without_being_listed() {
    let quiet = guards::Quiet::begin();
    let mut witnesses = guards::Witnesses::default();
    for situation in situations() {
        witnesses.note(&situation.narrow().odd(), 300);
    }
    eprintln!("{} guards alone stand in the way somewhere", witnesses.count());
    let bless = asked_for("PAYECS_BLESS");
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let mut text = String::new();
    for (guard, line) in guards::all().into_iter().zip(golden.lines().chain(repeat(""))) {
        let _infallible = writeln!(text, "{}", guards::line(guard, &witnesses, line, bless));
    }
    drop(quiet);
    if bless {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).unwrap();
        fs::write(GOLDEN, &text).unwrap();
        return;
    }
    assert_eq!(golden, text, "run with PAYECS_BLESS=1 and look at what changed");
}
