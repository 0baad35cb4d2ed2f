//! The engine on its disk: it may die between any two durable writes.

use super::{
    border::{Border, Watched},
    disk::WatchedDisk,
    rogues::Rogues,
    strangers::Program,
    world::World,
};
use crate::{
    Driver, JournalRecord, Retention,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
    testing::{flow::Flow, simulator::Around},
};
use ecs_core::{Engine, Json, Plugin};
use ecs_systems::{
    planner::KnowledgeConfig,
    policy::Policy,
    units::{Seconds, Timestamp},
};
use ledger_store::{
    LedgerHistory, MemoryLedger, MemoryReceipts, Seed,
    store::{Kept, Store, StoreError},
};
use node_sim::SimNetwork;
use payecs_index::{Index, MemoryBackend, State};
use payecs_journal::{Disk, LogId, MemoryDisk, Options, SpaceState};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// The name that our node has in its books.
pub(super) const NODE: &str = "sim";
/// Records without money are synced so long after they were written, at the latest.
const SYNC_AFTER_MS: u64 = 100;
/// How often a full disk is tried again.
const TRY_AGAIN_AFTER_MS: u64 = 250;
/// Longer than an index of these ledgers takes.
const INDEX_AT_MOST: Duration = Duration::from_mins(1);

/// Why the engine is no more.
#[derive(Debug)]
pub(super) enum Stop {
    /// The steps that it was given are used up.
    Dead,
    /// The disk refused, for good.
    Disk(StoreError),
    /// The engine lost its way: the words.
    Broken(String),
}

/// What the secrets of our receipts follow from.
pub(super) fn seed() -> Seed {
    Seed::new(&zeroize::Zeroizing::new([6; 32]))
}

/// The engine with what it is kept by.
pub(super) struct Host {
    pub(super) driver: Driver,
    pub(super) now: Timestamp,
    /// Steps until it dies; `None`: it lives.
    pub(super) fuel: Option<u64>,
    /// The disk is full: nothing is kept at present, and no call is taken.
    pub(super) is_full: bool,
    /// Whoever serves external Systems.
    strangers: Program,
    store: Store,
    records: VecDeque<JournalRecord>,
    must_sync: bool,
    sync_at: Option<Timestamp>,
    try_again_at: Option<Timestamp>,
    /// Held, so that it follows the ledger.
    _index: Index,
}

/// What engines are started with, one after another.
pub(super) struct Ground {
    pub(super) network: SimNetwork,
    pub(super) disk: MemoryDisk,
    pub(super) border: Border,
    pub(super) world: World,
    pub(super) around: Arc<dyn Around>,
    pub(super) flow: Flow,
    pub(super) starts: u64,
}

/// What was found on a disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of the last record.
    pub(super) last: u64,
    /// The state of the engine without its clock: time that passes is in no record of its own.
    state: BTreeMap<String, Json>,
}

impl Found {
    fn of(store: &Store, app: &Engine) -> Self {
        let mut state = Json::of(&app.snapshot()).fields().expect("a snapshot is an object");
        state.remove("now_ms").expect("it has a moment");
        Self { last: store.last(), state }
    }
}

impl Ground {
    fn options(&self) -> Options {
        Options {
            segment_bytes: self.world.segment_bytes,
            reserve_bytes: self.world.reserve_bytes,
            ..Options::new(LogId([3; 16]))
        }
    }

    fn app(&self, history: &LedgerHistory) -> Engine {
        let past = Arc::new(history.clone());
        let ledger = Box::new(MemoryLedger::over(NODE, past, self.world.hot_payments));
        let mut plugins: Vec<Box<dyn Plugin>> = vec![Box::new(Rogues)];
        plugins.extend(self.flow.lend());
        let mut app = engine(Parts {
            policy: Policy::default(),
            ledger: self.around.ledger(ledger),
            receipts: self.around.receipts(Box::new(MemoryReceipts::with_seed(seed()))),
            plugins,
        })
        .expect("names of plugins do not clash");
        self.flow.set(&mut app).expect("the plugins have the Systems of the list");
        app
    }

