//! A connection that is read no faster than it takes its answers.

use super::frames::{Fault, Frames};
use crate::Limits;
use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    time::{Instant, Sleep, timeout_at},
};

/// How long a connection has at least to show its token, before it makes way for another.
const MOMENT: Duration = Duration::from_millis(100);

/// The connections of a server that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    sockets: Mutex<Sockets>,
    /// Some are closed, or known.
    changed: Notify,
}

/// A second way to each connection, to close it, by number: a later one has a larger.
#[derive(Debug, Default)]
struct Sockets {
    last: u32,
    /// Those that have shown no right token yet, and since when they are there.
    strangers: BTreeMap<u32, (Instant, OwnedFd)>,
    known: BTreeMap<u32, OwnedFd>,
}

/// Whether a connection may be taken in.
enum Room {
    Free,
    /// Then, by closing a stranger; or before, when one goes or is known.
    At(Instant),
    /// All places are taken by those that are known.
    None,
}

impl Sockets {
    fn count(&self) -> usize {
        self.strangers.len() + self.known.len()
    }

    /// Makes room for a connection, if need be by closing the stranger that is there longest. Each
    /// has had a moment to show its token.
    fn make_room(&mut self, limits: &Limits, now: Instant) -> Room {
        let has_room = self.count() < limits.connections as usize
            && self.strangers.len() < limits.strangers as usize;
        if has_room {
            return Room::Free;
        }
        let Some(longest) = self.strangers.first_entry() else { return Room::None };
        let until = longest.get().0 + MOMENT;
        if now < until {
            return Room::At(until);
        }
        close(&longest.remove().1);
        Room::Free
    }
}

fn close(socket: &OwnedFd) {
    // One that is closed already needs nothing more.
    let _closed = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

impl Open {
    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in, as a stranger; waits a moment where many come at once. `Err` with it:
    /// there are as many as there may be, all of them known; or the host has no way to it.
    pub(super) async fn take(
        self: &Arc<Self>,
        socket: TcpStream,
        limits: &Limits,
    ) -> Result<(Wire, u32), TcpStream> {
        let Ok(other) = socket.as_fd().try_clone_to_owned() else { return Err(socket) };
        // Without it answers only come later.
        let _without = socket.set_nodelay(true);
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let room = self.sockets().make_room(limits, now);
            match room {
                Room::Free => break,
                Room::None => return Err(socket),
                Room::At(until) => {
                    // Whichever comes first, it is looked again.
                    let _changed = timeout_at(until, changed).await.is_ok();
                }
            }
        }
        let number = self.add(other);
        let flow = Arc::new(Flow::new(limits));
        let (stall, stalled, open) = (limits.stall, None, Arc::clone(self));
        let (from, to) = socket.into_split();
        Ok((Wire { from, to, number, flow, stall, stalled, open }, number))
    }

    fn add(&self, socket: OwnedFd) -> u32 {
        let mut sockets = self.sockets();
        sockets.last = sockets.last.wrapping_add(1);
        let number = sockets.last;
        sockets.strangers.insert(number, (Instant::now(), socket));
        number
    }

    /// A connection has shown a right token.
    pub(super) fn is_known(&self, number: u32) {
        let mut sockets = self.sockets();
        if let Some((_, socket)) = sockets.strangers.remove(&number) {
            sockets.known.insert(number, socket);
        }
        drop(sockets);
        self.changed.notify_waiters();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.sockets().count()
    }

    /// Returns when all are closed.
    pub(super) async fn all_closed(&self) {
        loop {
            let closed = self.changed.notified();
            if self.sockets().count() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Closes all.
    pub(super) fn close_all(&self) {
        let sockets = self.sockets();
        let strangers = sockets.strangers.values().map(|(_, socket)| socket);
        strangers.chain(sockets.known.values()).for_each(close);
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
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
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

    /// Takes note of what was written; of nothing, for too long, that this is the end.
    fn follow_write(
        &mut self,
        task: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(ended) = written {
            self.stalled = None;
            self.flow.written(*ended.as_ref().unwrap_or(&0));
            return Poll::Ready(ended);
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
        let mut sockets = self.open.sockets();
        sockets.strangers.remove(&self.number);
        sockets.known.remove(&self.number);
        drop(sockets);
        self.open.changed.notify_waiters();
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !ready!(self.flow.poll_may_read(task)) {
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.from).poll_read(task, into))?;
        if let Some(word) = self.flow.follow(&into.filled()[before..]) {
            into.set_filled(before);
            // It ends whether it hears that or not.
            let _told = self.to.try_write(word);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.to).poll_write(task, bytes);
        self.follow_write(task, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.to).poll_write_vectored(task, slices);
        self.follow_write(task, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(task)
    }
}
