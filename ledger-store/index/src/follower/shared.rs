//! What the thread and those who ask have in common.

use crate::{error::StoreError, store::Store};
use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How far an index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are in it: the first ones of the log.
    pub applied: u64,
    /// Entries that the log had when it was last looked at.
    pub of: u64,
}

/// What an index does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is opened and looked through. It answers nothing yet.
    #[default]
    Opening,
    /// It is more than a batch behind its log. It answers with what it has.
    CatchingUp(Progress),
    /// It is in step with its log.
    Ready(Progress),
    /// It is of no use until the program starts again. Nothing else is affected.
    Failed {
        /// What happened.
        why: String,
    },
    /// Its follower was stopped.
    Stopped,
}

/// What was found, and how far the index was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was found among the first [`Progress::applied`] entries, and perhaps later ones.
    pub found: T,
    /// How far the index was before it was asked.
    pub progress: Progress,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The index is not open. When it is opening, ask later.
    #[error("the index of the ledger answers nothing now: {}", reason(state))]
    NotOpen {
        /// What it does.
        state: State,
    },
    /// The index failed at this question, and is looked after.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn reason(state: &State) -> String {
    match state {
        State::Opening | State::CatchingUp(_) | State::Ready(_) => "it is opening".to_owned(),
        State::Failed { why } => format!("it has failed: {why}; start the program again"),
        State::Stopped => "it was stopped".to_owned(),
    }
}

/// What answers queries. Clones ask the same index.
#[derive(Clone, Debug)]
pub struct Index {
    shared: Arc<Shared>,
}

impl Index {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What the index does.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.inner().state.clone()
    }

    /// Why the index was removed and built again since its follower started.
    #[must_use]
    pub fn rebuilt(&self) -> Option<String> {
        self.shared.inner().rebuilt.clone()
    }

    /// Asks the store. An error makes the follower remove it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn query<T>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<Answer<T>, QueryError> {
        let (store, progress) = {
            let inner = self.shared.inner();
            let not_open = || QueryError::NotOpen { state: inner.state.clone() };
            inner.open.clone().ok_or_else(not_open)?
        };
        match ask(&*store) {
            Ok(found) => Ok(Answer { found, progress }),
            Err(error) => {
                self.shared.report(&store, &error);
                Err(error.into())
            }
        }
    }

    /// Waits until the index does something, at most so long; what it does then.
    pub fn wait(&self, at_most: Duration, until: impl Fn(&State) -> bool) -> State {
        let inner = self.shared.inner();
        let waited =
            self.shared.changed.wait_timeout_while(inner, at_most, |inner| !until(&inner.state));
        waited.unwrap_or_else(PoisonError::into_inner).0.state.clone()
    }
}

#[derive(Default)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// The state is another.
    changed: Condvar,
    /// The thread has something to do.
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    state: State,
    /// The store that answers, and how far it is.
    open: Option<(Arc<dyn Store>, Progress)>,
    rebuilt: Option<String>,
    /// What a question found wrong with the store.
    reported: Option<StoreError>,
    /// The backend is opening, which nothing cuts short.
    in_backend: bool,
    nudged: bool,
    stop: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Shared").field("state", &self.inner().state).finish_non_exhaustive()
    }
}

/// What the thread is told.
pub(super) enum Told {
    Nothing,
    Stop,
    Damaged(StoreError),
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn nudge(&self) {
        self.inner().nudged = true;
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        self.inner().stop = true;
        self.wake.notify_all();
    }

    /// Whether the thread ends soon after [`Shared::stop`].
    pub(super) fn ends_soon(&self) -> bool {
        !self.inner().in_backend
    }

    fn report(&self, store: &Arc<dyn Store>, error: &StoreError) {
        let mut inner = self.inner();
        if inner.open.as_ref().is_some_and(|(open, _)| Arc::ptr_eq(open, store)) {
            inner.reported.get_or_insert_with(|| error.clone());
            self.wake.notify_all();
        }
    }

    /// Says what the index does; only one that runs answers.
    pub(super) fn set(&self, state: State) {
        let mut inner = self.inner();
        let closed = match &state {
            State::CatchingUp(progress) | State::Ready(progress) => {
                if let Some((_, known)) = &mut inner.open {
                    *known = *progress;
                }
                None
            }
            State::Opening | State::Failed { .. } | State::Stopped => inner.open.take(),
        };
        inner.state = state;
        drop(inner);
        self.changed.notify_all();
        // What it takes to close it holds nobody up.
        drop(closed);
    }

    /// The store from now on. Nobody sees it with how far another one was.
    pub(super) fn answer_from(&self, store: Arc<dyn Store>, progress: Progress) {
        let mut inner = self.inner();
        inner.open = Some((store, progress));
        inner.reported = None;
        drop(inner);
        self.set(State::CatchingUp(progress));
    }

    pub(super) fn rebuild(&self, why: String) {
        self.inner().rebuilt = Some(why);
        self.set(State::Opening);
    }

    /// Notes whether the backend is opening; whether the thread was told to stop before.
    pub(super) fn in_backend(&self, in_backend: bool) -> bool {
        let mut inner = self.inner();
        inner.in_backend = in_backend;
        inner.stop
    }

    /// What the thread was told.
    pub(super) fn told(&self) -> Told {
        told(&mut self.inner())
    }

    /// Waits until the thread is told something, or nudged, at most so long.
    pub(super) fn rest(&self, at_most: Duration) -> Told {
        let idle = |inner: &mut Inner| !inner.stop && !inner.nudged && inner.reported.is_none();
        let waited = self.wake.wait_timeout_while(self.inner(), at_most, idle);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.nudged = false;
        told(&mut inner)
    }
}

fn told(inner: &mut Inner) -> Told {
    if inner.stop {
        return Told::Stop;
    }
    inner.reported.take().map_or(Told::Nothing, Told::Damaged)
}
