//! Advancing: run the first System that matches, scan again from the top, until the Entity rests.

use crate::{
    Engine, EntityId, Error, Json,
    commit::Batch,
    dispatch::{Found, matches},
    engine::Rest,
    error::{ErrorObject, Refusal},
    registry::{Body, Owner, SystemIndex},
    resting::permit_step,
    system::{Next, Step},
    systems::{Failing, Systems, no_list},
    trace::{Kept, Matched},
    write::{Write, Writer},
};
use bevy_ecs::entity::Entity;
use std::sync::Arc;

/// Most steps of one Entity in one run; past it third parties' Systems no longer run on it, and
/// past twice as many every System that still runs is set aside for it.
pub const STEPS_PER_ADVANCE_MAX: u32 = 1_000;
/// Most steps in an Entity's life.
pub const STEPS_PER_LIFE_MAX: u32 = 10_000;
/// Longest life of an Entity that still takes steps: a day.
pub const LIFE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// How often a System of this process may run in a row without a change.
const IDLE_RUNS_MAX: u32 = 2;
/// How often an external one may.
const IDLE_RUNS_EXTERNAL_MAX: u32 = 3;

/// What one scan of an Entity's list came to.
enum Scanned {
    Run(SystemIndex, Option<u32>),
    Wrote,
    Rests,
}

impl Engine {
    /// Runs Systems until the Entity, and every other it wakes, rests: `payecs_advance`.
    ///
    /// A busy Entity is advanced when its reply is in. `invocation` is the number that an external
    /// System was announced with.
    /// ```
    /// # use ecs_core::{Engine, Error, Systems, Write, Writer};
    /// let mut app = Engine::new();
    /// let entity = app.new_entity();
    /// let write = Write::to(entity).attach(&Systems::listing(["acme:gone"]));
    /// app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    /// assert_eq!(app.advance(entity, None).unwrap_err().code(), 2200, "nobody registered it");
    /// assert_eq!(app.advance(entity, Some(7)), Err(Error::StaleInvocation(7)));
    /// ```
    ///
    /// # Errors
    /// No such Entity, no proper list, or an unregistered name before a match (2200); nothing
    /// matches at once (2201); the invocation isn't current (2207), or is outstanding and not named
    /// (2205). 2200 and 2201 are recorded in `lightningd:systems.error` of an Entity that exists,
    /// unless it is frozen and has no list: it is over, and stays so. Errors after the first match
    /// are only recorded.
    pub fn advance(&mut self, id: EntityId, invocation: Option<u64>) -> Result<(), Error> {
        self.check_invocation(id, invocation)?;
        let entity = self.find(id).ok_or_else(no_list)?;
        self.answer_invocation(id);
        if self.is_busy(id) {
            return Ok(());
        }
        let first = self.step(id);
        if let Err(error) = &first
            && self.world.get::<Systems>(entity).is_none()
            && !self.is_frozen(id)
        {
            let kept = Write::to(id).attach(&Systems::only_error(&error.into()));
            self.write_as_engine(id, &[kept]);
        }
        self.run();
        first
    }

    /// Puts an Entity onto the queue, for [`Engine::run`].
    /// ```
    /// # use ecs_core::{Engine, EntityId};
    /// let mut app = Engine::new();
    /// app.wake(EntityId::FIRST);
    /// assert_eq!(app.run_one(), Some(EntityId::FIRST));
    /// assert_eq!(app.run_one(), None, "it stood there once");
    /// ```
    pub fn wake(&mut self, id: EntityId) {
        self.queue.push_back(id);
    }

    /// Runs everything on the queue to its rest point.
    pub fn run(&mut self) {
        while self.run_one().is_some() {}
    }

    /// Takes one step of the first Entity on the queue: one System, one record. `None`: the queue
    /// is empty. For drivers that look at the state between any two records.
    pub fn run_one(&mut self) -> Option<EntityId> {
        let Some(id) = self.queue.pop() else {
            self.steps.clear();
            return None;
        };
        // What goes wrong after the first match is recorded in the Entity.
        let _recorded = self.step(id);
        Some(id)
    }

