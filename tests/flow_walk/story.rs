//! A breach as a story: the fewest choices that lead to it, and the Systems that ran.

use crate::{
    choice::{Choice, choices},
    explore::Found,
    laws,
    machine::{Breach, Machine, State},
    situation::Situation,
};
use ecs_systems::flow::Amend;
use std::fmt::Write;

/// Makes choices one after the other; those that aren't possible are left out.
fn replay(machine: &mut Machine, path: &[Choice], log: &mut String) -> Option<Breach> {
    let mut state: State = machine.keep();
    for choice in path {
        machine.load(&state);
        if !possible(machine, choice) {
            continue;
        }
        let stepped = machine.choose(&state, choice).and_then(|()| laws::judge(machine));
        tell(machine, log, &format!("{choice:?}"));
        if let Err(breach) = stepped {
            return Some(breach);
        }
        state = machine.keep();
    }
    None
}

fn possible(machine: &Machine, choice: &Choice) -> bool {
    if let Choice::Crash(inner, _, _) = choice {
        return **inner == Choice::Nothing || possible(machine, inner);
    }
    choices(machine).contains(choice)
}

/// What ran since, and what each payment has now.
fn tell(machine: &Machine, log: &mut String, what: &str) {
    let _infallible = writeln!(log, "  {what}");
    for entity in machine.app.entities() {
        let ran = machine.app.trace(entity);
        let systems: Vec<&str> = ran.iter().rev().take(6).map(|step| &*step.system).collect();
        let names = machine.app.components(entity);
        let names: Vec<&str> = names.iter().map(|(name, _)| &**name).collect();
        let progress = names.iter().filter(|name| !name.starts_with("lightningd:invoice"));
        let progress: Vec<&str> =
            progress.map(|name| name.trim_start_matches("lightningd:")).collect();
        let _infallible =
            writeln!(log, "    {entity}: {} | last ran: {}", progress.join(" "), systems.join(" "));
    }
}

/// The shortest story of a breach that leaving choices out gives.
pub(crate) fn told(situation: &Situation, order: &[&str], amend: &Amend, found: &Found) -> String {
    let run = |path: &[Choice]| {
        let mut machine = Machine::new(situation, order, amend.clone());
        let mut log = String::new();
        let breach = replay(&mut machine, path, &mut log);
        (breach, log)
    };
    let mut path = found.path.clone();
    let mut at = 0;
    while at < path.len() {
        let mut shorter = path.clone();
        shorter.remove(at);
        match run(&shorter).0 {
            Some(breach) if breach.law == found.breach.law => path = shorter,
            _ => at += 1,
        }
    }
    let (breach, log) = run(&path);
    let breach = breach.unwrap_or_else(|| found.breach.clone());
    format!("{}: {}: {}\n{log}", situation.name, breach.law, breach.what)
}
