//! Who chooses the routes.

use super::{Failure, PartImage};
use bevy_ecs::prelude::Resource;
use ecs_core::Json;
use payecs_planner::{
    Graph, GraphDelta, Knowledge, LiquidityReport, NoPlan, Plan, PlanRequest, Route,
};
use payecs_units::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A question with everything needed to answer it, so that a worker can run it away from the
/// engine's thread: a snapshot of graph and knowledge rides along.
pub type PlanJob = Box<dyn FnOnce() -> Result<Plan, NoPlan> + Send>;

/// What one part taught about the liquidity on its way, or somebody says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lesson {
    /// The part is about to leave: what it takes is not free for others.
    Sent(Route),
    /// It arrived.
    Paid(Route),
    /// It failed, or never left.
    Failed(Route, Failure),
    /// No part: somebody says what was seen of liquidity.
    Told(Vec<LiquidityReport>),
}

/// Chooses routes. Whatever it answers, the engine checks before a part leaves.
///
/// The laws are `planner_laws!`: a plan delivers exactly the amount asked for, within fee budget,
/// delay and parts; the same question on the same knowledge gets the same answer; a direction of
/// others that failed at an amount is not used again at that amount or more within the half-life.
pub trait Planner: Send {
    /// Makes a job of a question. Cheap; the job may take long.
    fn prepare(&self, request: PlanRequest) -> PlanJob;

    /// Takes a lesson. Lessons come in the order in which things happened.
    fn learn(&mut self, lesson: &Lesson, now: Timestamp);

    /// Whether something was learned since this plan was made by which it would not be made now:
    /// then it is asked for again. `false`, which is the default: it is taken as it is.
    fn is_overtaken(&self, plan: &Plan, now: Timestamp) -> bool {
        let _ = (plan, now);
        false
    }

    /// What was learned, as far as it still counts at `now`, for a restart. `None`, which is the
    /// default: this planner begins anew.
    fn image(&self, now: Timestamp) -> Option<PartImage> {
        let _ = now;
        None
    }

    /// Takes such an image back, in place of what it knows. Lessons that came since follow.
    ///
    /// # Errors
    /// It can't be read, in words: the planner knows what it knew.
    fn take_back(&mut self, image: &Json) -> Result<(), String> {
        let _ = image;
        Err("this planner keeps nothing over a restart".to_owned())
    }

    /// What is known of liquidity now, for those who ask. `None`, which is the default: it doesn't
    /// say.
    fn knowledge(&self) -> Option<Arc<Knowledge>> {
        None
    }

    /// Takes changes of the graph. One that doesn't fit is logged and left out.
    fn patch(&mut self, deltas: &[GraphDelta]);

    /// The graph that plans are made on now; the engine checks plans against it.
    fn graph(&self) -> Arc<Graph>;

    /// Grows whenever what is known changes, so that an older plan can be told.
    fn knowledge_version(&self) -> u64;
}

/// Questions of callers, who send nothing: whoever has the planner makes jobs of them.
#[derive(Resource, Clone, Debug, Default)]
pub struct PlansAsked(Arc<Mutex<Vec<(PlanRequest, PlanSlot)>>>);

/// Where the job of one question is put.
#[derive(Clone, Default)]
pub struct PlanSlot(Arc<Mutex<Option<PlanJob>>>);

impl fmt::Debug for PlanSlot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("PlanSlot").field(&locked(&self.0).is_some()).finish()
    }
}

impl PlansAsked {
    /// Asks; the job will be in the slot.
    #[must_use]
    pub fn ask(&self, request: PlanRequest) -> PlanSlot {
        let slot = PlanSlot::default();
        locked(&self.0).push((request, slot.clone()));
        slot
    }

    /// Makes a job of every question so far.
    pub fn prepare(&self, planner: &dyn Planner) {
        for (request, slot) in std::mem::take(&mut *locked(&self.0)) {
            *locked(&slot.0) = Some(planner.prepare(request));
        }
    }
}

impl PlanSlot {
    /// The job, once it is there; it is given once.
    #[must_use]
    pub fn take(&self) -> Option<PlanJob> {
        locked(&self.0).take()
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic elsewhere left is whole: each change is one call.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a restart brings back for the planner, until it is there to take it.
#[derive(Resource, Clone, Debug, Default)]
pub struct LessonsKept {
    /// What [`Planner::image`] wrote last; `None`: nothing.
    pub image: Option<Json>,
    /// What it was taught since, in order, and when.
    pub lessons: Vec<(Timestamp, Lesson)>,
}
