//! What comes of a call.

use crate::{Engine, ErrorObject, Json};
use std::fmt;

/// The code of an answer that did not come in time; Core Lightning's of `wait`.
pub const WAIT_TIMEOUT: i32 = 2_000;

/// What comes of a call that was not refused.
pub enum Reply {
    /// The answer.
    Now(Json),
    /// The answer comes once the state is such. Who goes away meanwhile changes nothing.
    Later(Later),
    /// The answer takes longer than an engine may be held up, and needs none: it is found out on
    /// another thread.
    Elsewhere(Box<dyn FnOnce() -> Result<Json, ErrorObject> + Send>),
}

/// An answer that depends on what is still to come.
pub struct Later {
    /// Looks at the state, after each command, until it answers.
    pub look: Look,
    /// After so long the answer is `late`. `None`: never.
    pub timeout_ms: Option<u64>,
    /// What is answered then. `None`: an error ([`WAIT_TIMEOUT`]).
    pub late: Option<Result<Json, ErrorObject>>,
    /// A moment, in milliseconds since 1970, at which to look too, as nothing else may happen then.
    pub at_ms: Option<u64>,
    /// Whether to look again as soon as others had their turn: it waits for nothing else.
    pub at_work: bool,
    /// Whether the call has done something already: then nobody may be told that nothing happened.
    pub acted: bool,
}

/// Looks at the state, and answers when it can.
pub type Look = Box<dyn FnMut(&Engine) -> Option<Result<Reply, ErrorObject>> + Send>;

impl Reply {
    /// What has been begun is answered once this gives an answer.
    #[must_use]
    pub fn later(
        look: impl FnMut(&Engine) -> Option<Result<Reply, ErrorObject>> + Send + 'static,
        timeout_ms: Option<u64>,
    ) -> Self {
        Self::Later(Later::of(look, timeout_ms, true))
    }

    /// A question is answered once this gives an answer. Nothing was done: where too many wait, it
    /// is refused.
    #[must_use]
    pub fn waiting(
        look: impl FnMut(&Engine) -> Option<Result<Reply, ErrorObject>> + Send + 'static,
        timeout_ms: Option<u64>,
    ) -> Self {
        Self::Later(Later::of(look, timeout_ms, false))
    }

    /// An answer that is worked out a little at a time.
    #[must_use]
    pub fn in_steps(
        step: impl FnMut(&Engine) -> Option<Result<Reply, ErrorObject>> + Send + 'static,
    ) -> Self {
        Self::Later(Later { at_work: true, ..Later::of(step, None, false) })
    }

    /// The same; who waited in vain is given this, and no error.
    #[must_use]
    pub fn or_when_late(self, answer: Json) -> Self {
        match self {
            Self::Later(later) => Self::Later(Later { late: Some(Ok(answer)), ..later }),
            Self::Now(_) | Self::Elsewhere(_) => self,
        }
    }

    /// The same; who waited in vain is given this error.
    #[must_use]
    pub fn or_error_when_late(self, error: ErrorObject) -> Self {
        match self {
            Self::Later(later) => Self::Later(Later { late: Some(Err(error)), ..later }),
            Self::Now(_) | Self::Elsewhere(_) => self,
        }
    }

    /// The same, looking at that moment too, in milliseconds since 1970.
    #[must_use]
    pub fn looking_at(self, at_ms: u64) -> Self {
        match self {
            Self::Later(later) => Self::Later(Later { at_ms: Some(at_ms), ..later }),
            Self::Now(_) | Self::Elsewhere(_) => self,
        }
    }

    /// The answer, if it is there.
    #[must_use]
    pub fn now(self) -> Option<Json> {
        match self {
            Self::Now(json) => Some(json),
            Self::Later(_) | Self::Elsewhere(_) => None,
        }
    }
}

impl Later {
    fn of(
        look: impl FnMut(&Engine) -> Option<Result<Reply, ErrorObject>> + Send + 'static,
        timeout_ms: Option<u64>,
        acted: bool,
    ) -> Self {
        Self { look: Box::new(look), timeout_ms, late: None, at_ms: None, at_work: false, acted }
    }
}

impl From<Json> for Reply {
    fn from(json: Json) -> Self {
        Self::Now(json)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(json) => out.debug_tuple("Now").field(json).finish(),
            Self::Later(later) => out.debug_tuple("Later").field(later).finish(),
            Self::Elsewhere(_) => out.debug_tuple("Elsewhere").finish_non_exhaustive(),
        }
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Later").field("timeout_ms", &self.timeout_ms).finish_non_exhaustive()
    }
}

/// The error of a caller that waited in vain.
#[must_use]
pub fn timed_out() -> ErrorObject {
    ErrorObject::new(WAIT_TIMEOUT, "Timed out while waiting")
}
