//! What becomes of the laws without each guard, as `tests/golden/guards.txt` lists it.

use crate::{
    detour::{detour, met},
    explore::Walk,
    guards::{self, Guard, Guards, without},
    machine::Machine,
    random::{Dice, order, stroll},
    situation::{Situation, typical},
};
use ecs_systems::flow::Amend;
use payflow_default::flow::DEFAULT_FLOW;
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

/// What the list begins with.
const HEAD: &str = "\
# What each guard of the flow is good for: written by `PAYECS_BLESS=1 cargo test --test flow_walk`.
#
# caught: without it that law breaks in the default order, in that situation, after so many choices.
# idle: it matters somewhere, but without it no law breaks in the default order, in any state.
# never met: in the default order, no other guard gone, there is no state in which it matters.
#
# The default order is walked everywhere. Of random orders a few are strolled through for each guard
# that it doesn't need; `order` says in which one, and in which situation, a law breaks without it.
";

/// The guards as they are judged, situation by situation.
pub(crate) struct Verdicts {
    caught: BTreeMap<usize, String>,
    met: Guards,
    made: usize,
}

impl Verdicts {
    /// Walks everywhere in these situations, without any guard that none before them needs.
    pub(crate) fn over(situations: &[Situation], states_max: usize) -> Self {
        let mut verdicts = Self { caught: BTreeMap::new(), met: Guards::default(), made: 0 };
        for situation in situations {
            verdicts.judge(situation, states_max);
        }
        eprintln!("{} choices were made again without a guard", verdicts.made);
        verdicts
    }

    fn judge(&mut self, situation: &Situation, states_max: usize) {
        let unchanged: Amend = Arc::new(|def| def);
        let mut walk = Walk::new(situation, DEFAULT_FLOW, unchanged, states_max).kept();
        let walked = walk.walk_all();
        assert!(walked.is_ok() && !walk.seen.cut, "{}: {walked:?}", situation.name);
        let met = met(&walk);
        self.met = self.met.and(met);
        let of_interest = |guard: &usize| met.has(*guard) && !self.caught.contains_key(guard);
        let todo: Vec<usize> = (0..guards::all().len()).filter(of_interest).collect();
        for guard in todo {
            match detour(&walk, guard) {
                Ok(made) => self.made += made,
                Err(found) => {
                    let (law, name) = (found.breach.law, situation.name);
                    let after = match found.path.len() {
                        0 => String::new(),
                        1 => ", 1 choice".to_owned(),
                        more => format!(", {more} choices"),
                    };
                    self.caught.insert(guard, format!("caught: {law} ({name}{after})"));
                }
            }
        }
    }

    /// The list. Random orders are drawn where `orders` says how many; else those in `listed` are
    /// strolled through again.
    pub(crate) fn list(&self, listed: &str, orders: Option<u64>) -> String {
        let (typical, mut text) = (typical(), HEAD.to_owned());
        for (number, guard) in guards::all().iter().enumerate() {
            let verdict = self.caught.get(&number).cloned().unwrap_or_else(|| {
                let idle = if self.met.has(number) { "idle" } else { "never met" };
                let begins = format!("{guard}: ");
                let line = listed.lines().find(|line| line.starts_with(&begins));
                idle.to_owned() + &in_random_orders(*guard, line.unwrap_or(""), orders, &typical)
            });
            let _infallible = writeln!(text, "{guard}: {verdict}");
        }
        text
    }
}

/// The first breach without the guard in one of the random orders that are tried.
fn in_random_orders(guard: Guard, line: &str, orders: Option<u64>, all: &[Situation]) -> String {
    let tried: Vec<(u64, &Situation)> = match orders {
        Some(orders) => {
            (1..=orders).flat_map(|seed| all.iter().map(move |it| (seed, it))).collect()
        }
        None => listed_order(line, all).into_iter().collect(),
    };
    let breach = tried.into_iter().find_map(|(seed, situation)| {
        let mut machine = Machine::new(situation, &order(seed), without(guard));
        let found = stroll(&mut machine, &mut Dice(seed)).err()?;
        Some(format!("; order {seed} ({}): {}", situation.name, found.breach.law))
    });
    breach.unwrap_or_default()
}

/// The order and the situation that a line of the list names.
fn listed_order<'a>(line: &str, all: &'a [Situation]) -> Option<(u64, &'a Situation)> {
    let (_, order) = line.split_once("; order ")?;
    let (seed, rest) = order.split_once(" (")?;
    let (name, _) = rest.split_once("): ")?;
    Some((seed.parse().ok()?, all.iter().find(|situation| situation.name == name)?))
}
