//! What a command brings along, and the Entities there are.

use crate::EntityId;
use bevy_ecs::{entity::Entity, resource::Resource};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, ops::Bound};

/// Time and randomness of one command: recorded with it, so that it can be replayed.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// 256 random bits.
    pub entropy: [u8; 32],
}

/// The Entities there are, by number. Systems read it to name the Entities they make.
#[derive(Resource, Debug)]
pub struct Entities {
    pub(crate) next: EntityId,
    /// The same numbers in order, for lists; asked for far less often.
    numbers: BTreeSet<EntityId>,
    /// Asked for one number at a time: its order is random.
    places: HashMap<EntityId, Entity>,
}

impl Default for Entities {
    fn default() -> Self {
        Self { next: EntityId::FIRST, numbers: BTreeSet::new(), places: HashMap::default() }
    }
}

impl Entities {
    /// The numbers the next new Entities get, in order.
    pub fn free(&self) -> impl Iterator<Item = EntityId> + '_ {
        std::iter::successors(Some(self.next), |id| Some(id.next()))
            .filter(|id| !self.places.contains_key(id))
    }

    /// The Entity with that number, if it has a Component.
    #[must_use]
    pub fn get(&self, id: EntityId) -> Option<Entity> {
        self.places.get(&id).copied()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// All numbers behind this one, in order.
    pub fn after(&self, after: Option<EntityId>) -> impl Iterator<Item = EntityId> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.numbers.range((from, Bound::Unbounded)).copied()
    }

    /// Gives out the next number.
    pub(crate) fn allot(&mut self) -> EntityId {
        let id = self.free().next().expect("fewer Entities than numbers");
        self.next = id.next();
        self.pass_live();
        id
    }

    /// Notes a new Entity.
    pub(crate) fn add(&mut self, id: EntityId, entity: Entity) {
        self.numbers.insert(id);
        self.places.insert(id, entity);
        self.pass_live();
    }

    /// Forgets an Entity, and answers where it was.
    pub(crate) fn remove(&mut self, id: EntityId) -> Option<Entity> {
        self.numbers.remove(&id);
        self.places.remove(&id)
    }

    /// A number that was in use when its turn came is not given out later, when it is free again.
    fn pass_live(&mut self) {
        while self.places.contains_key(&self.next) {
            self.next = self.next.next();
        }
    }
}
