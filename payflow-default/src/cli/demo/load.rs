//! `payecs demo --load N`: so many small payments at a time, until it is stopped.
//!
//! What is printed as started or ended is kept: after a crash the next start goes on with it.

use super::{
    Args, DemoError, Pace, audit,
    load::{
        stock::Stock,
        tell::{Ending, Teller},
    },
    opening::{Looked, Opening as Waiting},
    world::{Opening, World, build},
};
use ecs_core::{EntityId, Json, Systems, Write};
use ecs_systems::{
    components::{Invoice, MainPayment, Status},
    effects::{PayFailure, PaySuccess},
    port::Books,
};
use payflow_default::{
    Driver,
    shell::{Clock, Ended, Handle, Limits, News, Notice, Shell, ShellError, Speed},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

mod stock;
mod tell;

/// Most payments at a time: every one of them may wait for the shell at once.
pub(crate) const AT_A_TIME_MAX: i64 = 1_000;
/// How often the rate is told.
const RATE_EVERY: Duration = Duration::from_secs(1);

/// Pays until it is stopped. `true`: the books agree with the network.
pub(crate) fn run(args: &Args, at_a_time: usize) -> Result<bool, DemoError> {
    let Opening { world, driver, kept } = build(&args.start())?;
    let speed = match args.pace() {
        Pace::Real(speed) => speed,
        Pace::Virtual => Speed::REAL,
    };
    let clock = Clock::scaled(driver.now(), speed);
    let (shell, handle) =
        Shell::new(driver, clock, Limits { notices: 65_536, ..Limits::default() });
    let mut teller = Teller::new(args.json);
    let shell = match kept {
        Some(kept) => {
            teller.found(&kept.restored)?;
            shell.keeping(kept.store)?
        }
        None => shell,
    };
    let thread = shell.with_node_apart()?.run_on_thread()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let most = args.count.unwrap_or(u64::MAX);
    let mut load = Load::new(&world, handle, teller, at_a_time, most);
    let ran = runtime.block_on(load.run());
    let Load { teller, handle, .. } = load;
    handle.stop();
    let driver = join(thread)?;
    ran?;
    close(&world, &driver, teller)
}

fn join(thread: JoinHandle<Ended>) -> Result<Driver, DemoError> {
    let ended = thread.join().map_err(|_| ShellError::Stopped)?;
    ended.journal?;
    Ok(ended.driver)
}

/// Holds the books against the network, as far as nothing is on its way.
fn close(world: &World, driver: &Driver, mut teller: Teller) -> Result<bool, DemoError> {
    let books = driver.engine().resource::<Books>();
    let balance = books.map(|books| books.0.balance_object()).unwrap_or_default();
    let quiet = world.network.in_flight() == 0;
    let agreed = quiet.then(|| audit::channels(world, driver));
    teller.closed(&balance, agreed.as_ref())?;
    Ok(agreed.is_none_or(|agreed| agreed.is_ok()))
}

/// The load while it runs.
struct Load {
    handle: Handle,
    teller: Teller,
    stock: Stock,
    at_a_time: usize,
    most: u64,
    asked: u64,
    /// Those whose start has not been answered yet.
    starting: JoinSet<Result<Result<EntityId, ecs_core::Error>, ShellError>>,
    /// Those that run, and since when.
    running: BTreeMap<EntityId, Instant>,
    /// Ends that were heard before the start was answered.
    early: BTreeSet<EntityId>,
    stopping: bool,
}

impl Load {
    fn new(world: &World, handle: Handle, teller: Teller, at_a_time: usize, most: u64) -> Self {
        let stock = Stock::new(world.network.clone(), at_a_time as u64, most);
        let (starting, running, early) = (JoinSet::new(), BTreeMap::new(), BTreeSet::new());
        let (asked, stopping) = (0, false);
        Self { handle, teller, stock, at_a_time, most, asked, starting, running, early, stopping }
    }

    async fn run(&mut self) -> Result<(), DemoError> {
        let mut news = self.handle.subscribe();
        let mut stopped = std::pin::pin!(stop_asked());
        let mut opening = Waiting::default();
        while !opening.look(self.handle.call(|driver, _| Looked::at(driver)).await?)? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.take_up().await?;
        let mut ticks = tokio::time::interval(RATE_EVERY);
        loop {
            self.start_more();
            if self.is_done() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut stopped, if !self.stopping => self.stopping = true,
                heard = news.next() => match heard {
                    Some(News::Notice(notice)) => self.hear(&notice)?,
                    Some(News::Lost { .. }) => self.look().await?,
                    None => return Err(ShellError::Stopped.into()),
                },
                Some(started) = self.starting.join_next() => {
                    self.started(started.expect("a call does not panic")??)?;
                }
                more = self.stock.more() => more?,
                _ = ticks.tick() => self.teller.rate(self.running.len())?,
            }
        }
    }

    fn is_done(&self) -> bool {
        let no_more = self.stopping || self.asked == self.most;
        no_more && self.starting.is_empty() && self.running.is_empty()
    }

    /// Those that an earlier run left.
    async fn take_up(&mut self) -> Result<(), DemoError> {
        let left = self.handle.call(|driver, _| under_way(driver)).await?;
        self.teller.taken_up(&left)?;
        let now = Instant::now();
        self.running.extend(left.into_iter().map(|entity| (entity, now)));
        Ok(())
    }

    /// Starts as many as may run.
    fn start_more(&mut self) {
        while !self.stopping
            && self.asked < self.most
            && self.starting.len() + self.running.len() < self.at_a_time
        {
            let Some(invoice) = self.stock.take() else { return };
            self.asked += 1;
            let components = Write::here().attach(&Invoice(Json::of(&invoice)));
            let handle = self.handle.clone();
            self.starting.spawn(async move { handle.start_payment(components).await });
        }
    }

    fn started(&mut self, entity: EntityId) -> Result<(), DemoError> {
        self.teller.started(entity)?;
        if !self.early.remove(&entity) {
            self.running.insert(entity, Instant::now());
        }
        Ok(())
    }

    fn hear(&mut self, notice: &Notice) -> Result<(), DemoError> {
        let (entity, ending) = if let Some(paid) = notice.effect.read::<PaySuccess>() {
            (paid.entity, Ending::Paid(paid))
        } else if let Some(failed) = notice.effect.read::<PayFailure>() {
            (failed.entity, Ending::Failed(failed))
        } else {
            return Ok(());
        };
        let since = self.running.remove(&entity);
        if since.is_none() {
            self.early.insert(entity);
        }
        self.teller.ended(&ending, since.map(|since| since.elapsed()))?;
        Ok(())
    }

    /// Looks for payments whose end was not heard.
    async fn look(&mut self) -> Result<(), DemoError> {
        let running: Vec<EntityId> = self.running.keys().copied().collect();
        let look = move |driver: &mut Driver, _| {
            let engine = driver.engine();
            let over = running.into_iter().filter(|id| engine.get::<Systems>(*id).is_none());
            let paid = |id| engine.get::<Status>(id) == Some(&Status::complete());
            over.map(|id| (id, paid(id))).collect::<Vec<_>>()
        };
        for (entity, paid) in self.handle.call(look).await? {
            self.running.remove(&entity);
            self.teller.unheard(paid);
        }
        Ok(())
    }
}

/// The payments that have not ended.
fn under_way(driver: &Driver) -> Vec<EntityId> {
    let engine = driver.engine();
    let runs = |id: &EntityId| {
        engine.get::<MainPayment>(*id).is_some() && engine.get::<Systems>(*id).is_some()
    };
    engine.entities().into_iter().filter(runs).collect()
}

/// Comes when the process is asked to stop.
async fn stop_asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate());
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler nothing but a kill stops it, which it outlives.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
