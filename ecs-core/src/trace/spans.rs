//! A span for each Entity while Systems run on it, and one in it for each run: for whoever records
//! spans. Where nobody does, nothing is made.

use crate::{Engine, EntityId, registry::SystemIndex};
use bevy_ecs::{entity::Entity, world::World};
use foldhash::HashMap;
use tracing::{Level, Span, span::EnteredSpan};

/// What an Entity is among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// What it stands for, in one word: the name of its span.
    pub kind: &'static str,
    /// Whose child it is: its span is in that one's.
    pub parent: Option<EntityId>,
}

/// Says what an Entity is among others, when a System runs on it first.
pub type KinOf = fn(&World, Entity) -> Kin;

/// The spans of Entities that run. Asked for one at a time: their order is random.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    kin: Option<KinOf>,
    open: HashMap<EntityId, Span>,
}

impl Spans {
    /// Nothing runs on the Entity any more.
    pub(crate) fn close(&mut self, id: EntityId) {
        if !self.open.is_empty() {
            self.open.remove(&id);
        }
    }
}

impl Engine {
    /// Sets who says what Entities are among others; without it each stands alone, as an `entity`.
    pub fn set_kin(&mut self, kin: KinOf) {
        self.spans.kin = Some(kin);
    }

    /// What an Entity is among others, as [`Engine::set_kin`] has it.
    #[must_use]
    pub fn kin_of(&self, entity: Entity) -> Kin {
        let alone = Kin { kind: "entity", parent: None };
        self.spans.kin.map_or(alone, |kin| kin(&self.world, entity))
    }

    /// Begins the span of a run, in that of its Entity, which is begun with its first run.
    pub(super) fn enter_span(
        &mut self,
        id: EntityId,
        entity: Entity,
        index: SystemIndex,
    ) -> Option<EnteredSpan> {
        if !tracing::enabled!(target: "payecs::span", Level::INFO) {
            return None;
        }
        let parent = self.span_of(id, entity);
        let system = &*self.systems.get(index).def.system;
        let span = tracing::info_span!(
            target: "payecs::span", parent: &parent, "system", otel.name = system, system
        );
        Some(span.entered())
    }

    fn span_of(&mut self, id: EntityId, entity: Entity) -> Span {
        if let Some(span) = self.spans.open.get(&id) {
            return span.clone();
        }
        let Kin { kind, parent } = self.kin_of(entity);
        let parent = parent.and_then(|parent| self.spans.open.get(&parent)).and_then(Span::id);
        let span = tracing::info_span!(
            target: "payecs::span", parent: parent, "entity", otel.name = kind, kind, entity = %id
        );
        self.spans.open.insert(id, span.clone());
        span
    }
}
