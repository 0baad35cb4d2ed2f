//! Networks that outlive the process: on a disk, as a snapshot and the inputs behind it.

use crate::{
    builder::SimBuilder,
    config::SimConfig,
    error::SimError,
    graph_file,
    image::Image,
    input::{Input, Record},
    keeper::{Keeper, Logs},
    made::{Blueprint, Given, Made},
    network::SimNetwork,
    over::OverGraph,
    past::Over,
    state::State,
    truth::PaymentTruth,
};
use ecs_systems::units::PaymentHash;
use payecs_journal::{Disk, LedgerLog, LogId, Seq, Skipped, Snapshot, StateLog, Torn};
use payecs_planner::Graph;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, sync::Arc};

/// Who makes the network's log durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// Whoever calls: each input is durable when its call returns. For disks in memory, where time
    /// is virtual and no thread may decide what happens first.
    Inline,
    /// A thread of the network's own, for a group of inputs at once. A call returns when its input
    /// is with the operating system, or waits for the sync that is under way; events come once
    /// what led to them is durable, and the node's waker is called then.
    Thread,
}

/// How a network is kept on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How its log is kept.
    pub log: payecs_journal::Options,
    /// Who syncs it.
    pub syncing: Syncing,
    /// After so many bytes of inputs a snapshot takes their place. What a snapshot has is held in
    /// memory anyway: it does not grow with the number of payments that are over.
    pub snapshot_bytes: u64,
}

impl Options {
    /// A snapshot every 32 MiB of inputs, so that an opening does no more of them again. `id` is 16
    /// random bytes; a log that exists keeps its own.
    #[must_use]
    pub fn new(id: LogId, syncing: Syncing) -> Self {
        let log = payecs_journal::Options::new(id);
        Self { log, syncing, snapshot_bytes: 32 << 20 }
    }

    /// For one who adds nothing.
    fn of_nobody() -> Self {
        Self::new(LogId([0; 16]), Syncing::Inline)
    }
}

/// Why a network on a disk can't be opened. Nothing was changed there, but for what a crash left
/// unfinished.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The files refuse, are held by another process, or are not as they were written.
    #[error(transparent)]
    Journal(#[from] payecs_journal::Error),
    /// The network on the disk was made from something else.
    #[error(
        "the network on this disk was made from another configuration ({differs} differs): it is \
         {made}; start it with that one, or use another data directory"
    )]
    OtherNetwork {
        /// The first thing that is not the same.
        differs: String,
        /// What it was made from: see [`Made`].
        made: String,
    },
    /// There is no network to be audited.
    #[error("there is no simulated network on this disk: name the directory of one")]
    NoNetwork,
    /// A file holds what this program does not read.
    #[error("{what} can't be read: {why}; it was written by another version of the program")]
    Unreadable {
        /// Which record or snapshot.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] SimError),
    /// The system has no thread for the syncs.
    #[error("no thread can be started that syncs the network's log: {why}")]
    NoThread {
        /// What the system says.
        why: String,
    },
}

/// A network on a disk, and what was found there.
#[derive(Debug)]
pub struct Opened {
    /// The network, exactly where it was.
    pub network: SimNetwork,
    /// How many inputs were done again, behind the newest snapshot.
    pub replayed: u64,
    /// What was cut from the end of the log: inputs that were never durable.
    pub torn: Option<Torn>,
    /// Newer snapshots that are damaged; the inputs behind an older one made up for them.
    pub skipped: Vec<Skipped>,
}

/// What a snapshot holds.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<'a> {
    blueprint: Cow<'a, Blueprint>,
    image: Image,
}

impl SimConfig {
    /// Generates a network that is kept on a disk, or opens the one that is there: where it was
    /// when the last process ended, by whatever. The disk is the network's own; its log is in the
    /// directory `state` of it, and what is over in `ledger`.
    ///
    /// Inputs that were not durable at a power cut never happened, for the network and for all who
    /// heard of it: see [`SimNetwork::sync`] for the calls that answer at once.
    ///
    /// # Errors
    /// See [`OpenError`]: among them another configuration or seed than the one on the disk.
    pub fn open(self, disk: &Arc<dyn Disk>, options: &Options) -> Result<Opened, OpenError> {
        open(disk, Some(Given::new(Blueprint::Generated(self))), options)
    }
}

