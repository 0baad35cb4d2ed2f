//! The state at one moment, shared with the engine.

use super::{EntityState, Snapshot};
use crate::{
    Engine, EntityId, Name,
    declared::{Additions, External},
    delta::{
        Notes,
        shared::{Values, is_shared},
    },
    effect::Effect,
    inputs::{Entities, Inputs},
    life::{Attached, Given},
};
use std::sync::Arc;

/// The state of an engine at one moment. To take it costs little for each Entity, whatever is
/// attached; [`Image::snapshot`] puts it into words, on any thread.
#[derive(Clone, Debug)]
pub struct Image {
    entities: Vec<EntityImage>,
    foreign_names: Vec<Arc<str>>,
    externals: Vec<External>,
    additions: Additions,
    next_entity: EntityId,
    next_effect: u64,
    next_invocation: u64,
    now_ms: u64,
}

#[derive(Clone, Debug)]
struct EntityImage {
    entity: EntityId,
    attached: Attached,
    outstanding: Vec<Effect>,
    notes: Notes,
}

impl Engine {
    /// The state now, as [`Engine::snapshot`] has it, for another thread to put into words.
    /// ```
    /// # use ecs_core::{Engine, Json, Write, Writer};
    /// let mut app = Engine::new();
    /// let write = Write::to(app.new_entity()).attach_json("acme:x", Json::yes());
    /// app.set_components(&Writer::Caller, &[write], &[])?;
    /// let (image, then) = (app.image(), app.snapshot());
    /// let write = Write::to(app.new_entity()).attach_json("acme:y", Json::yes());
    /// app.set_components(&Writer::Caller, &[write], &[])?;
    /// assert_eq!(image.snapshot(), then);
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    #[must_use]
    pub fn image(&self) -> Image {
        self.shared.note_snapshot();
        let entities = self.world.resource::<Entities>();
        Image {
            entities: entities.after(None).map(|id| self.entity_image(id)).collect(),
            foreign_names: self.names.foreign_texts().to_vec(),
            externals: self.systems.externals().collect(),
            additions: self.additions.clone(),
            next_entity: entities.next,
            next_effect: self.next_effect,
            next_invocation: self.next_invocation,
            now_ms: self.world.resource::<Inputs>().now_ms,
        }
    }

    fn entity_image(&self, id: EntityId) -> EntityImage {
        let entity = self.find(id).expect("listed as live");
        let (life, given) = (self.lives.of(entity), self.world.get::<Given>(entity));
        EntityImage {
            entity: id,
            attached: self.attached(entity),
            outstanding: life.outstanding.clone(),
            notes: Notes::of(life, given.filter(|given| !given.is_empty()).cloned()),
        }
    }
}

impl Image {
    /// The same in words.
    #[must_use]
    pub fn snapshot(self) -> Snapshot {
        let (mut values, names) = (Values::default(), self.foreign_names);
        let states = self.entities.into_iter().map(|image| image.state(&names, &mut values));
        Snapshot {
            entities: states.collect(),
            values: values.into_all(),
            externals: self.externals,
            additions: self.additions,
            next_entity: self.next_entity,
            next_effect: self.next_effect,
            next_invocation: self.next_invocation,
            now_ms: self.now_ms,
        }
    }
}

impl EntityImage {
    fn state(self, foreign_names: &[Arc<str>], values: &mut Values) -> EntityState {
        let Self { entity, attached, outstanding, notes } = self;
        let typed = attached.documented().map(|(name, json)| (Name::from(name), json));
        let foreign = attached.foreign(foreign_names);
        let foreign = foreign.map(|(name, json)| (Name::from(name.to_string()), json));
        let (mut components, mut shared) = (Vec::new(), Vec::new());
        for (name, value) in typed.chain(foreign) {
            match is_shared(&name, value).then(|| values.number(value)).flatten() {
                Some(number) => shared.push((name, number)),
                None => components.push((name, value.clone())),
            }
        }
        EntityState { entity, components, shared, outstanding, notes }
    }
}
