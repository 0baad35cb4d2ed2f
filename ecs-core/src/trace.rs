//! Which Systems ran on which Entity, what they matched, and what they changed.

mod changed;
mod run;
mod spans;

pub use changed::{ChangeKind, TraceChange};
pub use run::{Counts, Stopwatch, Took};
pub(crate) use spans::Spans;
pub use spans::{BeginSpan, EndSpan, Kin, KinOf};

use crate::{Engine, EntityId, Json, Record};
use changed::Notes;
use run::Noting;
use serde::Serialize;
use smallvec::{SmallVec, smallvec};
use std::{collections::VecDeque, sync::Arc};

/// Most steps that are kept of one Entity; the oldest go first.
pub const TRACE_LENGTH_MAX: usize = 512;
/// Most ended Entities whose traces are kept.
pub const ENDED_TRACES_MAX: usize = 1_000;
/// How long after it was asked for last traces have values and durations, in milliseconds.
pub const TRACE_DETAIL_MS: u64 = 10_000;

/// One System that ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceEntry {
    /// Its number among all steps that were traced since the engine began, from 1.
    pub step: u64,
    /// When, in milliseconds since 1970.
    pub now_ms: u64,
    /// Which System.
    pub system: Arc<str>,
    /// What it required, as it matched, without secrets; or the line a `ledger:…` System wrote.
    pub components: Vec<(Arc<str>, Json)>,
    /// What it changed on the Entity, in order: by its Step, by the reply to what it asked for, or
    /// as an external System with its answer.
    pub changes: Vec<TraceChange>,
    /// Other Entities that it wrote to.
    pub others: Vec<EntityId>,
    /// How long the engine was at it, in microseconds; `None` where it was not timed.
    pub took_us: Option<u64>,
    /// After how many milliseconds an external System answered; `None` before, and for others.
    pub answer_ms: Option<u64>,
}

/// What all steps of one System share.
#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) system: Arc<str>,
    /// What is shown of a match.
    pub(crate) names: Box<[Arc<str>]>,
}

/// What a System matched. It is kept of each step, and so is small.
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    pub(crate) heading: Arc<Heading>,
    /// By name; `None` where nothing is attached. Most Systems show no more than lie here.
    pub(crate) values: SmallVec<[Option<Json>; 2]>,
}

impl Matched {
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (Arc<str>, Json)> + '_ {
        let pairs = self.heading.names.iter().zip(&self.values);
        pairs.filter_map(|(name, value)| Some((Arc::clone(name), value.clone()?)))
    }
}

/// A step as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    number: u64,
    now_ms: u64,
    matched: Matched,
    changes: Notes,
    /// What only few steps have.
    more: Option<Box<More>>,
}

/// What is kept of a line of the books, where somebody looks, or an external System answers.
#[derive(Clone, Debug, Default)]
struct More {
    /// What is shown of the line.
    line: Option<Json>,
    /// What was attached: which of the changes, and the value.
    values: Vec<(usize, Json)>,
    took_us: Option<u64>,
    answer_ms: Option<u64>,
}

impl Kept {
    pub(crate) fn new(now_ms: u64, matched: Matched) -> Self {
        Self { number: 0, now_ms, matched, changes: Notes::default(), more: None }
    }

    /// What is shown of a line of the books, as if its System had matched it.
    pub(crate) fn line(now_ms: u64, record: &Record) -> Self {
        let (system, names) = (record.system.as_str().into(), Box::default());
        let matched = Matched { heading: Arc::new(Heading { system, names }), values: smallvec![] };
        let mut kept = Self::new(now_ms, matched);
        kept.more().line = Some(record.shown.light());
        kept
    }

    fn system(&self) -> &Arc<str> {
        &self.matched.heading.system
    }

    fn shown_line(&self) -> Option<&Json> {
        self.more.as_ref()?.line.as_ref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

/// Room that an Entity's first step makes.
const STEPS_EXPECTED: usize = 8;

/// The last steps of an Entity.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// How many went before the first.
    gone: u64,
    steps: VecDeque<Kept>,
}

impl Ring {
    fn push(&mut self, kept: Kept) {
        if self.steps.is_empty() {
            self.steps.reserve(STEPS_EXPECTED);
        }
        if self.steps.len() == TRACE_LENGTH_MAX {
            self.steps.pop_front();
            self.gone += 1;
        }
        self.steps.push_back(kept);
    }

    fn step(&mut self, number: u64) -> Option<&mut Kept> {
        // Mostly the last: the run that has just ended.
        if self.steps.back().is_none_or(|kept| kept.number != number) {
            let place = self.steps.binary_search_by_key(&number, |kept| kept.number).ok()?;
            return self.steps.get_mut(place);
        }
        self.steps.back_mut()
    }

    /// The steps behind that number.
    fn after(&self, number: u64) -> impl Iterator<Item = &Kept> {
        self.steps.range(self.steps.partition_point(|kept| kept.number <= number)..)
    }
}

/// What is traced, beside the rings of Entities that live: those are in their notes.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    ended: VecDeque<(EntityId, Ring)>,
    /// How many steps were traced.
    count: u64,
    noting: Noting,
    /// Until when values and durations are kept, in milliseconds since 1970.
    detail_until_ms: u64,
    pub(crate) stopwatch: Option<Stopwatch>,
    /// Whether every run is timed.
    pub(crate) measures: bool,
}