impl SimBuilder {
    /// As [`SimConfig::open`], for a network by hand.
    ///
    /// # Errors
    /// As [`SimConfig::open`].
    pub fn open(self, disk: &Arc<dyn Disk>, options: &Options) -> Result<Opened, OpenError> {
        open(disk, Some(Given::new(Blueprint::ByHand(self))), options)
    }
}

impl OverGraph {
    /// As [`SimConfig::open`], for a network over a graph. The disk keeps the graph, in the
    /// directory `graph` of it.
    ///
    /// # Errors
    /// As [`SimConfig::open`]; what the graph is called may be another than before.
    pub fn open(
        self,
        graph: &Graph,
        disk: &Arc<dyn Disk>,
        options: &Options,
    ) -> Result<Opened, OpenError> {
        open(disk, Some(Given::over(self, graph)), options)
    }
}

/// Opens the network that is on a disk, whatever it was made from; `None` where there is none.
///
/// # Errors
/// See [`OpenError`].
pub fn open_there(disk: &Arc<dyn Disk>, options: &Options) -> Result<Option<Opened>, OpenError> {
    if !has_network(disk) {
        return Ok(None);
    }
    match open(disk, None, options) {
        Err(OpenError::NoNetwork) => Ok(None),
        opened => opened.map(Some),
    }
}

/// What is on a disk, for an auditor: no engine and no configuration is needed. `payment` is told
/// what really happened for each hash, in the order in which it was over, then what is going on;
/// a hash comes once for each time it was tried, and these add up ([`PaymentTruth::add`]). The
/// network answers for the present: `our_balance`, `in_flight`, `audit`.
///
/// Nothing happens in the network, and nothing is written but what opening a log mends.
///
/// # Errors
/// See [`OpenError`]: among them [`OpenError::NoNetwork`].
pub fn audit_disk(
    disk: &Arc<dyn Disk>,
    payment: &mut dyn FnMut(PaymentHash, PaymentTruth),
) -> Result<SimNetwork, OpenError> {
    let log = payecs_journal::Options { reserve_bytes: 0, ..Options::of_nobody().log };
    if !has_network(disk) {
        return Err(OpenError::NoNetwork);
    }
    let opened = open_as(disk, None, &Options { log, ..Options::of_nobody() }, true)?;
    opened.network.all_payments(payment)?;
    Ok(opened.network)
}

/// Whether somebody began a log there.
fn has_network(disk: &Arc<dyn Disk>) -> bool {
    disk.list("state").is_ok_and(|names| names.len() >= 2)
}

impl SimNetwork {
    /// What the network was made from, where it is kept on a disk.
    #[must_use]
    pub fn made(&self) -> Option<Made> {
        self.disk.as_ref().map(|disk| disk.blueprint.made())
    }

    /// What really happened for each hash, as [`audit_disk`] tells it, while the network goes on.
    /// Of a network in memory, what it remembers: everything.
    ///
    /// # Errors
    /// As [`audit_disk`].
    pub fn all_payments(
        &self,
        payment: &mut dyn FnMut(PaymentHash, PaymentTruth),
    ) -> Result<(), OpenError> {
        self.sync()?;
        let over = self.disk.as_ref().map(|disk| disk.keeper.past()).transpose()?;
        for entry in over.into_iter().flatten() {
            let entry = entry?;
            let Over { hash, truth } = read(&entry.payload, || entry_name(entry.entry.index))?;
            payment(hash, truth);
        }
        let going_on = self.state().truth.payments.clone();
        for (hash, truth) in going_on {
            payment(hash, truth);
        }
        Ok(())
    }
}

fn entry_name(index: u64) -> String {
    format!("entry {index} of what is over")
}

/// The network that is being opened, and what it is made from.
struct Opening<'a> {
    disk: &'a dyn Disk,
    given: Option<&'a Graph>,
    blueprint: Option<Blueprint>,
}

impl Opening<'_> {
    /// What the log says the network was made from, as far as it is read.
    fn agree(&mut self, stored: Blueprint) -> Result<(), OpenError> {
        if let Some(expected) = &self.blueprint {
            expected.check(&stored)?;
        }
        self.blueprint = Some(stored);
        Ok(())
    }

    fn build(&self) -> Result<State, OpenError> {
        let blueprint = self.blueprint.as_ref().ok_or(OpenError::NoNetwork)?;
        let mut state = blueprint.build(self.given, self.disk)?;
        state.keep_on_disk();
        Ok(state)
    }
}

