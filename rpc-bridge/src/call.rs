//! One call: whether the grant is for it, and how it runs.

use crate::{BoxFuture, Grant, Outcome, Service};
use ecs_core::{ErrorObject, INTERNAL, Json, NOT_PERMITTED};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::task::JoinHandle;

/// Starts a task. It runs to its end, whoever waits for it.
#[expect(clippy::disallowed_methods, reason = "transports have tasks of their own")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// Calls a method. It has begun once this was polled; whoever drops it then forgets the answer, and
/// what was asked for is done nevertheless, as [`Service::call`] says.
pub(crate) async fn call(
    service: &Arc<dyn Service>,
    grant: &Arc<Grant>,
    method: String,
    params: Option<Json>,
) -> Outcome {
    permit(grant, &method)?;
    let call = || service.call(Arc::clone(grant), method, params);
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(call) => Caught(call).await,
        Err(_) => Err(broken()),
    }
}

/// A call whose panic is an answer.
struct Caught(BoxFuture<'static, Outcome>);

impl Future for Caught {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(task)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(broken())))
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
