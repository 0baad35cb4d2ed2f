//! Systems: what they match, and what they answer.

use crate::{
    EffectRequest, EntityId, Json, WireComponent,
    error::Refusal,
    write::{Name, Record, Write, carried},
};
use bevy_ecs::{entity::Entity, system::In};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use std::{borrow::Cow, sync::Arc};

/// Most Systems an engine registers.
pub const SYSTEMS_MAX: usize = 1_024;
/// Most Components a System may name as required or disallowed, together.
pub const SYSTEM_NAMES_MAX: usize = 256;
/// How long an external System may take, unless it says otherwise: one minute.
pub const SYSTEM_TIMEOUT_MS: u64 = 60_000;

/// A System of the default flow, as a constant beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemSpec {
    /// Its name.
    pub name: &'static str,
    /// It matches where all of these are attached,
    pub required: &'static [&'static str],
    /// and none of these.
    pub disallowed: &'static [&'static str],
    /// What it may attach to its own Entity; with what it detaches, this is how its match ends.
    pub attaches: &'static [&'static str],
    /// What it may detach from its own Entity.
    pub detaches: &'static [&'static str],
    /// The codes it refuses with.
    pub refuses: &'static [i32],
    /// What it does, in a sentence.
    pub does: &'static str,
}

/// A System as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemDef {
    /// Its name.
    pub system: Arc<str>,
    /// It matches where all of these are attached,
    pub required: Vec<Cow<'static, str>>,
    /// and none of these.
    pub disallowed: Vec<Cow<'static, str>>,
}

/// Begins a third party's System.
/// ```
/// # use ecs_core::system;
/// let tip = system("acme:tip").requires(["acme:tip_percent"]).disallows(["acme:tipped"]);
/// assert_eq!(&*tip.system, "acme:tip");
/// assert_eq!((tip.required.len(), tip.disallowed.len()), (1, 1));
/// ```
#[must_use]
pub fn system(name: &str) -> SystemDef {
    SystemDef { system: name.into(), required: Vec::new(), disallowed: Vec::new() }
}

impl SystemDef {
    /// The Components that must be attached.
    #[must_use]
    pub fn requires<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.required.extend(names.map(Cow::Borrowed));
        self
    }

    /// The Components that must be absent.
    #[must_use]
    pub fn disallows<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.disallowed.extend(names.map(Cow::Borrowed));
        self
    }
}

impl From<&SystemSpec> for SystemDef {
    fn from(spec: &SystemSpec) -> Self {
        let owned = |names: &[&'static str]| names.iter().copied().map(Cow::Borrowed).collect();
        Self {
            system: spec.name.into(),
            required: owned(spec.required),
            disallowed: owned(spec.disallowed),
        }
    }
}

/// What a System is run with: the Entity it matched.
pub type On = In<Entity>;

/// What a System answers: what it wants, or why not.
pub type Answer = Result<Step, Refusal>;

/// What happens after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The list is scanned again from the top.
    Advance,
    /// The Entity rests: an effect is under way, or someone outside must act.
    Wait,
    /// The Entity is done.
    Stop,
}

/// What a System wants: all of it is written in one record, or nothing.
///
/// A Step does nothing by itself, so that it can be compared in a test.
/// ```
/// # use ecs_core::{EntityId, Json, Step, Write};
/// let parent = EntityId::FIRST;
/// let step = Step::stop()
///     .attach_json("acme:done", Json::yes())
///     .detach_name("acme:work")
///     .write(Write::to(parent).attach_json("acme:child_done", Json::yes()))
///     .wake(parent);
/// assert_eq!(step.writes().len(), 2, "to its own Entity, and to the parent");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a Step does nothing until the System returns it"]
pub struct Step {
    pub(crate) next: Next,
    /// First those to its own Entity: mostly there are no others.
    pub(crate) writes: SmallVec<[Write; 1]>,
    pub(crate) beside: Option<Box<Beside>>,
}

/// What a System wants beside writes: many want nothing, and their Steps are small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    pub(crate) effects: Vec<EffectRequest>,
    pub(crate) cancels: Vec<&'static str>,
    pub(crate) records: Vec<Record>,
    pub(crate) wakes: Vec<EntityId>,
}

impl Step {
    fn then(next: Next) -> Self {
        Self { next, writes: smallvec![Write::here()], beside: None }
    }

    fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }

    /// Afterwards the list is scanned again from the top.
    pub fn advance() -> Self {
        Self::then(Next::Advance)
    }

    /// Afterwards the Entity rests.
    pub fn wait() -> Self {
        Self::then(Next::Wait)
    }

    /// Afterwards the Entity is done.
    pub fn stop() -> Self {
        Self::then(Next::Stop)
    }

    fn here(mut self, name: Name, value: Option<Json>) -> Self {
        self.writes[0].components.push((name, value));
        self
    }

    /// Attaches a documented Component to the Entity.
    pub fn attach<C: WireComponent>(self, component: &C) -> Self {
        self.attach_json(C::SPEC.name, carried(component))
    }

    /// Attaches any Component by name.
    pub fn attach_json(self, name: impl Into<Name>, value: Json) -> Self {
        self.here(name.into(), Some(value))
    }

    /// Detaches a documented Component.
    pub fn detach<C: WireComponent>(self) -> Self {
        self.detach_name(C::SPEC.name)
    }

    /// Detaches any Component by name.
    pub fn detach_name(self, name: impl Into<Name>) -> Self {
        self.here(name.into(), None)
    }

    /// Writes to another Entity, or makes one, in the same record.
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Advances another Entity once the record is written.
    pub fn wake(mut self, entity: EntityId) -> Self {
        self.beside().wakes.push(entity);
        self
    }

    /// Asks for an effect on behalf of the Entity.
    pub fn effect(mut self, effect: EffectRequest) -> Self {
        self.beside().effects.push(effect);
        self
    }

    /// Takes the Entity's timers of that kind back.
    pub fn cancel_timers(mut self, kind: &'static str) -> Self {
        self.beside().cancels.push(kind);
        self
    }

    /// Writes a line beside the Components, in the same record.
    pub fn record(mut self, record: Record) -> Self {
        self.beside().records.push(record);
        self
    }

    /// What this Step writes, for tests.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The effects this Step asks for, for tests.
    #[must_use]
    pub fn effects(&self) -> &[EffectRequest] {
        self.beside.as_ref().map_or(&[], |beside| beside.effects.as_slice())
    }

    /// The lines this Step writes beside the Components, for tests.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        self.beside.as_ref().map_or(&[], |beside| beside.records.as_slice())
    }
}
