//! What callers say of liquidity, and ask about it.

use super::{Lesson, Planner};
use bevy_ecs::prelude::Resource;
use payecs_planner::Knowledge;
use std::sync::{Arc, OnceLock};

/// Where methods leave what is for the planner, and whoever has the planner takes it.
#[derive(Resource, Debug, Default)]
pub struct KnowledgeDesk {
    told: Vec<Lesson>,
    asked: Vec<KnowledgeSlot>,
}

/// Where what is known is put for one question.
#[derive(Clone, Debug, Default)]
pub struct KnowledgeSlot(Arc<OnceLock<Option<Arc<Knowledge>>>>);

impl KnowledgeDesk {
    /// Leaves a lesson. Its record has it: a desk is in none.
    pub(crate) fn tell(&mut self, lesson: Lesson) {
        self.told.push(lesson);
    }

    /// The lessons so far, in order, each once.
    #[must_use]
    pub fn take_told(&mut self) -> Vec<Lesson> {
        std::mem::take(&mut self.told)
    }

    /// Asks what is known; it will be in the slot.
    pub(crate) fn ask(&mut self) -> KnowledgeSlot {
        let slot = KnowledgeSlot::default();
        self.asked.push(slot.clone());
        slot
    }

    /// Answers every question so far.
    pub fn answer(&mut self, planner: &dyn Planner) {
        for KnowledgeSlot(slot) in self.asked.drain(..) {
            let _is_set_once = slot.set(planner.knowledge());
        }
    }
}

impl KnowledgeSlot {
    /// What is known, once it is there; of a planner that doesn't say, nothing.
    #[must_use]
    pub fn get(&self) -> Option<Option<&Arc<Knowledge>>> {
        self.0.get().map(Option::as_ref)
    }
}
