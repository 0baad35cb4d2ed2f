//! Where the driver runs: in this thread on a virtual clock, or in a shell in real time.

use super::{
    DemoError, Pace,
    home::Kept,
    opening::{Looked, Opening},
};
use ecs_core::EntityId;
use ecs_systems::{
    effects::{PayFailure, PaySuccess},
    units::Timestamp,
};
use payflow_default::{
    Driver,
    shell::{Clock, Ended, Handle, Limits, News, Notice, Shell, Subscription},
};
use std::{thread::JoinHandle, time::Duration};
use tokio::runtime::Runtime;

/// How often somebody who waits is told that time passes.
const TICK_MS: u64 = 80;
/// How often it is looked whether the books are open.
const BOOKS_TICK: Duration = Duration::from_millis(5);
/// How long a payment is waited for, in the network's time: it stops trying after 60 s, and no HTLC
/// outlives a day of blocks by far.
const PAYMENT_SECONDS_MAX: u64 = 86_400;

/// Where the driver runs.
#[derive(Debug)]
pub(crate) enum Stage {
    Virtual(Box<Driver>),
    Real(Box<Live>),
}

/// A driver in a shell on a thread of its own.
#[derive(Debug)]
pub(crate) struct Live {
    runtime: Runtime,
    handle: Handle,
    news: Subscription,
    thread: JoinHandle<Ended>,
}

/// What is heard while a payment is watched.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// Something was announced.
    Notice(&'a Notice),
    /// So many notices went by too quickly.
    Lost(u64),
    /// Time passes.
    Tick,
}

impl Stage {
    /// Sets the driver going. Where it is kept, its books may open a moment later.
    pub(crate) fn open(driver: Driver, kept: Option<Kept>, pace: Pace) -> Result<Self, DemoError> {
        let Pace::Real(speed) = pace else { return Ok(Self::Virtual(Box::new(driver))) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let clock = Clock::scaled(driver.now(), speed);
        let (shell, handle) = Shell::new(driver, clock, Limits::default());
        let shell = match kept {
            Some(kept) => shell.keeping(kept.store)?,
            None => shell,
        };
        let news = handle.subscribe();
        let thread = shell.run_on_thread()?;
        Ok(Self::Real(Box::new(Live { runtime, handle, news, thread })))
    }

    /// Waits until the books know our channels.
    pub(crate) fn wait_for_books(&mut self) -> Result<(), DemoError> {
        let mut opening = Opening::default();
        while !opening.look(self.with(|driver, _| Looked::at(driver))?)? {
            let Self::Real(live) = self else { return Ok(()) };
            live.runtime.block_on(async { tokio::time::sleep(BOOKS_TICK).await });
        }
        Ok(())
    }

    /// Does something with the driver at its own moment.
    pub(crate) fn with<R: Send + 'static>(
        &mut self,
        command: impl FnOnce(&mut Driver, Timestamp) -> R + Send + 'static,
    ) -> Result<R, DemoError> {
        match self {
            Self::Virtual(driver) => {
                let now = driver.now();
                Ok(command(driver, now))
            }
            Self::Real(live) => Ok(live.runtime.block_on(live.handle.call(command))?),
        }
    }

    /// Lets the world go on until a payment has ended and nothing more was announced with its end.
    pub(crate) fn watch(
        &mut self,
        payment: EntityId,
        hear: &mut dyn FnMut(Heard<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        match self {
            Self::Virtual(driver) => watch_virtual(driver, payment, hear),
            Self::Real(live) => live.watch(payment, hear),
        }
    }

    /// The driver, once everything that was announced has been.
    pub(crate) fn close(self) -> Result<Driver, DemoError> {
        match self {
            Self::Virtual(driver) => Ok(*driver),
            Self::Real(live) => {
                live.handle.stop();
                let ended = live.thread.join();
                let ended = ended.map_err(|_| payflow_default::shell::ShellError::Stopped)?;
                ended.journal?;
                Ok(ended.driver)
            }
        }
    }
}

fn watch_virtual(
    driver: &mut Driver,
    payment: EntityId,
    hear: &mut dyn FnMut(Heard<'_>) -> Result<(), DemoError>,
) -> Result<(), DemoError> {
    let until = driver.now().after_ms(PAYMENT_SECONDS_MAX * 1_000);
    loop {
        let mut ended = false;
        for effect in driver.take_notices() {
            let notice = Notice { at: driver.now(), cursor: driver.cursor(), effect };
            hear(Heard::Notice(&notice))?;
            ended |= ends(&notice, payment);
        }
        if ended {
            return Ok(());
        }
        let jobs = driver.take_jobs();
        if !jobs.is_empty() {
            for job in jobs {
                let plan = (job.run)();
                driver.finish_plan(driver.now(), job.id, plan);
            }
            continue;
        }
        match driver.next_at().filter(|at| *at <= until) {
            Some(at) => driver.poll(at),
            None => {
                return Err(DemoError::Endless { entity: payment, seconds: PAYMENT_SECONDS_MAX });
            }
        }
    }
}

impl Live {
    fn watch(
        &mut self,
        payment: EntityId,
        hear: &mut dyn FnMut(Heard<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let news = &mut self.news;
        self.runtime.block_on(async {
            let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MS));
            loop {
                let heard = tokio::select! {
                    biased;
                    heard = news.next() => heard,
                    _ = ticks.tick() => {
                        hear(Heard::Tick)?;
                        continue;
                    }
                };
                match heard {
                    Some(News::Notice(notice)) => {
                        hear(Heard::Notice(&notice))?;
                        if ends(&notice, payment) {
                            return Ok(());
                        }
                    }
                    Some(News::Lost { count }) => hear(Heard::Lost(count))?,
                    None => return Err(payflow_default::shell::ShellError::Stopped.into()),
                }
            }
        })
    }
}

/// Whether this is the payment's last word.
fn ends(notice: &Notice, payment: EntityId) -> bool {
    let paid = notice.effect.read::<PaySuccess>().map(|success| success.entity);
    let failed = notice.effect.read::<PayFailure>().map(|failure| failure.entity);
    paid.or(failed) == Some(payment)
}
