//! A socket for the owner's programs, framed as that of Core Lightning.
//!
//! Requests are JSON values one after the other, with or without space between them; each answer
//! ends in two newlines. Requests are begun in the order in which they come and answered as they
//! end; nothing waits for a caller that has gone. Whoever can open the socket is the owner: its
//! file is in a directory for the owner alone.

use crate::{
    Grant, Limits, PARSE_ERROR, REQUEST_TOO_LARGE, Service, TOO_MANY_CALLS,
    call::spawn,
    framing::{Objects, framed, said_of},
    jsonrpc::{Message, Response, answer_message},
    private,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    fs::{self, File, TryLockError},
    future::poll_fn,
    io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as StdUnixStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// Longest path of a socket.
const PATH_BYTES_MAX: usize = 107;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;
/// Answers that wait to be written.
const ANSWERS_MAX: usize = 16;
/// How often it is looked whether a caller that sends no more still listens.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the accepting of connections rests after the host refused one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why a socket is not served.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process serves it.
    #[error("{0} is served by another process: stop that one, or choose another path")]
    InUse(PathBuf),
    /// Something else has its name.
    #[error("{0} is no socket: move it away, or choose another path")]
    NoSocket(PathBuf),
    /// Its directory is not for the owner alone.
    #[error("{0} can be entered by others: chmod 700 it, or choose another path")]
    Open(PathBuf),
    /// The host takes no path that long.
    #[error("{0} has more than {PATH_BYTES_MAX} bytes: choose a shorter path")]
    TooLong(PathBuf),
    /// The host refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A socket that is served. Dropping it stops accepting; [`Socket::stop`] waits for what runs.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    stage: watch::Sender<Stage>,
    open: Arc<Semaphore>,
    accepting: JoinHandle<()>,
    limits: Arc<Limits>,
    /// Held while the socket is served.
    _lock: File,
}

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serves,
    /// Nothing more is read; what runs is answered.
    Drains,
    Closes,
}

impl Socket {
    /// Serves a socket. Its directory is made for the owner alone where there is none. The file of
    /// a process that is gone is replaced. Runs on the tokio runtime it is called on.
    ///
    /// # Errors
    /// Another process serves it, the directory is open to others, or the host refuses.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub fn start(
        path: &Path,
        service: Arc<dyn Service>,
        limits: Limits,
    ) -> Result<Self, SocketError> {
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(SocketError::TooLong(path.to_owned()));
        }
        let lock = claim(path)?;
        let listener = UnixListener::bind(path).map_err(private::at(path))?;
        private::close_file(path)?;
        let (stage, watched) = watch::channel(Stage::Serves);
        let open = Arc::new(Semaphore::new(limits.connections as usize));
        let limits = Arc::new(limits);
        let grant = Arc::new(Grant::owner("socket"));
        let shared = Shared { service, grant, limits: Arc::clone(&limits), stage: watched };
        let accepting = spawn(accept(listener, shared, Arc::clone(&open)));
        Ok(Self { path: path.to_owned(), stage, open, accepting, limits, _lock: lock })
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        (self.limits.connections as usize).saturating_sub(self.open.available_permits())
    }

    /// Accepts and reads nothing more, lets calls in flight be answered for [`Limits::drain`],
    /// closes what is still open then, and removes the file. Calls that were begun go on in the
    /// service.
    ///
    /// # Errors
    /// The file can't be removed.
    pub async fn stop(self) -> io::Result<()> {
        self.stage.send_replace(Stage::Drains);
        let _ended = self.accepting.await;
        let all = self.open.acquire_many(self.limits.connections);
        if timeout(self.limits.drain, all).await.is_err() {
            tracing::warn!(target: "payecs::socket", "closed with calls in flight");
        }
        self.stage.send_replace(Stage::Closes);
        fs::remove_file(&self.path).map_err(private::at(&self.path))
    }
}

