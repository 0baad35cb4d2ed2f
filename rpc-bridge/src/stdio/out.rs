//! What is written, in order: answers, and what is told without being asked.

use crate::{Limits, Outcome, framing::framed, jsonrpc::Response};
use ecs_core::{ErrorObject, Json};
use serde::Serialize;
use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// While more than so many wait to be written, nothing is read.
const WAITING_MAX: usize = 256;
/// While more than so many wait to be written, what is told without being asked is lost and
/// counted: nobody reads.
const TOLD_MAX: usize = 65_536;
/// A buffer that has grown beyond so many bytes is not kept.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// The way out of a process; clones are the same. What is handed in is written by
/// [`Out::write_all`], on a thread of its own.
#[derive(Clone)]
pub struct Out(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// There is something to write, or there will be nothing more.
    more: Condvar,
    /// Less waits than may, or nothing is left that was asked for.
    less: Condvar,
    /// What is answered to whom nobody answers.
    unanswered: ErrorObject,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Sent>,
    /// What was told while nobody read.
    lost: u64,
    /// Requests that wait for their answer.
    asked: usize,
    /// Whether somebody waits until there are none.
    awaited: bool,
    /// Whether the writer sleeps.
    sleeps: bool,
    /// Nothing more is to come, or nobody takes it.
    closed: bool,
}

enum Sent {
    Answer(Json, Outcome),
    Note(&'static str, Json),
    Text(String),
}

#[derive(Serialize)]
struct Note<'a> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a Json,
}

impl fmt::Debug for Out {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue();
        out.debug_struct("Out")
            .field("waiting", &queue.waiting.len())
            .field("asked", &queue.asked)
            .finish_non_exhaustive()
    }
}

impl Out {
    /// A way out. An [`Answer`] that is dropped without having been given says `unanswered`.
    #[must_use]
    pub fn new(unanswered: ErrorObject) -> Self {
        let (queue, more, less) = (Mutex::default(), Condvar::new(), Condvar::new());
        Self(Arc::new(Shared { queue, more, less, unanswered }))
    }

    /// Tells something without being asked, unless nobody has read for long: then it is lost, and
    /// counted.
    ///
    /// Like answers that are given with [`Answer::give`], it is written once [`Out::flush`] is
    /// called.
    pub fn tell(&self, method: &'static str, params: Json) {
        let mut queue = self.queue();
        if queue.waiting.len() >= TOLD_MAX {
            queue.lost += 1;
        } else if !queue.closed {
            queue.waiting.push(Sent::Note(method, params));
        }
    }

    /// How much was lost because nobody read.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue().lost
    }

    /// Has everything written that was handed in.
    pub fn flush(&self) {
        self.wake(&mut self.queue());
    }

    /// Nothing more is handed in: [`Out::write_all`] writes what is left, and returns.
    pub fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.sleeps = false;
        self.0.more.notify_all();
        self.0.less.notify_all();
    }

    /// Waits until everything is answered that was asked for, at most so long. `false`: something
    /// is not.
    #[must_use]
    pub fn wait_until_answered(&self, longest: Duration) -> bool {
        let open = |queue: &mut Queue| {
            queue.awaited = true;
            queue.asked > 0 && !queue.closed
        };
        let waited = self.0.less.wait_timeout_while(self.queue(), longest, open);
        waited.unwrap_or_else(PoisonError::into_inner).0.asked == 0
    }

    /// Writes what is handed in, until [`Out::close`] or until nobody takes it.
    ///
    /// # Errors
    /// It can't be written. What is handed in from then on is thrown away.
    pub fn write_all(&self, mut to: impl Write, limits: &Limits) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(waiting) = self.next() {
            for sent in waiting {
                sent.write(&mut buffer, limits);
            }
            if let Err(error) = to.write_all(&buffer).and_then(|()| to.flush()) {
                self.close();
                self.queue().waiting = Vec::new();
                return Err(error);
            }
            buffer.clear();
            if buffer.capacity() > BUFFER_BYTES_MAX {
                buffer = Vec::new();
            }
        }
        Ok(())
    }

    /// Waits for something to write. `None`: there will be nothing more.
    fn next(&self) -> Option<Vec<Sent>> {
        let mut queue = self.queue();
        while queue.waiting.is_empty() {
            if queue.closed {
                return None;
            }
            queue.sleeps = true;
            queue = self.0.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.sleeps = false;
        let waiting = mem::take(&mut queue.waiting);
        if waiting.len() > WAITING_MAX {
            self.0.less.notify_all();
        }
        Some(waiting)
    }

    /// The way back for a request.
    pub(super) fn answer(&self, id: Json) -> Answer {
        self.queue().asked += 1;
        Answer { id: Some(id), out: self.clone() }
    }

    /// Says something that answers no request.
    pub(super) fn say(&self, text: String) {
        let mut queue = self.queue();
        if !queue.closed {
            queue.waiting.push(Sent::Text(text));
        }
        self.wake(&mut queue);
    }

    /// Returns once less waits to be written than may.
    pub(super) fn wait_for_room(&self) {
        let full = |queue: &mut Queue| {
            let is_full = queue.waiting.len() > WAITING_MAX && !queue.closed;
            if is_full {
                self.wake(queue);
            }
            is_full
        };
        let waited = self.0.less.wait_while(self.queue(), full);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer if it sleeps and has something to write.
    fn wake(&self, queue: &mut Queue) {
        if !queue.waiting.is_empty() && mem::take(&mut queue.sleeps) {
            self.0.more.notify_one();
        }
    }
}

impl Sent {
    fn write(self, buffer: &mut Vec<u8>, limits: &Limits) {
        let text = match self {
            Self::Answer(id, outcome) => Response::new(id, outcome).text(limits),
            Self::Note(method, params) => {
                let note = Note { jsonrpc: "2.0", method, params: &params };
                serde_json::to_string(&note).expect("our values have string keys")
            }
            Self::Text(text) => text,
        };
        buffer.extend_from_slice(framed(text).as_bytes());
    }
}

/// The way back for one request. One that is dropped says that nobody answers.
#[derive(Debug)]
pub struct Answer {
    /// `None`: it was given.
    id: Option<Json>,
    out: Out,
}

impl Answer {
    /// Answers. It is written once [`Out::flush`] is called: who gives many flushes once.
    pub fn give(mut self, outcome: Outcome) {
        self.push(outcome);
    }

    /// Answers at once.
    pub fn give_now(mut self, outcome: Outcome) {
        self.push(outcome);
        self.out.flush();
    }

    fn push(&mut self, outcome: Outcome) {
        let Some(id) = self.id.take() else { return };
        let mut queue = self.out.queue();
        queue.asked -= 1;
        if !queue.closed {
            queue.waiting.push(Sent::Answer(id, outcome));
        }
        if queue.asked == 0 && queue.awaited {
            self.out.0.less.notify_all();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.id.is_some() {
            let unanswered = self.out.0.unanswered.clone();
            self.push(Err(unanswered));
            self.out.flush();
        }
    }
}
