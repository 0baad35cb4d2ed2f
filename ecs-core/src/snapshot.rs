//! The state as data: what a crash must not lose.

mod image;

pub use image::Image;

use crate::{
    Engine, EntityId, Error, Json, Name,
    declared::{Additions, External},
    delta::{
        Notes,
        shared::{SinceSnapshot, Values, unnamed},
    },
    effect::Effect,
    inputs::{Entities, Inputs},
    write::{Write, Writer},
};
use serde::{Deserialize, Serialize};

/// One Entity with everything the engine notes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityState {
    /// Its number.
    pub entity: EntityId,
    /// Its Components, documented ones first.
    pub components: Vec<(Name, Json)>,
    /// Those whose values many Entities have: which of [`Snapshot::values`] each has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<(Name, u32)>,
    /// Effects that will still say something.
    pub outstanding: Vec<Effect>,
    /// What else the engine notes of it.
    pub notes: Notes,
}

/// The whole state of an engine, apart from this process's Systems and what is kept beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The Entities, by number.
    pub entities: Vec<EntityState>,
    /// Values that Entities share, in the order in which they are found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Json>,
    /// The external Systems.
    pub externals: Vec<External>,
    /// What stands in the default list beside the flow.
    #[serde(default, skip_serializing_if = "Additions::is_empty")]
    pub additions: Additions,
    next_entity: EntityId,
    next_effect: u64,
    next_invocation: u64,
    now_ms: u64,
}

impl Engine {
    /// The state now. The queue and the effects not yet taken are not in it: a crash loses those.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.image().snapshot()
    }

    /// Puts a state in place of the present one. What is registered, and traces, stay.
    /// ```
    /// # use ecs_core::{Engine, Json, Write, Writer};
    /// let mut app = Engine::new();
    /// let write = Write::to(app.new_entity()).attach_json("acme:x", Json::yes());
    /// app.set_components(&Writer::Caller, &[write], &[])?;
    /// let kept = app.snapshot();
    /// let mut other = Engine::new();
    /// other.restore(&kept)?;
    /// assert_eq!(other.snapshot(), kept);
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A Component of it is no longer documented, or its shape has changed. The engine then holds a
    /// part of the state only, and is of no use.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let recording = self.recording.take();
        let waiting = std::mem::take(&mut self.waiting);
        let restored = self.restore_all(snapshot);
        (self.recording, self.waiting) = (recording, waiting);
        self.finish_restore();
        restored
    }

    /// Looks through the state for who waits for whom, and for what external Systems are to answer:
    /// after the last [`Engine::apply_delta`].
    pub fn finish_restore(&mut self) {
        self.find_waits();
        self.find_invocations();
    }

    fn restore_all(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        for id in self.entities() {
            self.write_all(&[Write::end(id)])?;
        }
        self.queue.clear();
        self.steps.clear();
        self.effects.clear();
        self.replayed = Values::default();
        self.shared = SinceSnapshot::default();
        let now = Inputs { now_ms: snapshot.now_ms, ..Inputs::default() };
        self.take_inputs(now);
        for External(def, timeout_ms, declared) in &snapshot.externals {
            let (def, declared) = (def.clone(), declared.clone());
            self.systems.add_external(def, Some(*timeout_ms), declared, &mut self.names)?;
        }
        self.put_additions(snapshot.additions.clone());
        for state in &snapshot.entities {
            for (name, value) in &state.components {
                self.put_stored(state.entity, name, Some(value))?;
            }
            for (name, number) in &state.shared {
                let value = usize::try_from(*number).ok().and_then(|it| snapshot.values.get(it));
                let value = value.ok_or_else(|| unnamed(*number))?;
                self.put_stored(state.entity, name, Some(value))?;
            }
            self.restore_life(state);
        }
        self.world.resource_mut::<Entities>().next = snapshot.next_entity;
        self.next_effect = snapshot.next_effect;
        self.next_invocation = snapshot.next_invocation;
        self.recorded_counters = (snapshot.next_entity, self.next_effect, self.next_invocation);
        Ok(())
    }

    fn write_all(&mut self, writes: &[Write]) -> Result<(), Error> {
        self.set_components(&Writer::Engine, writes, &[])
    }

    fn restore_life(&mut self, state: &EntityState) {
        let Some(entity) = self.find(state.entity) else { return };
        self.lives.of_mut(entity).outstanding.clone_from(&state.outstanding);
        self.put_notes(state.entity, &state.notes);
    }
}
