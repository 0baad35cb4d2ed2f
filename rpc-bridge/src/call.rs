//! One call: whether the grant is for it, and how it runs.

use crate::{BoxFuture, Grant, Outcome, Service};
use ecs_core::{ErrorObject, INTERNAL, Json, NOT_PERMITTED};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
};
use tokio::task::JoinHandle;

/// Starts a task. It runs to its end, whoever waits for it.
#[expect(clippy::disallowed_methods, reason = "transports have tasks of their own")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A call that has begun.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It has ended already.
    Ended(Outcome),
    /// It goes on, whoever waits for it.
    Runs(JoinHandle<Outcome>),
}

impl Begun {
    /// What it comes to.
    pub(crate) async fn outcome(self) -> Outcome {
        match self {
            Self::Ended(outcome) => outcome,
            Self::Runs(task) => task.await.unwrap_or_else(|_| Err(broken())),
        }
    }
}

/// Begins a call. What is begun first reaches the service first.
pub(crate) async fn begin(
    service: &Arc<dyn Service>,
    grant: &Arc<Grant>,
    method: String,
    params: Option<Json>,
) -> Begun {
    if let Err(refused) = permit(grant, &method) {
        return Begun::Ended(Err(refused));
    }
    let call = || service.call(Arc::clone(grant), method, params);
    let Ok(mut call) = catch_unwind(AssertUnwindSafe(call)) else {
        return Begun::Ended(Err(broken()));
    };
    let first = poll_fn(|task| {
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(task)));
        Poll::Ready(polled.unwrap_or_else(|_| Poll::Ready(Err(broken()))))
    });
    match first.await {
        Poll::Ready(outcome) => Begun::Ended(outcome),
        Poll::Pending => Begun::Runs(spawn(call)),
    }
}

/// Polls what was begun once, so that what is begun first comes first. `Err`: it goes on, whoever
/// waits for it.
pub(crate) async fn poll_first<T: Send + 'static>(
    mut future: BoxFuture<'static, T>,
) -> Result<T, JoinHandle<T>> {
    match poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await {
        Poll::Ready(ended) => Ok(ended),
        Poll::Pending => Err(spawn(future)),
    }
}

/// A service that panicked.
fn broken() -> ErrorObject {
    ErrorObject::new(INTERNAL, "Internal error: the call ended without an answer. See the log.")
}

/// Refuses what the words of a grant don't allow; scopes are the service's.
pub(crate) fn permit(grant: &Grant, method: &str) -> Result<(), ErrorObject> {
    let name = &grant.name;
    if grant.methods.as_ref().is_some_and(|methods| !methods.contains(method)) {
        let what = format!("Not permitted: token `{name}` is not for this method.");
        return Err(ErrorObject::new(NOT_PERMITTED, what));
    }
    Ok(())
}
