//! What is attached to an Entity, shared with it.

use super::{ForeignValues, Texts};
use crate::{Engine, Json, WireComponent, systems::Systems};
use bevy_ecs::entity::Entity;
use std::sync::Arc;

/// All Components of an Entity at a moment: shared with it until they change.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    texts: Texts,
    list: Option<Json>,
    foreign: ForeignValues,
}

impl Engine {
    /// What is attached now. It costs as much for many Components as for few.
    pub(crate) fn attached(&self, entity: Entity) -> Attached {
        let life = self.lives.of(entity);
        let list = self.world.get::<Systems>(entity).map(WireComponent::to_json);
        Attached { texts: life.texts.clone(), list, foreign: Arc::clone(&life.foreign.values) }
    }
}

impl Attached {
    /// The Components with a type.
    pub(crate) fn documented(&self) -> impl Iterator<Item = (&'static str, &Json)> {
        self.texts.iter().chain(self.list.iter().map(|list| (Systems::SPEC.name, list)))
    }

    /// The others; `names` are all foreign names of the engine.
    pub(crate) fn foreign<'a>(
        &'a self,
        names: &'a [Arc<str>],
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Json)> {
        self.foreign.iter().map(|(id, json)| (&names[id.0 as usize], json))
    }

    /// All of them, by name in byte order.
    pub(crate) fn by_name<'a>(&'a self, names: &'a [Arc<str>]) -> Vec<(&'a str, &'a Json)> {
        let foreign = self.foreign(names).map(|(name, json)| (&**name, json));
        let documented = self.documented().map(|(name, json)| -> (&str, _) { (name, json) });
        let mut all: Vec<_> = documented.chain(foreign).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }
}
