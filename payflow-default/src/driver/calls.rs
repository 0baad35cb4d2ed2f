//! Calls of the method table, and callers that wait for what is still to come.

use super::Driver;
use ecs_core::{
    Caller, Error, ErrorObject, Inputs, Json, Quota, QuotaReached, Quotas, Reply,
    method::{Later, Look, timed_out},
};
use ecs_systems::{
    port::{KnowledgeDesk, PlansAsked},
    refusal::{SHUTDOWN, TOO_BUSY},
    units::Timestamp,
};
use std::{fmt, sync::Arc};

/// Whoever called, and gets one answer.
pub trait Asker: Send {
    /// Gives the answer, which is never [`Reply::Later`].
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>);

    /// Whether nobody waits for it any more.
    fn is_gone(&self) -> bool;
}

/// Those who wait, in the order in which they called.
#[derive(Default)]
pub(super) struct Waiters(Vec<Waiter>);

struct Waiter {
    look: Look,
    until: Option<Timestamp>,
    late: Option<Result<Json, ErrorObject>>,
    /// When to look too.
    at: Option<Timestamp>,
    at_work: bool,
    acted: bool,
    calling: Calling,
}

/// Whoever called, and the token that the call came with.
struct Calling {
    asker: Box<dyn Asker>,
    token: Option<Arc<str>>,
}

impl fmt::Debug for Waiters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Waiters").field(&self.0.len()).finish()
    }
}

impl Waiters {
    /// When there is something to do for them; `now` where one of them is at work.
    pub(super) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = |waiter: &Waiter| {
            if waiter.at_work { Some(now) } else { waiter.at.into_iter().chain(waiter.until).min() }
        };
        self.0.iter().filter_map(at).min()
    }

    /// Refuses one more who only looks, where so many do: all together, or with one token. Who has
    /// begun something, such as a payment, may always wait for it.
    fn may_be_one_more(
        &self,
        quotas: &Quotas,
        token: Option<&Arc<str>>,
    ) -> Result<(), QuotaReached> {
        let looking = || self.0.iter().filter(|waiter| !waiter.acted);
        quotas.check(Quota::Waiters, looking().count() as u64 + 1)?;
        let Some(token) = token else { return Ok(()) };
        let own = looking().filter(|waiter| waiter.calling.token.as_ref() == Some(token));
        quotas.check(Quota::TokenWaiters, own.count() as u64 + 1)
    }
}

/// Who waits goes again, so that it is another code than that of other quotas.
fn too_busy(reached: QuotaReached) -> ErrorObject {
    ErrorObject { code: TOO_BUSY, ..Error::from(reached).into() }
}

impl Driver {
    /// Calls a method of the table as one command. The answer is given once everything that it
    /// tells of is kept; that of a method that waits for something, once that is there. What was
    /// called is done whether or not anybody waits for the answer.
    pub fn call_method(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        (name, params): (&str, Option<&Json>),
        asker: Box<dyn Asker>,
    ) {
        self.now = self.now.max(now);
        let inputs = Inputs { now_ms: self.now.0, entropy: self.entropy.draw() };
        let reply = self.engine.call(caller, inputs, name, params);
        self.perform_effects();
        if let Some(asked) = self.engine.resource::<PlansAsked>() {
            asked.prepare(&*self.planner);
        }
        if let Some(mut desk) = self.engine.resource_mut::<KnowledgeDesk>() {
            desk.answer(&*self.planner);
        }
        self.give(Calling { asker, token: caller.token.clone() }, reply);
    }

    /// What a method answers that changes nothing, draws no lots and waits for nothing, at the
    /// moment of the last command; `None` while what it might tell of is not kept, or if it doesn't
    /// answer at once.
    pub(crate) fn look(
        &mut self,
        caller: &Caller,
        name: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, ErrorObject>> {
        if self.gate.as_ref().is_some_and(|gate| !gate.lets_answers_out()) {
            return None;
        }
        let inputs = Inputs { now_ms: self.now.0, ..Inputs::default() };
        match self.engine.call(caller, inputs, name, params) {
            Ok(Reply::Now(json)) => Some(Ok(json)),
            Ok(Reply::Later(_) | Reply::Elsewhere(_)) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Callers that wait for an answer, but for those that were gone when it was last looked.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.waiters.0.len()
    }

    /// Lets those look who wait.
    pub(super) fn let_waiters_look(&mut self) {
        // Of those at work one has its turn, so that all of them together hold up nobody.
        let mut worked = false;
        if self.waiters.0.iter().any(|waiter| waiter.at.is_some_and(|at| at <= self.now)) {
            // They look what time it is.
            self.begin(self.now);
        }
        let mut next_time = Vec::new();
        for mut waiter in std::mem::take(&mut self.waiters.0) {
            // Who is gone is told nothing, and takes nothing away.
            if waiter.calling.asker.is_gone() {
                continue;
            }
            if waiter.at_work && worked {
                next_time.push(waiter);
                continue;
            }
            worked |= waiter.at_work;
            waiter.at = waiter.at.filter(|at| *at > self.now);
            let is_late = waiter.until.is_some_and(|until| until <= self.now);
            match (waiter.look)(&self.engine) {
                Some(reply) => self.give(waiter.calling, reply),
                None if is_late => {
                    let late = waiter.late.unwrap_or_else(|| Err(timed_out()));
                    self.give(waiter.calling, late.map(Reply::Now));
                }
                None => self.waiters.0.push(waiter),
            }
        }
        // Those that waited for their turn come first.
        next_time.append(&mut self.waiters.0);
        self.waiters.0 = next_time;
    }

    /// Nothing more is done: whoever waits is told so.
    pub(crate) fn send_waiters_away(&mut self) {
        for waiter in std::mem::take(&mut self.waiters.0) {
            let what = "The engine stops before there is an answer: payments go on at the next \
                        start, call anything else again then";
            self.give(waiter.calling, Err(ErrorObject::new(SHUTDOWN, what)));
        }
    }

    fn give(&mut self, calling: Calling, reply: Result<Reply, ErrorObject>) {
        let reply = match reply {
            Ok(Reply::Later(later)) => match self.wait(calling, later) {
                Ok(()) => return,
                Err((calling, error)) => return self.give(calling, Err(error)),
            },
            given @ (Ok(Reply::Now(_) | Reply::Elsewhere(_)) | Err(_)) => given,
        };
        self.answer_once_kept(Box::new(move || calling.asker.answer(reply)));
    }

    fn wait(&mut self, calling: Calling, later: Later) -> Result<(), (Calling, ErrorObject)> {
        let Later { mut look, timeout_ms, late, at_ms, at_work, acted } = later;
        if let Some(reply) = look(&self.engine) {
            self.give(calling, reply);
            return Ok(());
        }
        if !acted && self.may_wait(&calling).is_err() {
            // Who is gone holds no place, also before the next look.
            self.forget_who_is_gone();
            if let Err(reached) = self.may_wait(&calling) {
                return Err((calling, too_busy(reached)));
            }
        }
        let until = timeout_ms.map(|ms| self.now.after_ms(ms));
        let at = at_ms.map(Timestamp).filter(|at| *at > self.now);
        self.waiters.0.push(Waiter { look, until, late, at, at_work, acted, calling });
        Ok(())
    }

    /// Drops what those wait with who are gone.
    pub(super) fn forget_who_is_gone(&mut self) {
        self.waiters.0.retain(|waiter| !waiter.calling.asker.is_gone());
    }

    fn may_wait(&self, calling: &Calling) -> Result<(), QuotaReached> {
        self.waiters.may_be_one_more(self.engine.quotas(), calling.token.as_ref())
    }
}