    /// One System on one Entity; the Entity is put back onto the queue if it may go on.
    fn step(&mut self, id: EntityId) -> Result<(), Error> {
        let Some(entity) = self.find_and_keep(id) else { return Ok(()) };
        let life = self.lives.of(entity);
        if life.invocation.is_some() {
            self.hasten_invocation(id);
            return Ok(());
        }
        if life.is_busy() {
            return Ok(());
        }
        match self.scan(id, entity) {
            Ok(Scanned::Run(system, position)) => {
                if let Some(position) = position {
                    let mut systems = self.systems_mut(id, entity).expect("just scanned");
                    systems.set_current(position);
                }
                let taken = self.count_step(id);
                if !self.exceeds_bounds(id, entity, taken) {
                    self.run_traced(id, entity, system);
                    if taken > 2 * STEPS_PER_ADVANCE_MAX {
                        self.mute(id, &self.name_of(system));
                    }
                }
            }
            Ok(Scanned::Wrote) => self.wake(id),
            Ok(Scanned::Rests) => {}
            Err(error) => {
                if let Some(mut systems) = self.systems_mut(id, entity) {
                    systems.set_error((&error).into());
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn scan(&mut self, id: EntityId, entity: Entity) -> Result<Scanned, Error> {
        let list = self.list_of(entity)?;
        if self.scans.is_some() {
            let names = self.attached_names(entity);
            self.scans.get_or_insert_default().push(names);
        }
        let (world, life) = (self.world.entity(entity), self.lives.of(entity));
        match self.lists.find(list, &self.systems, (world, life)) {
            Found::System { index, position } => Ok(Scanned::Run(index, Some(position))),
            Found::Unregistered(name) if self.is_frozen(id) => {
                let what = format!("System `{name}` of the list is no longer registered.");
                self.fail(id, &name, Error::SystemFailed(what).into());
                Ok(Scanned::Wrote)
            }
            Found::Unregistered(name) => Err(Error::InvalidSystems(format!(
                "`systems` array contains unregistered system: {name}"
            ))),
            Found::Nothing => self.nothing_matches(id, entity),
        }
    }

    fn nothing_matches(&mut self, id: EntityId, entity: Entity) -> Result<Scanned, Error> {
        let (world, life) = (self.world.entity(entity), self.lives.of(entity));
        let fits = |index: &&SystemIndex| matches(self.systems.get(**index), world, life);
        if let Some(system) = self.epilogue.iter().find(fits) {
            return Ok(Scanned::Run(*system, None));
        }
        if self.awaits(id, entity) {
            return Ok(Scanned::Rests);
        }
        match (self.at_rest)(&self.world, entity) {
            Rest::Waiting => Ok(Scanned::Rests),
            Rest::Stuck => Err(Error::NoMatch),
            Rest::Write(write) => self.write_at_rest(id, life.changes, write),
        }
    }

    /// Writes what a resting Entity comes to; what changes nothing, or goes on for ever, helps
    /// none.
    fn write_at_rest(&mut self, id: EntityId, before: u64, write: Write) -> Result<Scanned, Error> {
        if self.count_step(id) > 2 * STEPS_PER_ADVANCE_MAX {
            return Err(Error::NoMatch);
        }
        self.write_as_engine(id, &[write]);
        if self.changes(id) == Some(before) { Err(Error::NoMatch) } else { Ok(Scanned::Wrote) }
    }

    /// The change counter of an Entity, while it exists.
    pub(crate) fn changes(&self, id: EntityId) -> Option<u64> {
        Some(self.life_of(id)?.changes)
    }

    fn count_step(&mut self, id: EntityId) -> u32 {
        let taken = self.steps.entry(id).or_default();
        *taken += 1;
        *taken
    }

    /// Counts a step that is about to be taken, in the Entity's life; `taken` counts those of this
    /// run. `true`: it is one too many; the Entity fails, only the flow's own Systems go on, and
    /// the list is scanned again.
    fn exceeds_bounds(&mut self, id: EntityId, entity: Entity, taken: u32) -> bool {
        let now_ms = self.now_ms;
        let life = self.lives.of(entity);
        let age_ms = now_ms.saturating_sub(life.born_ms);
        let old = (life.steps >= STEPS_PER_LIFE_MAX || age_ms > LIFE_MS_MAX)
            && !self.lasting.iter().any(|id| self.world.entity(entity).contains_id(*id));
        let life = self.life_mut(id, entity);
        life.steps = life.steps.saturating_add(1);
        if life.own_systems_only || (taken <= STEPS_PER_ADVANCE_MAX && !old) {
            return false;
        }
        life.own_systems_only = true;
        let steps = life.steps;
        let what = if old {
            format!("Entity {id} took {steps} steps in {age_ms} ms.")
        } else {
            format!("Entity {id} took more than {STEPS_PER_ADVANCE_MAX} steps in one advance.")
        };
        self.fail(id, "payecs", Error::Loop(what).into());
        true
    }

    pub(crate) fn run_system(&mut self, id: EntityId, entity: Entity, index: SystemIndex) {
        let system = self.systems.get(index);
        let number = system.number;
        let life = self.lives.of_mut(entity);
        let (before, in_a_row) = (life.changes, life.matched_in_a_row(number));
        if in_a_row >= IDLE_RUNS_EXTERNAL_MAX && self.is_external(index) {
            self.fail_as_loop(id, index, in_a_row);
            return;
        }
        self.note_run(id, entity, index);
        let system = self.systems.get_mut(index);
        let writer = match &system.owner {
            Owner::BuiltIn => Writer::Engine,
            Owner::Plugin(prefix) => Writer::Plugin(prefix.clone()),
            Owner::External => Writer::Caller,
        };
        let mut rests = false;
        match system.run(entity, &self.world) {
            None => self.invoke(id, entity, index),
            Some(Ok(Ok(step))) => {
                let next = step.next;
                let taken = self.take_step(id, index, &writer, step);
                if taken && next != Next::Advance && writer != Writer::Engine && self.is_parked(id)
                {
                    self.fail_as_parked(id, &self.name_of(index));
                } else {
                    rests = taken && next == Next::Wait && self.rests_rightly(id);
                }
            }
            Some(Ok(Err(refusal))) => self.fail(id, &self.name_of(index), refusal),
            Some(Err(error)) => {
                let name = self.name_of(index);
                self.mute(id, &name);
                self.fail(id, &name, error.into());
            }
        }
        let unchanged =
            || self.world.get_entity(entity).is_ok() && self.lives.of(entity).changes == before;
        if in_a_row >= IDLE_RUNS_MAX && !rests && unchanged() && !self.is_external(index) {
            self.fail_as_loop(id, index, in_a_row);
        }
    }

    fn name_of(&self, index: SystemIndex) -> Arc<str> {
        Arc::clone(&self.systems.get(index).def.system)
    }

    fn is_external(&self, index: SystemIndex) -> bool {
        matches!(self.systems.get(index).body, Body::External { .. })
    }

    /// Traces, counts and, where someone watches, announces a System that is about to run.
    pub(crate) fn note_run(&mut self, id: EntityId, entity: Entity, index: SystemIndex) {
        let now_ms = self.now_ms;
        let matched = self.matched(entity, index);
        let system = self.systems.get_mut(index);
        system.counts.runs += 1;
        if self.announces && !self.is_external(index) {
            self.announce(id, &matched.heading.system, matched.pairs(), None);
        }
        let ring = &mut self.lives.of_mut(entity).ring;
        self.traces.push((id, ring), Kept::new(now_ms, matched));
    }

    /// The required Components as they are now, secrets left out.
    pub(crate) fn matched(&self, entity: Entity, index: SystemIndex) -> Matched {
        let (heading, shown) = &self.systems.get(index).shown;
        let life = self.lives.of(entity);
        let values = shown.iter().map(|named| self.value_in(life, entity, named)).collect();
        Matched { heading: Arc::clone(heading), values }
    }

    /// Writes what a System answered, or fails the Entity with why it can't be; `false` then.
    fn take_step(&mut self, id: EntityId, by: SystemIndex, writer: &Writer, step: Step) -> bool {
        let batch =
            Batch { writer, subject: Some(id), writes: &step.writes, records: step.records() };
        if let Err(error) = permit_step(writer, &step).and_then(|()| self.commit(&batch)) {
            self.fail(id, &self.name_of(by), error.into());
            return false;
        }
        if let Some(beside) = step.beside {
            for kind in beside.cancels {
                self.cancel_timers(id, kind);
            }
            for request in beside.effects {
                self.emit(request.entity.unwrap_or(id), request);
            }
            for other in beside.wakes {
                self.wake(other);
            }
        }
        if step.next == Next::Advance {
            self.queue.push_front(id);
        }
        true
    }

    /// A refusal, a panic, a loop: the Entity begins to fail; what failed it first stays.
    pub(crate) fn fail(&mut self, id: EntityId, system: &str, refusal: Refusal) {
        if self.find(id).is_none() {
            return;
        }
        tracing::info!(
            target: "payecs::advance", entity = %id, system, code = refusal.code, "system refused"
        );
        if self.get::<Failing>(id).is_none() {
            let failing = Failing(with_system(refusal, system));
            self.write_as_engine(id, &[Write::to(id).attach(&failing)]);
        }
        self.wake(id);
    }

    /// The same System on an unchanged Entity again and again ends in 2202, never in silence.
    fn fail_as_loop(&mut self, id: EntityId, index: SystemIndex, in_a_row: u32) {
        let name = self.name_of(index);
        let what = format!("System `{name}` matched {in_a_row} times in a row on the same Entity.");
        self.mute(id, &name);
        self.fail(id, &name, Error::Loop(what).into());
    }

    pub(crate) fn write_as_engine(&mut self, id: EntityId, writes: &[Write]) {
        let batch = Batch { writer: &Writer::Engine, subject: Some(id), writes, records: &[] };
        if let Err(error) = self.commit(&batch) {
            tracing::error!(target: "payecs::advance", entity = %id, %error, "own write refused");
        }
    }

    pub(crate) fn mute(&mut self, id: EntityId, name: &str) {
        if let Some(entity) = self.find(id) {
            self.life_mut(id, entity).muted.insert(name.into());
        }
    }
}

/// The refusal with the System's name among its facts; none of them is lost.
fn with_system(refusal: Refusal, system: &str) -> ErrorObject {
    let mut facts = refusal.facts();
    facts.entry("system".to_owned()).or_insert_with(|| Json::of(system));
    refusal.with_data(&facts)
}
