//! Builds an index, and keeps it in step with its log, on a thread of its own.

mod life;
mod shared;

pub use shared::{Answer, Index, Progress, QueryError, State};

use crate::{backend::Backend, compare::Fault, extract::Extractor, source::Source};
use life::Life;
use shared::Shared;
use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use crate::error::StoreError;

/// Builds an index, and keeps it in step with its log, on a thread of its own.
///
/// ```text
///           ┌──────────────── the index is of no use: remove it, once ──────────────┐
///           ▼                                                                       │
///        Opening ───────► CatchingUp ◄──────► Ready ────────────────────────────────┤
///           │                  │                 │                                  │
///           └──────────────────┴── stop ─────────┴──► Stopped     again, or the log │
///                                                                 can't be read     ▼
///                                                                                Failed
/// ```
///
/// An index is of no use when it can't be opened, read or written, when it lacks a key or has
/// another than was written, when it is of another log or format, when the log has fewer entries
/// or another hash at its last one. It is removed and built again; the second time it stays failed,
/// with the reason. Whatever happens to it, the log and who writes it are not held up.
///
/// When it is dropped, the thread stops as with [`Follower::stop`].
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts the thread. All that a crash kept from the log must be in it again: an index that is
    /// ahead of its log is removed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        backend: impl Backend + 'static,
        source: impl Source + 'static,
        extractor: Extractor,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let life = Life {
            shared: Arc::clone(&shared),
            backend: Box::new(backend),
            source: Box::new(source),
            extractor,
        };
        let thread = Builder::new().name("ledger-index".to_owned()).spawn(move || run(&life))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What answers queries.
    #[must_use]
    pub fn index(&self) -> Index {
        Index::of(Arc::clone(&self.shared))
    }

    /// Makes the thread look at the log now. It does so by itself ten times a second.
    pub fn nudge(&self) {
        self.shared.nudge();
    }

    /// Flushes the index and ends the thread. A backend that is still opening is not waited for:
    /// its thread ends when it has opened.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take().filter(|_| self.shared.ends_soon()) {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread: lives until it is stopped, has failed, or has failed again.
fn run(life: &Life) {
    let why = match attempt(|| life.live()) {
        Ok(()) => return life.shared.set(State::Stopped),
        Err(Fault::Log(why)) => return fail(life, why),
        Err(Fault::Index(why)) => why,
    };
    tracing::warn!(target: "ledger::index", why, "index removed, to be built again");
    life.shared.rebuild(why);
    let removed = attempt(|| life.backend.remove().map_err(Fault::from));
    match removed.and_then(|()| attempt(|| life.live())) {
        Ok(()) => life.shared.set(State::Stopped),
        Err(Fault::Log(why) | Fault::Index(why)) => fail(life, why),
    }
}

fn fail(life: &Life, why: String) {
    tracing::warn!(target: "ledger::index", why, "index failed");
    life.shared.set(State::Failed { why });
}

/// Runs what may panic.
fn attempt(run: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let panicked = |panic: Box<dyn Any + Send>| StoreError::panicked(&*panic).into();
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(panic)))
}