impl Traces {
    /// Adds a step of an Entity to its ring.
    pub(crate) fn push(&mut self, (entity, ring): (EntityId, &mut Ring), mut kept: Kept) {
        self.count += 1;
        kept.number = self.count;
        ring.push(kept);
        self.noting.pushed(entity, self.count);
    }

    /// Keeps the ring of an Entity that has ended.
    pub(crate) fn end(&mut self, entity: EntityId, ring: Ring) {
        if ring.steps.is_empty() {
            return;
        }
        if self.ended.len() == ENDED_TRACES_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((entity, ring));
    }
}

/// What is shown of a line of the books, by name.
pub(crate) fn line_pair(shown: Json) -> (Arc<str>, Json) {
    ("entry".into(), shown)
}

impl Engine {
    /// The Systems that ran on an Entity, oldest first, also after it ended.
    #[must_use]
    pub fn trace(&self, id: EntityId) -> Vec<TraceEntry> {
        self.trace_after(id, 0)
    }

    /// The same, behind the step of that number.
    #[must_use]
    pub fn trace_after(&self, id: EntityId, step: u64) -> Vec<TraceEntry> {
        let Some(ring) = self.ring(id) else { return Vec::new() };
        let names = self.noted_names();
        let entry = |kept: &Kept| {
            let line = kept.shown_line().map(|shown| line_pair(shown.clone()));
            let more = kept.more.as_deref();
            let values = more.map_or(&[][..], |more| more.values.as_slice());
            let (changes, others) = kept.changes.told(&names, values);
            TraceEntry {
                step: kept.number,
                now_ms: kept.now_ms,
                system: Arc::clone(kept.system()),
                components: kept.matched.pairs().chain(line).collect(),
                changes,
                others,
                took_us: more.and_then(|more| more.took_us),
                answer_ms: more.and_then(|more| more.answer_ms),
            }
        };
        ring.after(step).map(entry).collect()
    }

    /// How many steps of an Entity are not kept any more.
    #[must_use]
    pub fn trace_gone(&self, id: EntityId) -> u64 {
        self.ring(id).map_or(0, |ring| ring.gone)
    }

    /// The steps of an Entity, or of the last of that number that ended.
    fn ring(&self, id: EntityId) -> Option<&Ring> {
        let live = self.life_of(id).map(|life| &life.ring).filter(|ring| !ring.steps.is_empty());
        let mut ended = self.traces.ended.iter().rev();
        live.or_else(|| ended.find(|(ended, _)| *ended == id).map(|(_, ring)| ring))
    }

    /// A step of an Entity that lives, or ended just now.
    fn kept_mut(&mut self, id: EntityId, step: u64) -> Option<&mut Kept> {
        let live = self.find(id).map(|entity| &mut self.lives.of_mut(entity).ring);
        let ended = self.traces.ended.back_mut().filter(|(ended, _)| *ended == id);
        let mut rings = live.into_iter().chain(ended.map(|(_, ring)| ring));
        rings.find_map(|ring| ring.step(step))
    }

    /// Keeps values and durations in the traces for a while: of everything that runs until
    /// [`TRACE_DETAIL_MS`] from now. Somebody looks, and asks again in time.
    pub fn trace_in_detail(&mut self) {
        self.traces.detail_until_ms = self.now_ms().saturating_add(TRACE_DETAIL_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Write, Writer};

    fn kept(now_ms: u64) -> Kept {
        let heading = Heading { system: "acme:x".into(), names: Box::default() };
        Kept::new(now_ms, Matched { heading: Arc::new(heading), values: smallvec![] })
    }

    #[test]
    fn a_trace_forgets_its_oldest_steps_and_outlives_its_entity() {
        let mut app = Engine::new();
        let entity = EntityId::FIRST;
        for id in [entity, entity.next()] {
            let write = Write::to(id).attach_json("acme:x", Json::yes());
            app.set_components(&Writer::Engine, &[write], &[]).unwrap();
        }
        let push = |app: &mut Engine, id, kept| {
            let place = app.find(id).unwrap();
            app.traces.push((id, &mut app.lives.of_mut(place).ring), kept);
        };
        for step in 0..=TRACE_LENGTH_MAX as u64 {
            push(&mut app, entity, kept(step));
        }
        let steps = app.trace(entity);
        assert_eq!((steps.len(), steps[0].now_ms, steps[0].step), (TRACE_LENGTH_MAX, 1, 2));
        let last = TRACE_LENGTH_MAX as u64 + 1;
        assert_eq!(app.trace_after(entity, last - 1), steps[TRACE_LENGTH_MAX - 1..]);
        assert_eq!(app.trace_after(entity, last), []);
        assert_eq!((app.trace_gone(entity), app.trace_gone(entity.next())), (1, 0));
        push(&mut app, entity.next(), kept(0));
        assert_eq!(app.trace(entity.next())[0].step, last + 1, "one count for all");
        app.set_components(&Writer::Engine, &[Write::end(entity)], &[]).unwrap();
        assert_eq!(app.trace(entity), steps);
        assert_eq!(app.trace(entity.next().next()), []);
    }
}
