//! What looks wrong with a list.

use super::{Known, Listed, Outline, Writes, known::OURS, short};
use ecs_core::{
    Declared, Engine, OWN_PREFIX, Plugin as _, Writable, did_you_mean, system as define,
};
use ecs_systems::{PaymentSystems, flow::ROWS};
use std::{collections::BTreeSet, fmt};

/// Something that is wrong with a list, or looks so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Nobody registered the System: an advance that comes to it ends in 2200.
    Unregistered {
        /// Its name.
        system: String,
        /// "; `known`?" where a registered one has nearly its name.
        hint: String,
    },
    /// The list names it again, where it can't run: the first place matches wherever this one does.
    Twice {
        /// Its name.
        system: String,
    },
    /// It requires and disallows the same Component, so that it never matches.
    Contradicts {
        /// Its name.
        system: String,
        /// The Component.
        component: String,
    },
    /// It goes on matching, which ends in 2202.
    GoesOn(String),
    /// It requires a Component of the engine's own, and the list has none of the Systems that
    /// attach it.
    NobodyAttaches {
        /// Its name.
        system: String,
        /// The Component.
        component: String,
        /// The Systems of the default flow that attach it.
        by: Vec<String>,
    },
    /// It requires a third party's Component that no System of the list says it attaches.
    CallerAttaches {
        /// Its name.
        system: String,
        /// The Component.
        component: String,
    },
    /// It never runs: a System before it matches wherever it does.
    Shadowed {
        /// Its name.
        system: String,
        /// The System before it.
        by: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unregistered { system, hint } => {
                write!(out, "`{}` is not registered{hint}", short(system))
            }
            Self::Twice { system } => {
                write!(out, "`{}` is listed twice: only its first place counts", short(system))
            }
            Self::Contradicts { system, component } => {
                let (system, component) = (short(system), short(component));
                write!(out, "`{system}` requires and disallows `{component}`: it never matches")
            }
            Self::GoesOn(text) => out.write_str(text),
            Self::NobodyAttaches { system, component, by } => {
                let by: Vec<String> = by.iter().map(|name| format!("`{}`", short(name))).collect();
                let (system, component, by) = (short(system), short(component), by.join(", "));
                write!(
                    out,
                    "`{system}` requires `{component}`, which {by} would attach: not in this list, \
                     so it never matches"
                )
            }
            Self::CallerAttaches { system, component } => {
                let (system, component) = (short(system), short(component));
                write!(
                    out,
                    "`{system}` requires `{component}`, which no System of this list says it \
                     attaches: a caller has to"
                )
            }
            Self::Shadowed { system, by } => {
                let (system, by) = (short(system), short(by));
                write!(out, "`{system}` never runs: `{by}` before it matches wherever it does")
            }
        }
    }
}

impl Outline {
    /// What looks wrong with the list, in its order. Two Systems of the default flow are not held
    /// against each other: the engine gives some of them lists of their own.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let engines = engine_components();
        let mut warnings = Vec::new();
        for (place, system) in self.systems.iter().enumerate() {
            let before = &self.systems[..place];
            let name = &system.name;
            let Some(known) = &system.known else {
                let names = self.systems.iter().filter(|it| it.known.is_some());
                let names = names.map(|it| &it.name).chain(self.others.keys());
                let hint = did_you_mean(names.map(String::as_str), name);
                warnings.push(Warning::Unregistered { system: name.clone(), hint });
                continue;
            };
            if before.iter().any(|other| other.name == *name) {
                warnings.push(Warning::Twice { system: name.clone() });
                continue;
            }
            let both = known.required.iter().find(|it| known.disallowed.contains(it));
            if let Some(component) = both.cloned() {
                warnings.push(Warning::Contradicts { system: name.clone(), component });
                continue;
            }
            warnings.extend(known.goes_on(name).map(Warning::GoesOn));
            warnings.extend(self.nobody_attaches(name, known, &engines));
            warnings.extend(shadow(before, name, known));
        }
        warnings
    }

    /// What it requires and nobody is seen to attach.
    fn nobody_attaches(
        &self,
        name: &str,
        known: &Known,
        engines: &BTreeSet<String>,
    ) -> Vec<Warning> {
        let all = || self.systems.iter().filter_map(|system| system.known.as_ref());
        let anybody = all().any(|known| known.writes == Writes::Unknown);
        let attached = |component: &String| {
            self.attached.contains(component) || all().any(|it| it.attaches(component))
        };
        let missing = known.required.iter().filter(|component| !attached(component));
        let warning = |component: &String| {
            let (system, component) = (name.to_owned(), component.clone());
            if engines.contains(&component) {
                let by = ROWS.iter().filter(|(_, spec)| spec.attaches.contains(&&*component));
                let by: Vec<String> = by.map(|(_, spec)| spec.name.to_owned()).collect();
                (!by.is_empty()).then_some(Warning::NobodyAttaches { system, component, by })
            } else {
                let is_ours = component.starts_with(OWN_PREFIX);
                let told = !is_ours && !anybody;
                told.then_some(Warning::CallerAttaches { system, component })
            }
        };
        missing.filter_map(warning).collect()
    }
}

impl Known {
    /// Why it goes on matching what it was run on.
    fn goes_on(&self, name: &str) -> Option<String> {
        let writes = match &self.writes {
            Writes::Told { refuses: true, .. } | Writes::Unknown => return None,
            Writes::Told { attaches, detaches, .. } => [attaches.as_slice(), detaches].concat(),
            Writes::Declared(writes) => writes.clone(),
        };
        let mut def = define(name);
        def.required.extend(self.required.iter().cloned().map(Into::into));
        def.disallowed.extend(self.disallowed.iter().cloned().map(Into::into));
        Declared { writes: Some(writes), ..Declared::default() }.warning(&def)
    }

    /// Whether it matches wherever the other one does.
    fn covers(&self, other: &Self) -> bool {
        let all = |own: &[String], others: &[String]| own.iter().all(|it| others.contains(it));
        all(&self.required, &other.required) && all(&self.disallowed, &other.disallowed)
    }
}

/// The System that a list has before, and that matches wherever this one does.
fn shadow(before: &[Listed], name: &str, known: &Known) -> Option<Warning> {
    let by = before.iter().find(|earlier| {
        let covers = |it: &Known| it.covers(known) && !(it.owner == OURS && known.owner == OURS);
        earlier.known.as_ref().is_some_and(covers)
    })?;
    Some(Warning::Shadowed { system: name.to_owned(), by: by.name.clone() })
}

/// The documented Components that no caller may attach.
fn engine_components() -> BTreeSet<String> {
    let mut app = Engine::new();
    PaymentSystems::default().build(&mut app).expect("the default flow fits together");
    let engines = app.component_specs().filter(|spec| spec.writable == Writable::Engine);
    engines.map(|spec| spec.name.to_owned()).collect()
}
