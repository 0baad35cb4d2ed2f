//! Changes that were judged, applied: none fails any more.

use super::change::Change;
use crate::{
    Engine, EntityId, Error, Json, WireComponent,
    component::{Insertion, TypedComponent},
    delta,
    dispatch::ListId,
    inputs::Entities,
    life::{Given, Id, Life},
    names::ForeignId,
    systems::{Systems, no_list},
    trace::ChangeKind,
};
use bevy_ecs::entity::Entity;
use std::sync::Arc;

impl Engine {
    /// Applies a change. It makes the Entity, if it attaches something.
    pub(crate) fn apply(&mut self, id: EntityId, change: Change) {
        let target = match self.find_and_keep(id) {
            Some(target) => target,
            None if change.attaches() => self.spawn(id),
            None => return,
        };
        self.apply_to(id, target, change);
    }

    fn apply_to(&mut self, id: EntityId, target: Entity, change: Change) {
        match change {
            Change::Clear => self.clear(id, target),
            Change::End => {
                self.trace_end(id, target);
                self.release_list(target);
                self.end(id);
                self.note(|| delta::Change::Ended(id));
            }
            Change::AttachTyped(typed, json, insertion) => {
                self.attach_typed((id, target), typed, &json, insertion);
            }
            Change::AttachForeign(name, json) => self.attach_foreign((id, target), name, json),
            Change::DetachTyped(typed) => self.detach_typed((id, target), typed),
            Change::DetachForeign(name) => self.detach_foreign((id, target), name),
        }
    }

    fn attach_typed(
        &mut self,
        (id, target): (EntityId, Entity),
        typed: TypedComponent,
        json: &Json,
        insertion: Option<Insertion>,
    ) {
        let is_list = typed.id == self.systems_id;
        if is_list {
            self.release_list(target);
        }
        let (life, text) = (self.lives.of_mut(target), json.plain());
        let old = if is_list {
            self.world.get::<Systems>(target).map(Systems::to_json)
        } else {
            life.texts.put(typed, &text)
        };
        if old.as_ref().is_none_or(|old| !old.is_same_text(&text)) {
            // A type writes a value in one way: another text is another value.
            life.count(i64::from(old.is_none()));
            let before = match &old {
                Some(_) if is_list => self.world.get::<Systems>(target).map(Systems::weight),
                old => old.as_ref().map(|old| old.text().len()),
            };
            self.held.weigh(life, before, Some(text.text().len()));
            let mut place = self.world.entity_mut(target);
            match insertion {
                Some(insertion) => insertion(&mut place),
                None => (typed.insert_carried)(json, &mut place),
            }
            self.trace_typed(id, typed, ChangeKind::of_attaching(old.is_some()), Some(&text));
            self.note_component(id, typed.spec.name, Some(text));
        }
        if is_list {
            self.take_list(target);
        }
    }

    fn attach_foreign(&mut self, (id, target): (EntityId, Entity), name: ForeignId, json: Json) {
        let life = self.lives.of_mut(target);
        let old = Arc::make_mut(&mut life.foreign.values).insert(name, json.clone());
        life.foreign.mask.insert(name);
        let before = old.as_ref().map(|old| old.text().len());
        self.held.weigh(life, before, Some(json.text().len()));
        // The new text always stays; but only another value is a change.
        if old.as_ref() != Some(&json) {
            life.count(i64::from(old.is_none()));
            let change = ChangeKind::of_attaching(old.is_some());
            self.trace_foreign(id, name, change, Some(&json));
        }
        self.note_foreign(id, name, Some(json));
    }

    fn detach_typed(&mut self, (id, target): (EntityId, Entity), typed: TypedComponent) {
        if !self.world.entity(target).contains_id(typed.id) {
            return;
        }
        let is_list = typed.id == self.systems_id;
        if is_list {
            self.release_list(target);
        }
        let listed = self.world.get::<Systems>(target).filter(|_| is_list);
        let before = listed.map(Systems::weight);
        (typed.remove)(&mut self.world.entity_mut(target));
        let life = self.lives.of_mut(target);
        let text = life.texts.remove(typed.id);
        life.count(-1);
        let before = before.or_else(|| text.map(|text| text.text().len()));
        self.held.weigh(life, before, None);
        self.trace_typed(id, typed, ChangeKind::Detached, None);
        self.note_component(id, typed.spec.name, None);
    }

    fn detach_foreign(&mut self, (id, target): (EntityId, Entity), name: ForeignId) {
        let life = self.lives.of_mut(target);
        if !life.foreign.values.contains_key(&name) {
            return;
        }
        let old = Arc::make_mut(&mut life.foreign.values).remove(&name);
        life.foreign.mask.remove(name);
        life.count(-1);
        self.held.weigh(life, old.map(|old| old.text().len()), None);
        self.trace_foreign(id, name, ChangeKind::Detached, None);
        self.note_foreign(id, name, None);
    }

    fn clear(&mut self, entity: EntityId, target: Entity) {
        let here = self.world.entity(target);
        let typed = self.names.typed().map(|(_, typed)| *typed);
        let attached: Vec<TypedComponent> =
            typed.filter(|typed| here.contains_id(typed.id)).collect();
        for component in attached {
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
}

/// What is cleared and not written to again is over: that is one change, not one for each
/// Component.
pub(super) fn mark_ends(changes: &mut [(EntityId, Change)]) {
    for at in 0..changes.len() {
        let (id, change) = &changes[at];
        let is_last = || changes[at + 1..].iter().all(|(other, _)| other != id);
        if matches!(change, Change::Clear) && is_last() {
            changes[at].1 = Change::End;
        }
    }
}
