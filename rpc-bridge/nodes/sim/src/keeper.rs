//! The network's log: records are handed to the system inline and made durable in groups.

use crate::open::{Options, Syncing};
use payecs_journal::{Entries, Error, LedgerLog, Seq, StateLog};
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError},
    task::Waker,
    thread::{self, JoinHandle},
    time::Duration,
};

/// Longest piece of a snapshot, in bytes.
const PIECE_BYTES: usize = 1 << 20;
/// What may wait for the log while a sync is under way, in bytes; then callers wait too.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// How long a record may wait for its sync when no event hangs on it.
const LAZY: Duration = Duration::from_millis(50);

/// A snapshot to be written.
struct Coming {
    /// The record it stands for.
    number: u64,
    bytes: Vec<u8>,
}

/// What passes between callers and the thread that syncs.
#[derive(Default)]
struct Queue {
    /// Records that the log does not have yet.
    waiting: Vec<Vec<u8>>,
    /// Entries of the past, with the record that each list comes from.
    coming: VecDeque<(u64, Vec<Vec<u8>>)>,
    waiting_bytes: usize,
    /// The number of the last record.
    last: u64,
    /// Every record up to this one is durable.
    synced: u64,
    /// Up to this one somebody waits for it.
    wanted: u64,
    snapshot: Option<Coming>,
    /// Bytes of records since the last snapshot.
    since_snapshot_bytes: u64,
    waker: Option<Waker>,
    failure: Option<String>,
    closing: bool,
}

/// What changes the network, and what is over.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) inputs: StateLog,
    pub(crate) past: LedgerLog,
}

#[derive(Debug)]
struct Shared {
    /// Taken before the queue.
    log: Mutex<Logs>,
    queue: Mutex<Queue>,
    /// There is something to sync, or the end has come.
    work: Condvar,
    /// The mark has moved, or an error came.
    moved: Condvar,
}

