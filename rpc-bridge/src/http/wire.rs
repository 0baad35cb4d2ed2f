//! A connection that is read no faster than it takes its answers.

use super::flow::Flow;
use crate::Limits;
use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
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
        let (stall, open, (from, to)) = (limits.stall, Arc::clone(self), socket.into_split());
        let (stalled, linger) = (None, None);
        Ok((Wire { from, to, number, flow, stall, stalled, linger, open }, number))
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

/// How long is read on, and thrown away, what comes after a refusal: who is still sending hears
/// that refusal, and not that the connection broke.
const LINGER: Duration = Duration::from_secs(3);
/// Most bytes of that.
const LINGER_BYTES_MAX: usize = 16 << 20;

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
    /// Until when, and how much, is still read and thrown away.
    linger: Option<(Pin<Box<Sleep>>, usize)>,
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

    /// Throws away what still comes, until the other side closes, within bounds.
    fn poll_linger(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begin = || (Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES_MAX);
        let (until, left) = self.linger.get_or_insert_with(begin);
        while until.as_mut().poll(task).is_pending() {
            let mut bytes = [0; 8 << 10];
            let mut into = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.from).poll_read(task, &mut into))?;
            let read = into.filled().len();
            *left = left.saturating_sub(read);
            if read == 0 || *left == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
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
        if !self.flow.follow(&into.filled()[before..]) {
            into.set_filled(before);
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
        let close = self.flow.close(bytes);
        let bytes = close.as_ref().map_or(bytes, |close| &close[..]);
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
        ready!(Pin::new(&mut self.to).poll_shutdown(task))?;
        let refused = self.flow.is_refused();
        if refused { self.poll_linger(task) } else { Poll::Ready(Ok(())) }
    }
}
