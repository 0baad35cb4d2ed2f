//! What the outside holds of a shell: calls into it, and news out of it.

use super::desk::{Desk, LOOKS};
use crate::{Asker, Driver, Outlet};
use ecs_core::{
    Caller, Effect, EntityId, Error, ErrorObject, INTERNAL, Json, Name, Reply, WireComponent, Write,
};
use ecs_systems::{
    bolt11::DecodedInvoices,
    components::Invoice,
    refusal::{DISK_FULL, SHUTDOWN, TOO_BUSY},
    units::Timestamp,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

/// What runs on the owner's thread, at its moment.
pub(super) type Command = Box<dyn FnOnce(&mut Driver, Timestamp) + Send>;

/// Why a call was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// The mailbox is full: the call was not taken in, and nothing happened. Call again later.
    #[error("{waiting} commands are waiting already")]
    Full {
        /// How many commands wait, which is the limit.
        waiting: usize,
    },
    /// The disk of the journal is full: the call was not taken in, and nothing happened. Make room
    /// there; then calls are taken in again.
    #[error("the disk of the journal is full: make room, then try again")]
    DiskFull,
    /// The shell has stopped. A call that was taken in has no answer either if the shell's future
    /// was dropped or panicked, or if the journal could not keep what it did: look after the next
    /// start whether it was kept.
    #[error("the shell has stopped")]
    Stopped,
}

/// Something announced, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The moment of the command it belongs to.
    pub at: Timestamp,
    /// The cursor of the last event before that command, as `payecs_events` has it.
    pub cursor: u64,
    /// What is announced; see `ecs_systems::effects`.
    pub effect: Effect,
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The next notice.
    Notice(Arc<Notice>),
    /// The subscriber was too slow: so many notices before the next one are lost to it.
    Lost {
        /// How many.
        count: u64,
    },
}

/// A way to reach the driver; clones reach the same. When the last one is dropped the shell stops.
#[derive(Clone)]
pub struct Handle(pub(super) Arc<Reach>);

/// What a handle reaches the shell with.
pub(super) struct Reach {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) notices: broadcast::WeakSender<Arc<Notice>>,
    pub(super) stopper: watch::Sender<bool>,
    pub(super) desk: Arc<Desk>,
    pub(super) invoices: DecodedInvoices,
    pub(super) watchers: Watchers,
    pub(super) ended: watch::Receiver<u64>,
    /// Places for answers that are found out on other threads.
    pub(super) elsewhere: Semaphore,
}

/// Answers that are found out on other threads at a time; others wait for their turn.
pub(super) const ELSEWHERE_MAX: usize = 4;

/// How many watch Systems run.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers(Arc<AtomicU64>);

impl Watchers {
    /// Whether somebody does.
    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn one_more(&self) -> Watching {
        self.0.fetch_add(1, Ordering::Relaxed);
        Watching(self.clone())
    }
}

/// Somebody watches, until it is dropped.
#[derive(Debug)]
struct Watching(Watchers);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handle")
            .field("room", &self.0.commands.capacity())
            .finish_non_exhaustive()
    }
}

/// The way back to a caller.
struct Answering(oneshot::Sender<Result<Reply, ErrorObject>>);

impl Asker for Answering {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        // Whoever asked may be gone.
        let _gone = self.0.send(reply);
    }

    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// What was not done, as a JSON-RPC error.
pub(crate) fn refused(error: ShellError) -> ErrorObject {
    let code = match error {
        ShellError::Full { .. } => TOO_BUSY,
        ShellError::DiskFull => DISK_FULL,
        ShellError::Stopped => SHUTDOWN,
    };
    ErrorObject::new(code, error.to_string())
}

impl Handle {
    /// Makes a payment, as [`Driver::start_payment`] does; its invoice is decoded here, before the
    /// engine is asked.
    ///
    /// # Errors
    /// As [`Handle::call`]; inside, as [`Driver::start_payment`].
    pub async fn start_payment(
        &self,
        components: Write,
    ) -> Result<Result<EntityId, Error>, ShellError> {
        let named = |(name, _): &&(Name, _)| *name == Invoice::SPEC.name;
        let invoice = components.components.iter().find(named).and_then(|(_, json)| json.as_ref());
        if let Some(text) = invoice.and_then(Json::as_str) {
            self.0.invoices.decode_ahead(&text);
        }
        self.call(move |driver, now| driver.start_payment(now, components)).await
    }

