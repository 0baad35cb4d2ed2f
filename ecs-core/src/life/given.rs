//! What callers asked for.

use crate::{Engine, EntityId, Json, Writer, commit::Batch, delta::Change};
use bevy_ecs::{component::Component, entity::Entity};
use litemap::{Entry, LiteMap};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What callers attached to an Entity, by name, in the values they gave: also what Systems have
/// replaced or detached since. What is written while an external System has the Entity is that
/// System's. On every Entity; empty once it is frozen.
/// ```
/// # use ecs_core::{Given, Json};
/// let given: Given = [("acme:y".into(), Json::yes()), ("acme:x".into(), Json::of(&1))].into();
/// assert_eq!(given.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["acme:x", "acme:y"]);
/// ```
#[derive(Component, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[component(storage = "Table")]
#[serde(transparent)]
pub struct Given(LiteMap<Arc<str>, Json>);

impl<const N: usize> From<[(Arc<str>, Json); N]> for Given {
    fn from(fields: [(Arc<str>, Json); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl FromIterator<(Arc<str>, Json)> for Given {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Json)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Given {
    /// By name, in byte order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that is news.
    fn give(&mut self, name: Arc<str>, value: Option<Json>) -> bool {
        match (self.0.entry(name), value) {
            (Entry::Occupied(mut before), Some(value)) => {
                let changed = *before.get() != value;
                if changed {
                    before.insert(value);
                }
                changed
            }
            (Entry::Vacant(place), Some(value)) => {
                place.insert(value);
                true
            }
            (Entry::Occupied(before), None) => {
                before.remove();
                true
            }
            (Entry::Vacant(_), None) => false,
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
            let written = write.components.iter().map(|(name, _)| &**name);
            if let Some(news) = self.give(entity, write.exact, written) {
                self.note(|| Change::Given(id, write.exact, news));
            }
        }
    }

    /// Notes that callers gave the values that all of these Components have, or took them away;
    /// `anew`: nothing that they gave before counts. Answers with what is news, and `None` where
    /// nothing is.
    fn give<'a>(
        &mut self,
        entity: Entity,
        anew: bool,
        all: impl Iterator<Item = &'a str>,
    ) -> Option<Vec<Arc<str>>> {
        let written = all.filter_map(|name| {
            let (name, named) = self.names.shared(name)?;
            Some((Arc::clone(name), self.value_of(entity, named)))
        });
        let written: Vec<(Arc<str>, Option<Json>)> = written.collect();
        let mut given = self.world.get_mut::<Given>(entity).expect("spawned with it");
        let cleared = anew && !given.is_empty();
        if cleared {
            given.0.clear();
        }
        let news = written
            .into_iter()
            .filter_map(|(name, value)| given.give(Arc::clone(&name), value).then_some(name));
        let news: Vec<Arc<str>> = news.collect();
        (cleared || !news.is_empty()).then_some(news)
    }

    /// The same again, as it was recorded.
    pub(crate) fn give_again(&mut self, id: EntityId, anew: bool, names: &[Arc<str>]) {
        let Some(entity) = self.find(id) else { return };
        let _news = self.give(entity, anew, names.iter().map(|name| &**name));
    }

    /// What callers gave is this from now on; `None`: what it was.
    pub(crate) fn put_given(&mut self, entity: Entity, all: Option<&Given>) {
        if let Some(all) = all {
            self.world.get_mut::<Given>(entity).expect("spawned with it").clone_from(all);
        }
    }

    /// What callers gave counts no more.
    pub(crate) fn forget_given(&mut self, id: EntityId) {
        let Some(entity) = self.find(id) else { return };
        if self.give(entity, true, std::iter::empty()).is_some() {
            self.note(|| Change::Given(id, true, Vec::new()));
        }
    }
}
