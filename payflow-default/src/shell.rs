//! The shell: a [`Driver`] in real time, with tokio around it.
//!
//! The driver has one owner, [`Shell::run`], which a thread of its own or a single-threaded runtime
//! carries. Everybody else holds a [`Handle`]: its calls go through a bounded mailbox and run one
//! after the other on the owner's thread; reads of Components run on the caller's while the shell
//! sleeps. Plans are made on tokio's blocking threads. Between
//! commands the shell sleeps until the driver wants to be polled, or the node calls its waker. What
//! nobody waits for is told to all [`Subscription`]s. A journal, where one is kept, has a thread of
//! its own; whatever leaves the shell waits for it. So may a node that has none, as a simulated
//! network ([`Shell::with_node_apart`]).

mod clock;
mod desk;
mod handle;
mod jobs;
mod journal;
mod node;
#[cfg(test)]
mod tests;

pub use clock::{Clock, Speed, SpeedError};
pub(crate) use handle::refused;
pub use handle::{Handle, News, Notice, ShellError, Subscription};
pub use journal::JournalError;

use crate::{Driver, measures};
use desk::{Desk, Own};
use ecs_systems::{bolt11::DecodedInvoices, units::Timestamp};
use handle::{Command, ELSEWHERE_MAX, Reach, Watchers};
use jobs::Jobs;
use journal::Journal;
use ledger_store::store::Store;
use node::NodeThread;
use std::{
    fmt, io,
    sync::Arc,
    task::{Wake, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, watch};

/// Commands that may wait; one more is refused with [`ShellError::Full`].
pub const MAILBOX_MAX: usize = 1_024;
/// Notices that are kept for a slow subscriber; the oldest go first, and are counted.
pub const NOTICES_MAX: usize = 4_096;
/// Longest sleep: a clock of the host that was set forward, or slept with its machine, is looked at
/// again after it.
pub const SLEEP_MS_MAX: u64 = 60_000;

/// Records that may wait to be written: no command is taken in while there are more.
const RECORDS_BEHIND_MAX: u64 = 65_536;

/// Most commands that are obeyed in one round: what is due comes after them.
const COMMANDS_PER_ROUND_MAX: usize = 16;

/// How much a shell lets wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands that may wait. Default: [`MAILBOX_MAX`].
    pub mailbox: usize,
    /// Notices that are kept for a slow subscriber. Default: [`NOTICES_MAX`].
    pub notices: usize,
    /// Plans that are made at the same time; others wait for their turn. Default: 2.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { mailbox: MAILBOX_MAX, notices: NOTICES_MAX, jobs: 2 }
    }
}

/// The one owner of a driver.
#[derive(Debug)]
pub struct Shell {
    driver: Own,
    /// Where the driver lies while the shell sleeps.
    desk: Arc<Desk>,
    clock: Clock,
    mailbox: mpsc::Receiver<Command>,
    notices: broadcast::Sender<Arc<Notice>>,
    /// The cursor of the last event that may be told of.
    ended: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
    woken: Arc<Woken>,
    jobs: Jobs,
    journal: Option<Journal>,
    /// Where the node has a thread of its own.
    node: Option<NodeThread>,
    /// More is to be written than may wait.
    behind: bool,
    /// Those who want every System announced.
    watchers: Watchers,
    /// Whether there were any when it was last looked.
    watched: bool,
    /// Who is told that a round has ended.
    rounds: Option<Rounds>,
}

/// What is called at the end of each round.
struct Rounds(Box<dyn Fn() + Send>);

impl fmt::Debug for Rounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Rounds")
    }
}

/// What a shell leaves behind.
#[derive(Debug)]
pub struct Ended {
    /// The driver, to look at.
    pub driver: Driver,
    /// Whether everything is kept. Where it is not, what was answered and what left the shell is.
    pub journal: Result<(), JournalError>,
}

/// Called by backends with threads of their own.
#[derive(Debug, Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Why the shell does its next round.
enum Reason {
    Command(Command),
    Planned(Vec<jobs::Done>),
    Due,
    Stop,
    /// The journal's thread has ended.
    Lost,
}

