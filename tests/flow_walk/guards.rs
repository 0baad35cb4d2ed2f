//! Which guards carry a law: each is taken out, and the walk goes on from wherever that matters.
//!
//! A System without one of its guards behaves differently only where it now comes first. Those
//! states are noted on a walk of the whole flow; from each of them (a few for each guard) the walk
//! goes on with the guard gone.

use crate::{
    explore::Walk,
    laws,
    machine::{Breach, Machine, State},
    random::{Dice, order, stroll, stroll_from},
    situation::{Situation, typical},
};
use ecs_core::{EffectClass, SystemSpec};
use ecs_systems::flow::{Amend, ROWS};
use payflow_default::flow::DEFAULT_FLOW;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, panics on this thread are not printed: a flow without a guard has many.
pub(crate) struct Quiet;

impl Quiet {
    pub(crate) fn begin() -> Self {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
        QUIET.set(true);
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(false);
    }
}

/// A name that a System requires or disallows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guard {
    pub(crate) system: &'static str,
    pub(crate) name: &'static str,
    pub(crate) required: bool,
}

impl std::fmt::Display for Guard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.required { "requires" } else { "disallows" };
        let short = |name: &'static str| name.trim_start_matches("lightningd:");
        write!(out, "{} {how} {}", short(self.system), short(self.name))
    }
}

/// Every guard of the flow. The last name that a System requires stays: without it, it is none.
pub(crate) fn all() -> Vec<Guard> {
    let mut guards = Vec::new();
    for (_, spec) in ROWS {
        let guard = |name: &&'static str, required| Guard { system: spec.name, name, required };
        if spec.required.len() > 1 {
            guards.extend(spec.required.iter().map(|name| guard(name, true)));
        }
        guards.extend(spec.disallowed.iter().map(|name| guard(name, false)));
    }
    guards
}

/// The flow without that guard.
pub(crate) fn without(guard: Guard) -> Amend {
    Arc::new(move |mut def| {
        if *def.system == *guard.system {
            let names = if guard.required { &mut def.required } else { &mut def.disallowed };
            names.retain(|name| name != guard.name);
        }
        def
    })
}

/// Most states from which a guard is tried.
const WITNESSES_MAX: usize = 8;
/// Strolls from each.
const STROLLS: u64 = 3;

/// For each guard the states in which it alone stands in the way.
#[derive(Default)]
pub(crate) struct Witnesses {
    of: BTreeMap<Guard, Vec<(Situation, State)>>,
    seen: BTreeSet<(&'static str, Vec<String>)>,
}

impl Witnesses {
    /// Walks a situation and notes its states.
    pub(crate) fn note(&mut self, situation: &Situation, states_max: usize) {
        let amend: Amend = Arc::new(|def| def);
        let mut states: Vec<State> = Vec::new();
        let mut walk = Walk::new(situation, DEFAULT_FLOW, amend, states_max);
        walk.watch = Some(Box::new(|state: &State| states.push(state.clone())));
        let walked = walk.walk_all();
        assert!(walked.is_ok(), "{walked:?}");
        drop(walk);
        for state in states {
            self.note_state(situation, &state);
        }
    }

    /// How many guards alone stand in the way anywhere.
    pub(crate) fn count(&self) -> usize {
        self.of.len()
    }

    fn note_state(&mut self, situation: &Situation, state: &State) {
        for kept in &state.snapshot.entities {
            let busy = kept.outstanding.iter().any(|it| it.class == EffectClass::Reply);
            let names: Vec<String> = kept.components.iter().map(|(name, _)| name.clone()).collect();
            let listed = names.iter().any(|name| name == "lightningd:systems");
            if busy || !listed || !self.seen.insert((situation.name, names.clone())) {
                continue;
            }
            let has = |name: &str| names.iter().any(|it| it == name);
            for guard in stands_alone(&has) {
                let witnesses = self.of.entry(guard).or_default();
                if witnesses.len() < WITNESSES_MAX {
                    witnesses.push((situation.clone(), state.clone()));
                }
            }
        }
    }

    /// The first law that breaks without the guard.
    pub(crate) fn verdict(&self, guard: Guard) -> Option<Breach> {
        let witnesses = self.of.get(&guard)?;
        witnesses.iter().find_map(|(situation, state)| broken(guard, situation, state).err())
    }
}

/// The guards without which another System would come first on an Entity with these Components.
fn stands_alone(has: &dyn Fn(&str) -> bool) -> Vec<Guard> {
    let mut guards = Vec::new();
    for (_, spec) in ROWS {
        let wrong = in_the_way(spec, has);
        match wrong.as_slice() {
            [] => break,
            [guard] if spec.required.len() > 1 || !guard.required => guards.push(*guard),
            _ => {}
        }
    }
    guards
}

fn in_the_way(spec: &SystemSpec, has: &dyn Fn(&str) -> bool) -> Vec<Guard> {
    let missing = spec.required.iter().filter(|name| !has(name)).map(|name| (name, true));
    let present = spec.disallowed.iter().filter(|name| has(name)).map(|name| (name, false));
    let system = spec.name;
    missing.chain(present).map(|(name, required)| Guard { system, name, required }).collect()
}

/// Goes on from a state without the guard.
fn broken(guard: Guard, situation: &Situation, state: &State) -> Result<(), Breach> {
    let mut machine = Machine::new(situation, DEFAULT_FLOW, without(guard));
    for seed in 0..STROLLS {
        machine.crash(state, false)?;
        laws::judge(&mut machine)?;
        let begin = machine.keep();
        stroll_from(&mut machine, begin, &mut Dice(seed)).map_err(|found| found.breach)?;
    }
    Ok(())
}

/// The first law that breaks without the guard in one of the first random orders.
fn in_random_orders(guard: Guard, orders: u64) -> Option<Breach> {
    let situations = typical();
    for seed in 1..=orders {
        let order = order(seed);
        for situation in &situations {
            let mut machine = Machine::new(situation, &order, without(guard));
            if let Err(found) = stroll(&mut machine, &mut Dice(seed)) {
                return Some(found.breach);
            }
        }
    }
    None
}

/// Random orders in which a guard is tried that no law needs in the default order.
const ORDERS: u64 = 4;

/// What is known of a guard, as it stands in the list. Random orders are tried where the list is
/// made anew; else what it says of them stays.
pub(crate) fn line(guard: Guard, witnesses: &Witnesses, listed: &str, bless: bool) -> String {
    if let Some(breach) = witnesses.verdict(guard) {
        return format!("{guard}: caught by: {}", breach.law);
    }
    let in_orders = format!("{guard}: load-bearing in random orders: ");
    if !bless && listed.starts_with(&in_orders) {
        return listed.to_owned();
    }
    let tried = if bless { in_random_orders(guard, ORDERS) } else { None };
    match tried {
        Some(breach) => format!("{in_orders}{}", breach.law),
        None => format!("{guard}: not load-bearing in the default order"),
    }
}
