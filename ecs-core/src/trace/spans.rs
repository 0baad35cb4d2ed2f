//! A span for each Entity while Systems run on it, and one in it for each run: for whoever records
//! spans. Where nobody does, nothing is made.

use crate::{Engine, EntityId, Systems, registry::SystemIndex};
use bevy_ecs::{entity::Entity, world::World};
use foldhash::HashMap;
use tracing::{
    Level, Span,
    span::{EnteredSpan, Id},
};

/// How far up spans of parents are begun with that of a child.
const PARENTS_MAX: u32 = 4;

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

/// Begins the span of an Entity of a kind, in that of its parent: target `payecs::span`, level
/// `info`. What is told at its end it has as empty fields.
pub type BeginSpan = fn(EntityId, &'static str, Option<Id>) -> Span;

/// Says in the span of an Entity what became of it, just before the span ends. The Entity is still
/// there.
pub type EndSpan = fn(&World, Entity, &Span);

/// The spans of Entities that run. Asked for one at a time: their order is random.
#[derive(Debug)]
pub(crate) struct Spans {
    kin: Option<KinOf>,
    begin: BeginSpan,
    end: EndSpan,
    open: HashMap<EntityId, Span>,
}

impl Default for Spans {
    fn default() -> Self {
        Self { kin: None, begin: begin_bare, end: |_, _, _| (), open: HashMap::default() }
    }
}

/// The span of an Entity of which nothing more is told.
fn begin_bare(id: EntityId, kind: &'static str, parent: Option<Id>) -> Span {
    tracing::info_span!(
        target: "payecs::span", parent: parent, "entity",
        otel.name = kind, kind, entity = i64::from(id.get())
    )
}

impl Engine {
    /// Sets who says what Entities are among others; without it each stands alone, as an `entity`.
    pub fn set_kin(&mut self, kin: KinOf) {
        self.spans.kin = Some(kin);
    }

    /// Sets who begins the spans of Entities, and who says at their end what became of them;
    /// without it a span has the kind and the number of its Entity, and nothing is said.
    pub fn set_span_facts(&mut self, begin: BeginSpan, end: EndSpan) {
        self.spans.begin = begin;
        self.spans.end = end;
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
        let parent = self.span_of(id, entity, PARENTS_MAX);
        let system = &*self.systems.get(index).def.system;
        let span = tracing::info_span!(
            target: "payecs::span", parent: &parent, "system", otel.name = system, system
        );
        Some(span.entered())
    }

    /// The span of an Entity. After a restart a child may run before its parent, whose span is
    /// begun with it then, if Systems run on the parent still.
    fn span_of(&mut self, id: EntityId, entity: Entity, parents: u32) -> Span {
        if let Some(span) = self.spans.open.get(&id) {
            return span.clone();
        }
        let Kin { kind, parent } = self.kin_of(entity);
        let within = parent.filter(|_| parents > 0).and_then(|parent| {
            let place = self.find(parent)?;
            let runs = self.world.entity(place).contains::<Systems>();
            runs.then(|| self.span_of(parent, place, parents - 1))
        });
        let span = (self.spans.begin)(id, kind, within.as_ref().and_then(Span::id));
        self.spans.open.insert(id, span.clone());
        span
    }

    /// Nothing runs on the Entity any more: its span ends, and has what became of it.
    pub(crate) fn close_span(&mut self, id: EntityId, entity: Entity) {
        // Mostly nobody records them.
        if self.spans.open.is_empty() {
            return;
        }
        if let Some(span) = self.spans.open.remove(&id) {
            (self.spans.end)(&self.world, entity, &span);
        }
    }
}
