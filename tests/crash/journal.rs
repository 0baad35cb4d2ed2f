//! A payer whose engine keeps its journal on a disk in memory, and may die between any two steps.

use crate::{
    books::NODE,
    difficult::DifficultNode,
    harness::{Outcome, Payer, Setup},
    place::{AT_MOST, Place},
};
use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{Invoice, Status},
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Decision, Ledger, Node, PastEntry},
    units::Timestamp,
};
use ledger_store::{
    IssueError, Issued, Issuer, LedgerHistory, MemoryLedger, MemoryReceipts, ReceiptRequest, Seed,
    store::{Image, Store, copy, read_entry},
};
use node_sim::SimNetwork;
use payecs_index::{Index, State};
use payecs_journal::{Disk, LogId, MemoryDisk, Options};
use payflow_default::{
    Driver, Retention,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};
use std::{collections::BTreeMap, sync::Arc};

/// What the secrets of our receipts follow from.
pub(crate) fn seed() -> Seed {
    Seed::new(&zeroize::Zeroizing::new([6; 32]))
}

/// The engine is dead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dead;

/// How the engine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process is killed: what was written stays.
    Kill,
    /// The power goes: of what was not synced, anything may be lost.
    PowerLoss(u64),
}

/// A payer with a journal. Its books keep nothing that is over: they have it from the ledger, by an
/// index.
pub(crate) struct Durable {
    pub(crate) payer: Payer,
    pub(crate) disk: MemoryDisk,
    place: Place,
    history: LedgerHistory,
    index: Option<Index>,
    store: Option<Store>,
    starts: u64,
    /// Steps until the engine dies; `None`: it lives.
    pub(crate) fuel: Option<u64>,
    /// After a restored backup: parts that stay unknown don't keep it closed.
    pub(crate) accepts_unknown: bool,
    /// The same of parts that the node may have forgotten.
    pub(crate) accepts_forgotten: Option<Decision>,
    /// Steps so far.
    pub(crate) steps: u64,
    /// What the planner knew after each record.
    learned: BTreeMap<u64, Json>,
    /// How often what it knew was the same after a restart.
    pub(crate) recalled: u64,
}

impl Durable {
    /// Our node of the network, with an empty disk.
    pub(crate) fn new(network: &SimNetwork) -> Self {
        Self::with_index(network, Place::memory())
    }

    /// The same with the index at that place.
    pub(crate) fn with_index(network: &SimNetwork, place: Place) -> Self {
        Self::with(network, Retention::FOR_EVER, place)
    }

    /// The same where what is over stays so long.
    pub(crate) fn keeping(network: &SimNetwork, retention: Retention) -> Self {
        Self::with(network, retention, Place::memory())
    }

    fn with(network: &SimNetwork, retention: Retention, place: Place) -> Self {
        let payer = Payer::with(network, Setup { retention, ..Setup::default() });
        let disk = MemoryDisk::new();
        let (fuel, store, history, index) = (None, None, LedgerHistory::default(), None);
        let (starts, steps, recalled, learned) = (0, 0, 0, BTreeMap::new());
        let mut durable = Self {
            payer,
            disk,
            place,
            history,
            index,
            store,
            starts,
            fuel,
            accepts_unknown: false,
            accepts_forgotten: None,
            steps,
            learned,
            recalled,
        };
        durable.start();
        durable.run_for(1_000).expect("it lives");
        durable
    }

