//! A shell with a journal on the disk, and so many payments at a time on it.

use crate::host::Spent;
use ecs_core::{Engine, EntityId, Json, Write};
use ecs_systems::{
    components::Invoice,
    effects::{PayFailure, PaySuccess},
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Books, History, HistoryError, NodeView, PastEntry, PaymentRef},
    units::{Blocks, Msat, PaymentHash, Timestamp},
};
use ledger_store::{LATE_PAYMENTS_MAX, MemoryLedger, MemoryReceipts, store::Store};
use node_sim::{InvoiceRequest, OUR_NAME, SimNetwork};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use payflow_default::{
    Driver,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
    shell::{Clock, Ended, Handle, Limits, News, Shell, Speed, Subscription},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// When the network begins.
pub(crate) const START: Timestamp = Timestamp(1_767_225_600_000);

/// Has everything, and says that nothing is there: no hash of the bench comes twice.
#[derive(Debug)]
struct Nothing;

impl History for Nothing {
    fn known(&self) -> u64 {
        u64::MAX
    }

    fn lines_of(&self, _: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        Ok(Vec::new())
    }

    fn payment_of_key(&self, _: &str) -> Result<Option<PaymentRef>, HistoryError> {
        Ok(None)
    }
}

/// An engine with books as the daemon has them: what has ended is left to the ledger.
pub(crate) fn engine_of(receipts: MemoryReceipts) -> Engine {
    let ledger = Box::new(MemoryLedger::over(OUR_NAME, Arc::new(Nothing), LATE_PAYMENTS_MAX));
    let (policy, plugins) = (Policy::default(), Vec::new());
    engine(Parts { policy, ledger, receipts: Box::new(receipts), plugins }).unwrap()
}

/// The store in that directory.
pub(crate) fn store(dir: &Path, engine: &mut Engine) -> Store {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(dir).unwrap());
    Store::open(&disk, Options::new(LogId([9; 16])), engine, &mut |_| {}).unwrap().0
}

/// An engine in a shell, on a thread of its own.
pub(crate) struct Running {
    pub(crate) runtime: Runtime,
    handle: Handle,
    news: Subscription,
    thread: JoinHandle<Ended>,
}

impl Running {
    /// Starts it on the network, at `now`, with so many planners, and waits until its books are
    /// open.
    pub(crate) fn start(
        network: &SimNetwork,
        mut engine: Engine,
        store: Store,
        now: Timestamp,
        planners: usize,
    ) -> Self {
        engine.announce_all(false);
        let node = network.connect(now);
        let planner =
            OwnPlanner::new(ecs_systems::port::Node::graph(&node), KnowledgeConfig::default());
        let driver = Driver::new(engine, Box::new(node), Box::new(planner), Entropy::system(), now);
        let limits = Limits { notices: 1 << 16, jobs: planners, ..Limits::default() };
        let (shell, handle) = Shell::new(driver, Clock::scaled(now, Speed::REAL), limits);
        let shell = shell.keeping(store).unwrap().with_node_apart().unwrap();
        let thread = shell.run_on_thread().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let news = handle.subscribe();
        runtime.block_on(async {
            while handle.call(|driver, _| !books_are_open(driver)).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self { runtime, handle, news, thread }
    }

    /// Pays these invoices, `at_a_time` at once.
    pub(crate) fn pay(&mut self, invoices: &[String], at_a_time: usize) -> Outcome {
        let Self { runtime, handle, news, .. } = self;
        runtime.block_on(pay(handle, news, invoices, at_a_time))
    }

    /// Does something with the driver.
    pub(crate) fn call<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Driver, Timestamp) -> R + Send + 'static,
    ) -> R {
        self.runtime.block_on(self.handle.call(command)).unwrap()
    }

    /// Stops the shell; everything is kept then.
    pub(crate) fn stop(self) -> Driver {
        self.handle.stop();
        let ended = self.thread.join().unwrap();
        ended.journal.unwrap();
        ended.driver
    }
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) paid: u64,
    pub(crate) failed: u64,
    pub(crate) took: Duration,
    /// How long each payment took, from the call to its end, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// What each thread spent meanwhile.
    pub(crate) spent: Spent,
}

impl Outcome {
    pub(crate) fn count(&self) -> u64 {
        self.paid + self.failed
    }

    /// The latency that this share of the payments kept, in milliseconds.
    pub(crate) fn latency_ms(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(0.0, Duration::as_secs_f64) * 1e3
    }
}

async fn pay(
    handle: &Handle,
    news: &mut Subscription,
    invoices: &[String],
    at_a_time: usize,
) -> Outcome {
    let (begun, before) = (Instant::now(), Spent::now());
    let mut paid = Outcome::default();
    let mut waiting = invoices.iter();
    let mut starting = tokio::task::JoinSet::new();
    // Ends may be heard before the start is answered.
    let mut running: BTreeMap<EntityId, Instant> = BTreeMap::new();
    let mut early: BTreeMap<EntityId, Instant> = BTreeMap::new();
    while paid.latencies.len() < invoices.len() {
        while starting.len() + running.len() < at_a_time
            && let Some(invoice) = waiting.next()
        {
            let components = Write::here().attach(&Invoice(Json::of(invoice)));
            let (handle, since) = (handle.clone(), Instant::now());
            starting.spawn(async move {
                (handle.start_payment(components).await.unwrap().unwrap(), since)
            });
        }
        tokio::select! {
            biased;
            heard = news.next() => {
                let Some(News::Notice(notice)) = heard else { panic!("notices were lost") };
                let entity = if let Some(PaySuccess { entity, .. }) = notice.effect.read() {
                    paid.paid += 1;
                    entity
                } else if let Some(PayFailure { entity, .. }) = notice.effect.read() {
                    paid.failed += 1;
                    entity
                } else {
                    continue;
                };
                match running.remove(&entity) {
                    Some(since) => paid.latencies.push(since.elapsed()),
                    None => drop(early.insert(entity, Instant::now())),
                }
            }
            Some(started) = starting.join_next() => {
                let (entity, since) = started.unwrap();
                match early.remove(&entity) {
                    Some(ended) => paid.latencies.push(ended - since),
                    None => drop(running.insert(entity, since)),
                }
            }
        }
    }
    paid.took = begun.elapsed();
    paid.spent = Spent::now().since(&before);
    paid.latencies.sort();
    paid
}

/// Whether every channel that the node says is ours is in the books.
fn books_are_open(driver: &Driver) -> bool {
    let (books, view) =
        (driver.engine().resource::<Books>(), driver.engine().resource::<NodeView>());
    books.zip(view).is_some_and(|(books, view)| {
        view.channels.iter().all(|channel| books.0.has_channel(channel.short_channel_id))
    })
}

/// The largest of the invoices.
const MOST: Msat = Msat(100_000);
/// What the last HTLC has left on the way that is looked for.
const LAST: Blocks = Blocks(40);

/// Invoices of the nodes around us, in turns, of 1 to 100 sat. Whom the hidden balances let nobody
/// reach is left out: that is no figure of ours.
pub(crate) fn invoices(network: &SimNetwork, count: usize, now: Timestamp) -> Vec<String> {
    let mut payees = network.others();
    payees.retain(|payee| network.route(network.us(), *payee, MOST, LAST, now).is_some());
    let each = |number: usize| {
        let amount = Msat((1 + number as u64 % 100) * 1_000);
        let payee = payees[number * 7_919 % payees.len()];
        network.invoice(payee, InvoiceRequest::of(amount), now).unwrap()
    };
    (0..count).map(each).collect()
}
