//! What a connection holds, and whether it is read on.

use super::{
    frames::{Fault, Frames},
    streams::Streams,
};
use crate::Limits;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::sync::Notify;

/// The frame with which jsonrpsee ends a WebSocket: close, 1000.
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xe8];

/// What a connection holds: answers that were not taken yet, and calls that wait for their turn.
#[derive(Debug)]
pub(super) struct Flow {
    held_max: u64,
    message_max: u64,
    waiting_max: u32,
    state: Mutex<State>,
    /// Answers were taken.
    taken: Notify,
    /// What is told before calls are answered.
    pub(super) streams: Streams,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of answers that were not taken yet.
    unsent: u64,
    /// Bytes of calls that wait.
    waiting: u64,
    /// How many calls wait.
    waiters: u32,
    /// Who waits to read on.
    reader: Option<Waker>,
    /// The frames of a WebSocket.
    frames: Option<Frames>,
    /// Nothing more is read.
    over: bool,
    /// Why frames are read no more.
    fault: Option<Fault>,
    /// More may come than is read.
    refused: bool,
}

impl Flow {
    pub(super) fn new(limits: &Limits) -> Self {
        let (held_max, message_max) = (limits.unsent_bytes.into(), limits.request_bytes.into());
        let (state, taken, waiting_max) = (Mutex::default(), Notify::new(), limits.waiting);
        let streams = Streams::default();
        Self { held_max, message_max, waiting_max, state, taken, streams }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on frames come. A client sends none before it was told that it may.
    pub(super) fn upgraded(&self) {
        self.state().frames = Some(Frames::new(self.message_max));
    }

    /// Takes note of an answer that is about to be written. What frames and pings add is not
    /// counted, so that less is waited for than is written, and never more.
    pub(super) fn answered(&self, bytes: usize) {
        self.state().unsent += bytes as u64;
    }

    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.unsent = state.unsent.saturating_sub(bytes as u64);
        if state.unsent <= self.held_max {
            self.taken.notify_waiters();
        }
        self.wake(&mut state);
    }

    /// Lets a call wait. `None`: too many do.
    pub(super) fn wait(&self, bytes: usize) -> Option<Waiting<'_>> {
        let mut state = self.state();
        if state.waiters >= self.waiting_max {
            return None;
        }
        state.waiters += 1;
        state.waiting += bytes as u64;
        Some(Waiting(self, bytes as u64))
    }

    /// Returns when answers may be added to those that were not taken yet.
    pub(super) async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.state().unsent <= self.held_max {
                return;
            }
            taken.await;
        }
    }

    /// Ends the reading.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.over = true;
        self.wake(&mut state);
    }

    fn wake(&self, state: &mut State) {
        if (state.over || state.unsent + state.waiting <= self.held_max)
            && let Some(reader) = state.reader.take()
        {
            reader.wake();
        }
    }

    /// Waits until may be read. `false`: nothing more is.
    pub(super) fn poll_may_read(&self, task: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if state.over || state.unsent + state.waiting <= self.held_max {
            return Poll::Ready(!state.over);
        }
        state.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// Follows what was read. `false`: it is not to be had.
    pub(super) fn follow(&self, bytes: &[u8]) -> bool {
        let mut state = self.state();
        let Some(frames) = &mut state.frames else { return true };
        let Err(fault) = frames.follow(bytes) else { return true };
        (state.over, state.refused, state.fault) = (true, true, Some(fault));
        false
    }

    /// The connection ends with an answer to what was not read whole.
    pub(super) fn refuse(&self) {
        self.state().refused = true;
    }

    /// Whether it does.
    pub(super) fn is_refused(&self) -> bool {
        self.state().refused
    }

    /// What is written instead of the frame with which jsonrpsee ends a WebSocket, if it is that:
    /// it comes by itself, and nothing comes after it.
    pub(super) fn close(&self, bytes: &[u8]) -> Option<[u8; 4]> {
        let [first, length, ..] = CLOSE;
        let [high, low] = self.state().fault?.close_code().to_be_bytes();
        (bytes == CLOSE).then_some([first, length, high, low])
    }
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Flow, u64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waiters -= 1;
        state.waiting -= self.1;
        self.0.wake(&mut state);
    }
}
