//! A data directory: the journal of the engine, the index of its ledger, and the simulated network
//! that outlives it.

use super::{DemoError, index};
use crate::cli::spinner::spinner;
use ecs_core::{Engine, Inputs};
use ecs_systems::units::Timestamp;
use ledger_store::{
    LedgerHistory,
    store::{CHECKPOINT_KEY, RestoreStep, Restored, Store},
};
use node_sim::{SimConfig, SimNetwork, Syncing};
use payecs_journal::{Disk, LogId, OsDisk, SchnorrKey};
use std::{path::Path, sync::Arc, time::Duration};

/// Where the engine keeps its state and its books.
pub(crate) const JOURNAL: &str = "journal";
/// Where the index of the ledger is: whoever deletes it has it built again.
pub(crate) const INDEX: &str = "index";
/// Where the simulated network keeps itself: it is not the engine's.
pub(crate) const NETWORK: &str = "network";

/// What was found in a data directory.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) store: Store,
    pub(crate) restored: Restored,
    /// The last moment that was seen there.
    pub(crate) seen: Timestamp,
}

/// The network of that directory, where it was.
pub(crate) fn network(dir: &Path, config: SimConfig) -> Result<SimNetwork, DemoError> {
    let options = node_sim::Options::new(id(), Syncing::Thread);
    Ok(config.open(&disk(&dir.join(NETWORK))?, &options)?.network)
}

/// Brings an engine to the state that is kept in that directory. The history of its books follows
/// the ledger from then on.
pub(crate) fn engine(
    dir: &Path,
    engine: &mut Engine,
    history: &LedgerHistory,
) -> Result<Kept, DemoError> {
    let disk = disk(&dir.join(JOURNAL))?;
    let options = payecs_journal::Options::new(id());
    let spinner = spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let (mut store, restored) =
        Store::open(&disk, options, engine, &mut |step| spinner.set_message(told(step)))?;
    spinner.finish_and_clear();
    let key = SchnorrKey::open(&*disk, CHECKPOINT_KEY, random())?;
    store.sign_with(&*disk, Box::new(key))?;
    index::follow(&dir.join(INDEX), store.reader(), history)?;
    let seen = engine.resource::<Inputs>().map_or(Timestamp(0), |inputs| Timestamp(inputs.now_ms));
    Ok(Kept { store, restored, seen })
}

fn disk(dir: &Path) -> Result<Arc<dyn Disk>, DemoError> {
    let disk = OsDisk::open(dir).map_err(payecs_journal::Error::from)?;
    Ok(Arc::new(disk))
}

/// Says which log is which; nothing secret.
fn id() -> LogId {
    LogId(random())
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

fn told(step: RestoreStep) -> String {
    match step {
        RestoreStep::Snapshot => "snapshot read".to_owned(),
        RestoreStep::Records { done, of } => format!("{done} of {of} records read"),
    }
}
