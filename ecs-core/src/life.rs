//! What the engine notes of each Entity beside its Components.

mod collect;
mod given;

pub use given::Given;

use crate::{
    Effect, EffectId, EntityId, Json,
    component::TypedComponent,
    effect::EffectClass,
    names::{ForeignId, Mask},
};
use bevy_ecs::{
    component::{Component, ComponentId},
    world::EntityWorldMut,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All Components of an Entity that have no type, and which those are as bits.
#[derive(Component, Default)]
#[component(storage = "Table")]
pub(crate) struct Foreign {
    pub(crate) mask: Mask,
    pub(crate) values: ForeignValues,
}

/// Shared with images of the state, until it changes.
pub(crate) type ForeignValues = Arc<BTreeMap<ForeignId, Json>>;

/// Room that an Entity's first text makes: plans and parts have fewer Components, payments some
/// more.
const COMPONENTS_EXPECTED: usize = 16;

/// The texts of an Entity's typed Components, as each was written last: what shows or records one
/// need not write it again. Not of its list, which says itself where it stands.
/// Shared with images of the state, until it changes.
#[derive(Component, Clone, Debug, Default)]
#[component(storage = "Table")]
pub(crate) struct Texts(Arc<Vec<(ComponentId, &'static str, Json)>>);

impl Texts {
    pub(crate) fn get(&self, component: ComponentId) -> Option<&Json> {
        let place = self.place(component).ok()?;
        Some(&self.0[place].2)
    }

    /// The text of the Component with that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(_, known, _)| *known == name).map(|(_, _, json)| json)
    }

    /// By id, with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ComponentId, &'static str, &Json)> {
        self.0.iter().map(|(id, name, json)| (*id, *name, json))
    }

    fn place(&self, component: ComponentId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&component, |(id, ..)| *id)
    }

    /// Notes the text of a Component that is attached, and answers what was there.
    pub(crate) fn put(
        entity: &mut EntityWorldMut<'_>,
        component: &TypedComponent,
        text: &Json,
    ) -> Option<Json> {
        let mut texts = entity.get_mut::<Self>().expect("spawned with it");
        let place = texts.place(component.id);
        let all = Arc::make_mut(&mut texts.0);
        match place {
            Ok(place) => Some(std::mem::replace(&mut all[place].2, text.clone())),
            Err(place) => {
                if all.is_empty() {
                    all.reserve(COMPONENTS_EXPECTED);
                }
                all.insert(place, (component.id, component.spec.name, text.clone()));
                None
            }
        }
    }

    /// Forgets the text of a Component that is detached.
    pub(crate) fn remove(entity: &mut EntityWorldMut<'_>, component: ComponentId) {
        let mut texts = entity.get_mut::<Self>().expect("spawned with it");
        if let Ok(place) = texts.place(component) {
            Arc::make_mut(&mut texts.0).remove(place);
        }
    }
}

/// An external System at work on an Entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) number: u64,
    pub(crate) system: String,
    /// When it was announced, in milliseconds since 1970.
    pub(crate) since_ms: u64,
}

/// The System that matched last, and how often in a row on the Entity as it is.
#[derive(Clone, Copy)]
struct Streak {
    /// The number of its registration.
    system: u64,
    changes: u64,
    runs: u32,
}

/// The Entity's number, for Systems that name it elsewhere. On every Entity.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[component(storage = "Table")]
pub struct Id(pub EntityId);

/// The engine's own notes.
#[derive(Component)]
#[component(storage = "Table")]
pub(crate) struct Life {
    /// How many Components are attached.
    pub(crate) attached: u32,
    /// Bumped whenever a value really changes.
    pub(crate) changes: u64,
    /// Steps taken so far.
    pub(crate) steps: u32,
    pub(crate) born_ms: u64,
    /// When its list went; `None` while it has one.
    pub(crate) ended_ms: Option<u64>,
    /// Effects that will still say something: replies and timers.
    pub(crate) outstanding: Vec<Effect>,
    pub(crate) invocation: Option<Invocation>,
    streak: Option<Streak>,
    /// Systems that may not run here any more: they looped, failed, or used up the Entity's steps.
    pub(crate) muted: BTreeSet<Arc<str>>,
    /// No System of a third party may run here any more.
    pub(crate) own_systems_only: bool,
}

impl Life {
    pub(crate) fn new(born_ms: u64) -> Self {
        Self {
            attached: 0,
            changes: 0,
            steps: 0,
            born_ms,
            ended_ms: None,
            outstanding: Vec::new(),
            invocation: None,
            streak: None,
            muted: BTreeSet::new(),
            own_systems_only: false,
        }
    }

    /// Whether an effect's reply is awaited.
    pub(crate) fn is_busy(&self) -> bool {
        self.outstanding.iter().any(|effect| effect.class == EffectClass::Reply)
    }

    /// Notes that a System matches, and answers how often in a row it has, this time included,
    /// while nothing changed.
    pub(crate) fn matched_in_a_row(&mut self, system: u64) -> u32 {
        let runs = match self.streak {
            Some(last) if last.system == system && last.changes == self.changes => last.runs + 1,
            _ => 1,
        };
        self.streak = Some(Streak { system, changes: self.changes, runs });
        runs
    }

    pub(crate) fn take_outstanding(&mut self, id: EffectId) -> Option<Effect> {
        let at = self.outstanding.iter().position(|effect| effect.id == id)?;
        Some(self.outstanding.remove(at))
    }
}
