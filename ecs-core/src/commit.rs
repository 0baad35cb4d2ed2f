//! The one write path: everything that changes a Component goes through here, whole or not at all.

pub(crate) mod change;
mod expected;

use crate::{
    Engine, EntityId, Error,
    component::{ComponentSpec, OWN_PREFIX, TypedComponent, WhenFrozen, WireComponent, Writable},
    delta,
    dispatch::ListId,
    inputs::Entities,
    life::{Given, Id, Life},
    names::{ForeignId, Named},
    systems::{Systems, no_list},
    trace::{ChangeKind, Kept},
    write::{Record, Write, Writer},
};
use bevy_ecs::entity::Entity;
use change::{Change, decode};
use std::{collections::BTreeSet, sync::Arc};

/// Everything that is written in one record.
pub(crate) struct Batch<'a> {
    pub(crate) writer: &'a Writer,
    /// The Entity that writes without a number mean.
    pub(crate) subject: Option<EntityId>,
    pub(crate) writes: &'a [Write],
    pub(crate) records: &'a [Record],
}

impl Engine {
    /// Writes a batch.
    ///
    /// # Errors
    /// A name, value or writer is refused, or what is kept beside refuses its lines; then nothing
    /// was written.
    pub(crate) fn commit(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let names = self.names.mark();
        let judged = self.judge_all(batch).and_then(|changes| {
            self.keep(batch)?;
            Ok(changes)
        });
        let mut changes = judged.inspect_err(|_| self.names.forget_since(names))?;
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(changes.iter().map(|(entity, _)| *entity));
        // Mostly one alone.
        touched.dedup();
        touched.sort_unstable();
        touched.dedup();
        let made = self.to_be_made(batch.writer, &touched);
        let mut waiting = BTreeSet::new();
        mark_ends(&mut changes);
        for (entity, change) in changes.drain(..) {
            if self.concerns_waits(&change) {
                waiting.insert(entity);
            }
            self.apply(entity, change);
        }
        self.judged = changes;
        self.note_given(batch);
        self.note_maker(&made);
        for entity in touched.drain(..) {
            self.follow_up(entity);
        }
        self.touched = touched;
        if !waiting.is_empty() {
            self.follow_waits(&waiting);
        }
        Ok(())
    }

    pub(crate) fn judge_all(
        &mut self,
        batch: &Batch<'_>,
    ) -> Result<Vec<(EntityId, Change)>, Error> {
        let names = self.names.mark();
        let mut changes = std::mem::take(&mut self.judged);
        changes.clear();
        for write in batch.writes {
            let entity = write.entity.or(batch.subject).ok_or_else(|| {
                Error::Invalid("a write outside a System must name its entity".to_owned())
            })?;
            self.judge(batch.writer, entity, write, &mut changes)?;
        }
        if *batch.writer != Writer::Engine {
            self.check_names(names)?;
            self.check_quotas(&changes)?;
        }
        Ok(changes)
    }

    fn judge(
        &mut self,
        writer: &Writer,
        entity: EntityId,
        write: &Write,
        changes: &mut Vec<(EntityId, Change)>,
    ) -> Result<(), Error> {
        let frozen = *writer != Writer::Engine && self.is_frozen(entity);
        if write.exact {
            if frozen {
                return Err(frozen_error(entity, "`exact`"));
            }
            changes.push((entity, Change::Clear));
        }
        for (name, value) in &write.components {
            let value = value.as_ref().filter(|value| !value.is_null());
            let mut named = match value {
                Some(_) => Some(self.names.intern(name)?),
                None => self.names.look_up(name)?,
            };
            if *writer != Writer::Engine {
                match named {
                    Some(Named::Typed(typed)) => {
                        if let Some(json) = value {
                            self.check_wait(entity, name, json)?;
                        }
                        named = Some(self.permit_typed(
                            writer,
                            (entity, frozen),
                            typed,
                            value.is_some(),
                        )?);
                    }
                    Some(Named::Foreign(_)) | None => {
                        permit_foreign(writer, entity, name, frozen)?;
                    }
                }
            }
            if let Some(named) = named {
                changes.push((entity, decode(writer, name, named, value)?));
            }
        }
        Ok(())
    }

    /// What a caller's write of a documented Component comes to.
    fn permit_typed(
        &self,
        writer: &Writer,
        (entity, frozen): (EntityId, bool),
        typed: Arc<TypedComponent>,
        attaching: bool,
    ) -> Result<Named, Error> {
        let ComponentSpec { name, writable, when_frozen, .. } = typed.spec;
        if matches!(writer, Writer::Plugin(_)) && self.guarded.contains_key(name) {
            return Err(Error::Invalid(format!("`{name}` is not for Systems to write")));
        }
        if writable == Writable::Engine && attaching {
            return Err(Error::Invalid(format!("`{name}` is set by the engine")));
        }
        if !frozen {
            return Ok(Named::Typed(typed));
        }
        match when_frozen {
            WhenFrozen::Allowed => Ok(Named::Typed(typed)),
            WhenFrozen::Becomes(other) if attaching && self.may_still_become(entity, other) => {
                Ok(self.names.find(other).unwrap_or(Named::Typed(typed)))
            }
            WhenFrozen::Becomes(_) | WhenFrozen::Refused => Err(frozen_error(entity, name)),
        }
    }