    /// Opens what a disk has, and looks at nothing else.
    ///
    /// # Errors
    /// The files are not as they were written.
    pub(super) fn look_at(&self, disk: &MemoryDisk) -> Result<Found, StoreError> {
        let mut app = self.app(&LedgerHistory::default());
        let disk: Arc<dyn Disk> = Arc::new(disk.fork());
        let (store, _) = Store::open(&disk, self.options(), &mut app, &mut |_| {})?;
        Ok(Found::of(&store, &app))
    }

    /// Starts an engine on what the disk has; where it is to tell, with what it found there.
    ///
    /// # Errors
    /// The files are not as they were written.
    pub(super) fn start(
        &mut self,
        now: Timestamp,
        tells: bool,
    ) -> Result<(Host, Option<Found>), StoreError> {
        self.starts += 1;
        let history = LedgerHistory::default();
        let mut app = self.app(&history);
        let watched = WatchedDisk::new(Arc::new(self.disk.clone()), self.border.clone());
        let disk: Arc<dyn Disk> = Arc::new(watched);
        let (store, _) = Store::open(&disk, self.options(), &mut app, &mut |_| {})?;
        let found = tells.then(|| Found::of(&store, &app));
        self.note_what_is_there();
        let index = history.follow(store.reader(), MemoryBackend::default());
        let index = index.expect("there is a thread");
        let is_ready = |state: &State| matches!(state, State::Ready(_));
        let state = index.wait(INDEX_AT_MOST, is_ready);
        assert!(is_ready(&state), "{state:?}");
        let node = Watched::new(Box::new(self.network.connect(now)), self.border.clone());
        let node = self.around.node(Box::new(node));
        let planner = Box::new(OwnPlanner::new(node.graph(), KnowledgeConfig::default()));
        let entropy = Entropy::seeded(self.world.network.seed ^ self.starts);
        let mut driver = Driver::new(app, node, planner, entropy, now);
        let age = Seconds(self.world.retention_s);
        driver.retain(Retention { age, ..Retention::default() });
        driver.keep_journal(store.last());
        driver.resume(now);
        let strangers = Program::begin(&mut driver, now);
        let host = Host {
            driver,
            strangers,
            now,
            fuel: None,
            is_full: false,
            store,
            records: VecDeque::new(),
            must_sync: false,
            sync_at: None,
            try_again_at: None,
            _index: index,
        };
        Ok((host, found))
    }

    /// What was taken back from the files is durable once they are open.
    fn note_what_is_there(&self) {
        let journal = |name: &String| name.starts_with("state/") && !name.ends_with("reserve");
        for name in self.disk.files().iter().filter(|name| journal(name)) {
            if let Some(bytes) = self.disk.bytes(name) {
                self.border.durable(|durable| durable.add(&bytes));
            }
        }
    }
}

