//! Errors, with the code each has over JSON-RPC.

use crate::{
    EntityId, Json,
    quotas::{QUOTA_REACHED, QuotaReached},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A JSON-RPC 2.0 error object, as it is stored in Components and sent in answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// What a program looks at.
    pub code: i32,
    /// What a person reads.
    pub message: String,
    /// The facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

/// Why a System will not go on. The engine attaches it as `lightningd:failing`; nothing of the Step
/// is written.
pub type Refusal = ErrorObject;

/// The code of bad parameters and values.
pub const INVALID_PARAMS: i32 = -32602;
/// The code of a method that isn't in the table.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The code of our own mistakes.
pub const INTERNAL: i32 = -32603;

impl ErrorObject {
    /// An error without data.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Bad parameters or values: −32602.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// The facts by name; data that is no object is the fact `data`.
    /// ```
    /// # use ecs_core::{ErrorObject, Json};
    /// let error = ErrorObject::new(7001, "no").with_data(&[1, 2]);
    /// assert_eq!(error.facts()["data"], Json::of(&[1, 2]));
    /// assert!(ErrorObject::new(7001, "no").facts().is_empty());
    /// ```
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, Json> {
        let Some(data) = self.data.as_ref().filter(|data| !data.is_null()) else {
            return BTreeMap::new();
        };
        data.fields().unwrap_or_else(|| BTreeMap::from([("data".to_owned(), data.clone())]))
    }

    /// The same with facts.
    #[must_use]
    pub fn with_data<T: Serialize + ?Sized>(self, data: &T) -> Self {
        Self { data: Some(Json::of(data)), ..self }
    }
}

/// What the engine refuses. Nothing was written unless the variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A parameter or value has the wrong shape, or may not be written by this caller. Code −32602.
    /// The same call fails again.
    #[error("{0}")]
    Invalid(String),
    /// `lightningd:systems` cannot be used. Code 2200. Write a proper list first.
    #[error("Invalid `lightningd:systems`: {0}")]
    InvalidSystems(String),
    /// No listed System matches. Code 2201. Retrying alone cannot help: change list or Components.
    #[error("No systems match, cannot advance.")]
    NoMatch,
    /// A System ran and changed nothing, again and again, or a bound on steps was reached. Code
    /// 2202.
    #[error("{0}")]
    Loop(String),
    /// A System panicked or did not answer in time. Code 2203.
    #[error("{0}")]
    SystemFailed(String),
    /// There is no such Entity. Code 2204.
    #[error("Entity {0} does not exist.")]
    UnknownEntity(EntityId),
    /// The Component or Entity is the engine's now. Code 2205. Wait until the payment has ended.
    #[error("{0}")]
    Frozen(String),
    /// The invocation is not the current one: it was answered, timed out, or overtaken. Code 2207.
    #[error("Invocation {0} is not current.")]
    StaleInvocation(u64),
    /// There is as much of something as there may be. Code 2208. Let some of it go, or have the
    /// quota raised.
    #[error(transparent)]
    Quota(#[from] QuotaReached),
    /// `expected` did not hold. Code 2244. Read again, decide again.
    #[error("Validation of expected failed.")]
    Unexpected,
    /// What is kept beside the Components refused its part of the step.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
}

impl Error {
    /// The code over JSON-RPC. A code never changes its meaning.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Invalid(_) => INVALID_PARAMS,
            Self::InvalidSystems(_) => 2200,
            Self::NoMatch => 2201,
            Self::Loop(_) => 2202,
            Self::SystemFailed(_) => 2203,
            Self::UnknownEntity(_) => 2204,
            Self::Frozen(_) => 2205,
            Self::StaleInvocation(_) => 2207,
            Self::Quota(_) => QUOTA_REACHED,
            Self::Unexpected => 2244,
            Self::Refused(refusal) => refusal.code,
        }
    }
}

impl From<bevy_ecs::query::QueryEntityError> for ErrorObject {
    /// A System reads what its match doesn't guarantee: −32603, our own mistake.
    fn from(error: bevy_ecs::query::QueryEntityError) -> Self {
        Self::new(INTERNAL, format!("a System read what it does not require: {error}"))
    }
}

impl From<&Error> for ErrorObject {
    fn from(error: &Error) -> Self {
        let said = || Self::new(error.code(), error.to_string());
        match error {
            Error::Refused(refusal) => refusal.clone(),
            Error::Quota(QuotaReached { quota, max }) => {
                let facts = [("quota", Json::of(quota.name())), ("max", Json::of(max))];
                Self { data: Some(Json::object(facts)), ..said() }
            }
            Error::Invalid(_)
            | Error::InvalidSystems(_)
            | Error::NoMatch
            | Error::Loop(_)
            | Error::SystemFailed(_)
            | Error::UnknownEntity(_)
            | Error::Frozen(_)
            | Error::StaleInvocation(_)
            | Error::Unexpected => said(),
        }
    }
}

impl From<Error> for ErrorObject {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}
