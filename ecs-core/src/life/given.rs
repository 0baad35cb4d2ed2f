//! What callers asked for.

use crate::{Engine, EntityId, Json, Writer, commit::Batch};
use bevy_ecs::component::Component;
use std::collections::BTreeMap;

/// What callers attached to an Entity, by name, in the values they gave: also what Systems have
/// replaced or detached since. What is written while an external System has the Entity is that
/// System's. On every Entity; empty once it is frozen.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
#[component(storage = "Table")]
pub struct Given(pub BTreeMap<String, Json>);

impl Given {
    /// Whether that is news.
    fn give(&mut self, name: &str, value: Option<Json>) -> bool {
        match (self.0.get_mut(name), value) {
            (Some(before), Some(value)) => {
                let changed = *before != value;
                if changed {
                    *before = value;
                }
                changed
            }
            (None, Some(value)) => self.0.insert(name.to_owned(), value).is_none(),
            (Some(_), None) => self.0.remove(name).is_some(),
            (None, None) => false,
        }
    }
}

impl Engine {
    /// Notes what a batch's writer gave.
    pub(crate) fn note_given(&mut self, batch: &Batch<'_>) {
        if *batch.writer != Writer::Caller {
            return;
        }
        for write in batch.writes {
            let Some(id) = write.entity.or(batch.subject) else { continue };
            let Some(entity) = self.find(id) else { continue };
            if self.lives.of(entity).invocation.is_some() {
                continue;
            }
            let values = write.components.iter().map(|(name, _)| self.component(id, name));
            let values: Vec<Option<Json>> = values.collect();
            let mut given = self.world.get_mut::<Given>(entity).expect("spawned with it");
            let mut changed = write.exact && !given.0.is_empty();
            if write.exact {
                given.0.clear();
            }
            for ((name, _), value) in write.components.iter().zip(values) {
                changed |= given.give(name, value);
            }
            if changed {
                self.note_life(id);
            }
        }
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
