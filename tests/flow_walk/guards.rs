//! The guards of the flow, and where they matter: what a System requires or disallows makes a
//! difference only where it alone keeps that System from coming first.

use ecs_systems::flow::{Amend, ROWS};
use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub(crate) fn all() -> &'static [Guard] {
    static ALL: OnceLock<Vec<Guard>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut guards = Vec::new();
        for (_, spec) in ROWS {
            let guard = |name: &&'static str, required| Guard { system: spec.name, name, required };
            if spec.required.len() > 1 {
                guards.extend(spec.required.iter().map(|name| guard(name, true)));
            }
            guards.extend(spec.disallowed.iter().map(|name| guard(name, false)));
        }
        assert!(guards.len() <= Guards::MAX, "{} guards", guards.len());
        guards
    })
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

/// Some of the guards, by their places among [`all`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guards([u64; 6]);

impl Guards {
    const MAX: usize = 6 * 64;

    pub(crate) fn has(self, guard: usize) -> bool {
        self.0[guard / 64] & (1 << (guard % 64)) != 0
    }

    fn insert(&mut self, guard: usize) {
        self.0[guard / 64] |= 1 << (guard % 64);
    }

    /// These and the others.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.0.iter_mut().zip(others.0).for_each(|(word, other)| *word |= other);
        self
    }
}

/// What one of our Systems asks of a name.
struct Asked {
    name: &'static str,
    required: bool,
    /// Its place among the guards; `None`: it is the only name that the System requires.
    guard: Option<usize>,
}

/// Says which guards matter where a list is scanned.
pub(crate) struct Sieve {
    systems: Vec<Vec<Asked>>,
    known: BTreeMap<Vec<Arc<str>>, Guards>,
}

impl Sieve {
    /// For a list. `finish_error` runs last where a list doesn't name it.
    pub(crate) fn new(list: &[String]) -> Self {
        let place = |wanted: Guard| all().iter().position(|guard| *guard == wanted);
        let asks = |name: &str| {
            let (_, spec) = ROWS.iter().find(|(_, spec)| spec.name == name)?;
            let asked = |name: &'static str, required| {
                let guard = place(Guard { system: spec.name, name, required });
                Asked { name, required, guard }
            };
            let required = spec.required.iter().map(|name| asked(name, true));
            Some(required.chain(spec.disallowed.iter().map(|name| asked(name, false))).collect())
        };
        let epilogue = ["lightningd:finish_error"];
        let names = list.iter().map(String::as_str).chain(epilogue);
        Self { systems: names.filter_map(asks).collect(), known: BTreeMap::new() }
    }

    /// The guards without which another of our Systems would come first on an Entity with these
    /// Components. Systems of third parties, which may not run any more, are passed over: so there
    /// may be guards among them that make no difference, but none is left out.
    pub(crate) fn met(&mut self, names: Vec<Arc<str>>) -> Guards {
        if let Some(known) = self.known.get(&names) {
            return *known;
        }
        let has = |name: &str| names.binary_search_by(|it| (**it).cmp(name)).is_ok();
        let mut met = Guards::default();
        for asks in &self.systems {
            let mut wrong = asks.iter().filter(|asked| has(asked.name) != asked.required);
            match (wrong.next(), wrong.next()) {
                (None, _) => break,
                (Some(asked), None) => asked.guard.into_iter().for_each(|guard| met.insert(guard)),
                (Some(_), Some(_)) => {}
            }
        }
        self.known.insert(names, met);
        met
    }
}
