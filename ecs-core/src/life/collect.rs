//! Entities that are over: since when, and how they are taken away.

use crate::{
    Engine, EntityId,
    delta::Change,
    effect::{EffectBody, EffectRequest},
    inputs::Entities,
    systems::Systems,
};
use std::collections::BTreeSet;

impl Engine {
    /// Notes from now on whose `lightningd:systems` comes or goes, for [`Engine::take_listed`].
    pub fn note_lists(&mut self) {
        self.listed.get_or_insert_default();
    }

    /// The Entities whose list was attached, replaced or detached since the last call, and those
    /// that are gone, by number. Empty unless [`Engine::note_lists`] was called.
    /// ```
    /// # use ecs_core::{Engine, Inputs, Json, Systems, Write, Writer};
    /// let mut app = Engine::new();
    /// app.note_lists();
    /// app.begin(Inputs { now_ms: 7, ..Inputs::default() });
    /// let entity = app.new_entity();
    /// let list = Write::to(entity).attach(&Systems::listing([""; 0]));
    /// app.set_components(&Writer::Engine, &[list.attach_json("acme:x", Json::yes())], &[])?;
    /// assert_eq!((app.take_listed().len(), app.ended_ms(entity)), (1, None));
    /// app.set_components(&Writer::Engine, &[Write::to(entity).detach::<Systems>()], &[])?;
    /// assert_eq!((app.take_listed().len(), app.ended_ms(entity)), (1, Some(7)));
    /// assert_eq!(app.born_ms(entity), Some(7));
    /// app.collect([entity]);
    /// assert!(app.entities().is_empty());
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    #[must_use]
    pub fn take_listed(&mut self) -> BTreeSet<EntityId> {
        self.listed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Since when an Entity has no list any more, in milliseconds since 1970; `None` while it has
    /// one.
    #[must_use]
    pub fn ended_ms(&self, id: EntityId) -> Option<u64> {
        self.life_of(id)?.ended_ms
    }

    /// Since when there is an Entity, in milliseconds since 1970.
    #[must_use]
    pub fn born_ms(&self, id: EntityId) -> Option<u64> {
        Some(self.life_of(id)?.born_ms)
    }

    /// Takes Entities away that are over, with everything noted of them: as part of a command, like
    /// any change. One that is gone already is passed over.
    ///
    /// # Panics
    /// If one of them still has a list.
    pub fn collect(&mut self, ids: impl IntoIterator<Item = EntityId>) {
        for id in ids {
            let Some(entity) = self.find(id) else { continue };
            assert!(self.world.get::<Systems>(entity).is_none(), "entity {id} is not over");
            self.end(id);
            self.forget_join(id);
            self.note(|| Change::Ended(id));
        }
    }

    /// Asks for a notice about an Entity beside its Systems; the Entity need not exist any more.
    pub fn announce_notice<B: EffectBody>(&mut self, about: EntityId, notice: &B) {
        self.emit(about, EffectRequest::notice(notice));
    }

    /// Takes an Entity away, with everything noted of it.
    pub(crate) fn end(&mut self, id: EntityId) {
        self.forget_invocation(id);
        self.last = self.last.filter(|(last, _)| *last != id);
        if let Some(entity) = self.world.resource_mut::<Entities>().remove(id) {
            self.close_span(id, entity);
            self.held.forget(self.lives.of(entity));
            let life = self.lives.end(entity);
            self.world.despawn(entity);
            self.traces.end(id, life.ring);
            self.note_list(id);
        }
    }

    fn note_list(&mut self, id: EntityId) {
        if let Some(listed) = &mut self.listed {
            listed.insert(id);
        }
    }

    /// The moment is noted at which a list went.
    pub(crate) fn follow_list(&mut self, id: EntityId) {
        self.note_list(id);
        let Some(entity) = self.find(id) else { return };
        let runs = self.world.entity(entity).contains::<Systems>();
        if !runs {
            self.close_span(id, entity);
        }
        if self.ended_ms(id).is_some() == runs {
            let now_ms = self.now_ms;
            self.life_mut(id, entity).ended_ms = (!runs).then_some(now_ms);
        }
    }
}