impl Host {
    /// One step between two of which the engine may die.
    fn step(&mut self) -> Result<(), Stop> {
        match &mut self.fuel {
            Some(0) => Err(Stop::Dead),
            Some(fuel) => {
                *fuel -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Keeps what was done, and does what waited for that.
    pub(super) fn keep(&mut self, around: &dyn Around) -> Result<(), Stop> {
        loop {
            self.records.extend(self.driver.take_records());
            let due = self.sync_at.is_some_and(|at| at <= self.now);
            let again = self.try_again_at.is_some_and(|at| at <= self.now);
            let waits = self.is_full && !again;
            if waits || (self.records.is_empty() && !due && !again) {
                return Ok(());
            }
            self.try_again_at = None;
            match self.keep_some(due, around) {
                Ok(()) => self.has_room(),
                Err(Stop::Disk(error)) if error.is_full() => {
                    self.is_full = true;
                    self.try_again_at = Some(self.now.after_ms(TRY_AGAIN_AFTER_MS));
                }
                Err(stop) => return Err(stop),
            }
            let is_low = self.is_full || self.store.space() != SpaceState::Plenty;
            self.driver.set_disk_low(is_low);
        }
    }

    fn has_room(&mut self) {
        if std::mem::take(&mut self.is_full) || self.store.space() != SpaceState::Plenty {
            // Where there is none yet, it is tried again later.
            let _room = self.store.refill();
        }
        if self.store.space() != SpaceState::Plenty && !self.records.is_empty() {
            self.try_again_at = Some(self.now.after_ms(TRY_AGAIN_AFTER_MS));
        }
    }

    fn keep_some(&mut self, due: bool, around: &dyn Around) -> Result<(), Stop> {
        while let Some(record) = self.records.pop_front() {
            self.step()?;
            match self.store.append(&record.delta) {
                Ok(kept) if kept == record.number => self.must_sync |= record.must_sync,
                Ok(kept) => {
                    let what = format!("record {} was kept as {kept}", record.number);
                    return Err(Stop::Broken(what));
                }
                Err(error) => {
                    let is_full = error.is_buffer_full();
                    self.records.push_front(record);
                    if is_full {
                        break;
                    }
                    return Err(Stop::Disk(error));
                }
            }
        }
        self.step()?;
        let kept = self.store.write().map_err(Stop::Disk)?;
        self.sync_at = self.sync_at.or_else(|| Some(self.now.after_ms(SYNC_AFTER_MS)));
        self.tell(around.kept(kept));
        self.step()?;
        if self.must_sync || due {
            let kept = self.store.sync().map_err(Stop::Disk)?;
            (self.must_sync, self.sync_at) = (false, None);
            self.step()?;
            self.tell(around.kept(kept));
        }
        Ok(())
    }

    /// Up to which record everything is durable.
    pub(super) fn synced(&self) -> u64 {
        self.store.kept().synced
    }

    /// After an error of the disk: whether the store takes anything more, which it must not.
    pub(super) fn goes_on(&mut self) -> bool {
        self.driver.give_up();
        self.store.write().is_ok() || self.store.sync().is_ok()
    }

    fn tell(&mut self, kept: Kept) {
        self.driver.records_kept(self.now, kept);
    }

    /// When there is something to do next.
    fn next_at(&self) -> Option<Timestamp> {
        let own = [self.sync_at.filter(|_| !self.is_full), self.try_again_at];
        let strangers = self.strangers.next_at().filter(|_| !self.is_full);
        own.into_iter().flatten().chain(strangers).chain(self.driver.next_at()).min()
    }

    /// Runs until nothing is left to be done before that moment, or the engine dies.
    pub(super) fn run_until(&mut self, until: Timestamp, around: &dyn Around) -> Result<(), Stop> {
        let mut turns = 0_u64;
        loop {
            self.keep(around)?;
            let jobs = self.driver.take_jobs();
            if !jobs.is_empty() {
                for job in jobs {
                    let plan = (job.run)();
                    self.driver.finish_plan(self.now, job.id, plan);
                }
                continue;
            }
            self.strangers.listen(self.now);
            let Some(at) = self.next_at().filter(|at| *at <= until) else { break };
            turns = if at > self.now { 0 } else { turns + 1 };
            if turns > TURNS_MAX {
                return Err(Stop::Broken(format!("time stands still at {}", self.now)));
            }
            self.now = self.now.max(at);
            self.driver.poll(self.now);
            if !self.is_full {
                self.strangers.act(&mut self.driver, self.now);
            }
            // Nobody listens here.
            drop(self.driver.take_notices());
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Writes the state down whole, so that older records go.
    pub(super) fn snapshot(&mut self, around: &dyn Around) -> Result<(), Stop> {
        self.keep(around)?;
        if self.is_full || !self.records.is_empty() {
            return Ok(());
        }
        let image = self.driver.image();
        match self.store.snapshot(image) {
            Ok(()) => self.sync_at = None,
            // A snapshot that could not be written leaves the store as it was.
            Err(error) if error.is_full() || self.store.write().is_ok() => {}
            Err(error) => return Err(Stop::Disk(error)),
        }
        self.step()
    }
}

/// Most polls at one moment.
const TURNS_MAX: u64 = 200_000;
