//! What callers asked for.

use crate::{Engine, EntityId, Json, Writer, commit::Batch, life::Life};
use bevy_ecs::component::Component;
use std::collections::BTreeMap;

/// What callers attached to an Entity, by name, in the values they gave: also what Systems have
/// replaced or detached since. What is written while an external System has the Entity is that
/// System's. On every Entity; empty once it is frozen.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
#[component(storage = "Table")]
pub struct Given(pub BTreeMap<String, Json>);

impl Engine {
    /// Notes what a batch's writer gave.
    pub(crate) fn note_given(&mut self, batch: &Batch<'_>) {
        if *batch.writer != Writer::Caller {
            return;
        }
        for write in batch.writes {
            let Some(id) = write.entity.or(batch.subject) else { continue };
            let given = self.given(id).map(|mut given| {
                if write.exact {
                    given.0.clear();
                }
                for (name, _) in &write.components {
                    match self.component(id, name) {
                        Some(json) => given.0.insert(name.to_string(), json),
                        None => given.0.remove(&**name),
                    };
                }
                given
            });
            self.replace_given(id, given);
        }
    }

    /// What was given to an Entity that no external System has.
    fn given(&self, id: EntityId) -> Option<Given> {
        let entity = self.world.entity(self.find(id)?);
        let invoked = entity.get::<Life>().is_some_and(|life| life.invocation.is_some());
        entity.get::<Given>().filter(|_| !invoked).cloned()
    }

    pub(crate) fn replace_given(&mut self, id: EntityId, given: Option<Given>) {
        let Some((given, entity)) = given.zip(self.find(id)) else { return };
        let mut before = self.world.get_mut::<Given>(entity).expect("spawned with it");
        if *before != given {
            *before = given;
            self.note_life(id);
        }
    }
}