/// The log of a network. Dropped, it makes everything durable and gives the lock back.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    snapshot_bytes: u64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { last, synced, failure, .. } = self;
        out.debug_struct("Queue")
            .field("last", last)
            .field("synced", synced)
            .field("failure", failure)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// Takes over a log whose records were all read.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn new(logs: Logs, options: &Options) -> std::io::Result<Self> {
        let last = logs.inputs.last().0;
        let queue = Queue { last, synced: last, ..Queue::default() };
        let shared = Arc::new(Shared {
            log: Mutex::new(logs),
            queue: Mutex::new(queue),
            work: Condvar::new(),
            moved: Condvar::new(),
        });
        let thread = match options.syncing {
            Syncing::Inline => None,
            Syncing::Thread => {
                let shared = Arc::clone(&shared);
                let builder = thread::Builder::new().name("simulated network".to_owned());
                Some(builder.spawn(move || shared.run())?)
            }
        };
        Ok(Self { shared, thread, snapshot_bytes: options.snapshot_bytes })
    }

    /// Appends a record and what is over with it; `tells` when an event hangs on it. Whether it is
    /// time for a snapshot.
    pub(crate) fn push(&self, record: Vec<u8>, over: Vec<Vec<u8>>, tells: bool) -> bool {
        let (full, due) = {
            let mut queue = self.shared.queue();
            if queue.failure.is_some() {
                return false;
            }
            queue.last += 1;
            queue.waiting_bytes += record.len();
            queue.since_snapshot_bytes += record.len() as u64;
            queue.waiting.push(record);
            if !over.is_empty() {
                let number = queue.last;
                queue.coming.push_back((number, over));
            }
            if tells {
                queue.wanted = queue.last;
            }
            let due = queue.since_snapshot_bytes >= self.snapshot_bytes && queue.snapshot.is_none();
            (queue.waiting_bytes > WAITING_BYTES_MAX, due)
        };
        if self.thread.is_none() {
            self.shared.round();
            return due;
        }
        let log = if full { Some(self.shared.log()) } else { self.shared.idle_log() };
        if let Some(mut log) = log {
            self.shared.judge(self.shared.write(&mut log));
        }
        self.shared.work.notify_one();
        due
    }

    /// Takes what stands for all records so far.
    pub(crate) fn snapshot(&self, bytes: Vec<u8>) {
        let mut queue = self.shared.queue();
        queue.since_snapshot_bytes = 0;
        queue.snapshot = Some(Coming { number: queue.last, bytes });
        queue.wanted = queue.last;
        drop(queue);
        match self.thread {
            None => self.shared.round(),
            Some(_) => self.shared.work.notify_one(),
        }
    }

    /// Every record up to this one is durable.
    pub(crate) fn synced(&self) -> u64 {
        self.shared.queue().synced
    }

    /// The error that was final, if one came.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.queue().failure.clone()
    }

    /// Reads what is over, entry by entry. Records that are not durable have added nothing.
    ///
    /// # Errors
    /// When the file refuses or is damaged.
    pub(crate) fn past(&self) -> Result<Entries, Error> {
        self.shared.log().past.read(0, u64::MAX)
    }

    /// Waits until everything so far is durable, the snapshot that is due too.
    ///
    /// # Errors
    /// The error that was final.
    pub(crate) fn sync(&self) -> Result<(), String> {
        let mut queue = self.shared.queue();
        let last = queue.last;
        queue.wanted = last;
        self.shared.work.notify_one();
        loop {
            if let Some(failure) = &queue.failure {
                return Err(failure.clone());
            }
            if queue.synced >= last && queue.snapshot.is_none() {
                return Ok(());
            }
            queue = self.shared.moved.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn set_waker(&self, waker: Waker) {
        self.shared.queue().waker = Some(waker);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.queue().closing = true;
        self.shared.work.notify_one();
        // The thread itself may drop the last handle, by the waker it calls.
        let thread = self.thread.take().filter(|it| it.thread().id() != thread::current().id());
        if let Some(thread) = thread {
            // A thread that panicked has said so; there is nothing to be done here.
            let _ = thread.join();
        }
    }
}

impl Logs {
    /// Appends what is over; the records that it comes from are durable.
    fn note(&mut self, over: &[Vec<u8>]) -> Result<(), Error> {
        for entry in over {
            self.past.append(entry)?;
        }
        self.past.write()
    }

    /// Lets a snapshot take the place of records; what is over by them is durable first.
    fn snapshot(&mut self, Coming { number, bytes }: &Coming) -> Result<(), Error> {
        self.past.sync()?;
        self.inputs.snapshot(Seq(*number), Seq(*number), bytes.chunks(PIECE_BYTES))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Logs> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log, if no sync is under way.
    fn idle_log(&self) -> Option<MutexGuard<'_, Logs>> {
        match self.log.try_lock() {
            Ok(log) => Some(log),
            Err(TryLockError::Poisoned(log)) => Some(log.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Syncs group after group until the end.
    fn run(&self) {
        loop {
            {
                let mut queue = self.queue();
                while !(queue.closing || queue.failure.is_some() || queue.wanted > queue.synced) {
                    let lazy = queue.last > queue.synced;
                    let wait = if lazy { LAZY } else { Duration::MAX };
                    let (woken, waited) =
                        self.work.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner);
                    queue = woken;
                    if lazy && waited.timed_out() {
                        break;
                    }
                }
                let over = queue.synced == queue.last && queue.snapshot.is_none();
                if queue.failure.is_some() || queue.closing && over {
                    return;
                }
            }
            self.round();
        }
    }

    /// Makes everything so far durable, moves the mark, and writes the snapshot that is due.
    fn round(&self) {
        let mut log = self.log();
        let synced = self.write(&mut log).and_then(|()| log.inputs.sync());
        let Some(Seq(synced)) = self.judge(synced) else { return };
        let (snapshot, waker, over) = {
            let mut queue = self.queue();
            let durable = queue.coming.partition_point(|(number, _)| *number <= synced);
            let over: Vec<_> = queue.coming.drain(..durable).flat_map(|(_, it)| it).collect();
            let told = queue.wanted > queue.synced;
            queue.synced = synced;
            let ready = queue.snapshot.take_if(|coming| coming.number <= synced);
            (ready, queue.waker.clone().filter(|_| told), over)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.judge(log.note(&over));
        if let Some(coming) = snapshot {
            self.judge(log.snapshot(&coming));
        }
        self.moved.notify_all();
    }

    /// Hands what waits to the system.
    fn write(&self, log: &mut Logs) -> Result<(), Error> {
        let waiting = {
            let mut queue = self.queue();
            queue.waiting_bytes = 0;
            mem::take(&mut queue.waiting)
        };
        for record in waiting {
            log.inputs.append(&record)?;
        }
        log.inputs.write()
    }

    /// Every error is final, that of a full disk too: nothing is told after it.
    fn judge<T>(&self, done: Result<T, Error>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                let waker = {
                    let mut queue = self.queue();
                    queue.failure.get_or_insert_with(|| error.to_string());
                    queue.waker.take()
                };
                self.moved.notify_all();
                if let Some(waker) = waker {
                    waker.wake();
                }
                None
            }
        }
    }
}