impl Shell {
    /// A shell around a driver, and the first handle to it. Nothing happens before [`Shell::run`].
    ///
    /// # Panics
    /// If a limit is zero.
    #[must_use]
    pub fn new(mut driver: Driver, clock: Clock, limits: Limits) -> (Self, Handle) {
        assert!(limits.mailbox > 0 && limits.notices > 0 && limits.jobs > 0, "a limit is zero");
        let (commands, mailbox) = mpsc::channel(limits.mailbox);
        let (notices, _) = broadcast::channel(limits.notices);
        let (stopper, stop) = watch::channel(false);
        let (ended, has_ended) = watch::channel(driver.cursor());
        let woken = Arc::new(Woken::default());
        driver.set_waker(Waker::from(Arc::clone(&woken)));
        driver.time_runs(clock::stopwatch_ns, measures::is_measured());
        let invoices = driver.engine().resource::<DecodedInvoices>().cloned().unwrap_or_default();
        let watchers = Watchers::default();
        let desk = Arc::new(Desk::default());
        let handle = Handle(Arc::new(Reach {
            commands,
            notices: notices.downgrade(),
            stopper,
            desk: Arc::clone(&desk),
            invoices,
            watchers: watchers.clone(),
            ended: has_ended,
            elsewhere: Semaphore::new(ELSEWHERE_MAX),
        }));
        let shell = Self {
            driver: Own::new(driver),
            desk,
            clock,
            mailbox,
            notices,
            ended,
            stop,
            woken,
            jobs: Jobs::new(limits.jobs),
            journal: None,
            node: None,
            behind: false,
            watchers,
            watched: false,
            rounds: None,
        };
        (shell, handle)
    }

