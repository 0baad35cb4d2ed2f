//! External Systems: announced with a number, answered by an advance, or timed out.

use crate::{
    Engine, EntityId, Error, Json,
    dispatch::matches,
    effect::{EffectClass, EffectId, EffectRequest, INVOCATION_TIMEOUT, Invoke},
    life::Invocation,
    registry::{Owner, SystemIndex},
    serving::Open,
    systems::{Failed, Systems},
    write::{Expected, Write, Writer},
};
use bevy_ecs::entity::Entity;
use std::sync::Arc;

impl Engine {
    /// Writes and advances in one call, so that an external System costs one round trip: nothing is
    /// written unless the invocation is current and `expected` holds. Writes that detach the list
    /// of the Entity end it, so that nothing is advanced; an answer that attaches
    /// `lightningd:error` to a draft fails it.
    /// ```
    /// # use ecs_core::{Engine, Json, Systems, Write, system};
    /// let mut app = Engine::new();
    /// app.add_external_system(system("acme:out").requires(["acme:go"]).disallows(["acme:done"]))?;
    /// let entity = app.new_entity();
    /// let list = Write::to(entity).attach(&Systems::listing(["acme:out"]));
    /// app.advance_with(entity, None, &[list.attach_json("acme:go", Json::yes())], &[])?;
    /// assert_eq!(app.invocation(entity).and_then(|invoke| invoke.invocation), Some(1));
    /// let done = Write::to(entity).attach_json("acme:done", Json::yes());
    /// let answer = app.advance_with(entity, Some(1), &[done], &[]);
    /// assert_eq!(answer.unwrap_err().code(), 2201, "nothing is left to do");
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Engine::set_components`], then as [`Engine::advance`]; what was written stays then.
    pub fn advance_with(
        &mut self,
        id: EntityId,
        invocation: Option<u64>,
        writes: &[Write],
        expected: &[Expected],
    ) -> Result<(), Error> {
        self.check_invocation(id, invocation)?;
        let was_listed = self.get::<Systems>(id).is_some();
        let answers = self.current_invocation(id).map(|current| current.system.clone());
        let write = |app: &mut Self| app.set_components(&Writer::Caller, writes, expected);
        match answers.filter(|_| !writes.is_empty()) {
            Some(system) => self.with_last_step(id, Some(&system), write)?,
            None => write(self)?,
        }
        if !writes.is_empty() && self.find(id).is_none() {
            return Ok(());
        }
        if was_listed && self.get::<Systems>(id).is_none() {
            // These writes have ended it: that is the answer, and nothing is left to advance.
            self.answer_invocation(id);
            self.run();
            return Ok(());
        }
        if invocation.is_some() {
            self.fail_as_answered(id);
        }
        self.advance(id, invocation)
    }

    /// An answer that attaches `lightningd:error` to a draft fails it, and it ends as any failure
    /// does: the error alone would let its list go on.
    fn fail_as_answered(&mut self, id: EntityId) {
        let Some(Failed(error)) = self.get::<Failed>(id).cloned() else { return };
        let Some(system) = self.current_invocation(id).map(|it| it.system.clone()) else { return };
        self.write_as_engine(id, &[Write::to(id).detach::<Failed>()]);
        self.fail(id, &system, error);
    }

    /// The external System at work on an Entity, as it would be announced now: for whoever takes
    /// the invocation over.
    #[must_use]
    pub fn invocation(&self, id: EntityId) -> Option<Invoke> {
        let invocation = self.current_invocation(id)?;
        let matched = self.matched(self.find(id)?, self.systems.find(&invocation.system)?);
        Some(invoke_body(id, &invocation.system, matched.pairs(), Some(invocation.number)))
    }

    /// Refuses a number that is not that of the Entity's current invocation, and an advance without
    /// one where it is needed.
    pub(crate) fn check_invocation(&self, id: EntityId, named: Option<u64>) -> Result<(), Error> {
        let current = self.current_invocation(id).map(|invocation| invocation.number);
        match (named, current) {
            (Some(named), current) if current != Some(named) => Err(Error::StaleInvocation(named)),
            (None, Some(number)) if self.is_frozen(id) => Err(Error::Frozen(format!(
                "Entity {id} is frozen and invocation {number} is outstanding: name it."
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn current_invocation(&self, id: EntityId) -> Option<&Invocation> {
        self.life_of(id)?.invocation.as_deref()
    }

    /// Tells whoever watches or serves that a System runs.
    pub(crate) fn announce(
        &mut self,
        id: EntityId,
        system: &str,
        shown: impl Iterator<Item = (Arc<str>, Json)>,
        invocation: Option<u64>,
    ) {
        let body = invoke_body(id, system, shown, invocation);
        self.emit(id, EffectRequest::notice(&body));
    }

    /// Announces an external System and begins to wait for its answer.
    pub(crate) fn invoke(&mut self, id: EntityId, entity: Entity, index: SystemIndex) {
        let open = Open::first(id, &self.systems.get(index).def.system);
        self.invoke_as(id, entity, index, open);
    }

    fn invoke_as(&mut self, id: EntityId, entity: Entity, index: SystemIndex, open: Open) {
        let system = self.systems.get(index);
        if system.owner != Owner::External {
            return;
        }
        let name = system.def.system.to_string();
        let number = self.next_invocation;
        self.next_invocation += 1;
        let since_ms = self.now_ms();
        let life = self.life_mut(id, entity);
        let invocation = Invocation { number, system: name.clone(), since_ms };
        life.invocation = Some(Box::new(invocation));
        let matched = self.matched(entity, index);
        self.announce(id, &name, matched.pairs(), Some(number));
        self.open_invocation(id, open);
        if let Some(at_ms) = self.due_ms(id, since_ms) {
            self.set_due(id, number, at_ms);
        }
    }

    /// By when the invocation of an Entity must be answered if its time began at `since_ms`: never
    /// past the deadline, and sooner where nobody serves the System and it says how long it may be
    /// without a server.
    fn due_ms(&self, id: EntityId, since_ms: u64) -> Option<u64> {
        let invocation = self.current_invocation(id)?;
        let (timeout_ms, grace_ms) = self.times_of(&invocation.system)?;
        let at_ms = since_ms.saturating_add(timeout_ms);
        let end = (self.deadline)(&self.world, self.find(id)?);
        let lost = grace_ms.filter(|_| self.servers.is_lost(invocation.number));
        let lost = lost.map(|grace_ms| self.now_ms().saturating_add(grace_ms));
        Some([end, lost].into_iter().flatten().fold(at_ms, u64::min))
    }

    /// An Entity that is woken while it awaits an external System awaits it no longer, where nobody
    /// wants any more what it stands for.
    pub(crate) fn hasten_invocation(&mut self, id: EntityId) {
        let Some(number) = self.current_invocation(id).map(|invocation| invocation.number) else {
            return;
        };
        let now_ms = self.now_ms();
        let is_later = self.timer_ms(id, INVOCATION_TIMEOUT).is_some_and(|at_ms| now_ms < at_ms);
        if is_later && self.is_unwanted(id) {
            self.set_due(id, number, now_ms);
        }
    }

    /// Whether nobody wants any more what an Entity stands for.
    pub(crate) fn is_unwanted(&self, id: EntityId) -> bool {
        self.find(id).is_some_and(|entity| (self.unwanted)(&self.world, entity))
    }

    fn set_due(&mut self, id: EntityId, number: u64, at_ms: u64) {
        if self.timer_ms(id, INVOCATION_TIMEOUT) == Some(at_ms) {
            return;
        }
        let class = EffectClass::Timer { at_ms, writes: Vec::new(), only_if: None };
        self.cancel_timers(id, INVOCATION_TIMEOUT);
        let (kind, body) = (INVOCATION_TIMEOUT, Json::of(&number));
        self.emit(id, EffectRequest { kind, class, body, entity: None });
    }

    /// Their System is served again, or no longer: where it says how long it may be without a
    /// server, their time is another.
    pub(crate) fn time_invocations(&mut self, ids: Vec<EntityId>) {
        for id in ids {
            let Some(Invocation { number, system, since_ms }) = self.current_invocation(id) else {
                continue;
            };
            let (number, since_ms) = (*number, *since_ms);
            let has_grace = self.times_of(system).is_some_and(|(_, grace_ms)| grace_ms.is_some());
            let may_change = has_grace && !self.is_unwanted(id);
            if let Some(at_ms) = self.due_ms(id, since_ms).filter(|_| may_change) {
                self.set_due(id, number, at_ms);
            }
        }
    }

    /// Gives what is outstanding after a restart its time: what ran out while nobody could answer
    /// has it again, unless nobody wants it any more. As part of a command, before timers are
    /// taken up.
    pub fn resume_invocations(&mut self) {
        let now_ms = self.now_ms();
        for id in self.servers.awaiting() {
            if self.is_unwanted(id) {
                continue;
            }
            let (Some(entity), Some(invocation)) = (self.find(id), self.current_invocation(id))
            else {
                continue;
            };
            let (number, mut since_ms) = (invocation.number, invocation.since_ms);
            let times = self.times_of(&invocation.system);
            if times.is_some_and(|(timeout_ms, _)| since_ms.saturating_add(timeout_ms) <= now_ms) {
                since_ms = now_ms;
                if let Some(invocation) = &mut self.life_mut(id, entity).invocation {
                    invocation.since_ms = now_ms;
                }
            }
            if let Some(at_ms) = self.due_ms(id, since_ms) {
                self.set_due(id, number, at_ms);
            }
        }
    }

    /// An advance answers the outstanding invocation, if there is one.
    pub(crate) fn answer_invocation(&mut self, id: EntityId) {
        let Some((invocation, _)) = self.take_invocation(id) else { return };
        let answer_ms = self.now_ms().saturating_sub(invocation.since_ms);
        self.trace_answer(id, &invocation.system, answer_ms);
        if let Some(index) = self.systems.find(&invocation.system) {
            let counts = &mut self.systems.get_mut(index).counts;
            counts.answers += 1;
            counts.answers_ms += answer_ms;
        }
    }

    /// Ends the wait for an answer: what was awaited, and who had it.
    pub(crate) fn take_invocation(&mut self, id: EntityId) -> Option<(Invocation, Open)> {
        let entity = self.find(id)?;
        let number = self.current_invocation(id)?.number;
        let invocation = *self.life_mut(id, entity).invocation.take()?;
        self.cancel_timers(id, INVOCATION_TIMEOUT);
        let open = self.servers.close(number);
        let open = open.unwrap_or_else(|| Open::first(id, &invocation.system));
        Some((invocation, open))
    }

    /// An external System has not answered in time: where a server had it and another one serves
    /// the System, it is announced to that one, under another number. `false`: that timer is no
    /// longer set.
    pub(crate) fn time_out_invocation(&mut self, id: EntityId, timer: EffectId) -> bool {
        self.look_who_serves();
        if !self.outstanding(id).iter().any(|effect| effect.id == timer) {
            return false;
        }
        let Some((invocation, open)) = self.take_invocation(id) else { return false };
        if self.may_try_again(id, &open) && self.invoke_again(id, &invocation.system, open.again())
        {
            return true;
        }
        self.mute(id, &invocation.system);
        let what = format!("System `{}` did not answer in time.", invocation.system);
        self.fail(id, &invocation.system, Error::SystemFailed(what).into());
        self.run();
        true
    }

    /// `false`: the System doesn't match any more.
    fn invoke_again(&mut self, id: EntityId, system: &str, open: Open) -> bool {
        let (Some(entity), Some(index)) = (self.find(id), self.systems.find(system)) else {
            return false;
        };
        let (world, life) = (self.world.entity(entity), self.life_of(id));
        if !life.is_some_and(|life| matches(self.systems.get(index), world, life)) {
            return false;
        }
        self.note_run(id, entity, index);
        self.invoke_as(id, entity, index, open);
        true
    }

    /// Invokes again what awaits an external System, as if for the first time and under another
    /// number. An Entity that the System doesn't match any more goes on without it.
    pub(crate) fn invoke_anew(&mut self, id: EntityId) {
        let Some((invocation, _)) = self.take_invocation(id) else { return };
        let open = Open::first(id, &invocation.system);
        if !self.invoke_again(id, &invocation.system, open) {
            self.wake(id);
        }
    }
}

fn invoke_body(
    id: EntityId,
    system: &str,
    shown: impl Iterator<Item = (Arc<str>, Json)>,
    invocation: Option<u64>,
) -> Invoke {
    let number = [(Arc::from("entity"), Json::of(&id))];
    let entity = Json::object(number.into_iter().chain(shown));
    Invoke { system: system.to_owned(), invocation, entity }
}
