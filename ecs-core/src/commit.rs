//! The one write path: everything that changes a Component goes through here, whole or not at all.

pub(crate) mod change;
mod expected;

use crate::{
    Engine, EntityId, Error,
    component::{ComponentSpec, OWN_PREFIX, TypedComponent, WhenFrozen, WireComponent, Writable},
    delta,
    dispatch::ListId,
    inputs::{Entities, Inputs},
    life::{Foreign, Given, Id, Life, Texts},
    names::{ForeignId, Named},
    systems::{Systems, no_list},
    trace::Kept,
    write::{Record, Write, Writer},
};
use bevy_ecs::{entity::Entity, world::EntityWorldMut};
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
        let mut touched: Vec<EntityId> = changes.iter().map(|(entity, _)| *entity).collect();
        touched.sort_unstable();
        touched.dedup();
        let (mut waiting, mut place) = (BTreeSet::new(), None);
        for (entity, change) in changes.drain(..) {
            if self.concerns_waits(&change) {
                waiting.insert(entity);
            }
            self.apply_at(entity, change, &mut place);
        }
        self.judged = changes;
        self.note_given(batch);
        for entity in touched {
            self.follow_up(entity);
        }
        if !waiting.is_empty() {
            self.follow_waits(&waiting);
        }
        Ok(())
    }

    pub(crate) fn judge_all(
        &mut self,
        batch: &Batch<'_>,
    ) -> Result<Vec<(EntityId, Change)>, Error> {
        let mut changes = std::mem::take(&mut self.judged);
        changes.clear();
        for write in batch.writes {
            let entity = write.entity.or(batch.subject).ok_or_else(|| {
                Error::Invalid("a write outside a System must name its entity".to_owned())
            })?;
            self.judge(batch.writer, entity, write, &mut changes)?;
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
        let now_ms = self.world.resource::<Inputs>().now_ms;
        let matched = self.traces.line(&record.shown);
        if self.announces {
            self.announce(id, &record.system, &matched, None);
        }
        let system = record.system.as_str().into();
        self.traces.push(id, Kept { now_ms, system, matched });
    }

    pub(crate) fn apply(&mut self, entity: EntityId, change: Change) {
        self.apply_at(entity, change, &mut None);
    }

    /// Applies a change. `place` is where the Entity of the change before is: mostly the same.
    fn apply_at(&mut self, id: EntityId, change: Change, place: &mut Option<(EntityId, Entity)>) {
        let known = place.filter(|(last, _)| *last == id).map(|(_, target)| target);
        let target = match known.or_else(|| self.find(id)) {
            Some(target) => target,
            None if change.attaches() => self.spawn(id),
            None => return,
        };
        *place = Some((id, target));
        self.apply_to(id, target, change);
    }

    fn apply_to(&mut self, entity: EntityId, target: Entity, change: Change) {
        match change {
            Change::Clear => self.clear(entity, target),
            Change::AttachTyped(typed, json, insertion) => {
                let is_list = typed.id == self.systems_id;
                if is_list {
                    self.release_list(target);
                }
                let mut place = self.world.entity_mut(target);
                let old = if is_list {
                    place.get::<Systems>().map(Systems::to_json)
                } else {
                    Texts::put(&mut place, &typed, &json)
                };
                if old.as_ref().is_none_or(|old| !old.is_same_text(&json)) {
                    // A type writes a value in one way: another text is another value.
                    insertion(&mut place);
                    count(&mut place, i64::from(old.is_none()));
                    self.note_component(entity, typed.spec.name, Some(&json));
                }
                if is_list {
                    self.take_list(target);
                }
            }
            Change::AttachForeign(id, json) => {
                let mut place = self.world.entity_mut(target);
                let mut foreign = place.get_mut::<Foreign>().expect("spawned with it");
                let old = Arc::make_mut(&mut foreign.values).insert(id, json.clone());
                foreign.mask.insert(id);
                // The new text always stays; but only another value is a change.
                if old.as_ref() != Some(&json) {
                    count(&mut place, i64::from(old.is_none()));
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
                let mut place = self.world.entity_mut(target);
                (typed.remove)(&mut place);
                Texts::remove(&mut place, typed.id);
                count(&mut place, -1);
                self.note_component(entity, typed.spec.name, None);
            }
            Change::DetachForeign(id) => {
                let mut place = self.world.entity_mut(target);
                let mut foreign = place.get_mut::<Foreign>().expect("spawned with it");
                if foreign.values.contains_key(&id) {
                    Arc::make_mut(&mut foreign.values).remove(&id);
                    foreign.mask.remove(id);
                    count(&mut place, -1);
                    self.note_foreign(entity, id, None);
                }
            }
        }
    }

    fn concerns_waits(&self, change: &Change) -> bool {
        match change {
            Change::Clear => !self.waiting.is_empty(),
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
        let foreign = self.world.get::<Foreign>(target).expect("spawned with it");
        let names: Vec<ForeignId> = foreign.values.keys().copied().collect();
        for id in names {
            self.apply_to(entity, target, Change::DetachForeign(id));
        }
    }

    fn take_list(&mut self, target: Entity) {
        let lists = &mut self.lists;
        let mut systems = self.world.get_mut::<Systems>(target).expect("attached just now");
        let list = systems.shared_names().ok().and_then(|names| lists.take(names, systems.list));
        systems.list = list;
    }

    /// The interned list of an Entity; tried again if there was no room for it when it was written.
    pub(crate) fn list_of(&mut self, target: Entity) -> Result<ListId, Error> {
        let systems = self.world.get::<Systems>(target).ok_or_else(no_list)?;
        systems.shared_names()?;
        if systems.list.is_none() {
            self.take_list(target);
        }
        let list = self.world.get::<Systems>(target).and_then(|systems| systems.list);
        list.ok_or_else(|| {
            Error::InvalidSystems("too many different lists are in use, use fewer.".to_owned())
        })
    }

    fn release_list(&mut self, target: Entity) {
        if let Some(list) = self.world.get::<Systems>(target).and_then(|systems| systems.list) {
            self.lists.give_back(list);
        }
    }

    /// Makes the Entity with that number; there is none.
    fn spawn(&mut self, id: EntityId) -> Entity {
        let born_ms = self.world.resource::<Inputs>().now_ms;
        let notes = (Foreign::default(), Given::default(), Texts::default());
        let entity = self.world.spawn((Id(id), Life::new(born_ms), notes)).id();
        self.world.resource_mut::<Entities>().add(id, entity);
        self.note_life(id);
        entity
    }

    /// After a batch: an Entity that is frozen now forgets what was given to it; one that has
    /// nothing any more is gone.
    fn follow_up(&mut self, id: EntityId) {
        let Some(entity) = self.find(id) else { return };
        let place = self.world.entity(entity);
        let empty = place.get::<Life>().is_some_and(|life| life.attached == 0);
        let given = place.get::<Given>().is_some_and(|given| !given.0.is_empty());
        if given && self.is_frozen(id) {
            self.replace_given(id, Some(Given::default()));
        }
        if empty {
            self.end(id);
            self.note(|| delta::Change::Ended(id));
        }
    }
}

/// Notes a change, and how the number of attached Components changed with it.
fn count(place: &mut EntityWorldMut<'_>, attached: i64) {
    let mut life = place.get_mut::<Life>().expect("spawned with it");
    life.changes += 1;
    let now = i64::from(life.attached) + attached;
    life.attached = u32::try_from(now).expect("as many detached as attached");
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
