//! The journal on a thread of its own: records are kept in groups, one fdatasync for each.

use crate::{JournalRecord, measures};
use ledger_store::store::{Image, Kept, NewSnapshot, Store, StoreError, WrittenSnapshot};
use payecs_journal::SpaceState;
use std::{
    collections::VecDeque,
    io,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    },
    task::Waker,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Records without money are synced so long after they were written, at the latest.
const SYNC_AFTER: Duration = Duration::from_millis(100);
/// How often a full disk is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What the journal is asked to do, in this order.
#[derive(Debug)]
enum Work {
    Keep(Vec<JournalRecord>),
    /// Of the state behind the record of that number; what comes of it is sent back.
    Snapshot(u64, Box<Image>, Sender<Work>),
    /// The snapshot's thread is done.
    Written,
}

/// How far the journal is, as the shell sees it.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is news of its own")]
pub(super) struct Progress {
    pub(super) kept: Kept,
    /// The disk is full: nothing is kept at present.
    pub(super) full: bool,
    /// What is left of the disk is to end what has begun.
    pub(super) low: bool,
    /// Enough was appended since the last snapshot for another one.
    pub(super) wants_snapshot: bool,
    /// The thread has ended.
    pub(super) ended: bool,
}

/// What the thread tells, and whom it wakes for it.
#[derive(Debug)]
struct Told {
    progress: Mutex<Progress>,
    waker: Waker,
}

impl Told {
    fn is_full(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).full
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.waker.wake_by_ref();
    }
}

/// The thread that has the store.
#[derive(Debug)]
pub(super) struct Journal {
    work: Sender<Work>,
    told: Arc<Told>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Journal {
    /// Starts the thread; it calls the waker whenever it has something to tell.
    pub(super) fn start(store: Store, waker: Waker) -> io::Result<Self> {
        let (work, from) = channel();
        let low = store.space() != SpaceState::Plenty;
        let progress = Progress { kept: store.kept(), low, ..Progress::default() };
        let told = Arc::new(Told { progress: Mutex::new(progress), waker });
        let keeper = Keeper {
            store,
            from,
            told: End(Arc::clone(&told)),
            records: VecDeque::new(),
            unsynced_since: None,
            looked_for_room: now(),
            snapshot: None,
            writing: None,
            written: false,
        };
        let thread =
            thread::Builder::new().name("payecs-journal".to_owned()).spawn(move || keeper.run())?;
        Ok(Self { work, told, thread })
    }

    /// Has records kept.
    pub(super) fn keep(&self, records: Vec<JournalRecord>) {
        if !records.is_empty() {
            // A thread that has ended says so in its progress.
            let _ended = self.work.send(Work::Keep(records));
        }
    }

    /// Has a snapshot written, of the state behind the last record that was given and its number.
    pub(super) fn snapshot(&self, number: u64, image: Image) {
        self.told.tell(|progress| progress.wants_snapshot = false);
        let work = Work::Snapshot(number, Box::new(image), self.work.clone());
        let _ended = self.work.send(work);
    }

    pub(super) fn progress(&self) -> Progress {
        *self.told.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything that was asked for is done, and the files are closed.
    pub(super) fn close(self) -> Result<(), JournalError> {
        drop(self.work);
        match self.thread.join() {
            Ok(closed) => Ok(closed?),
            Err(_) => Err(JournalError::Panicked),
        }
    }
}

/// Why a journal keeps nothing more.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The files refuse. What was answered before is kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its thread panicked: a bug. What was answered before is kept.
    #[error("the journal's thread panicked; start again, what was answered before is kept")]
    Panicked,
}

/// Tells that the thread has ended, however it ends.
struct End(Arc<Told>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.tell(|progress| progress.ended = true);
    }
}

/// What the thread has.
struct Keeper {
    store: Store,
    from: Receiver<Work>,
    told: End,
    /// Not appended yet.
    records: VecDeque<JournalRecord>,
    /// Since when something is written that is not synced.
    unsynced_since: Option<Instant>,
    /// When it was last tried to set space aside again.
    looked_for_room: Instant,
    /// A snapshot that waits for the one that is being written.
    snapshot: Option<(u64, Box<Image>, Sender<Work>)>,
    /// The thread that writes a snapshot: records do not wait for it.
    writing: Option<JoinHandle<Result<WrittenSnapshot, StoreError>>>,
    written: bool,
}

impl Keeper {
    fn run(mut self) -> Result<(), StoreError> {
        while let Some(work) = self.wait() {
            let mut next = Some(work);
            while let Some(work) = next {
                match work {
                    Work::Keep(records) => self.records.extend(records),
                    Work::Snapshot(number, image, to) => {
                        self.snapshot = Some((number, image, to));
                        // Before records that came behind it.
                        self.keep()?;
                        self.begin_snapshot()?;
                    }
                    Work::Written => self.written = true,
                }
                next = self.from.try_recv().ok();
            }
            self.keep()?;
            self.look_for_room()?;
            self.adopt_snapshot()?;
            self.begin_snapshot()?;
        }
        self.keep()?;
        self.store.close()
    }

    /// The next work; syncs what has waited long enough. `None`: there will be none.
    fn wait(&mut self) -> Option<Work> {
        let sync = self.unsynced_since.map(|since| SYNC_AFTER.saturating_sub(since.elapsed()));
        let look = self.is_low().then_some(TRY_AGAIN_AFTER);
        let Some(longest) = sync.into_iter().chain(look).min() else {
            return self.from.recv().ok();
        };
        match self.from.recv_timeout(longest) {
            Ok(work) => Some(work),
            Err(RecvTimeoutError::Disconnected) => None,
            // An empty group: what is left is to sync, or to look for room.
            Err(RecvTimeoutError::Timeout) => Some(Work::Keep(Vec::new())),
        }
    }

