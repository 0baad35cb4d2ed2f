//! What a run changed, in few bytes: values are attached only where somebody looks.

use crate::{Engine, EntityId, Json, component::TypedComponent, names::ForeignId};
use bevy_ecs::{component::ComponentId, entity::Entity};
use serde::Serialize;
use smallvec::SmallVec;
use std::{collections::BTreeMap, sync::Arc};

/// What became of a Component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum ChangeKind {
    /// It was not there before.
    Attached,
    /// It has another value.
    Changed,
    /// It is no longer there.
    Detached,
}

impl ChangeKind {
    /// What attaching comes to, with or without a value that is there already.
    pub(crate) fn of_attaching(replaces: bool) -> Self {
        if replaces { Self::Changed } else { Self::Attached }
    }
}

/// One Component that a run changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceChange {
    /// Its name.
    pub component: Arc<str>,
    /// What became of it.
    pub change: ChangeKind,
    /// Its value; `None` where it is secret or detached, or nobody looked when it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// A documented Component or a foreign name, in 29 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Noted(u32);

const FOREIGN: u32 = 1 << 29;
const KIND_AT: u32 = 30;
/// The number of another Entity follows.
const OTHER: u32 = 3 << KIND_AT;

impl Noted {
    pub(crate) fn typed(id: ComponentId) -> Self {
        let index = u32::try_from(id.index()).ok().filter(|index| *index < FOREIGN);
        Self(index.expect("there are fewer types than that"))
    }

    pub(crate) fn foreign(ForeignId(id): ForeignId) -> Self {
        Self(id | FOREIGN)
    }
}

/// What was changed, in order: a word for each Component, two for another Entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(SmallVec<[u32; 6]>);

impl Notes {
    /// Notes a change, and answers which one it is.
    pub(super) fn add(&mut self, kind: ChangeKind, Noted(component): Noted) -> usize {
        self.0.push(component | (kind as u32) << KIND_AT);
        self.0.len() - 1
    }

    /// Notes another Entity, unless it was the last.
    pub(super) fn add_other(&mut self, entity: EntityId) {
        if !self.0.ends_with(&[OTHER, entity.get()]) {
            self.0.extend([OTHER, entity.get()]);
        }
    }

    /// What was noted, by name; and the other Entities, each once.
    pub(super) fn told(
        &self,
        names: &BTreeMap<Noted, Arc<str>>,
        values: &[(usize, Json)],
    ) -> (Vec<TraceChange>, Vec<EntityId>) {
        let (mut changes, mut others) = (Vec::new(), Vec::new());
        let mut words = self.0.iter().enumerate();
        while let Some((place, word)) = words.next() {
            let change = match word >> KIND_AT {
                0 => ChangeKind::Attached,
                1 => ChangeKind::Changed,
                2 => ChangeKind::Detached,
                _ => {
                    let other = words.next().and_then(|(_, id)| EntityId::new(*id));
                    others.extend(other.filter(|id| !others.contains(id)));
                    continue;
                }
            };
            let component = names.get(&Noted(word & !OTHER)).cloned();
            let value = values.iter().find(|(at, _)| *at == place).map(|(_, json)| json.clone());
            changes.extend(component.map(|component| TraceChange { component, change, value }));
        }
        (changes, others)
    }
}

impl Engine {
    /// What each noted Component is called.
    pub(super) fn noted_names(&self) -> BTreeMap<Noted, Arc<str>> {
        let typed = self.names.typed().map(|(name, it)| (Noted::typed(it.id), Arc::clone(name)));
        let foreign = (0_u32..).map(ForeignId).zip(self.names.foreign_texts());
        let foreign = foreign.map(|(id, name)| (Noted::foreign(id), Arc::clone(name)));
        typed.chain(foreign).collect()
    }

    /// Notes a change of a documented Component in the trace of the run under way, if there is one.
    pub(crate) fn trace_typed(
        &mut self,
        entity: EntityId,
        typed: TypedComponent,
        change: ChangeKind,
        value: Option<&Json>,
    ) {
        let shown = value.filter(|_| !typed.spec.secret);
        self.note_changes(entity, [(change, Noted::typed(typed.id), shown)]);
    }

    /// The same for a name without a type.
    pub(crate) fn trace_foreign(
        &mut self,
        entity: EntityId,
        id: ForeignId,
        change: ChangeKind,
        value: Option<&Json>,
    ) {
        self.note_changes(entity, [(change, Noted::foreign(id), value)]);
    }

    /// The same for all Components of an Entity that is taken away.
    pub(crate) fn trace_end(&mut self, id: EntityId, entity: Entity) {
        if !self.traces.notes() {
            return;
        }
        let life = self.lives.of(entity);
        let list = self.world.entity(entity).contains_id(self.systems_id);
        let typed = life.texts.ids().chain(list.then_some(self.systems_id)).map(Noted::typed);
        let foreign = life.foreign.values.keys().copied().map(Noted::foreign);
        let detached = |noted| (ChangeKind::Detached, noted, None);
        let changes: Vec<_> = typed.chain(foreign).map(detached).collect();
        self.note_changes(id, changes);
    }
}
