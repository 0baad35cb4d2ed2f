//! The registered Systems.

use crate::{
    Error, ErrorObject,
    declared::{Declared, External},
    method::{Caller, NOT_PERMITTED, Scope, permit_component},
    names::{Mask, Named, Names},
    quotas::{Quota, QuotaReached},
    system::{Answer, On, SYSTEM_NAMES_MAX, SYSTEM_TIMEOUT_MS, SYSTEMS_MAX, SystemDef},
    trace::{Counts, Heading},
};
use bevy_ecs::{
    component::ComponentId,
    entity::Entity,
    system::{IntoSystem, ReadOnlySystem},
    world::World,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// After that many panics a System of a third party is not run any more. Those of the flow are set
/// aside for one Entity at a time: without them no payment could end.
const PANICS_MAX: u8 = 3;

/// The place of a System in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SystemIndex(pub(crate) u16);

/// Whose System it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The default flow's: may write everything.
    BuiltIn,
    /// A third party's in this process; what it may write begins with this prefix.
    Plugin(String),
    /// A third party's outside, reached by announcement.
    External,
}

/// The System with names of Components, and what stands behind those.
type Shown = (Arc<Heading>, Vec<Named>);

type Runner = Box<dyn ReadOnlySystem<In = On, Out = Answer>>;

/// How a System is run.
pub(crate) enum Body {
    /// In this process.
    Here(Runner),
    /// By announcement.
    External {
        /// How long it may take.
        timeout_ms: u64,
    },
}

/// A registered System, its names resolved.
pub(crate) struct Registered {
    pub(crate) def: SystemDef,
    pub(crate) owner: Owner,
    pub(crate) body: Body,
    /// What is said of an external one.
    pub(crate) declared: Declared,
    /// Its place is free.
    removed: bool,
    /// Counted up, so that it is told from what had its place before.
    pub(crate) number: u64,
    /// What is shown of a match: the required Components, each once, without the secret ones.
    pub(crate) shown: Shown,
    required: Vec<ComponentId>,
    disallowed: Vec<ComponentId>,
    required_foreign: Mask,
    disallowed_foreign: Mask,
    panics: u8,
    pub(crate) counts: Counts,
}

impl Registered {
    /// Whether an archetype has the typed Components as the match wants them.
    pub(crate) fn fits_archetype(&self, contains: impl Fn(ComponentId) -> bool) -> bool {
        self.required.iter().all(|id| contains(*id))
            && !self.disallowed.iter().any(|id| contains(*id))
    }

    /// Whether the foreign names are as the match wants them.
    pub(crate) fn fits_foreign(&self, mask: &Mask) -> bool {
        mask.contains_all(&self.required_foreign) && mask.contains_none(&self.disallowed_foreign)
    }

    /// Runs a System of this process.
    ///
    /// # Errors
    /// It panicked, could not be given what it reads, or has been set aside. `None`: it is
    /// external.
    pub(crate) fn run(&mut self, entity: Entity, world: &World) -> Option<Result<Answer, Error>> {
        let Body::Here(runner) = &mut self.body else { return None };
        let name = &self.def.system;
        if self.panics >= PANICS_MAX && self.owner != Owner::BuiltIn {
            let why = format!("System `{name}` has panicked {PANICS_MAX} times and is set aside.");
            return Some(Err(Error::SystemFailed(why)));
        }
        let ran = catch_unwind(AssertUnwindSafe(|| runner.run_readonly(entity, world)));
        Some(match ran {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(Error::SystemFailed(format!("System `{name}` could not be run: {error}")))
            }
            Err(panic) => {
                self.panics += 1;
                let said = panic_message(panic.as_ref());
                tracing::error!(target: "payecs::system", system = %name, said, "system panicked");
                Err(Error::SystemFailed(format!("System `{name}` panicked: {said}")))
            }
        })
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// All registered Systems, by name and by number.
#[derive(Default)]
pub(crate) struct Registry {
    systems: Vec<Registered>,
    by_name: BTreeMap<Arc<str>, SystemIndex>,
    /// Grows with each registration, so that what was resolved before can be told.
    pub(crate) generation: u64,
}

impl Registry {
    pub(crate) fn find(&self, name: &str) -> Option<SystemIndex> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Registered> {
        self.find(name).map(|index| self.get(index))
    }

    pub(crate) fn get(&self, index: SystemIndex) -> &Registered {
        &self.systems[usize::from(index.0)]
    }

    pub(crate) fn get_mut(&mut self, index: SystemIndex) -> &mut Registered {
        &mut self.systems[usize::from(index.0)]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.systems.iter().filter(|system| !system.removed)
    }

    /// Registers an external System. The same again is no error and no second System; what is said
    /// of it last holds. Answers what holds now.
    pub(crate) fn add_external(
        &mut self,
        def: SystemDef,
        timeout_ms: Option<u64>,
        declared: Declared,
        names: &mut Names,
    ) -> Result<External, Error> {
        let index = if let Some(index) = self.find(&def.system) {
            index
        } else {
            let body = Body::External { timeout_ms: SYSTEM_TIMEOUT_MS };
            self.add(def.clone(), Owner::External, body, names)?
        };
        let existing = self.get_mut(index);
        match (&mut existing.body, existing.def == def) {
            (Body::External { timeout_ms: known }, true) => {
                *known = timeout_ms.unwrap_or(*known);
                existing.declared.update(declared);
                Ok(External(def, *known, existing.declared.clone()))
            }
            (Body::External { .. }, false) | (Body::Here(_), _) => Err(conflict(&def.system)),
        }
    }

