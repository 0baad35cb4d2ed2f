//! An exhaustive walk over the real Systems.
//!
//! The engine, the Systems and the books are the real ones; node, planner, signer, operator and
//! callers answer in every way they can, in every order, and the process crashes after any record.
//! In each state the laws of money are judged. Then each guard is taken out, and the walk goes on
//! from wherever that matters. `PAYECS_DEEP=1` walks further, `PAYECS_ORDERS` sets how many random
//! orders of the list are tried, `PAYECS_SITUATION` names the one situation to walk.

mod world;
mod situation;
mod others;
mod third;
mod choice;
mod incoming;
mod payers;
mod received;
mod receiving;
mod said;
mod machine;
mod act;
mod callers;
mod closed;
mod laws;
mod taken;
mod cases;
mod graph;
mod explore;
mod random;
mod guards;
mod detour;
mod verdict;
mod story;

use ecs_systems::flow::Amend;
use explore::Walk;
use machine::Machine;
use payflow_default::flow::DEFAULT_FLOW;
use random::{Dice, order, stroll};
use situation::Situation;
use std::{collections::BTreeSet, env, fs, sync::Arc};
use verdict::Verdicts;

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

/// How many random orders `PAYECS_ORDERS` asks for, or so many.
fn orders_or(usual: u64) -> u64 {
    env::var("PAYECS_ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(usual)
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
        for (case, _) in cases::CASES.iter().filter(|(_, name)| *name == situation.name) {
            if !seen.cases.contains(case) {
                faults.push(format!("{}: never seen: {case}", situation.name));
            }
        }
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
fn every_walk_around_a_circle_keeps_the_laws() {
    walk(&others::circles());
}

#[test]
fn every_walk_on_which_the_intake_closes_keeps_the_laws() {
    walk(&others::closing());
}

#[test]
fn every_walk_of_two_payments_keeps_the_laws() {
    walk(&others::twice());
}

#[test]
fn every_walk_with_systems_of_third_parties_keeps_the_laws() {
    walk(&others::third_parties());
}

#[test]
fn every_walk_in_which_callers_write_keeps_the_laws() {
    walk(&others::written());
}

#[test]
fn every_walk_on_which_others_pay_us_keeps_the_laws() {
    walk(&receiving::situations());
}

/// All situations, in an order that is not by kind.
fn situations() -> Vec<Situation> {
    let mut all = situation::sending();
    all.extend(situation::deciding());
    all.extend(others::circles());
    all.extend(others::closing());
    all.extend(others::twice());
    all.extend(others::third_parties());
    all.extend(others::written());
    all.extend(receiving::situations());
    all
}

#[test]
fn money_laws_hold_in_random_orders() {
    let orders = orders_or(12);
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
fn every_case_has_a_situation() {
    let names: BTreeSet<&str> = situations().iter().map(|situation| situation.name).collect();
    assert_eq!(names.len(), situations().len(), "names are told apart");
    let lost = cases::CASES.iter().find(|(_, name)| !names.contains(name));
    assert_eq!(lost, None);
}

/// Random orders in which a guard is tried where the list is made anew.
const ORDERS: u64 = 6;

#[test]
fn no_guard_is_idle_without_being_listed() {
    let quiet = guards::Quiet::begin();
    let situations: Vec<Situation> = situations().into_iter().filter(is_asked_for).collect();
    let verdicts = Verdicts::over(&situations, STATES_MAX);
    let bless = asked_for("PAYECS_BLESS");
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let text = verdicts.list(&golden, bless.then(|| orders_or(ORDERS)));
    drop(quiet);
    if bless {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).unwrap();
        fs::write(GOLDEN, &text).unwrap();
    } else if env::var_os("PAYECS_SITUATION").is_none() {
        assert_eq!(golden, text, "run with PAYECS_BLESS=1 and look at what changed");
    }
}

#[test]
fn a_detour_finds_a_breach_exactly_where_a_whole_walk_without_the_guard_does() {
    let quiet = guards::Quiet::begin();
    let mut faults = Vec::new();
    let names = ["both amounts, overpaid"];
    for situation in situations().iter().filter(|situation| names.contains(&situation.name)) {
        let mut base = Walk::new(situation, DEFAULT_FLOW, unchanged(), STATES_MAX).kept();
        assert!(base.walk_all().is_ok());
        let met = detour::met(&base);
        for (number, guard) in guards::all().iter().enumerate() {
            let mut whole = Walk::new(situation, DEFAULT_FLOW, guards::without(*guard), STATES_MAX);
            let found = if met.has(number) { detour::detour(&base, number).err() } else { None };
            let missed = whole.walk_all().err().map(|whole| whole.breach.law);
            let law = found.as_ref().map(|found| found.breach.law);
            let ends: Vec<&i32> = whole.seen.ends.keys().collect();
            let same =
                law == missed || (missed.is_none() && ends != Vec::from_iter(situation.ends));
            if !same {
                faults.push(format!("{guard} in {}: {law:?}, but {missed:?}", situation.name));
            }
        }
    }
    drop(quiet);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
