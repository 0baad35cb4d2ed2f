//! Which Systems ran on which Entity, and what they matched.

use crate::{EntityId, Json};
use foldhash::HashMap;
use serde::Serialize;
use std::{collections::VecDeque, sync::Arc};

/// Most steps that are kept of one Entity; the oldest go first.
pub const TRACE_LENGTH_MAX: usize = 512;
/// Most ended Entities whose traces are kept.
pub const ENDED_TRACES_MAX: usize = 1_000;

/// One System that ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceEntry {
    /// When, in milliseconds since 1970.
    pub now_ms: u64,
    /// Which System.
    pub system: Arc<str>,
    /// What it required, as it matched, without secrets; or the line a `ledger:…` System wrote.
    pub components: Vec<(Arc<str>, Json)>,
}

/// What a System matched. All that one System matched share its names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matched {
    pub(crate) names: Arc<[Arc<str>]>,
    /// By name; `None` where nothing is attached.
    pub(crate) values: Box<[Option<Json>]>,
}

impl Matched {
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (Arc<str>, Json)> + '_ {
        let pairs = self.names.iter().zip(&self.values);
        pairs.filter_map(|(name, value)| Some((Arc::clone(name), value.clone()?)))
    }
}

/// A step as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) now_ms: u64,
    pub(crate) system: Arc<str>,
    pub(crate) matched: Matched,
}

impl Kept {
    fn entry(&self) -> TraceEntry {
        let (system, components) = (Arc::clone(&self.system), self.matched.pairs().collect());
        TraceEntry { now_ms: self.now_ms, system, components }
    }
}

/// The last steps of an Entity.
type Ring = VecDeque<Kept>;

/// The traces of all Entities.
#[derive(Debug)]
pub(crate) struct Traces {
    /// Asked for one Entity at a time: its order is random.
    live: HashMap<EntityId, Ring>,
    ended: VecDeque<(EntityId, Ring)>,
    line_names: Arc<[Arc<str>]>,
}

impl Default for Traces {
    fn default() -> Self {
        let line_names = Arc::from([Arc::from("entry")]);
        Self { live: HashMap::default(), ended: VecDeque::new(), line_names }
    }
}

impl Traces {
    /// What is shown of a line of the books, as if its System had matched it.
    pub(crate) fn line(&self, shown: &Json) -> Matched {
        let values = Box::from([Some(shown.clone())]);
        Matched { names: Arc::clone(&self.line_names), values }
    }

    pub(crate) fn push(&mut self, entity: EntityId, entry: Kept) {
        let ring = self.live.entry(entity).or_default();
        if ring.len() == TRACE_LENGTH_MAX {
            ring.pop_front();
        }
        ring.push_back(entry);
    }

    pub(crate) fn end(&mut self, entity: EntityId) {
        if let Some(ring) = self.live.remove(&entity) {
            if self.ended.len() == ENDED_TRACES_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((entity, ring));
        }
    }

    pub(crate) fn of(&self, entity: EntityId) -> Vec<TraceEntry> {
        let ended = || self.ended.iter().rev().find(|(id, _)| *id == entity).map(|(_, ring)| ring);
        let ring = self.live.get(&entity).or_else(ended);
        ring.map_or_else(Vec::new, |ring| ring.iter().map(Kept::entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Matched {
        Matched { names: Arc::from([]), values: Box::from([]) }
    }

    #[test]
    fn a_trace_forgets_its_oldest_steps_and_outlives_its_entity() {
        let mut traces = Traces::default();
        let entity = EntityId::FIRST;
        for step in 0..=TRACE_LENGTH_MAX as u64 {
            traces.push(entity, Kept { now_ms: step, system: "acme:x".into(), matched: nothing() });
        }
        let kept = traces.of(entity);
        assert_eq!((kept.len(), kept[0].now_ms), (TRACE_LENGTH_MAX, 1));
        traces.end(entity);
        assert_eq!(traces.of(entity), kept);
        assert_eq!(traces.of(entity.next()), []);
    }
}