    /// Takes an external System away. `false`: there is none of that name.
    pub(crate) fn remove_external(&mut self, name: &str) -> bool {
        let Some(index) = self.find(name) else { return false };
        let system = self.get_mut(index);
        if system.owner != Owner::External {
            return false;
        }
        system.removed = true;
        self.by_name.remove(name);
        self.generation += 1;
        true
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The external Systems by name: the same after a restart, whichever places they have.
    pub(crate) fn externals(&self) -> impl Iterator<Item = External> + '_ {
        let by_name = self.by_name.values().map(|index| self.get(*index));
        by_name.filter_map(|system| match system.body {
            Body::External { timeout_ms } => {
                Some(External(system.def.clone(), timeout_ms, system.declared.clone()))
            }
            Body::Here(_) => None,
        })
    }

    /// Registers a System of this process.
    pub(crate) fn add_here<S, M>(
        &mut self,
        def: SystemDef,
        owner: Owner,
        system: S,
        (world, names): (&mut World, &mut Names),
    ) -> Result<SystemIndex, Error>
    where
        S: IntoSystem<On, Answer, M>,
        S::System: ReadOnlySystem<In = On, Out = Answer>,
    {
        if self.find(&def.system).is_some() {
            return Err(conflict(&def.system));
        }
        let mut runner: Runner = Box::new(IntoSystem::into_system(system));
        runner.initialize(world);
        self.add(def, owner, Body::Here(runner), names)
    }

    fn add(
        &mut self,
        def: SystemDef,
        owner: Owner,
        body: Body,
        names: &mut Names,
    ) -> Result<SystemIndex, Error> {
        self.judge(&def, names)?;
        let required = resolve(&def.required, names)?;
        let ((required, required_foreign), (disallowed, disallowed_foreign)) =
            (required, resolve(&def.disallowed, names)?);
        let shown = shown(&def, names);
        let free = self.systems.iter().position(|system| system.removed);
        let place = free.unwrap_or(self.systems.len());
        let index = SystemIndex(u16::try_from(place).expect("SYSTEMS_MAX fits"));
        self.by_name.insert(Arc::clone(&def.system), index);
        let system = Registered {
            def,
            owner,
            body,
            declared: Declared::default(),
            removed: false,
            number: self.generation,
            shown,
            required,
            disallowed,
            required_foreign,
            disallowed_foreign,
            panics: 0,
            counts: Counts::default(),
        };
        match free {
            Some(place) => self.systems[place] = system,
            None => self.systems.push(system),
        }
        self.generation += 1;
        Ok(index)
    }

    /// Refuses what [`Registry::add_external`] would.
    pub(crate) fn judge_external(&self, def: &SystemDef, names: &mut Names) -> Result<(), Error> {
        match self.named(&def.system) {
            None => self.judge(def, names),
            Some(known) if known.owner == Owner::External && known.def == *def => Ok(()),
            Some(_) => Err(conflict(&def.system)),
        }
    }

    /// Refuses a new System that can't be.
    fn judge(&self, def: &SystemDef, names: &mut Names) -> Result<(), Error> {
        crate::component::check_name(&def.system)?;
        let name = &def.system;
        if def.required.is_empty() {
            let why = format!("System `{name}` requires nothing, so it could never match");
            return Err(Error::Invalid(why));
        }
        if def.required.len() + def.disallowed.len() > SYSTEM_NAMES_MAX {
            let why = format!("System `{name}` names more than {SYSTEM_NAMES_MAX} components");
            return Err(Error::Invalid(why));
        }
        if self.by_name.len() >= SYSTEMS_MAX {
            return Err(QuotaReached { quota: Quota::Systems, max: SYSTEMS_MAX as u64 }.into());
        }
        let mark = names.mark();
        let resolved = resolve(&def.required, names).and_then(|_| resolve(&def.disallowed, names));
        names.forget_since(mark);
        resolved.map(drop)
    }
}

/// Refuses a System that the caller has no part in: it is another token's, or the owner's, or names
/// a Component that the caller is not for.
pub(crate) fn permit_system(caller: &Caller, system: &Registered) -> Result<(), ErrorObject> {
    let SystemDef { system: name, required, disallowed } = &system.def;
    for component in required.iter().chain(disallowed) {
        permit_component(caller, component)?;
    }
    let token = &system.declared.token;
    if caller.may(Scope::Admin) || caller.token == *token {
        return Ok(());
    }
    let whose =
        token.as_ref().map_or("the owner's".to_owned(), |token| format!("token `{token}`'s"));
    let what = format!(
        "Not permitted: System `{name}` is {whose}. Who has scope `admin` may give it to another \
         token: payecs_newsystem, `token`."
    );
    Err(ErrorObject::new(NOT_PERMITTED, what))
}

fn conflict(name: &str) -> Error {
    Error::Invalid(format!("Conflict with existing `system`: {name}"))
}

fn shown(def: &SystemDef, names: &Names) -> Shown {
    let mut shown: (Vec<Arc<str>>, Vec<Named>) = Default::default();
    for name in def.required.iter().map(AsRef::as_ref) {
        let twice = shown.0.iter().any(|earlier| **earlier == *name);
        let open = names.find(name).filter(|found| !twice && !found.is_secret());
        shown.extend(open.map(|found| (Arc::from(name), found)));
    }
    let heading = Heading { system: Arc::clone(&def.system), names: shown.0.into() };
    (Arc::new(heading), shown.1)
}

fn resolve(
    wanted: &[impl AsRef<str>],
    names: &mut Names,
) -> Result<(Vec<ComponentId>, Mask), Error> {
    let (mut typed, mut foreign) = (Vec::new(), Mask::default());
    for name in wanted {
        match names.intern(name.as_ref())? {
            Named::Typed(component) => typed.push(component.id),
            Named::Foreign(id) => foreign.insert(id),
        }
    }
    Ok((typed, foreign))
}
