//! Around a run: what it changes is noted, and where somebody looks it is timed.

use super::{
    Kept, Traces,
    changed::{ChangeKind, Noted},
};
use crate::{Engine, EntityId, Json, registry::SystemIndex};
use bevy_ecs::entity::Entity;

/// Reads a clock that never goes back, in nanoseconds since any moment. What it says is in traces
/// and counts alone: the engine decides nothing by it.
pub type Stopwatch = fn() -> u64;

/// What is counted of a System since the engine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it was run or announced.
    pub runs: u64,
    /// How many announcements were answered in time.
    pub answers: u64,
    /// How long those answers took, together, in milliseconds.
    pub answers_ms: u64,
    /// How long the engine was at its runs, where those are measured.
    pub took: Took,
}

/// How long runs took, in classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// How many were timed.
    pub count: u64,
    /// How long they took together, in nanoseconds.
    pub sum_ns: u64,
    /// How many took at most [`Took::BOUNDS_NS`] each, by place; those that took longer are only in
    /// `count`.
    pub classes: [u64; 8],
}

impl Took {
    /// The upper bounds of the classes, in nanoseconds.
    pub const BOUNDS_NS: [u64; 8] =
        [1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

    /// Counts one more.
    /// ```
    /// # use ecs_core::trace::Took;
    /// let mut took = Took::default();
    /// took.add(3_000);
    /// took.add(1_000_000_000);
    /// assert_eq!((took.count, took.classes), (2, [0, 1, 0, 0, 0, 0, 0, 0]));
    /// ```
    pub fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        let class = Self::BOUNDS_NS.iter().zip(&mut self.classes).find(|(bound, _)| ns <= **bound);
        if let Some((_, class)) = class {
            *class += 1;
        }
    }
}

/// The run under way, whose step has what it changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noting {
    /// On which Entity; `None`: none is under way.
    on: Option<EntityId>,
    /// Its step; `None`: it is not traced yet.
    step: Option<u64>,
    /// Whether values are kept too.
    detailed: bool,
}

impl Noting {
    /// A step of an Entity was traced: that of the run, if it is the first.
    pub(super) fn pushed(&mut self, entity: EntityId, step: u64) {
        if self.on == Some(entity) && self.step.is_none() {
            self.step = Some(step);
        }
    }
}

impl Traces {
    /// Whether a run is under way.
    pub(super) fn notes(&self) -> bool {
        self.noting.on.is_some()
    }
}

impl Engine {
    /// Notes changes on an Entity in the step of the run under way, if there is one; those on
    /// another Entity than that of the run are noted as that.
    pub(super) fn note_changes<'a>(
        &mut self,
        id: EntityId,
        changes: impl IntoIterator<Item = (ChangeKind, Noted, Option<&'a Json>)>,
    ) {
        let Noting { on: Some(on), step: Some(step), detailed } = self.traces.noting else {
            return;
        };
        let Some(kept) = self.kept_mut(on, step) else { return };
        if on != id {
            kept.changes.add_other(id);
            return;
        }
        for (change, component, value) in changes {
            let place = kept.changes.add(change, component);
            if let Some(json) = value.filter(|_| detailed) {
                kept.more().values.push((place, json.plain()));
            }
        }
    }

    /// Sets what runs are timed by, where somebody looks or [`Engine::measure_runs`] asks for it.
    /// Without it nothing is timed.
    pub fn set_stopwatch(&mut self, stopwatch: Stopwatch) {
        self.traces.stopwatch = Some(stopwatch);
    }

    /// Whether every run is timed and counted: [`Engine::system_counts`].
    pub fn measure_runs(&mut self, measure: bool) {
        self.traces.measures = measure;
    }

    /// Notes what changes from now on, as of that step, or of the next of the Entity.
    fn begin_noting(&mut self, id: EntityId, step: Option<u64>, detailed: bool) {
        self.end_noting(None);
        let noting = &mut self.traces.noting;
        (noting.on, noting.step, noting.detailed) = (Some(id), step, detailed);
    }

    /// The run is over.
    fn end_noting(&mut self, took_ns: Option<u64>) {
        let noted = self.traces.noting.on.take().zip(self.traces.noting.step);
        let Some((ns, (id, step))) = took_ns.zip(noted) else { return };
        if let Some(kept) = self.kept_mut(id, step) {
            kept.more().took_us = Some(ns / 1_000);
        }
    }

    /// The last step of an Entity that was of that System, or of any; a line of the books is none.
    fn last_step(&self, id: EntityId, system: Option<&str>) -> Option<u64> {
        let ring = &self.life_of(id)?.ring;
        let is_it = |kept: &Kept| match system {
            Some(name) => **kept.system() == *name,
            None => kept.shown_line().is_none(),
        };
        ring.steps.iter().rev().find(|kept| is_it(kept)).map(|kept| kept.number)
    }

    /// Whether somebody looks at what runs.
    fn is_looked_at(&self) -> bool {
        self.announces || self.now_ms() < self.traces.detail_until_ms
    }

    /// Runs a System that matched; its trace has what it changes.
    pub(crate) fn run_traced(&mut self, id: EntityId, entity: Entity, index: SystemIndex) {
        let detailed = self.is_looked_at();
        let timed = detailed || self.traces.measures;
        let stopwatch = self.traces.stopwatch.filter(|_| timed);
        let began_ns = stopwatch.map(|stopwatch| stopwatch());
        self.begin_noting(id, None, detailed);
        let _entered = self.enter_span(id, entity, index);
        self.run_system(id, entity, index);
        let ended_ns = stopwatch.map(|stopwatch| stopwatch());
        let took_ns = ended_ns.zip(began_ns).map(|(end, begin)| end.saturating_sub(begin));
        if let Some(ns) = took_ns.filter(|_| self.traces.measures) {
            self.systems.get_mut(index).counts.took.add(ns);
        }
        self.end_noting(took_ns.filter(|_| detailed));
    }

    /// Does what belongs to the step of an Entity that ran last: its trace has what it changes.
    pub(crate) fn with_last_step<R>(
        &mut self,
        id: EntityId,
        system: Option<&str>,
        work: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let Some(step) = self.last_step(id, system) else { return work(self) };
        let detailed = self.is_looked_at();
        self.begin_noting(id, Some(step), detailed);
        let done = work(self);
        self.end_noting(None);
        done
    }

    /// Notes after how long an external System answered.
    pub(crate) fn trace_answer(&mut self, id: EntityId, system: &str, answer_ms: u64) {
        let step = self.last_step(id, Some(system));
        if let Some(kept) = step.and_then(|step| self.kept_mut(id, step)) {
            kept.more().answer_ms = Some(answer_ms);
        }
    }
}
