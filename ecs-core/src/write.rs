//! Writes: what is to be attached and detached, as data.

use crate::{EntityId, Json, WireComponent};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The name of a Component.
pub type Name = Cow<'static, str>;

/// Changes to one Entity. In order; of two to one Component the later wins.
/// ```
/// # use ecs_core::{EntityId, Json, Write};
/// let write = Write::to(EntityId::FIRST).attach_json("acme:x", Json::yes()).detach_name("acme:y");
/// assert_eq!(write.components[1], ("acme:y".into(), None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The Entity; `None`: the one the System runs on, or the effect belongs to.
    pub entity: Option<EntityId>,
    /// Detach everything else first.
    pub exact: bool,
    /// Component and value; no value detaches.
    pub components: SmallVec<[(Name, Option<Json>); 1]>,
}

impl Write {
    /// Changes to the Entity the System runs on.
    #[must_use]
    pub fn here() -> Self {
        Self { entity: None, exact: false, components: SmallVec::new() }
    }

    /// Changes to another Entity.
    #[must_use]
    pub fn to(entity: EntityId) -> Self {
        Self { entity: Some(entity), ..Self::here() }
    }

    /// Everything off: the Entity ends.
    #[must_use]
    pub fn end(entity: EntityId) -> Self {
        Self { exact: true, ..Self::to(entity) }
    }

    /// Attaches a documented Component.
    #[must_use]
    pub fn attach<C: WireComponent>(self, component: &C) -> Self {
        self.attach_json(C::SPEC.name, carried(component))
    }

    /// Attaches a documented Component if there is one.
    #[must_use]
    pub fn attach_some<C: WireComponent>(self, component: Option<&C>) -> Self {
        match component {
            Some(component) => self.attach(component),
            None => self,
        }
    }

    /// Attaches any Component by name.
    #[must_use]
    pub fn attach_json(mut self, name: impl Into<Name>, value: Json) -> Self {
        self.components.push((name.into(), Some(value)));
        self
    }

    /// Whether it is a write to that Entity, and leaves it with something.
    pub(crate) fn makes(&self, entity: EntityId) -> bool {
        let attaches = |value: &Option<Json>| value.as_ref().is_some_and(|it| !it.is_null());
        self.entity == Some(entity) && self.components.iter().any(|(_, value)| attaches(value))
    }

    /// Detaches a documented Component.
    #[must_use]
    pub fn detach<C: WireComponent>(self) -> Self {
        self.detach_name(C::SPEC.name)
    }

    /// Detaches any Component by name.
    #[must_use]
    pub fn detach_name(mut self, name: impl Into<Name>) -> Self {
        self.components.push((name.into(), None));
        self
    }
}

/// The JSON of a documented Component, with the Component beside it.
pub(crate) fn carried<C: WireComponent>(component: &C) -> Json {
    component.to_json().with(component.clone(), C::to_json)
}

/// What must hold before a call's writes are applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The Entity; one that doesn't exist has no Components.
    pub entity: EntityId,
    /// Nothing else may be attached.
    pub exact: bool,
    /// Component and value, by meaning: a documented Component in any text it takes. No value: it
    /// must be absent.
    pub components: Vec<(String, Option<Json>)>,
}

/// On whose behalf something is written: decides what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The engine, the default flow, a reply: everything.
    Engine,
    /// A third party's System in this process: its own names and what callers may.
    Plugin(String),
    /// Somebody over RPC.
    Caller,
}

/// A line for what is kept beside the Components, written in the same record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The System this line is traced as: `ledger:reserve`, …
    pub system: String,
    /// The line.
    pub body: Json,
    /// What traces and announcements show of it: the line without its secrets.
    pub shown: Json,
}

impl Record {
    /// A line without secrets.
    #[must_use]
    pub fn new(system: &str, body: Json) -> Self {
        Self { system: system.to_owned(), shown: body.clone(), body }
    }

    /// The same line, shown as something else.
    #[must_use]
    pub fn showing(self, shown: Json) -> Self {
        Self { shown, ..self }
    }
}