fn open(
    disk: &Arc<dyn Disk>,
    given: Option<Given<'_>>,
    options: &Options,
) -> Result<Opened, OpenError> {
    open_as(disk, given, options, false)
}

fn open_as(
    disk: &Arc<dyn Disk>,
    given: Option<Given<'_>>,
    options: &Options,
    is_audit: bool,
) -> Result<Opened, OpenError> {
    let (blueprint, graph) = given.map_or((None, None), |it| (Some(it.blueprint), it.graph));
    let (mut inputs, recovered) = StateLog::open(Arc::clone(disk), options.log.clone())?;
    let (mut past, _) = LedgerLog::open(Arc::clone(disk), inputs.id())?;
    let given = graph.as_ref().map(|(graph, _)| *graph);
    let mut opening = Opening { disk: &**disk, given, blueprint };
    let mut state = None;
    if let Some(snapshot) = recovered.snapshot {
        let what = format!("the snapshot of record {}", snapshot.seq());
        let stored: Stored<'_> = read(&whole(snapshot)?, || what)?;
        opening.agree(stored.blueprint.into_owned())?;
        let mut restored = opening.build()?;
        restored.restore(stored.image);
        restored.read_past(&past)?;
        state = Some(restored);
    }
    let from = state.as_ref().and_then(|it| it.past.as_ref()).map_or(0, |past| past.entries);
    let replayed = recovered.records.remaining();
    for record in recovered.records {
        let record = record?;
        let mut read: Record<'_> = read(&record.payload, || format!("record {}", record.seq))?;
        if let Input::Made(stored) = &mut read.input {
            opening.agree(stored.to_mut().clone())?;
        }
        let mut replaying = state.take().map_or_else(|| opening.build(), Ok)?;
        replaying.replay(read);
        state = Some(replaying);
    }
    let mut state = state.map_or_else(|| opening.build(), Ok)?;
    let blueprint = Arc::new(opening.blueprint.ok_or(OpenError::NoNetwork)?);
    if !is_audit {
        let input = match inputs.last() {
            Seq(0) => Input::Made(Cow::Borrowed(&*blueprint)),
            Seq(_) => Input::Opened,
        };
        if let (Input::Made(_), Some((_, bytes))) = (&input, &graph) {
            graph_file::keep(&**disk, bytes)?;
        }
        let record = Record { now_ms: state.now.0, input };
        inputs.append(&record.encode())?;
        inputs.sync()?;
        state.replay(record);
    }
    let over = state.past.as_mut().map(|past| std::mem::take(&mut past.coming));
    past.complete_from(from, over.unwrap_or_default())?;
    state.record = inputs.last().0 + 1;
    let keeper = Keeper::new(Logs { inputs, past }, options);
    let keeper = keeper.map_err(|why| OpenError::NoThread { why: why.to_string() })?;
    let network = SimNetwork::kept(state, keeper, blueprint);
    Ok(Opened { network, replayed, torn: recovered.torn, skipped: recovered.skipped })
}

impl State {
    /// Takes from the file which parts are over.
    fn read_past(&mut self, past: &LedgerLog) -> Result<(), OpenError> {
        let entries = self.past.as_ref().map_or(0, |past| past.entries);
        let Some(ended) = &mut self.ended else { return Ok(()) };
        for entry in past.read(0, entries)? {
            let entry = entry?;
            let over: Over = read(&entry.payload, || entry_name(entry.entry.index))?;
            over.truth.parts.keys().for_each(|key| ended.add(key));
        }
        Ok(())
    }
}

fn whole(snapshot: Snapshot) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    for piece in snapshot {
        bytes.extend(piece?);
    }
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, OpenError> {
    serde_json::from_slice(bytes)
        .map_err(|why| OpenError::Unreadable { what: what(), why: why.to_string() })
}

/// A snapshot of a network as bytes.
pub(crate) fn snapshot(blueprint: &Blueprint, state: &State) -> Vec<u8> {
    let stored = Stored { blueprint: Cow::Borrowed(blueprint), image: state.image() };
    serde_json::to_vec(&stored).expect("keys are text and numbers are finite")
}

#[cfg(test)]
pub(crate) mod tests;
