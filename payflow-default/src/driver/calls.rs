//! Calls of the method table, and callers that wait for what is still to come.

use super::Driver;
use ecs_core::{
    Caller, ErrorObject, Inputs, Json, Reply,
    method::{Later, Look, timed_out},
};
use ecs_systems::{
    port::PlansAsked,
    refusal::{SHUTDOWN, TOO_BUSY},
    units::Timestamp,
};
use std::fmt;

/// Callers that may wait at a time for what they only look at; one more is refused with
/// [`TOO_BUSY`]. Who has begun something, such as a payment, may always wait for it.
pub const WAITERS_MAX: usize = 1_024;

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
    late: Option<Json>,
    at_work: bool,
    acted: bool,
    asker: Box<dyn Asker>,
}

impl fmt::Debug for Waiters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Waiters").field(&self.0.len()).finish()
    }
}

impl Waiters {
    /// When there is something to do for them; `now` where one of them is at work.
    pub(super) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = |waiter: &Waiter| if waiter.at_work { Some(now) } else { waiter.until };
        self.0.iter().filter_map(at).min()
    }

    /// How many only look.
    fn looking(&self) -> usize {
        self.0.iter().filter(|waiter| !waiter.acted).count()
    }
}

fn too_many() -> ErrorObject {
    let what = format!("{WAITERS_MAX} callers wait already: try again later");
    ErrorObject::new(TOO_BUSY, what)
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
        self.give(asker, reply);
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
        let mut next_time = Vec::new();
        for mut waiter in std::mem::take(&mut self.waiters.0) {
            // Who is gone is told nothing, and takes nothing away.
            if waiter.asker.is_gone() {
                continue;
            }
            if waiter.at_work && worked {
                next_time.push(waiter);
                continue;
            }
            worked |= waiter.at_work;
            let is_late = waiter.until.is_some_and(|until| until <= self.now);
            match (waiter.look)(&self.engine) {
                Some(reply) => self.give(waiter.asker, reply),
                None if is_late => {
                    let late = waiter.late.map(Reply::Now).ok_or_else(timed_out);
                    self.give(waiter.asker, late);
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
            let what = "The engine stops: what was called goes on at the next start";
            self.give(waiter.asker, Err(ErrorObject::new(SHUTDOWN, what)));
        }
    }

    fn give(&mut self, asker: Box<dyn Asker>, reply: Result<Reply, ErrorObject>) {
        let reply = match reply {
            Ok(Reply::Later(later)) => match self.wait(asker, later) {
                Ok(()) => return,
                Err((asker, error)) => return self.give(asker, Err(error)),
            },
            given @ (Ok(Reply::Now(_) | Reply::Elsewhere(_)) | Err(_)) => given,
        };
        self.answer_once_kept(Box::new(move || asker.answer(reply)));
    }

    fn wait(
        &mut self,
        asker: Box<dyn Asker>,
        later: Later,
    ) -> Result<(), (Box<dyn Asker>, ErrorObject)> {
        let Later { mut look, timeout_ms, late, at_work, acted } = later;
        if let Some(reply) = look(&self.engine) {
            self.give(asker, reply);
            return Ok(());
        }
        if !acted && self.waiters.looking() >= WAITERS_MAX {
            // Who is gone holds no place, also before the next look.
            self.waiters.0.retain(|waiter| !waiter.asker.is_gone());
            if self.waiters.looking() >= WAITERS_MAX {
                return Err((asker, too_many()));
            }
        }
        let until = timeout_ms.map(|ms| self.now.after_ms(ms));
        self.waiters.0.push(Waiter { look, until, late, at_work, acted, asker });
        Ok(())
    }
}
