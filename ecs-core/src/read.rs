//! Reading the state: what there is, what is attached, what is awaited.

use crate::{
    EntityId, Json,
    component::{ComponentSpec, WireComponent},
    effect::{Effect, EffectClass},
    engine::Engine,
    inputs::Entities,
    life::Life,
    names::Named,
    registry::Owner,
    system::SystemDef,
    trace::Counts,
};
use bevy_ecs::entity::Entity;
use std::sync::Arc;

impl Engine {
    /// All Entities, by number.
    #[must_use]
    pub fn entities(&self) -> Vec<EntityId> {
        self.world.resource::<Entities>().after(None).collect()
    }

    pub(crate) fn find(&self, id: EntityId) -> Option<Entity> {
        let last = self.last.filter(|(last, _)| *last == id).map(|(_, entity)| entity);
        last.or_else(|| self.world.resource::<Entities>().get(id))
    }

    /// The same, for an Entity that much is done with.
    pub(crate) fn find_and_keep(&mut self, id: EntityId) -> Option<Entity> {
        let entity = self.find(id)?;
        self.last = Some((id, entity));
        Some(entity)
    }

    /// One Component; `None` where it, or the Entity, isn't there.
    #[must_use]
    pub fn component(&self, id: EntityId, name: &str) -> Option<Json> {
        self.value_of(self.find(id)?, self.names.shared(name)?.1)
    }

    pub(crate) fn value_of(&self, entity: Entity, name: &Named) -> Option<Json> {
        self.value_in(self.lives.of(entity), entity, name)
    }

    /// The same, where the notes of the Entity are at hand.
    #[inline]
    pub(crate) fn value_in(&self, life: &Life, entity: Entity, name: &Named) -> Option<Json> {
        match name {
            Named::Typed(typed) => typed.text(self.world.entity(entity), &life.texts),
            Named::Foreign(name) => life.foreign.values.get(name).cloned(),
        }
    }

    pub(crate) fn is_attached(&self, id: EntityId, name: &Named) -> bool {
        let Some(entity) = self.find(id) else { return false };
        match name {
            Named::Typed(typed) => self.world.entity(entity).contains_id(typed.id),
            Named::Foreign(name) => self.lives.of(entity).foreign.values.contains_key(name),
        }
    }

    /// One documented Component with its type.
    #[must_use]
    pub fn get<C: WireComponent>(&self, id: EntityId) -> Option<&C> {
        self.world.get::<C>(self.find(id)?)
    }

    /// All Components, by name in byte order, secret ones too.
    #[must_use]
    pub fn components(&self, id: EntityId) -> Vec<(Arc<str>, Json)> {
        let Some(entity) = self.find(id) else { return Vec::new() };
        let attached = self.attached(entity);
        let all = attached.by_name(self.names.foreign_texts()).into_iter();
        all.map(|(name, json)| (Arc::from(name), json.clone())).collect()
    }

    /// The names of all Components, in byte order.
    pub(crate) fn attached_names(&self, entity: Entity) -> Vec<Arc<str>> {
        let (foreign, entity) = (&self.lives.of(entity).foreign, self.world.entity(entity));
        let typed = self.names.typed().filter(|(_, typed)| entity.contains_id(typed.id));
        let foreign = foreign.values.keys();
        let mut names: Vec<Arc<str>> = typed
            .map(|(name, _)| Arc::clone(name))
            .chain(foreign.map(|name| Arc::clone(self.names.text(*name))))
            .collect();
        names.sort();
        names
    }

    /// Whether a Component is never shown.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.names.find(name).is_some_and(|named| named.is_secret())
    }

    /// Whether callers can no longer change the Entity's documented Components.
    #[must_use]
    pub fn is_frozen(&self, id: EntityId) -> bool {
        let Some(entity) = self.find(id) else { return false };
        let entity = self.world.entity(entity);
        self.freezing.iter().any(|component| entity.contains_id(*component))
    }

    /// The specs of all documented Components, by name.
    pub fn component_specs(&self) -> impl Iterator<Item = &ComponentSpec> {
        self.names.typed().map(|(_, typed)| &typed.spec)
    }

    /// All registered Systems with their owners, in order of registration.
    pub fn registered_systems(&self) -> impl Iterator<Item = (&SystemDef, &Owner)> {
        self.systems.iter().map(|system| (&system.def, &system.owner))
    }

    /// What is counted of each registered System, in the order of registration.
    pub fn system_counts(&self) -> impl Iterator<Item = (&str, &Owner, &Counts)> {
        self.systems.iter().map(|it| (&*it.def.system, &it.owner, &it.counts))
    }

    /// Whether a System of that name is registered.
    #[must_use]
    pub fn has_system(&self, name: &str) -> bool {
        self.systems.find(name).is_some()
    }

    /// The effects of an Entity that will still say something.
    #[must_use]
    pub fn outstanding(&self, id: EntityId) -> &[Effect] {
        self.life_of(id).map_or(&[], |life| life.outstanding.as_slice())
    }

    /// When a timer of an Entity fires, where one of that kind is set.
    pub(crate) fn timer_ms(&self, id: EntityId, kind: &str) -> Option<u64> {
        let set = self.outstanding(id).iter().find(|effect| effect.kind == kind)?;
        match set.class {
            EffectClass::Timer { at_ms, .. } => Some(at_ms),
            EffectClass::Reply | EffectClass::Notice => None,
        }
    }

    /// The moment of the command.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Whether no System runs on the Entity, and no reply and no external System is awaited.
    pub(crate) fn is_idle(&self, id: EntityId) -> bool {
        let is_invoked = self.life_of(id).is_some_and(|life| life.invocation.is_some());
        self.queue.is_empty() && !self.is_busy(id) && !is_invoked
    }

    /// Whether an effect's reply is awaited for the Entity.
    #[must_use]
    pub fn is_busy(&self, id: EntityId) -> bool {
        self.outstanding(id).iter().any(|effect| effect.class == EffectClass::Reply)
    }
}