/// Makes sure that nobody else serves a path, now or while the lock is held.
fn claim(path: &Path) -> Result<File, SocketError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => private::make_dir(dir)?,
        Err(error) => return Err(private::at(dir)(error).into()),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            return Err(SocketError::Open(dir.to_owned()));
        }
        Ok(_) => {}
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = private::lock_file(Path::new(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SocketError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(lock),
        Err(error) => return Err(private::at(path)(error).into()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NoSocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(SocketError::InUse(path.to_owned()));
    }
    fs::remove_file(path).map_err(private::at(path))?;
    Ok(lock)
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    service: Arc<dyn Service>,
    grant: Arc<Grant>,
    limits: Arc<Limits>,
    stage: watch::Receiver<Stage>,
}

impl Shared {
    /// Returns when the socket is so far, or gone.
    async fn reached(&mut self, stage: Stage) {
        // A socket that is gone has got everywhere.
        let _reached = self.stage.wait_for(|now| *now >= stage).await.is_ok();
    }
}

async fn accept(listener: UnixListener, mut shared: Shared, open: Arc<Semaphore>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.reached(Stage::Drains) => return,
        };
        match (accepted, Arc::clone(&open).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let serving = serve(stream, shared.clone());
                spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            (Ok((stream, _)), Err(_)) => {
                let refused = Response::refused(None, TOO_MANY_CALLS, "Too many connections.");
                // It is closed whether it was told or not.
                let _told = stream.try_write(framed(refused.text(&shared.limits)).as_bytes());
            }
            (Err(error), _) => {
                tracing::warn!(target: "payecs::socket", %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// An answer, and the place of its call, which is free once it was written.
type Answer = (String, Option<OwnedSemaphorePermit>);

async fn serve(stream: UnixStream, shared: Shared) {
    let (from, to) = stream.into_split();
    let (answers, to_write) = mpsc::channel(ANSWERS_MAX);
    let mut writing = spawn(write(to, to_write, shared.clone()));
    let from = read(from, answers, shared).await;
    tokio::select! {
        _ended = &mut writing => {}
        // What waits for an answer is forgotten with the writing.
        () = hung_up(&from) => writing.abort(),
    }
}

/// Returns when nobody listens any more.
async fn hung_up(from: &OwnedReadHalf) {
    while !has_hung_up(from) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether nobody listens any more. Who only sends no more may still listen.
fn has_hung_up(from: &OwnedReadHalf) -> bool {
    let mut polled = [PollFd::new(from.as_ref(), PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_err() || polled[0].revents().contains(PollFlags::HUP)
}

/// Reads requests and has them answered until there are no more, or the stream can't be read on.
async fn read(
    mut from: OwnedReadHalf,
    answers: mpsc::Sender<Answer>,
    mut shared: Shared,
) -> OwnedReadHalf {
    let limits = Arc::clone(&shared.limits);
    let places = Arc::new(Semaphore::new(limits.calls as usize));
    let mut objects = Objects::new(limits.request_bytes as usize);
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let count = tokio::select! {
            count = from.read(&mut bytes) => count.unwrap_or(0),
            () = shared.reached(Stage::Drains) => 0,
            () = answers.closed() => 0,
        };
        if count == 0 {
            return from;
        }
        let mut some = &bytes[..count];
        loop {
            let value = match objects.next(&mut some) {
                Ok(Some(value)) => value,
                Ok(None) => break,
                Err(broken) => {
                    // Nobody listens where it can't be sent.
                    let said = said_of(broken, &objects.begun(), &limits);
                    let _sent = answers.send((said, None)).await;
                    return from;
                }
            };
            let place = tokio::select! {
                biased;
                place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
                () = hung_up(&from) => return from,
            };
            if !begin(&shared, &value, &answers, place).await {
                return from;
            }
        }
    }
}

/// Begins what was asked for. `false`: nothing more can be read, or nobody listens.
async fn begin(
    shared: &Shared,
    value: &[u8],
    answers: &mpsc::Sender<Answer>,
    place: OwnedSemaphorePermit,
) -> bool {
    let Shared { service, grant, limits, .. } = shared.clone();
    let message = match Message::read(value, &limits) {
        Ok(message) => message,
        Err(refused) => {
            let ends = [PARSE_ERROR, REQUEST_TOO_LARGE].iter().any(|code| refused.has(*code));
            let sent = answers.send((refused.text(&limits), Some(place))).await;
            return sent.is_ok() && !ends;
        }
    };
    let mut call =
        Box::pin(async move { answer_message(&service, &grant, &limits, message).await });
    // What comes first reaches the service first.
    match poll_fn(|task| Poll::Ready(call.as_mut().poll(task))).await {
        Poll::Ready(None) => true,
        Poll::Ready(Some(text)) => answers.send((text, Some(place))).await.is_ok(),
        Poll::Pending => {
            let answers = answers.clone();
            spawn(async move {
                let text = tokio::select! {
                    text = call => text,
                    () = answers.closed() => return,
                };
                if let Some(text) = text {
                    // Nobody listens where it can't be sent.
                    let _sent = answers.send((text, Some(place))).await;
                }
            });
            true
        }
    }
}

/// Writes answers until there are no more, nobody takes them, or the socket closes.
async fn write(mut to: OwnedWriteHalf, mut answers: mpsc::Receiver<Answer>, mut shared: Shared) {
    let stall = shared.limits.stall;
    loop {
        let (text, place) = tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => answer,
                None => return,
            },
            () = shared.reached(Stage::Closes) => return,
        };
        let text = framed(text);
        if !matches!(timeout(stall, to.write_all(text.as_bytes())).await, Ok(Ok(()))) {
            return;
        }
        drop(place);
    }
}

#[cfg(test)]
mod tests;
