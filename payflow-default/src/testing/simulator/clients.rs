//! Callers: what they asked, and what they heard.

use super::{auditor::Said, paycodes::CodeErrand};
use crate::Asker;
use ecs_core::{ErrorObject, Json, Reply};
use ecs_systems::units::PaymentHash;
use serde_json::Value;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    /// It was answered.
    Answer(Result<String, ErrorObject>),
    /// The engine is gone, and nobody will answer.
    CutOff,
    /// A receipt was issued.
    Issued,
}

/// What was heard, in order, each with the number of its call. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Ears(Arc<Mutex<Vec<(u32, Heard)>>>);

impl Ears {
    /// What was heard since this was last asked.
    pub(super) fn take(&self) -> Vec<(u32, Heard)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn hear(&self, call: u32, heard: Heard) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((call, heard));
    }
}

/// Somebody on the line.
pub(super) struct Caller {
    call: u32,
    ears: Ears,
    is_gone: Arc<AtomicBool>,
    was_answered: bool,
}

impl Caller {
    /// A caller, and what tells that he has gone.
    pub(super) fn new(call: u32, ears: Ears) -> (Self, Arc<AtomicBool>) {
        let is_gone = Arc::new(AtomicBool::new(false));
        (Self { call, ears, is_gone: Arc::clone(&is_gone), was_answered: false }, is_gone)
    }
}

impl Asker for Caller {
    fn answer(mut self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        let answer = match reply {
            Ok(Reply::Now(json)) => Ok(json),
            Ok(Reply::Elsewhere(look)) => look(),
            Ok(Reply::Later(_)) => Err(ErrorObject::invalid("an answer that is none")),
            Err(error) => Err(error),
        };
        self.was_answered = true;
        if !self.is_gone() {
            let answer = answer.map(|json| json.text().to_owned());
            self.ears.hear(self.call, Heard::Answer(answer));
        }
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.was_answered {
            self.ears.hear(self.call, Heard::CutOff);
        }
    }
}

/// Why somebody calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Errand {
    /// To pay what that deed wants paid.
    Pay(u32),
    /// To hear how a hash stands.
    Look,
    /// The same after a crash: it must be known.
    Remember(PaymentHash),
    /// To hear of payments, entries or balances at the end.
    Read,
    /// To cancel.
    Cancel,
    /// To have a receipt issued.
    Issue(u32),
    /// About a paycode.
    Code(CodeErrand),
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) errand: Errand,
    pub(super) is_gone: Arc<AtomicBool>,
}

/// What a client wants paid.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) hash: PaymentHash,
    pub(super) intent: super::auditor::Intent,
    /// The params of `pay`.
    pub(super) params: Json,
    /// The call that asked last.
    pub(super) call: Option<u32>,
    /// Whether somebody was told how it ended.
    pub(super) is_over: bool,
}

/// An answer as the auditor reads it.
pub(super) fn said(answer: &Result<String, ErrorObject>) -> Said {
    let value = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    match answer {
        Ok(text) => Said::Well(value(text)),
        Err(error) => {
            let data = error.data.as_ref().map_or(Value::Null, |data| value(data.text()));
            Said::Ill(error.code, data)
        }
    }
}