    /// The shell, with everything kept in that store, to which the driver's engine was brought: no
    /// answer, no notice and nothing that is done outside leaves before its record is kept.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn keeping(mut self, store: Store) -> io::Result<Self> {
        self.driver.keep_journal(store.last());
        self.ended.send_replace(self.driver.cursor());
        self.driver.resume(self.clock.now());
        self.journal = Some(Journal::start(store, Waker::from(Arc::clone(&self.woken)))?);
        Ok(self)
    }

    /// The shell, with the driver's node on a thread of its own, by the same clock: for a simulated
    /// network, whose work is not the engine's. The driver has the node back when the shell has
    /// ended; what happened until then is taken.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn with_node_apart(mut self) -> io::Result<Self> {
        self.node = Some(NodeThread::start(&mut self.driver, self.clock.clone())?);
        self.driver.set_waker(Waker::from(Arc::clone(&self.woken)));
        Ok(self)
    }

    /// The shell, calling that when what could be answered and announced was: who gathers both
    /// sends them then, together.
    #[must_use]
    pub fn with_rounds(self, ended: impl Fn() + Send + 'static) -> Self {
        Self { rounds: Some(Rounds(Box::new(ended))), ..self }
    }

    /// Runs the driver until [`Handle::stop`], until the last handle is dropped, or until nothing
    /// can be kept any more. Commands that were taken in before are still done; plans in the making
    /// are dropped, as a driver that recovers makes them again. What is in flight stays in flight:
    /// the next start takes it up again.
    ///
    /// Needs a tokio runtime with time. Dropping the future drops the driver.
    pub async fn run(mut self) -> Ended {
        loop {
            self.take_what_is_due();
            match self.next().await {
                Reason::Command(command) => self.obey_some(command),
                Reason::Planned(plans) => {
                    let now = self.clock.now();
                    for jobs::Done { id, made, reply } in plans {
                        self.driver.reply_plan(now, id, made.as_ref(), &reply);
                    }
                }
                Reason::Due => {}
                Reason::Stop | Reason::Lost => break,
            }
        }
        self.mailbox.close();
        while let Ok(command) = self.mailbox.try_recv() {
            self.obey(command);
        }
        if let Some(node) = self.node.take() {
            node.stop(&mut self.driver, self.clock.now());
            self.driver.set_waker(Waker::from(Arc::clone(&self.woken)));
        }
        self.driver.poll(self.clock.now());
        self.driver.send_waiters_away();
        self.keep_the_rest().await;
        self.tell();
        let journal = self.close_journal();
        Ended { driver: self.driver.into_inner(), journal }
    }

    /// [`Shell::run`] on an OS thread of its own, which then owns the engine.
    ///
    /// # Errors
    /// The host gives no thread or no runtime.
    pub fn run_on_thread(self) -> io::Result<JoinHandle<Ended>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let run = move || {
            let ended = runtime.block_on(self.run());
            runtime.shutdown_background();
            ended
        };
        thread::Builder::new().name("payecs-engine".to_owned()).spawn(run)
    }

    fn take_what_is_due(&mut self) {
        self.look_who_watches();
        let now = self.clock.now();
        self.hear_journal(now);
        self.driver.poll(now);
        self.jobs.add(self.driver.take_jobs());
        self.tell();
        self.keep();
    }

    /// Does what waited for records that are kept now.
    fn hear_journal(&mut self, now: Timestamp) {
        let Some(journal) = &self.journal else { return };
        let progress = journal.progress();
        self.desk.set_full(progress.full);
        self.driver.set_disk_low(progress.low);
        self.driver.records_kept(now, progress.kept);
        let waiting = self.driver.last_record().saturating_sub(progress.kept.written);
        self.behind = waiting > RECORDS_BEHIND_MAX;
        if progress.wants_snapshot {
            self.keep();
            self.snapshot();
        }
    }

    /// Gives the journal what there is to keep.
    fn keep(&mut self) {
        if let Some(journal) = &self.journal {
            journal.keep(self.driver.take_records());
        }
    }

    fn snapshot(&self) {
        if let Some(journal) = &self.journal {
            journal.snapshot(self.driver.last_record(), self.driver.image());
        }
    }

    /// Waits until everything is kept, unless it can't be.
    async fn keep_the_rest(&mut self) {
        loop {
            self.keep();
            let Some(journal) = &self.journal else { return };
            let progress = journal.progress();
            self.driver.records_kept(self.clock.now(), progress.kept);
            if progress.ended || progress.full {
                return self.driver.give_up();
            }
            if self.driver.is_kept() {
                return self.snapshot();
            }
            self.woken.0.notified().await;
        }
    }

    fn close_journal(&mut self) -> Result<(), JournalError> {
        self.journal.take().map_or(Ok(()), Journal::close)
    }

    /// Obeys a command, and some of those that wait behind it.
    fn obey_some(&mut self, first: Command) {
        self.obey(first);
        for _ in 1..COMMANDS_PER_ROUND_MAX {
            let Ok(command) = self.mailbox.try_recv() else { return };
            self.obey(command);
        }
    }

    /// Has Systems announced while somebody watches.
    fn look_who_watches(&mut self) {
        let watched = self.watchers.are_there();
        if watched != std::mem::replace(&mut self.watched, watched) {
            self.driver.announce_all(watched);
        }
    }

    fn obey(&mut self, command: Command) {
        self.look_who_watches();
        let now = self.clock.now();
        command(&mut self.driver, now);
        self.desk.one_is_done();
    }

    fn tell(&mut self) {
        let at = self.driver.now();
        let notices: Vec<_> = self.driver.take_notices_with_cursors().collect();
        for (effect, cursor) in notices {
            measures::announced(self.driver.engine(), &effect);
            // Without a subscriber there is nobody to tell.
            let _nobody = self.notices.send(Arc::new(Notice { at, cursor, effect }));
        }
        let cursor = self.driver.cursor();
        self.ended.send_if_modified(|ended| std::mem::replace(ended, cursor) != cursor);
        if let Some(Rounds(ended)) = &self.rounds {
            ended();
        }
    }

    /// Waits for something to do. Stopping goes first, then the oldest work: plans, what the driver
    /// is due for, new commands.
    async fn next(&mut self) -> Reason {
        if self.journal.as_ref().is_some_and(|journal| journal.progress().ended) {
            return Reason::Lost;
        }
        let sleep = sleep_until(&self.clock, self.driver.next_at());
        let _loan = self.mailbox.is_empty().then(|| self.desk.lay(&mut self.driver));
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => Reason::Stop,
            done = self.jobs.next(), if !self.jobs.is_empty() => Reason::Planned(done),
            () = self.woken.0.notified() => Reason::Due,
            command = self.mailbox.recv(), if !self.behind => {
                command.map_or(Reason::Stop, Reason::Command)
            }
            () = tokio::time::sleep(sleep) => Reason::Due,
        }
    }
}

fn sleep_until(clock: &Clock, at: Option<Timestamp>) -> Duration {
    let longest = Duration::from_millis(SLEEP_MS_MAX);
    at.map_or(longest, |at| clock.until(at).min(longest))
}