    /// Whether an Entity is under way and says nothing of that kind yet.
    fn may_still_become(&self, entity: EntityId, other: &str) -> bool {
        self.get::<Systems>(entity).is_some() && self.component(entity, other).is_none()
    }

    /// Hands the batch's lines to what is kept beside the Components.
    fn keep(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        if batch.records.is_empty() {
            return Ok(());
        }
        let kept = self.keep_lines(batch.subject, batch.records).map_err(Error::Refused)?;
        self.note_lines(kept, batch.records);
        if let Some(id) = batch.subject {
            batch.records.iter().for_each(|record| self.note_line(id, record));
        }
        Ok(())
    }

    /// Traces a line and, where someone watches, announces it, as the System it is named for.
    fn note_line(&mut self, id: EntityId, record: &Record) {
        let now_ms = self.now_ms;
        let matched = self.traces.line(&record.shown);
        if self.announces {
            self.announce(id, &record.system, &matched, None);
        }
        let system = record.system.as_str().into();
        self.traces.push(id, Kept::new(now_ms, system, matched));
    }

    /// Applies a change. It makes the Entity, if it attaches something.
    pub(crate) fn apply(&mut self, id: EntityId, change: Change) {
        let target = match self.find_and_keep(id) {
            Some(target) => target,
            None if change.attaches() => self.spawn(id),
            None => return,
        };
        self.apply_to(id, target, change);
    }

    fn apply_to(&mut self, entity: EntityId, target: Entity, change: Change) {
        match change {
            Change::Clear => self.clear(entity, target),
            Change::End => {
                self.trace_end(entity, target);
                self.release_list(target);
                self.end(entity);
                self.note(|| delta::Change::Ended(entity));
            }
            Change::AttachTyped(typed, json, insertion) => {
                let is_list = typed.id == self.systems_id;
                if is_list {
                    self.release_list(target);
                }
                let (life, text) = (self.lives.of_mut(target), json.plain());
                let old = if is_list {
                    self.world.get::<Systems>(target).map(Systems::to_json)
                } else {
                    life.texts.put(&typed, &text)
                };
                if old.as_ref().is_none_or(|old| !old.is_same_text(&text)) {
                    // A type writes a value in one way: another text is another value.
                    life.count(i64::from(old.is_none()));
                    let before = match &old {
                        Some(_) if is_list => {
                            self.world.get::<Systems>(target).map(Systems::weight)
                        }
                        old => old.as_ref().map(|old| old.text().len()),
                    };
                    self.held.weigh(life, before, Some(text.text().len()));
                    let mut place = self.world.entity_mut(target);
                    match insertion {
                        Some(insertion) => insertion(&mut place),
                        None => (typed.insert_carried)(&json, &mut place),
                    }
                    let change = ChangeKind::of_attaching(old.is_some());
                    self.trace_typed(entity, &typed, change, Some(&text));
                    self.note_component(entity, typed.spec.name, Some(text));
                }
                if is_list {
                    self.take_list(target);
                }
            }
            Change::AttachForeign(id, json) => {
                let life = self.lives.of_mut(target);
                let old = Arc::make_mut(&mut life.foreign.values).insert(id, json.clone());
                life.foreign.mask.insert(id);
                let before = old.as_ref().map(|old| old.text().len());
                self.held.weigh(life, before, Some(json.text().len()));
                // The new text always stays; but only another value is a change.
                if old.as_ref() != Some(&json) {
                    life.count(i64::from(old.is_none()));
                    let change = ChangeKind::of_attaching(old.is_some());
                    self.trace_foreign(entity, id, change, Some(&json));
                }
                self.note_foreign(entity, id, Some(&json));
            }
            Change::DetachTyped(typed) => {
                if !self.world.entity(target).contains_id(typed.id) {
                    return;
                }
                if typed.id == self.systems_id {
                    self.release_list(target);
                }
                let listed = self.world.get::<Systems>(target);
                let before = listed.filter(|_| typed.id == self.systems_id).map(Systems::weight);
                (typed.remove)(&mut self.world.entity_mut(target));
                let life = self.lives.of_mut(target);
                let text = life.texts.remove(typed.id);
                life.count(-1);
                let before = before.or_else(|| text.map(|text| text.text().len()));
                self.held.weigh(life, before, None);
                self.trace_typed(entity, &typed, ChangeKind::Detached, None);
                self.note_component(entity, typed.spec.name, None);
            }
            Change::DetachForeign(id) => {
                let life = self.lives.of_mut(target);
                if life.foreign.values.contains_key(&id) {
                    let old = Arc::make_mut(&mut life.foreign.values).remove(&id);
                    life.foreign.mask.remove(id);
                    life.count(-1);
                    let before = old.map(|old| old.text().len());
                    self.held.weigh(life, before, None);
                    self.trace_foreign(entity, id, ChangeKind::Detached, None);
                    self.note_foreign(entity, id, None);
                }
            }
        }
    }

