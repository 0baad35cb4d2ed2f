//! What the engine notes of each Entity beside its Components.

mod attached;
mod collect;
mod given;

pub(crate) use attached::Attached;
pub use given::Given;

use crate::{
    Effect, EffectId, EntityId, Json,
    component::TypedComponent,
    dispatch::ListId,
    effect::EffectClass,
    names::{ForeignId, Mask},
    trace::Ring,
};
use bevy_ecs::{
    component::{Component, ComponentId},
    entity::Entity,
};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// All Components of an Entity that have no type, and which those are as bits.
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    pub(crate) mask: Mask,
    pub(crate) values: ForeignValues,
}

/// Shared with images of the state, until it changes.
pub(crate) type ForeignValues = Arc<LiteMap<ForeignId, Json>>;

/// Room that an Entity's first text makes: plans and parts have fewer Components, payments some
/// more.
const COMPONENTS_EXPECTED: usize = 16;

/// The texts of an Entity's typed Components, as each was written last: what shows or records one
/// need not write it again. Not of its list, which says itself where it stands.
/// Shared with images of the state, until it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(Arc<Written>);

/// By the numbers of the Components: those lie close together, since they are looked through for
/// each read and write.
#[derive(Clone, Debug, Default)]
struct Written {
    ids: Vec<u32>,
    /// In the same order.
    texts: Vec<(&'static str, Json)>,
}

/// So many Components there are in a program.
fn number(component: ComponentId) -> u32 {
    u32::try_from(component.index()).expect("far fewer Components than numbers")
}

impl Texts {
    pub(crate) fn get(&self, component: ComponentId) -> Option<&Json> {
        let place = self.0.ids.binary_search(&number(component)).ok()?;
        Some(&self.0.texts[place].1)
    }

    /// Whose they are.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ComponentId> {
        self.0.ids.iter().map(|number| ComponentId::new(*number as usize))
    }

    /// With their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Json)> {
        self.0.texts.iter().map(|(name, json)| (*name, json))
    }

    /// Notes the text of a Component that is attached, and answers what was there.
    pub(crate) fn put(&mut self, component: TypedComponent, text: &Json) -> Option<Json> {
        let Written { ids, texts } = Arc::make_mut(&mut self.0);
        let number = number(component.id);
        match ids.binary_search(&number) {
            Ok(place) => Some(std::mem::replace(&mut texts[place].1, text.clone())),
            Err(place) => {
                if ids.is_empty() {
                    ids.reserve(COMPONENTS_EXPECTED);
                    texts.reserve(COMPONENTS_EXPECTED);
                }
                ids.insert(place, number);
                texts.insert(place, (component.spec.name, text.clone()));
                None
            }
        }
    }

    /// Forgets the text of a Component that is detached, and answers what it was.
    pub(crate) fn remove(&mut self, component: ComponentId) -> Option<Json> {
        let place = self.0.ids.binary_search(&number(component)).ok()?;
        let Written { ids, texts } = Arc::make_mut(&mut self.0);
        ids.remove(place);
        Some(texts.remove(place).1)
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
#[derive(Clone, Copy, Debug)]
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

/// The engine's own notes of an Entity.
#[derive(Debug)]
pub(crate) struct Life {
    /// How many Components are attached.
    pub(crate) attached: u32,
    /// How many bytes their values have.
    pub(crate) bytes: u64,
    /// The token of whoever made it; `None`: the engine or its owner.
    pub(crate) maker: Option<Arc<str>>,
    /// Bumped whenever a value really changes.
    pub(crate) changes: u64,
    /// Steps taken so far.
    pub(crate) steps: u32,
    pub(crate) born_ms: u64,
    /// When its list went; `None` while it has one.
    pub(crate) ended_ms: Option<u64>,
    /// Effects that will still say something: replies and timers.
    pub(crate) outstanding: Vec<Effect>,
    /// Few have one at a time.
    pub(crate) invocation: Option<Box<Invocation>>,
    streak: Option<Streak>,
    /// Systems that may not run here any more: they looped, failed, or used up the Entity's steps.
    pub(crate) muted: BTreeSet<Arc<str>>,
    /// No System of a third party may run here any more.
    pub(crate) own_systems_only: bool,
    pub(crate) foreign: Foreign,
    pub(crate) texts: Texts,
    /// What its list of Systems is interned as.
    pub(crate) list: Option<ListId>,
    /// What the delta that is recorded has of it.
    pub(crate) recorded: Recorded,
    pub(crate) ring: Ring,
}

/// What of an Entity is to go into the next delta as it is then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) notes: bool,
    pub(crate) progress: bool,
}

/// The notes of all Entities, by the numbers bevy has for them: those are small and used again.
#[derive(Debug, Default)]
pub(crate) struct Lives(Vec<Option<Box<Life>>>);

fn place(entity: Entity) -> usize {
    entity.index_u32() as usize
}

impl Lives {
    pub(crate) fn begin(&mut self, entity: Entity, life: Life) {
        if self.0.len() <= place(entity) {
            self.0.resize_with(place(entity) + 1, || None);
        }
        self.0[place(entity)] = Some(Box::new(life));
    }

    pub(crate) fn end(&mut self, entity: Entity) -> Box<Life> {
        self.0[place(entity)].take().expect("begun when it was spawned")
    }

    pub(crate) fn of(&self, entity: Entity) -> &Life {
        self.0[place(entity)].as_deref().expect("begun when it was spawned")
    }

    pub(crate) fn of_mut(&mut self, entity: Entity) -> &mut Life {
        self.0[place(entity)].as_deref_mut().expect("begun when it was spawned")
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Life> {
        self.0.iter_mut().filter_map(|life| life.as_deref_mut())
    }
}

impl Life {
    pub(crate) fn new(born_ms: u64) -> Self {
        Self {
            attached: 0,
            bytes: 0,
            maker: None,
            changes: 0,
            steps: 0,
            born_ms,
            ended_ms: None,
            outstanding: Vec::new(),
            invocation: None,
            streak: None,
            muted: BTreeSet::new(),
            own_systems_only: false,
            foreign: Foreign::default(),
            texts: Texts::default(),
            list: None,
            recorded: Recorded::default(),
            ring: Ring::default(),
        }
    }

    /// Notes that a value changed, and how the number of attached Components changed with it.
    pub(crate) fn count(&mut self, attached: i64) {
        self.changes += 1;
        let now = i64::from(self.attached) + attached;
        self.attached = u32::try_from(now).expect("as many detached as attached");
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
