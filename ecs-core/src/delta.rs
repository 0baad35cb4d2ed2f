//! What one command changed, as data: a state and the deltas after it give the state after them.

mod recording;
pub(crate) mod shared;

pub(crate) use recording::Recording;

use crate::{
    Engine, EntityId, Error, Json,
    commit::change::decode_stored,
    declared::{Additions, External},
    effect::{Effect, EffectId},
    error::Refusal,
    inputs::{Entities, Inputs},
    life::{Given, Invocation, Life, Recorded},
    names::ForeignId,
    systems::{ListProgress, Systems},
    write::Record,
};
use bevy_ecs::entity::Entity;
use recording::{CHANGES_USUAL, in_order};
use serde::{Deserialize, Serialize};
use shared::{SinceSnapshot, unnamed};
use std::{
    borrow::Cow,
    mem::{self, replace},
    sync::Arc,
};

/// Everything that changed since the last delta was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Time and randomness of the command.
    pub inputs: Inputs,
    /// The changes, in order.
    pub changes: Vec<Change>,
    next_entity: EntityId,
    next_effect: u64,
    next_invocation: u64,
}

/// One change of the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A Component was attached or replaced; without a value it was detached.
    Component(EntityId, Cow<'static, str>, Option<Json>),
    /// From here on this number stands for this value.
    Value(u32, Json),
    /// A Component was attached or replaced, with the value that this number stands for.
    Shared(EntityId, Cow<'static, str>, u32),
    /// The last Component of an Entity was detached: it is gone, with everything noted of it.
    Ended(EntityId),
    /// Lines were kept beside the Components, on behalf of the Entity that the keeper named.
    Lines(Option<EntityId>, Vec<Line>),
    /// An effect is awaited from now on.
    Awaited(Box<Effect>),
    /// It no longer is.
    Over(EntityId, EffectId),
    /// What the engine notes of an Entity, without what was given to it.
    Life(EntityId, Box<Notes>),
    /// Callers gave these Components as they are here; `true`: and nothing of before counts.
    Given(EntityId, bool, Vec<Arc<str>>),
    /// What an Entity's list says of its last match, without the list.
    Progress(EntityId, ListProgress),
    /// An external System was registered, or something else is said of it.
    Registered(Box<External>),
    /// An external System was taken away.
    Unregistered(String),
    /// Other Systems stand beside the flow in the default list.
    Listed(Box<Additions>),
    /// A word about an Entity that whoever drives the engine added to the record: the engine passes
    /// over it.
    Noted(EntityId, Cow<'static, str>),
    /// The same about no Entity, under a topic: see [`Engine::note_beside`].
    Beside(Cow<'static, str>, Json),
}

/// A line that was kept beside the Components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The System it is traced as.
    pub system: String,
    /// The line.
    pub body: Json,
}

/// What the engine notes of an Entity, effects left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    pub(crate) born_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_ms: Option<u64>,
    pub(crate) steps: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invocation: Option<Box<Invocation>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    /// Systems that may not run on it any more: they looped, failed or used up its steps.
    pub muted: Vec<String>,
    /// No System of a third party may run on it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_systems_only: bool,
    /// The token of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) maker: Option<Arc<str>>,
    /// See [`Given`]; `None`: what it was before, as it is said by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) given: Option<Given>,
}

impl Notes {
    pub(crate) fn of(life: &Life, given: Option<Given>) -> Self {
        Self {
            born_ms: life.born_ms,
            ended_ms: life.ended_ms,
            steps: life.steps,
            invocation: life.invocation.clone(),
            muted: life.muted.iter().map(ToString::to_string).collect(),
            own_systems_only: life.own_systems_only,
            maker: life.maker.clone(),
            given,
        }
    }

    fn put(&self, life: &mut Life) {
        life.born_ms = self.born_ms;
        life.ended_ms = self.ended_ms;
        life.steps = self.steps;
        life.invocation.clone_from(&self.invocation);
        life.muted = self.muted.iter().map(|name| Arc::from(name.as_str())).collect();
        life.own_systems_only = self.own_systems_only;
    }
}

impl Engine {
    /// Begins to note what changes, for [`Engine::take_delta`], or stops it.
    pub fn record_changes(&mut self, record: bool) {
        self.recording = record.then(Recording::default);
        self.lives.all_mut().for_each(|life| life.recorded = Recorded::default());
        self.shared = SinceSnapshot::default();
    }

    /// What changed since the last call; `None` where nothing did, or nothing is recorded.
    /// ```
    /// # use ecs_core::{Engine, Inputs, Json, Write, Writer};
    /// let mut app = Engine::new();
    /// app.record_changes(true);
    /// let before = app.snapshot();
    /// app.begin(Inputs { now_ms: 7, ..Inputs::default() });
    /// let write = Write::to(app.new_entity()).attach_json("acme:x", Json::yes());
    /// app.set_components(&Writer::Caller, &[write], &[])?;
    /// let delta = app.take_delta().expect("something changed");
    /// assert_eq!(app.take_delta(), None);
    /// let mut other = Engine::new();
    /// other.restore(&before)?;
    /// other.apply_delta(&delta)?;
    /// assert_eq!(other.snapshot(), app.snapshot());
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    #[must_use]
    pub fn take_delta(&mut self) -> Option<Delta> {
        let recording = self.recording.as_mut()?;
        let (lives, matched) = (mem::take(&mut recording.noted), mem::take(&mut recording.matched));
        let room = if recording.changes.is_empty() { 0 } else { CHANGES_USUAL };
        let mut changes = mem::replace(&mut recording.changes, Vec::with_capacity(room));
        for id in in_order(matched) {
            let Some(entity) = self.find(id) else { continue };
            self.lives.of_mut(entity).recorded.progress = false;
            let progress = self.world.get::<Systems>(entity).and_then(Systems::progress);
            changes.extend(progress.map(|progress| Change::Progress(id, progress)));
        }
        for id in in_order(lives) {
            let Some(entity) = self.find(id) else { continue };
            let life = self.lives.of_mut(entity);
            life.recorded.notes = false;
            changes.push(Change::Life(id, Box::new(Notes::of(life, None))));
        }
        let next_entity = self.world.resource::<Entities>().next;
        let counters = (next_entity, self.next_effect, self.next_invocation);
        if changes.is_empty() && counters == self.recorded_counters {
            return None;
        }
        self.recorded_counters = counters;
        Some(Delta {
            inputs: *self.world.resource::<Inputs>(),
            changes,
            next_entity,
            next_effect: self.next_effect,
            next_invocation: self.next_invocation,
        })
    }

    /// Adds to the record of the command what somebody beside the engine has to hear of again after
    /// a restart, under a topic. Where nothing is recorded, nothing is noted.
    pub fn note_beside(&mut self, topic: &'static str, what: Json) {
        self.note(|| Change::Beside(topic.into(), what));
    }

    /// Changes the state as a command did. Nothing runs and no effect comes out; after the last
    /// delta, [`Engine::finish_restore`].
    ///
    /// # Errors
    /// A Component is no longer documented, its shape has changed, or what is kept beside refuses
    /// its lines: the delta does not belong to this state. The engine is of no use then.
    pub fn apply_delta(&mut self, delta: &Delta) -> Result<(), Error> {
        let recording = self.recording.take();
        let waiting = mem::take(&mut self.waiting);
        self.take_inputs(delta.inputs);
        let applied = delta.changes.iter().try_for_each(|change| self.redo(change));
        self.effects.clear();
        self.forget_removals();
        self.world.resource_mut::<Entities>().next = delta.next_entity;
        self.next_effect = delta.next_effect;
        self.next_invocation = delta.next_invocation;
        self.recorded_counters = (delta.next_entity, delta.next_effect, delta.next_invocation);
        (self.recording, self.waiting) = (recording, waiting);
        applied
    }

    fn redo(&mut self, change: &Change) -> Result<(), Error> {
        match change {
            Change::Component(id, name, value) => self.put_stored(*id, name, value.as_ref())?,
            Change::Value(number, value) => {
                if !self.replayed.put(*number, value) {
                    return Err(unnamed(*number));
                }
            }
            Change::Shared(id, name, number) => {
                let value = self.replayed.get(*number).ok_or_else(|| unnamed(*number))?.clone();
                self.put_stored(*id, name, Some(&value))?;
            }
            Change::Ended(id) => self.end(*id),
            Change::Lines(subject, lines) => {
                self.keep_lines(*subject, &records_of(lines)).map_err(Error::Refused)?;
            }
            Change::Awaited(effect) => self.with_life(effect.entity, |life| {
                life.outstanding.push(Effect::clone(effect));
            }),
            Change::Over(id, effect) => self.with_life(*id, |life| {
                life.take_outstanding(*effect);
            }),
            Change::Life(id, notes) => self.put_notes(*id, notes),
            Change::Given(id, anew, names) => self.give_again(*id, *anew, names),
            Change::Progress(id, progress) => {
                let entity = self.find(*id);
                if let Some(mut systems) = entity.and_then(|it| self.world.get_mut::<Systems>(it)) {
                    systems.set_progress(progress.clone());
                }
            }
            Change::Registered(external) => {
                let External(def, timeout_ms, declared) = &**external;
                let (def, declared) = (def.clone(), declared.clone());
                self.systems.add_external(def, Some(*timeout_ms), declared, &mut self.names)?;
            }
            Change::Unregistered(name) => _ = self.systems.remove_external(name),
            Change::Listed(additions) => self.put_additions(Additions::clone(additions)),
            Change::Noted(..) | Change::Beside(..) => {}
        }
        Ok(())
    }

    /// Attaches or detaches what was taken before. Limits are not judged again: what an engine has
    /// taken, or written itself, it must be able to take back.
    pub(crate) fn put_stored(
        &mut self,
        id: EntityId,
        name: &str,
        value: Option<&Json>,
    ) -> Result<(), Error> {
        let named = match value {
            Some(_) => Some(self.names.intern(name)?),
            None => self.names.look_up(name)?,
        };
        if let Some(named) = named {
            let change = decode_stored(named, value)?;
            self.apply(id, change);
        }
        Ok(())
    }

    /// Hands lines again to what is kept beside the Components, as they were kept at `now_ms`:
    /// where that is brought back from its own file. Nothing is traced or recorded.
    ///
    /// # Errors
    /// Who keeps them refuses.
    pub fn keep_again(
        &mut self,
        now_ms: u64,
        on_behalf_of: Option<EntityId>,
        lines: &[Line],
    ) -> Result<(), Error> {
        self.begin(Inputs { now_ms, ..Inputs::default() });
        self.keep_lines(on_behalf_of, &records_of(lines)).map_err(Error::Refused)?;
        Ok(())
    }

    fn with_life(&mut self, id: EntityId, change: impl FnOnce(&mut Life)) {
        if let Some(entity) = self.find(id) {
            change(self.lives.of_mut(entity));
        }
    }

    pub(crate) fn put_notes(&mut self, id: EntityId, notes: &Notes) {
        let Some(entity) = self.find(id) else { return };
        let life = self.lives.of_mut(entity);
        notes.put(life);
        self.held.give(life, notes.maker.clone());
        self.put_given(entity, notes.given.as_ref());
    }

    /// Hands lines to what is kept beside the Components.
    pub(crate) fn keep_lines(
        &mut self,
        subject: Option<EntityId>,
        records: &[Record],
    ) -> Result<Option<EntityId>, Refusal> {
        let keeper = self.keeper.ok_or_else(|| {
            let what = "records were written, but nothing keeps them".to_owned();
            Refusal::from(Error::SystemFailed(what))
        })?;
        keeper(&mut self.world, subject, records)
    }

    /// Notes a change, where changes are noted.
    pub(crate) fn note(&mut self, change: impl FnOnce() -> Change) {
        if let Some(recording) = &mut self.recording {
            recording.changes.push(change());
        }
    }

    /// Notes that a Component was attached, replaced or detached.
    pub(crate) fn note_component(&mut self, id: EntityId, name: &'static str, value: Option<Json>) {
        let Some(recording) = &mut self.recording else { return };
        let name = Cow::Borrowed(name);
        let Some(shared) = value.as_ref().filter(|value| shared::is_shared(&name, value)) else {
            recording.changes.push(Change::Component(id, name, value));
            return;
        };
        let values = self.shared.values();
        let number = values.find(shared).unwrap_or_else(|| {
            let number = values.add(shared);
            recording.changes.push(Change::Value(number, shared.clone()));
            number
        });
        recording.changes.push(Change::Shared(id, name, number));
    }

    /// The same of a Component without a type.
    pub(crate) fn note_foreign(&mut self, id: EntityId, name: ForeignId, value: Option<Json>) {
        if self.recording.is_some() {
            let name = self.names.text(name).to_string();
            self.note(|| Change::Component(id, name.into(), value));
        }
    }

    /// Notes that what the engine notes of an Entity changed.
    pub(crate) fn note_life(&mut self, id: EntityId) {
        if let Some(entity) = self.find(id) {
            self.life_mut(id, entity);
        }
    }

    /// Notes lines that were kept.
    pub(crate) fn note_lines(&mut self, subject: Option<EntityId>, records: &[Record]) {
        self.note(|| {
            let line =
                |record: &Record| Line { system: record.system.clone(), body: record.body.plain() };
            Change::Lines(subject, records.iter().map(line).collect())
        });
    }

    /// An Entity's life, to be changed.
    pub(crate) fn life_mut(&mut self, id: EntityId, entity: Entity) -> &mut Life {
        let life = self.lives.of_mut(entity);
        if let Some(recording) = &mut self.recording
            && !replace(&mut life.recorded.notes, true)
        {
            recording.noted.push(id);
        }
        life
    }

    /// An Entity's list, to note its last match.
    pub(crate) fn systems_mut(
        &mut self,
        id: EntityId,
        entity: Entity,
    ) -> Option<bevy_ecs::change_detection::Mut<'_, Systems>> {
        if let Some(recording) = &mut self.recording
            && !replace(&mut self.lives.of_mut(entity).recorded.progress, true)
        {
            recording.matched.push(id);
        }
        self.world.get_mut::<Systems>(entity)
    }
}

fn records_of(lines: &[Line]) -> Vec<Record> {
    lines.iter().map(|line| Record::new(&line.system, line.body.clone())).collect()
}
