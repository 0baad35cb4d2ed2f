//! What crates say of Entities with their Components, where `payecs_explain` is asked.

use crate::{Engine, EntityId, ErrorObject, Json};
use bevy_ecs::{entity::Entity, world::World};
use std::fmt;

/// Somebody who knows what the Components of some Entities come to.
#[derive(Clone, Copy)]
pub struct Explainer {
    /// The field of the answer that it gives.
    pub field: &'static str,
    /// The shape of that field.
    pub shape: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Explains an Entity; `None`: it is none of those that it knows.
    pub explain: fn(&World, Entity) -> Option<Json>,
    /// Finds out what is still known of an Entity that is gone.
    pub recall: fn(&World, EntityId) -> Option<Recall>,
}

/// Finds it out, on another thread. `None`: nothing is known.
pub type Recall = Box<dyn FnOnce() -> Result<Option<Recalled>, ErrorObject> + Send>;

/// What is still known of an Entity that is gone.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// What it failed with.
    pub error: Option<ErrorObject>,
    /// What is said of it in the explainer's field.
    pub told: Json,
}

impl fmt::Debug for Explainer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Explainer").field(&self.field).finish()
    }
}

impl Engine {
    /// Adds one.
    ///
    /// # Panics
    /// If another one has its field.
    pub fn add_explainer(&mut self, explainer: &'static Explainer) {
        let is_taken = self.explainers.iter().any(|other| other.field == explainer.field);
        assert!(!is_taken, "explainer {} added twice", explainer.field);
        self.explainers.push(explainer);
    }

    /// All of them.
    pub fn explainers(&self) -> impl Iterator<Item = &'static Explainer> + '_ {
        self.explainers.iter().copied()
    }
}