    fn concerns_waits(&self, change: &Change) -> bool {
        match change {
            Change::Clear | Change::End => !self.waiting.is_empty(),
            Change::AttachTyped(typed, ..) | Change::DetachTyped(typed) => {
                self.waiting.contains(&typed.id)
            }
            Change::AttachForeign(..) | Change::DetachForeign(_) => false,
        }
    }

    fn clear(&mut self, entity: EntityId, target: Entity) {
        let here = self.world.entity(target);
        let typed = self.names.typed().filter(|typed| here.contains_id(typed.id));
        for component in typed.cloned().collect::<Vec<_>>() {
            self.apply_to(entity, target, Change::DetachTyped(component));
        }
        let names: Vec<ForeignId> = self.lives.of(target).foreign.values.keys().copied().collect();
        for id in names {
            self.apply_to(entity, target, Change::DetachForeign(id));
        }
    }

    fn take_list(&mut self, target: Entity) {
        let mut systems = self.world.get_mut::<Systems>(target).expect("attached just now");
        let names = systems.shared_names().ok();
        let list = names.and_then(|names| self.lists.take(names, systems.list));
        (systems.list, self.lives.of_mut(target).list) = (list, list);
    }

    /// The interned list of an Entity; tried again if there was no room for it when it was written.
    pub(crate) fn list_of(&mut self, target: Entity) -> Result<ListId, Error> {
        if let Some(list) = self.lives.of(target).list {
            return Ok(list);
        }
        self.world.get::<Systems>(target).ok_or_else(no_list)?.shared_names()?;
        self.take_list(target);
        self.lives.of(target).list.ok_or_else(|| {
            Error::InvalidSystems("too many different lists are in use, use fewer.".to_owned())
        })
    }

    fn release_list(&mut self, target: Entity) {
        if let Some(list) = self.lives.of_mut(target).list.take() {
            self.lists.give_back(list);
        }
    }

    /// Makes the Entity with that number; there is none.
    fn spawn(&mut self, id: EntityId) -> Entity {
        let entity = self.world.spawn((Id(id), Given::default())).id();
        self.lives.begin(entity, Life::new(self.now_ms));
        self.world.resource_mut::<Entities>().add(id, entity);
        self.last = Some((id, entity));
        self.note_life(id);
        entity
    }

    /// After a batch: an Entity that is frozen now forgets what was given to it; one that has
    /// nothing any more is gone.
    fn follow_up(&mut self, id: EntityId) {
        let Some(entity) = self.find(id) else { return };
        let empty = self.lives.of(entity).attached == 0;
        let given = self.world.get::<Given>(entity).is_some_and(|given| !given.0.is_empty());
        if given && self.is_frozen(id) {
            self.replace_given(id, Some(Given::default()));
        }
        if empty {
            self.end(id);
            self.note(|| delta::Change::Ended(id));
        }
    }
}

/// What is cleared and not written to again is over: that is one change, not one for each
/// Component.
fn mark_ends(changes: &mut [(EntityId, Change)]) {
    for at in 0..changes.len() {
        let (id, change) = &changes[at];
        let is_last = || changes[at + 1..].iter().all(|(other, _)| other != id);
        if matches!(change, Change::Clear) && is_last() {
            changes[at].1 = Change::End;
        }
    }
}

fn permit_foreign(
    writer: &Writer,
    entity: EntityId,
    name: &str,
    frozen: bool,
) -> Result<(), Error> {
    if name.starts_with(OWN_PREFIX) {
        return if frozen { Err(frozen_error(entity, name)) } else { Ok(()) };
    }
    match writer {
        Writer::Plugin(prefix) if !name.starts_with(prefix.as_str()) => Err(Error::Invalid(
            format!("a System of `{prefix}` may not write `{name}`: it is another party's name"),
        )),
        Writer::Plugin(_) | Writer::Caller | Writer::Engine => Ok(()),
    }
}

pub(crate) fn frozen_error(entity: EntityId, what: &str) -> Error {
    Error::Frozen(format!(
        "Entity {entity} is frozen: {what} can no longer be changed from outside."
    ))
}
