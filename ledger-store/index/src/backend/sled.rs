//! A store on sled.

use super::{Backend, CACHE_BYTES, guarded, in_order, place};
use crate::{
    error::StoreError,
    store::{Order, Pair, Standing, Store, assert_keys},
};
use sled::{Batch, Config, Db, IVec};
use std::{
    fmt,
    fs::{File, TryLockError},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    thread::park_timeout,
    time::Duration,
};

/// The key of the standing; no other key begins with its byte.
const STANDING: &[u8] = &[0x00];
/// The file of sled that holds its log.
const LOG: &str = "db";
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A directory that sled keeps its files in, with a cache of 64 MiB of them. In memory that is
/// several times as much: the bench prints it.
///
/// sled may panic on damaged files. It is caught, and told as [`StoreError::Panicked`]; a program
/// that aborts on panics must not use this backend.
#[derive(Clone, Debug)]
pub struct SledBackend {
    dir: PathBuf,
}

impl SledBackend {
    /// The store in a directory, which is nobody else's: it is removed with all that is in it.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
}

impl Backend for SledBackend {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        place::make(&self.dir)?;
        await_lock(&self.dir.join(LOG));
        // What the last batches lack after a crash is read from the ledger log again: no thread
        // flushes by the clock.
        let config = Config::new().cache_capacity(u64::from(CACHE_BYTES)).flush_every_ms(None);
        let db = guarded(|| config.path(&self.dir).open().map_err(|error| of(&error)))?;
        Ok(Arc::new(SledStore { db: Some(db), log: self.dir.join(LOG) }))
    }

    fn remove(&self) -> Result<(), StoreError> {
        place::remove(&self.dir)
    }
}

/// Waits until nobody has the lock, at most [`LOCK_TRIES`] times [`LOCK_PAUSE`]. A store of this
/// process that was dropped holds it until sled's own threads have let go.
fn await_lock(log: &Path) {
    // sled tells what is wrong with a file that can't be opened.
    let Ok(file) = File::open(log) else { return };
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => park_timeout(LOCK_PAUSE),
            Ok(()) | Err(TryLockError::Error(_)) => return,
        }
    }
}

fn of(error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => {
            StoreError::damaged(error)
        }
        sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) | sled::Error::Io(_) => {
            StoreError::refused(error)
        }
    }
}

struct SledStore {
    /// There until this is dropped.
    db: Option<Db>,
    log: PathBuf,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // sled's own text lists every key.
        to.debug_struct("SledStore").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        let db = self.db.take();
        // Nobody waits for the answer: what could not be flushed is read again.
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }
}

impl SledStore {
    fn run<T>(&self, run: impl FnOnce(&Db) -> Result<T, sled::Error>) -> Result<T, StoreError> {
        let closed = || StoreError::refused(&"it is closed");
        guarded(|| run(self.db.as_ref().ok_or_else(closed)?).map_err(|error| of(&error)))
    }
}

impl Store for SledStore {
    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        self.get(STANDING)?.map(|bytes| Standing::decode(&bytes)).transpose()
    }

    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError> {
        assert_keys(puts);
        let mut batch = Batch::default();
        for (key, value) in puts {
            batch.insert(key.as_slice(), value.as_slice());
        }
        batch.insert(STANDING, standing.encode());
        self.run(|db| {
            db.apply_batch(batch)?;
            // sled gives memory back bit by bit, each time that it is entered, and a batch enters
            // it once: what a batch replaces would pile up without end.
            puts.iter().try_for_each(|(key, _)| db.get(key).map(|_| ()))
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.run(|db| db.get(key))?.map(|value| value.to_vec()))
    }

    fn range(
        &self,
        keys: Range<&[u8]>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreError> {
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let pair = |(key, value): (IVec, IVec)| (key.to_vec(), value.to_vec());
        self.run(|db| in_order(db.range(keys).map(|found| found.map(pair)), order, limit))
    }

    /// sled's own flush hands its log to the disk without waiting for the disk's cache: the log is
    /// synced besides.
    fn flush(&self) -> Result<(), StoreError> {
        self.run(|db| db.flush())?;
        sync(&self.log).map_err(|error| StoreError::refused(&error))
    }
}

fn sync(file: &Path) -> std::io::Result<()> {
    File::open(file)?.sync_data()
}
