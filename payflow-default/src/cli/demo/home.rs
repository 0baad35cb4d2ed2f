//! A data directory: the journal of the engine, the index of its ledger, and the simulated network
//! that outlives it.

use super::{DemoError, index};
use crate::cli::spinner::spinner;
use ecs_core::{Engine, Inputs};
use ecs_systems::{port::ReceiptsBook, units::Timestamp};
use ledger_store::{
    LedgerHistory, MemoryReceipts, SEED_FILE, SeedFile,
    store::{CHECKPOINT_KEY, RestoreStep, Restored, Store},
};
use node_sim::{OpenError, Opened, SimNetwork, Syncing};
use payecs_journal::{Disk, LogId, OsDisk, SchnorrKey};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};
use zeroize::Zeroizing;

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

/// A new network in that directory, as `open` makes it.
pub(crate) fn network(
    dir: &Path,
    open: impl FnOnce(&Arc<dyn Disk>, &node_sim::Options) -> Result<Opened, OpenError>,
) -> Result<SimNetwork, DemoError> {
    let options = node_sim::Options::new(id(), Syncing::Thread);
    Ok(open(&disk(&dir.join(NETWORK))?, &options)?.network)
}

/// The network of that directory, where it was, if there is one.
pub(crate) fn network_there(dir: &Path) -> Result<Option<SimNetwork>, DemoError> {
    let options = node_sim::Options::new(id(), Syncing::Thread);
    let opened = node_sim::open_there(&disk(&dir.join(NETWORK))?, &options)?;
    Ok(opened.map(|opened| opened.network))
}

/// Brings an engine to the state that is kept in that directory. The history of its books follows
/// the ledger from then on.
pub(crate) fn engine(
    dir: &Path,
    engine: &mut Engine,
    history: &LedgerHistory,
) -> Result<Kept, DemoError> {
    let had_journal = dir.join(JOURNAL).join("state").exists();
    let disk = disk(&dir.join(JOURNAL))?;
    let options = payecs_journal::Options::new(id());
    let spinner = spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let mut secrets = SeedFile::open(&secrets_disk(dir)?, draw)?;
    if !(had_journal || secrets.is_new()) {
        // A seed is kept once there is a journal.
        return Err(DemoError::WithoutJournal { file: dir.join(SEED_FILE) });
    }
    let receipts = MemoryReceipts::with_seed(secrets.seed().clone());
    engine.insert_resource(ReceiptsBook(Box::new(receipts)));
    let opened = Store::open(&disk, options, engine, &mut |step| spinner.set_message(told(step)));
    let (mut store, restored) = match opened {
        Err(error) if secrets.is_new() => {
            let file = dir.join(SEED_FILE);
            return Err(DemoError::WithoutSeed { file, error });
        }
        opened => opened?,
    };
    secrets.keep()?;
    spinner.finish_and_clear();
    let key = SchnorrKey::open(&*disk, CHECKPOINT_KEY, random())?;
    store.sign_with(&*disk, Box::new(key))?;
    index::follow(&dir.join(INDEX), store.reader(), history)?;
    let seen = engine.resource::<Inputs>().map_or(Timestamp(0), |inputs| Timestamp(inputs.now_ms));
    Ok(Kept { store, restored, seen })
}

/// The disk with the seed of our receipts, which nobody else may read.
fn secrets_disk(dir: &Path) -> Result<Arc<dyn Disk>, DemoError> {
    let disk = disk(dir)?;
    let file = dir.join(SEED_FILE);
    match fs::metadata(&file) {
        Ok(data) if data.permissions().mode() & 0o077 != 0 => Err(DemoError::OpenSeed { file }),
        Ok(_) | Err(_) => Ok(disk),
    }
}

fn draw() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).expect("the operating system has randomness");
    bytes
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