    fn is_low(&self) -> bool {
        self.store.space() != SpaceState::Plenty
    }

    /// Now and then tries to set aside what is lacking, and tells when that was possible.
    fn look_for_room(&mut self) -> Result<(), StoreError> {
        if !self.is_low() || self.looked_for_room.elapsed() < TRY_AGAIN_AFTER {
            return Ok(());
        }
        self.looked_for_room = now();
        if self.store.refill()? == SpaceState::Plenty {
            tracing::info!(target: "payflow::journal", "there is room on the disk again");
            self.tell(self.store.kept());
        }
        Ok(())
    }

    /// Appends, writes and syncs what waits, as far as it must be.
    fn keep(&mut self) -> Result<(), StoreError> {
        let mut must_sync = self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_AFTER);
        while !self.records.is_empty() {
            must_sync |= self.append()?;
            let kept = self.try_until_done(Store::write)?;
            self.unsynced_since.get_or_insert_with(now);
            self.tell(kept);
        }
        if must_sync {
            let since = now();
            let kept = self.try_until_done(Store::sync)?;
            measures::synced(since.elapsed());
            self.unsynced_since = None;
            self.tell(kept);
        }
        Ok(())
    }

    /// Appends as many records as fit into the buffer; whether one of them must be synced.
    fn append(&mut self) -> Result<bool, StoreError> {
        let mut must_sync = false;
        let waiting = self.records.len();
        while let Some(record) = self.records.front() {
            match self.store.append(&record.delta) {
                Ok(number) => {
                    assert_eq!(number, record.number, "records are given in order, each once");
                    must_sync |= record.must_sync;
                    self.records.pop_front();
                }
                Err(error) if error.is_buffer_full() => break,
                Err(error) => return Err(error),
            }
        }
        measures::appended((waiting - self.records.len()) as u64);
        Ok(must_sync)
    }

    /// Begins the snapshot that is asked for, unless one is being written.
    fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        let Some((number, image, to)) = self.snapshot.take_if(|_| self.writing.is_none()) else {
            return Ok(());
        };
        if self.store.last() != number {
            // More records came meanwhile: another image will.
            return Ok(());
        }
        match self.store.begin_snapshot(*image) {
            Ok(begun) => {
                self.writing = begun.and_then(|begun| write_elsewhere(begun, to));
                self.unsynced_since = None;
                self.tell(self.store.kept());
                Ok(())
            }
            Err(error) => without_room(error),
        }
    }

    /// Counts on the snapshot that was being written, once it is.
    fn adopt_snapshot(&mut self) -> Result<(), StoreError> {
        let Some(writing) = self.writing.take_if(|_| self.written) else { return Ok(()) };
        self.written = false;
        let written = writing.join().unwrap_or_else(|panic| resume_unwind(panic));
        written.and_then(|written| self.store.adopt(written)).or_else(without_room)
    }

    /// Tries again as long as the disk is full: what was appended waits meanwhile.
    fn try_until_done(
        &mut self,
        attempt: impl Fn(&mut Store) -> Result<Kept, StoreError>,
    ) -> Result<Kept, StoreError> {
        loop {
            match attempt(&mut self.store) {
                Err(error) if error.is_full() && !self.is_abandoned() => {
                    self.told.0.tell(|progress| {
                        progress.low = true;
                        if !std::mem::replace(&mut progress.full, true) {
                            tracing::error!(target: "payflow::journal", %error, "the disk is full");
                        }
                    });
                    wait_for_room();
                }
                Ok(kept) if self.told.0.is_full() => {
                    self.store.refill()?;
                    return Ok(kept);
                }
                done => return done,
            }
        }
    }

    /// Whether nobody waits for what is kept any more. What is asked for meanwhile waits its turn.
    fn is_abandoned(&mut self) -> bool {
        // There would be no room for it; and it would hold a way to this thread open.
        self.snapshot = None;
        loop {
            match self.from.try_recv() {
                Ok(Work::Keep(records)) => self.records.extend(records),
                Ok(Work::Snapshot(..)) => {}
                Ok(Work::Written) => self.written = true,
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn tell(&self, kept: Kept) {
        let (wants_snapshot, low) = (self.store.wants_snapshot(), self.is_low());
        self.told.0.tell(|progress| {
            progress.kept = kept;
            progress.full = false;
            progress.low = low;
            progress.wants_snapshot |= wants_snapshot;
        });
    }
}

/// Says that the snapshot's thread is done, however it ends.
struct Done(Sender<Work>);

impl Drop for Done {
    fn drop(&mut self) {
        // A journal that has ended looks at no snapshot.
        let _ended = self.0.send(Work::Written);
    }
}

/// Writes a snapshot on a thread of its own. `None`: the host gives none, so there is no snapshot.
fn write_elsewhere(
    snapshot: NewSnapshot,
    to: Sender<Work>,
) -> Option<JoinHandle<Result<WrittenSnapshot, StoreError>>> {
    let write = move || {
        let _done = Done(to);
        snapshot.write()
    };
    let thread = thread::Builder::new().name("payecs-snapshot".to_owned()).spawn(write);
    let why = |error: &io::Error| {
        tracing::warn!(target: "payflow::journal", %error, "no thread for a snapshot");
    };
    thread.inspect_err(why).ok()
}

/// Records go on without a snapshot that has no room.
fn without_room(error: StoreError) -> Result<(), StoreError> {
    if !error.is_full() {
        return Err(error);
    }
    tracing::warn!(target: "payflow::journal", %error, "no room for a snapshot");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the edge: how long records wait to be synced")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the edge: a thread that has nothing else to do")]
fn wait_for_room() {
    thread::sleep(TRY_AGAIN_AFTER);
}

#[cfg(test)]
mod tests;
