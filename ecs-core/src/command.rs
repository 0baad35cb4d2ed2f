//! Commands: what changes the state from outside.

use crate::{
    EntityId, Error,
    commit::Batch,
    delta::Change,
    effect::{Effect, EffectClass, EffectId, INVOCATION_TIMEOUT},
    engine::Engine,
    inputs::{Entities, Inputs},
    write::{Expected, Record, Write, Writer},
};

/// After so many commands what bevy notes of removals is dropped: it costs a little for each
/// Component that there is.
const COMMANDS_NOTED_MAX: u32 = 64;

impl Engine {
    /// Takes the time and randomness of the next command. `now_ms` never goes back.
    /// ```
    /// # use ecs_core::{Engine, Inputs};
    /// let mut app = Engine::new();
    /// app.begin(Inputs { now_ms: 7, ..Inputs::default() });
    /// app.begin(Inputs { now_ms: 5, ..Inputs::default() });
    /// assert_eq!(app.resource::<Inputs>().unwrap().now_ms, 7);
    /// ```
    pub fn begin(&mut self, inputs: Inputs) {
        self.take_inputs(Inputs { now_ms: inputs.now_ms.max(self.now_ms), ..inputs });
        self.forget_removals();
    }

    /// Takes the time and randomness as they are.
    pub(crate) fn take_inputs(&mut self, inputs: Inputs) {
        self.now_ms = inputs.now_ms;
        *self.world.resource_mut::<Inputs>() = inputs;
    }

    /// bevy notes each Component that is removed until it is told that everybody who wants to know
    /// has looked. Nobody here wants to.
    pub(crate) fn forget_removals(&mut self) {
        self.commands_noted += 1;
        if self.commands_noted >= COMMANDS_NOTED_MAX {
            self.commands_noted = 0;
            self.world.clear_trackers();
        }
    }

    /// Gives out a number for a new Entity. It exists once it has a Component.
    pub fn new_entity(&mut self) -> EntityId {
        self.world.resource_mut::<Entities>().allot()
    }

    /// Checks `expected` against the state before the call, then writes; all or nothing.
    /// ```
    /// # use ecs_core::{Engine, Error, Expected, Json, Write, Writer};
    /// let mut app = Engine::new();
    /// let entity = app.new_entity();
    /// let writes = [Write::to(entity).attach_json("acme:x", Json::of(&1))];
    /// let absent = Expected { entity, exact: true, components: Vec::new() };
    /// app.set_components(&Writer::Caller, &writes, &[absent.clone()]).unwrap();
    /// let again = app.set_components(&Writer::Caller, &writes, &[absent]);
    /// assert_eq!(again, Err(Error::Unexpected), "it is there now");
    /// ```
    ///
    /// # Errors
    /// A name or value is refused, the Entity is frozen, or `expected` did not hold.
    pub fn set_components(
        &mut self,
        by: &Writer,
        writes: &[Write],
        expected: &[Expected],
    ) -> Result<(), Error> {
        self.check_expected(expected)?;
        let idle = self.queue.is_empty();
        self.commit(&Batch { writer: by, subject: None, writes, records: &[] })?;
        if idle {
            // Those whose join is met now.
            self.run();
        }
        Ok(())
    }

    /// Refuses what [`Engine::set_components`] would, and writes nothing.
    ///
    /// # Errors
    /// As there.
    pub fn judge_components(
        &mut self,
        by: &Writer,
        writes: &[Write],
        expected: &[Expected],
    ) -> Result<(), Error> {
        self.check_expected(expected)?;
        let batch = Batch { writer: by, subject: None, writes, records: &[] };
        let names = self.names.mark();
        let judged = self.judge_all(&batch).map(drop);
        self.names.forget_since(names);
        judged
    }

    /// Writes lines beside the Components on nobody's behalf, e.g. the opening of the books.
    ///
    /// # Errors
    /// Who keeps them refuses.
    pub fn keep_records(&mut self, records: &[Record]) -> Result<(), Error> {
        let writer = &Writer::Engine;
        self.commit(&Batch { writer, subject: None, writes: &[], records })
    }

    /// Takes the reply to an effect: writes it and advances the Entity. A reply nobody waits for
    /// any more is dropped; `false` then.
    ///
    /// # Errors
    /// The writes are refused: our own mistake, as they come from us. The Entity then fails with
    /// it.
    pub fn reply(
        &mut self,
        entity: EntityId,
        id: EffectId,
        writes: &[Write],
    ) -> Result<bool, Error> {
        let Some(effect) = self.take_outstanding(entity, id) else { return Ok(false) };
        tracing::debug!(target: "payecs::effect", %entity, kind = effect.kind, "effect answered");
        let subject = Some(entity);
        let batch = Batch { writer: &Writer::Engine, subject, writes, records: &[] };
        let write = |app: &mut Self| {
            let written = app.commit(&batch);
            if let Err(error) = &written {
                app.fail(entity, &effect.kind, error.into());
            }
            written
        };
        let written = match effect.class {
            EffectClass::Reply => self.with_last_step(entity, None, write),
            EffectClass::Timer { .. } | EffectClass::Notice => write(self),
        };
        self.wake(entity);
        self.run();
        written.map(|()| true)
    }

    /// Fires a timer: writes what it was set up with, if its condition holds, and advances.
    /// `false`: there is no such timer any more.
    ///
    /// # Errors
    /// The writes are refused: our own mistake. The Entity then fails with it.
    pub fn fire_timer(&mut self, entity: EntityId, id: EffectId) -> Result<bool, Error> {
        let timer = self.outstanding(entity).iter().find(|effect| effect.id == id);
        let Some(EffectClass::Timer { writes, only_if, .. }) =
            timer.map(|effect| effect.class.clone())
        else {
            return Ok(false);
        };
        if timer.is_some_and(|effect| effect.kind == INVOCATION_TIMEOUT) {
            return Ok(self.time_out_invocation(entity, id));
        }
        let holds = only_if.is_none_or(|name| self.component(entity, &name).is_some());
        self.reply(entity, id, if holds { &writes } else { &[] })
    }

    fn take_outstanding(&mut self, entity: EntityId, id: EffectId) -> Option<Effect> {
        let found = self.find(entity)?;
        let effect = self.lives.of_mut(found).take_outstanding(id)?;
        self.note(|| Change::Over(entity, id));
        Some(effect)
    }

    /// The effects asked for since the last call, in order. They may leave only once everything
    /// written before is durable.
    #[must_use]
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Json;

    #[test]
    fn what_bevy_notes_of_removals_does_not_pile_up() {
        let mut app = Engine::new();
        let entity = app.new_entity();
        let id = app.world.register_component::<crate::Failing>();
        let error = Json::parse(r#"{"code":1,"message":"m"}"#).unwrap();
        for now_ms in 0..u64::from(10 * COMMANDS_NOTED_MAX) {
            app.begin(Inputs { now_ms, ..Inputs::default() });
            let there = Write::to(entity).attach_json("acme:x", Json::yes());
            let failing = there.attach_json("lightningd:failing", error.clone());
            app.set_components(&Writer::Engine, &[failing], &[]).unwrap();
            let gone = Write::to(entity).detach::<crate::Failing>();
            app.set_components(&Writer::Engine, &[gone], &[]).unwrap();
        }
        let noted = app.world.removed_components().get(id).expect("it was removed").len();
        assert!(noted > 0 && noted <= 2 * COMMANDS_NOTED_MAX as usize, "{noted}");
    }
}