    /// Starts the engine on what the disk has.
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        let payer = &mut self.payer;
        self.history = LedgerHistory::default();
        payer.books.set(&MemoryLedger::over(NODE, Arc::new(self.history.clone()), 0));
        payer.receipts.set(&MemoryReceipts::with_seed(seed()));
        let mut app = engine(Parts {
            policy: Policy::default(),
            ledger: Box::new(payer.books.clone()),
            receipts: Box::new(payer.receipts.clone()),
            plugins: Vec::new(),
        })
        .expect("the default flow fits together");
        let options = Options { segment_bytes: 20_000, ..Options::new(LogId([3; 16])) };
        let options = Options { reserve_bytes: 0, ..options };
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (store, _) = Store::open(&disk, options, &mut app, &mut |_| {})
            .expect("whatever a crash leaves is opened");
        self.index = self.place.follow(&self.history, store.reader());
        let node = payer.network.connect(payer.now);
        let node = DifficultNode::new(node, payer.troubles.clone());
        let planner = Box::new(OwnPlanner::new(node.graph(), KnowledgeConfig::default()));
        let entropy = Entropy::seeded(100 + self.starts);
        payer.driver = Driver::new(app, Box::new(node), planner, entropy, payer.now);
        payer.driver.retain(payer.retention);
        if self.accepts_unknown {
            payer.driver.accept_unknown();
        }
        if let Some(decision) = self.accepts_forgotten.clone() {
            payer.driver.accept_forgotten(decision);
        }
        payer.driver.keep_journal(store.last());
        payer.driver.resume(payer.now);
        self.learned.retain(|record, _| *record <= store.last());
        let known = self.learned.get(&store.last());
        // Where the restart did nothing more, nothing more was learned.
        if let Some(known) = known.filter(|_| payer.driver.last_record() == store.last()) {
            let learned = payer.driver.learned().expect("our planner keeps it").json();
            assert_eq!(learned.text(), known.text(), "after record {}", store.last());
            self.recalled += 1;
        }
        self.store = Some(store);
    }

    /// A backup as it would be made now, while the engine runs.
    pub(crate) fn backup(&self) -> MemoryDisk {
        let to = MemoryDisk::new();
        copy(&self.disk, &to, &mut |_| {}).expect("it can be read");
        let mut app = engine(Parts {
            policy: Policy::default(),
            ledger: Box::new(MemoryLedger::new(NODE)),
            receipts: Box::new(MemoryReceipts::default()),
            plugins: Vec::new(),
        })
        .expect("the default flow fits together");
        let options = Options { reserve_bytes: 0, ..Options::new(LogId([3; 16])) };
        let disk: Arc<dyn Disk> = Arc::new(to.clone());
        let (mut store, _) =
            Store::open(&disk, options, &mut app, &mut |_| {}).expect("a copy is whole");
        store.note_backup(&mut app).expect("room");
        store.close().expect("room");
        to
    }

    /// The engine dies with its disk and its index, and comes back on a backup.
    pub(crate) fn restore(&mut self, backup: &MemoryDisk) {
        self.store = None;
        self.disk = backup.fork();
        self.place = Place::memory();
        self.fuel = None;
        // The records that follow have numbers that others had before.
        self.learned.clear();
        self.start();
    }

    /// The engine dies, and comes back on what the disk has kept.
    pub(crate) fn die(&mut self, death: Death) {
        self.store = None;
        self.place.die(death);
        match death {
            Death::Kill => self.disk.crash(),
            Death::PowerLoss(seed) => self.disk.power_loss(seed),
        }
        self.fuel = None;
        self.start();
    }

    /// Has the index at another place from the next start on; where it was.
    pub(crate) fn replace_index(&mut self, place: Place) -> Place {
        std::mem::replace(&mut self.place, place)
    }

    /// Waits until the index has all of the ledger.
    pub(crate) fn catch_up(&mut self) {
        self.keep().expect("it lives");
        self.store().sync().expect("room");
        let count = self.store().head().count;
        self.history.nudge();
        if let Some(index) = &self.index {
            let all = |state: &State| matches!(state, State::Ready(it) if it.applied == count);
            let state = index.wait(AT_MOST, all);
            assert!(all(&state), "{state:?}, not {count}");
        }
    }

    /// One step between two of which the engine may die.
    fn step(&mut self) -> Result<(), Dead> {
        self.steps += 1;
        match &mut self.fuel {
            Some(0) => Err(Dead),
            Some(fuel) => {
                *fuel -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Keeps what was done, and does what waited for that.
    fn keep(&mut self) -> Result<(), Dead> {
        loop {
            let learned = self.payer.driver.learned().expect("our planner keeps it").json();
            self.learned.insert(self.payer.driver.last_record(), learned);
            let records = self.payer.driver.take_records();
            if records.is_empty() {
                return Ok(());
            }
            let must_sync = records.iter().any(|record| record.must_sync);
            for record in records {
                self.step()?;
                let number = self.store().append(&record.delta).expect("room");
                assert_eq!(number, record.number);
            }
            self.step()?;
            let now = self.payer.now;
            let written = self.store().write().expect("room");
            self.payer.driver.records_kept(now, written);
            self.step()?;
            if must_sync {
                let synced = self.store().sync().expect("room");
                self.step()?;
                self.payer.driver.records_kept(now, synced);
            }
        }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("the engine lives")
    }

    /// What the planner knew so far is not to be compared any more.
    pub(crate) fn forget_what_was_learned(&mut self) {
        self.learned.clear();
    }

    /// Lets the state be written down whole, so that older records go.
    pub(crate) fn snapshot(&mut self) {
        let image = self.payer.driver.image();
        self.snapshot_of(image);
    }

    /// The same with an image made elsewhere.
    pub(crate) fn snapshot_of(&mut self, image: Image) {
        let store = self.store.as_mut().expect("the engine lives");
        store.snapshot(image).expect("room");
    }

    /// Runs until nothing is left to be done before that moment, or the engine dies.
    pub(crate) fn run_until(&mut self, until: Timestamp) -> Result<(), Dead> {
        loop {
            self.keep()?;
            let jobs = self.payer.driver.take_jobs();
            if !jobs.is_empty() {
                for job in jobs {
                    let plan = (job.run)();
                    self.payer.driver.finish_plan(self.payer.now, job.id, plan);
                }
                continue;
            }
            match self.payer.driver.next_at().filter(|at| *at <= until) {
                Some(at) => {
                    self.payer.now = self.payer.now.max(at);
                    self.payer.driver.poll(at);
                }
                None => return Ok(()),
            }
        }
    }

    pub(crate) fn run_for(&mut self, milliseconds: u64) -> Result<(), Dead> {
        let until = self.payer.now.after_ms(milliseconds);
        self.run_until(until)?;
        self.payer.now = until;
        Ok(())
    }

    /// Starts a payment; it is acknowledged once its records are kept.
    pub(crate) fn pay(&mut self, invoice: &str) -> Result<EntityId, Dead> {
        self.pay_with(invoice, Write::here())
    }

    /// The same with more Components.
    pub(crate) fn pay_with(&mut self, invoice: &str, more: Write) -> Result<EntityId, Dead> {
        let id = self.payer.start(invoice, more);
        self.keep()?;
        Ok(id)
    }

    /// Issues a receipt; it is acknowledged once its record is kept.
    pub(crate) fn issue(&mut self, request: &ReceiptRequest) -> Result<Issued, Dead> {
        let issue = |engine: &mut _| Issuer::new(seed()).issue(engine, request);
        let issued: Result<Issued, IssueError> = self.payer.driver.command(self.payer.now, issue);
        self.keep()?;
        Ok(issued.expect("a first receipt of its hash"))
    }

    /// The payment of that invoice, if the engine knows of one.
    pub(crate) fn known(&self, invoice: &str) -> Option<EntityId> {
        let engine = self.payer.driver.engine();
        let invoice = Json::of(invoice);
        let is_it = |id: &EntityId| engine.get::<Invoice>(*id).is_some_and(|it| it.0 == invoice);
        let known: Vec<EntityId> = engine.entities().into_iter().filter(is_it).collect();
        // The parts of a payment have no invoice of their own; of several, one that ended well.
        let complete =
            known.iter().find(|id| engine.get::<Status>(**id) == Some(&Status::complete()));
        complete.or(known.first()).copied()
    }

    /// The whole ledger.
    pub(crate) fn entries(&mut self) -> Vec<PastEntry> {
        self.keep().expect("it lives");
        self.store().sync().expect("room");
        let all = self.store().reader().read(0, u64::MAX).expect("it is readable");
        let read = all.map(|stored| {
            let stored = stored.expect("it is whole");
            read_entry(stored.entry.index, &stored.payload).expect("it is ours")
        });
        read.collect()
    }

    /// Books that keep all, from the ledger alone.
    pub(crate) fn whole_books(&mut self) -> MemoryLedger {
        let mut whole = MemoryLedger::new(NODE);
        for entry in self.entries() {
            whole.commit(&entry.lines, entry.entity, entry.at).expect("it follows");
        }
        whole
    }

    /// The books are those that follow from the ledger, and agree with the network.
    pub(crate) fn assert_books_agree(&mut self) {
        let whole = self.whole_books();
        let books = self.payer.books.copy();
        assert_eq!(books.trial_balance(), whole.trial_balance());
        for payment in whole.postings(0, u32::MAX).iter().filter_map(|it| it.payment) {
            let hash = payment.payment_hash;
            assert_eq!(books.claim(&hash), whole.claim(&hash));
            assert_eq!(books.postings_of(&payment), whole.postings_of(&payment));
        }
        // With all postings at hand, from here to the next death.
        self.payer.books.set(&whole);
        self.payer.assert_books_agree();
    }

    /// Runs the payment to its end.
    pub(crate) fn finish(&mut self, id: EntityId) -> Outcome {
        let until = self.payer.now.after_ms(crate::harness::DAY_MS);
        self.run_until(until).expect("it lives");
        let outcome = self.payer.outcome(id);
        assert!(outcome.is_final(), "after a day: {}", self.payer.story(id));
        outcome
    }
}
