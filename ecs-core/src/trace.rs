//! Which Systems ran on which Entity, and what they matched.

use crate::{EntityId, Json};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

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

/// The traces of all Entities.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    live: BTreeMap<EntityId, VecDeque<TraceEntry>>,
    ended: VecDeque<(EntityId, VecDeque<TraceEntry>)>,
}

impl Traces {
    pub(crate) fn push(&mut self, entity: EntityId, entry: TraceEntry) {
        let ring = self.live.entry(entity).or_default();
        if ring.len() == TRACE_LENGTH_MAX {
            ring.pop_front();
        }
        ring.push_back(entry);
    }

    /// The Entity is gone: its trace is kept among the last of those.
    pub(crate) fn end(&mut self, entity: EntityId) {
        if let Some(ring) = self.live.remove(&entity) {
            if self.ended.len() == ENDED_TRACES_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((entity, ring));
        }
    }

    /// What is kept of an Entity, oldest first.
    pub(crate) fn of(&self, entity: EntityId) -> Vec<TraceEntry> {
        let ended = || self.ended.iter().rev().find(|(id, _)| *id == entity).map(|(_, ring)| ring);
        let ring = self.live.get(&entity).or_else(ended);
        ring.map_or_else(Vec::new, |ring| ring.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_forgets_its_oldest_steps_and_outlives_its_entity() {
        let mut traces = Traces::default();
        let entity = EntityId::FIRST;
        for step in 0..=TRACE_LENGTH_MAX as u64 {
            traces.push(
                entity,
                TraceEntry { now_ms: step, system: "acme:x".into(), components: Vec::new() },
            );
        }
        let kept = traces.of(entity);
        assert_eq!((kept.len(), kept[0].now_ms), (TRACE_LENGTH_MAX, 1));
        traces.end(entity);
        assert_eq!(traces.of(entity), kept);
        assert_eq!(traces.of(entity.next()), []);
    }
}
