//! Calls of a driver that runs alone, on a virtual clock.

use super::{Asker, Driver};
use ecs_core::{Caller, ErrorObject, INTERNAL, Json, Reply};
use ecs_systems::units::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// A call that is under way, or answered.
#[derive(Clone, Debug, Default)]
pub struct Call(Arc<Mutex<Option<Result<Json, ErrorObject>>>>);

impl Call {
    /// Its answer, if there is one yet.
    #[must_use]
    pub fn answered(&self) -> Option<Result<Json, ErrorObject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Asker for Call {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        let answer = reply.and_then(|reply| match reply {
            Reply::Now(json) => Ok(json),
            Reply::Elsewhere(work) => work(),
            Reply::Later(_) => Err(ErrorObject::new(INTERNAL, "the driver waits itself")),
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl Driver {
    /// Makes a call as the owner, and runs nothing.
    pub fn begin_call(&mut self, now: Timestamp, method: &str, params: &Json) -> Call {
        let call = Call::default();
        let called = (method, Some(params));
        self.call_method(now, &Caller::owner(), called, Box::new(call.clone()));
        call
    }

    /// Runs until a call is answered, jumping from event to event. `None`: it is not answered by
    /// what happens until then.
    ///
    /// # Errors
    /// What the method refuses it with.
    pub fn finish_call(
        &mut self,
        call: &Call,
        until: Timestamp,
    ) -> Option<Result<Json, ErrorObject>> {
        let mut now = self.now();
        loop {
            self.run_until(now);
            self.poll(now);
            if let Some(answer) = call.answered() {
                return Some(answer);
            }
            now = now.max(self.next_at().filter(|next| *next <= until)?);
        }
    }
}
