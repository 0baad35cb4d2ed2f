//! A change of a network: it happens in memory, then its record goes to the log.

use crate::{
    input::{Input, Record},
    keeper::Keeper,
    made::Blueprint,
    network::SimNetwork,
    open::snapshot,
    state::State,
};
use ecs_systems::units::Timestamp;
use std::{
    mem,
    sync::{Arc, MutexGuard, PoisonError},
    task::Waker,
};

/// What a network on a disk has besides.
#[derive(Debug)]
pub(crate) struct OnDisk {
    pub(crate) keeper: Keeper,
    pub(crate) blueprint: Arc<Blueprint>,
}

/// A network at a moment, to be changed.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) state: MutexGuard<'a, State>,
    disk: Option<&'a OnDisk>,
    /// What is to be written down.
    record: Option<Vec<u8>>,
}

impl<'a> Change<'a> {
    /// Writes down what is done now.
    pub(crate) fn note<'b>(&mut self, input: impl FnOnce() -> Input<'b>) {
        if self.disk.is_some() {
            let record = Record { now_ms: self.state.now.0, input: input() };
            self.record = Some(record.encode());
        }
    }

    /// All of it is done: its record goes to the log.
    pub(crate) fn keep(mut self) -> MutexGuard<'a, State> {
        self.state.refresh_view();
        let (Some(disk), Some(record)) = (self.disk, self.record.take()) else {
            return self.state;
        };
        let tells = self.state.ours.outbox.back().is_some_and(|it| it.record == self.state.record);
        self.state.record += 1;
        let entries = self.state.past.as_mut().map(|past| mem::take(&mut past.coming));
        if disk.keeper.push(record, entries.unwrap_or_default(), tells) {
            disk.keeper.snapshot(snapshot(&disk.blueprint, &self.state));
        }
        self.state
    }
}

impl SimNetwork {
    /// A change of the network as it is.
    pub(crate) fn go_on<'a>(&'a self, state: MutexGuard<'a, State>) -> Change<'a> {
        Change { state, disk: self.disk.as_deref(), record: None }
    }

    /// The network at `now`, before a change.
    pub(crate) fn begin(&self, now: Timestamp) -> Change<'_> {
        let mut state = self.state();
        let changed = state.advance(now);
        let mut change = self.go_on(state);
        if changed {
            change.note(|| Input::Tick);
        }
        change
    }

    /// Changes the network at `now`, and writes down what it says of it.
    pub(crate) fn change<'b, T>(
        &self,
        now: Timestamp,
        input: impl FnOnce() -> Input<'b>,
        act: impl FnOnce(&mut State) -> T,
    ) -> T {
        let mut change = self.begin(now);
        change.note(input);
        let done = act(&mut change.state);
        drop(change.keep());
        done
    }

    /// The last record that is durable; without a disk everything is as good as that.
    pub(crate) fn synced(&self) -> u64 {
        self.disk.as_ref().map_or(u64::MAX, |disk| disk.keeper.synced())
    }

    /// Has a waker called when the log has become durable, and when others pay us.
    pub(crate) fn set_waker(&self, waker: Waker) {
        if let Some(disk) = &self.disk {
            disk.keeper.set_waker(waker.clone());
        }
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }

    /// The same, once whoever runs our node is told that there is something to happen.
    pub(crate) fn waking<T>(&self, begun: T) -> T {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
        begun
    }
}