    /// Decodes the invoice among the params of a payment here, so that the engine need not: the
    /// first of them, or `invstring`.
    pub(crate) fn decode_ahead(&self, params: Option<&Json>) {
        let Some(params) = params else { return };
        let named = || params.fields().and_then(|mut fields| fields.remove("invstring"));
        let first = params.items().and_then(|items| items.into_iter().next());
        if let Some(text) = first.or_else(named).as_ref().and_then(Json::as_str) {
            self.0.invoices.decode_ahead(&text);
        }
    }

    /// Does something with the driver on its own thread, and answers what came of it, once that is
    /// kept where a journal is. Calls are done in the order in which they were taken in. Keep it
    /// short: everything else waits. A caller that goes away doesn't undo its call.
    ///
    /// # Errors
    /// [`ShellError::Full`], [`ShellError::DiskFull`]: not taken in. [`ShellError::Stopped`]: see
    /// there.
    pub async fn call<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Driver, Timestamp) -> R + Send + 'static,
    ) -> Result<R, ShellError> {
        let (answer, answered) = oneshot::channel();
        if self.0.desk.is_full() {
            return Err(ShellError::DiskFull);
        }
        self.post(Box::new(move |driver, now| {
            let came_of_it = command(driver, now);
            driver.answer_once_kept(Box::new(move || {
                // Whoever asked may be gone.
                let _gone = answer.send(came_of_it);
            }));
        }))?;
        answered.await.map_err(|_| ShellError::Stopped)
    }

    /// Calls a method of the table by name, with params as they came. The answer comes once
    /// everything that it tells of is kept, and that of a method that waits, once what it waits for
    /// is there. A caller that goes away doesn't undo its call. Needs a tokio runtime.
    /// ```no_run
    /// # use ecs_core::{Caller, ErrorObject, Json};
    /// # async fn doc(handle: payflow_default::shell::Handle) -> Result<(), ErrorObject> {
    ///
    /// let params = Json::of(&(1, "lightningd:amount"));
    /// let read = handle.call_method(Caller::owner(), "payecs_getcomponents", Some(params));
    /// assert_eq!(read.await?.text(), r#"{"entity":1,"lightningd:amount":null}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What [`Engine::call`](ecs_core::Engine::call) refuses; too much waits already (2340), the
    /// disk is full (2341), the shell has stopped (−5).
    pub async fn call_method(
        &self,
        caller: Caller,
        name: impl Into<String>,
        params: Option<Json>,
    ) -> Result<Json, ErrorObject> {
        let (answer, answered) = oneshot::channel();
        if self.0.desk.is_full() {
            return Err(refused(ShellError::DiskFull));
        }
        let name = name.into();
        let command = move |driver: &mut Driver, now: Timestamp| {
            driver.call_method(now, &caller, (&name, params.as_ref()), Box::new(Answering(answer)));
        };
        self.post(Box::new(command)).map_err(refused)?;
        let waiting = Waiting(Some(self));
        let answer = answered.await.map_err(|_| refused(ShellError::Stopped))?;
        waiting.end();
        match answer? {
            Reply::Now(json) => Ok(json),
            Reply::Elsewhere(work) => {
                let _place = self.0.elsewhere.acquire().await;
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|panicked| {
                    tracing::error!(target: "payecs::call", %panicked, "no answer");
                    Err(ErrorObject::new(INTERNAL, "Internal error: see the log"))
                })
            }
            Reply::Later(_) => unreachable!("the driver waits itself"),
        }
    }

    /// Answers a method that only reads, here and now, on this thread, while the shell sleeps and
    /// has nothing left to do: who has called before, also without waiting for the answer, reads
    /// what came of it. `None` for any other method and at any other time:
    /// [`Handle::call_method`] has the answer then.
    #[must_use]
    pub fn look(
        &self,
        caller: &Caller,
        name: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, ErrorObject>> {
        if !LOOKS.contains(&name) {
            return None;
        }
        self.0.desk.look(|driver| driver.look(caller, name, params))
    }

    /// Does something with the driver on its own thread, as soon as there is room for it: from a
    /// thread that may wait. What it answers, it gives to [`Driver::call_method`] or holds back
    /// itself.
    ///
    /// # Errors
    /// [`ShellError::DiskFull`], [`ShellError::Stopped`]: not taken in.
    ///
    /// # Panics
    /// In a tokio runtime.
    pub(crate) fn post_waiting(
        &self,
        command: impl FnOnce(&mut Driver, Timestamp) + Send + 'static,
    ) -> Result<(), ShellError> {
        if self.0.desk.is_full() {
            return Err(ShellError::DiskFull);
        }
        self.0.desk.one_comes();
        self.0.commands.blocking_send(Box::new(command)).map_err(|_| {
            self.0.desk.one_is_done();
            ShellError::Stopped
        })
    }

    /// Begins to serve external Systems, as [`Driver::serve`] does. Whoever is behind the outlet
    /// says [`Handle::look_again`] when it goes.
    ///
    /// # Errors
    /// As [`Driver::serve`]; the call is not taken in.
    pub(crate) async fn serve(
        &self,
        caller: Caller,
        (systems, at_once): (Vec<String>, Option<u32>),
        outlet: Box<dyn Outlet>,
    ) -> Result<(), ErrorObject> {
        let serve =
            move |driver: &mut Driver, now| driver.serve(now, (&caller, &systems, at_once), outlet);
        self.call(serve).await.map_err(refused)?
    }

    /// Has the driver look who is gone. Where commands wait it does so anyway.
    pub(crate) fn look_again(&self) {
        let _looks_anyway = self.post(Box::new(|_, _| {}));
    }

    fn post(&self, command: Command) -> Result<(), ShellError> {
        self.0.desk.one_comes();
        self.0.commands.try_send(command).map_err(|refused| {
            self.0.desk.one_is_done();
            match refused {
                mpsc::error::TrySendError::Full(_) => {
                    ShellError::Full { waiting: self.0.commands.max_capacity() }
                }
                mpsc::error::TrySendError::Closed(_) => ShellError::Stopped,
            }
        })
    }

    /// Hears every notice from now on. After the shell has stopped there are none.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let notices = self.0.notices.upgrade().map(|notices| notices.subscribe());
        Subscription { notices, _watching: None }
    }

    /// The same, and from the next command on every System that runs is announced; those of the
    /// flow are only while somebody watches.
    #[must_use]
    pub fn watch_systems(&self) -> Subscription {
        Subscription { _watching: Some(self.0.watchers.one_more()), ..self.subscribe() }
    }

    /// The cursor of the last event that may be told of, as it rises. There is no more
    /// to come once the shell has stopped.
    pub(crate) fn ended(&self) -> watch::Receiver<u64> {
        self.0.ended.clone()
    }

    /// Asks the shell to stop: it does what was taken in before, and nothing more. Again: nothing.
    pub fn stop(&self) {
        self.0.stopper.send_replace(true);
    }
}

/// A caller that waits. If it goes before it has its answer, the driver is told to look who is
/// gone: what it served goes to others.
struct Waiting<'a>(Option<&'a Handle>);

impl Waiting<'_> {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            handle.look_again();
        }
    }
}

/// The notices of a shell, from the moment of the subscription on.
#[derive(Debug)]
pub struct Subscription {
    notices: Option<broadcast::Receiver<Arc<Notice>>>,
    _watching: Option<Watching>,
}

impl Subscription {
    /// The next news; `None` once the shell has stopped and everything was heard. Safe to drop
    /// while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<News> {
        match self.notices.as_mut()?.recv().await {
            Ok(notice) => Some(News::Notice(notice)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(News::Lost { count }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
