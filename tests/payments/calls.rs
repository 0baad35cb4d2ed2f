//! Calls of methods, as a transport makes them.

use crate::harness::{DAY_MS, Payer};
use ecs_core::{Caller, ErrorObject, Json, Reply};
use payflow_default::Asker;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

type Answer = Result<Json, ErrorObject>;

/// A call that was made, and its answer once there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    answer: Arc<Mutex<Option<Answer>>>,
    is_gone: Arc<AtomicBool>,
}

impl Asker for Call {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        let answer = reply.and_then(|reply| match reply {
            Reply::Now(json) => Ok(json),
            Reply::Elsewhere(work) => work(),
            Reply::Later(_) => panic!("the driver waits itself"),
        });
        let before = self.answer.lock().unwrap_or_else(PoisonError::into_inner).replace(answer);
        assert_eq!(before, None, "one answer");
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }
}

impl Call {
    pub(crate) fn answered(&self) -> Option<Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever asked goes away.
    pub(crate) fn leave(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

/// JSON from text that a test has in it.
pub(crate) fn json(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

/// A field of an answer, as JSON text; empty where there is none.
pub(crate) fn field(answer: &Json, name: &str) -> String {
    let fields = answer.fields().unwrap_or_default();
    fields.get(name).map(|json| json.text().to_owned()).unwrap_or_default()
}

impl Payer {
    /// Makes a call, and runs nothing.
    pub(crate) fn begin_call(&mut self, name: &str, params: &str) -> Call {
        self.begin_call_of(&Caller::owner(), name, params)
    }

    pub(crate) fn begin_call_of(&mut self, caller: &Caller, name: &str, params: &str) -> Call {
        let call = Call::default();
        let params = json(params);
        let asker = Box::new(call.clone());
        self.driver.call_method(self.now, caller, (name, Some(&params)), asker);
        call
    }

    /// Runs until a call is answered.
    ///
    /// # Panics
    /// If that takes more than a day.
    pub(crate) fn finish_call(&mut self, call: &Call) -> Answer {
        let until = self.now.after_ms(DAY_MS);
        loop {
            if let Some(answer) = call.answered() {
                return answer;
            }
            self.driver.run_until(self.now);
            self.driver.poll(self.now);
            if call.answered().is_some() {
                continue;
            }
            let next = self.driver.next_at().filter(|next| *next <= until);
            self.now = self.now.max(next.expect("no answer, and nothing to do"));
        }
    }

    /// Makes a call and runs until it is answered.
    pub(crate) fn call(&mut self, name: &str, params: &str) -> Answer {
        let call = self.begin_call(name, params);
        self.finish_call(&call)
    }

    /// What a call is refused with: code and message.
    pub(crate) fn refused(&mut self, name: &str, params: &str) -> (i32, String) {
        let error = self.call(name, params).expect_err(params);
        (error.code, error.message)
    }
}
