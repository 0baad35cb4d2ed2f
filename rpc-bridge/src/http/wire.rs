//! A connection that is read no faster than it takes its answers.

use super::frames::{Fault, Frames};
use crate::Limits;
use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::Sleep,
};

/// The connections of a server that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    sockets: Mutex<(u32, BTreeMap<u32, Arc<TcpStream>>)>,
    closed: Notify,
}

impl Open {
    fn sockets(&self) -> MutexGuard<'_, (u32, BTreeMap<u32, Arc<TcpStream>>)> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in. `Err` with it: there are as many as there may be.
    pub(super) fn take(
        self: &Arc<Self>,
        socket: TcpStream,
        limits: &Limits,
    ) -> Result<(Wire, u32), TcpStream> {
        let mut sockets = self.sockets();
        if sockets.1.len() >= limits.connections as usize {
            return Err(socket);
        }
        sockets.0 = sockets.0.wrapping_add(1);
        let (number, socket) = (sockets.0, Arc::new(socket));
        sockets.1.insert(number, Arc::clone(&socket));
        let flow = Arc::new(Flow::new(limits));
        let (stall, stalled, open) = (limits.stall, None, Arc::clone(self));
        Ok((Wire { socket, number, flow, stall, stalled, open }, number))
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.sockets().1.len()
    }

    /// Returns when all are closed.
    pub(super) async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.sockets().1.is_empty() {
                return;
            }
            closed.await;
        }
    }

    /// Closes all.
    pub(super) fn close_all(&self) {
        for socket in self.sockets().1.values() {
            // One that is closed already needs nothing more.
            let _closed = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }
}

/// What a client is told whose frames are read no more: close, 1009 or 1002.
fn close_of(fault: Fault) -> &'static [u8] {
    match fault {
        Fault::TooLarge => &[0x88, 2, 0x03, 0xf1],
        Fault::NotMasked => &[0x88, 2, 0x03, 0xea],
    }
}

/// What a connection holds: answers that were not taken yet, and calls that wait for their turn.
#[derive(Debug)]
pub(super) struct Flow {
    held_max: u64,
    message_max: u64,
    waiting_max: u32,
    state: Mutex<State>,
    /// Answers were taken.
    taken: Notify,
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
}

impl Flow {
    fn new(limits: &Limits) -> Self {
        let (held_max, message_max) = (limits.unsent_bytes.into(), limits.request_bytes.into());
        let (state, taken, waiting_max) = (Mutex::default(), Notify::new(), limits.waiting);
        Self { held_max, message_max, waiting_max, state, taken }
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

    fn written(&self, bytes: usize) {
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
    fn give_up(&self) {
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
    fn poll_may_read(&self, task: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if state.over || state.unsent + state.waiting <= self.held_max {
            return Poll::Ready(!state.over);
        }
        state.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// Follows what was read. `Some`: it is not to be had, and may be answered so much.
    fn follow(&self, bytes: &[u8]) -> Option<&'static [u8]> {
        let mut state = self.state();
        let fault = state.frames.as_mut()?.follow(bytes).err()?;
        state.over = true;
        // Not into the middle of another answer.
        Some(if state.unsent == 0 { close_of(fault) } else { &[] })
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

/// A connection. It is not read while more waits to be written than may, and ends when nothing is
/// taken for too long.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Arc<TcpStream>,
    number: u32,
    flow: Arc<Flow>,
    stall: Duration,
    /// Ends when nothing was taken for too long.
    stalled: Option<Pin<Box<Sleep>>>,
    open: Arc<Open>,
}

impl Wire {
    /// What was answered and not taken yet.
    pub(super) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    fn poll_write_with(
        &mut self,
        task: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.socket.poll_write_ready(task)?.is_ready() {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(bytes) => {
                    self.stalled = None;
                    self.flow.written(bytes);
                    return Poll::Ready(Ok(bytes));
                }
            }
        }
        let stall = self.stall;
        let sleep = || Box::pin(tokio::time::sleep(stall));
        ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(task));
        self.flow.give_up();
        let why = "the other side takes nothing";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.open.sockets().1.remove(&self.number);
        self.open.closed.notify_waiters();
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !ready!(self.flow.poll_may_read(task)) {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(task))?;
            let room = into.initialize_unfilled();
            match self.socket.try_read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(bytes) => match self.flow.follow(&room[..bytes]) {
                    None => {
                        into.advance(bytes);
                        return Poll::Ready(Ok(()));
                    }
                    Some(word) => {
                        // It ends whether it hears that or not.
                        let _told = self.socket.try_write(word);
                        return Poll::Ready(Ok(()));
                    }
                },
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(task, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(task, |socket| socket.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
        Poll::Ready(done.map_err(io::Error::from))
    }
}
