//! A store on redb.

use super::{Backend, CACHE_BYTES, guarded, in_order, place};
use crate::{
    error::StoreError,
    store::{Order, Pair, Standing, Store, assert_keys},
};
use redb::{
    AccessGuard, Database, Durability, ReadOnlyTable, ReadableDatabase as _, StorageError,
    TableDefinition,
};
use std::{ops::Range, path::PathBuf, sync::Arc};

const FILE: &str = "index.redb";
const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");
const STANDING: TableDefinition<'_, (), &[u8]> = TableDefinition::new("standing");

/// A directory with one file of redb, with a cache of 64 MiB of it.
#[derive(Clone, Debug)]
pub struct RedbBackend {
    dir: PathBuf,
}

impl RedbBackend {
    /// The store in a directory, which is nobody else's: it is removed with all that is in it.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
}

impl Backend for RedbBackend {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        place::make(&self.dir)?;
        let cache_bytes = usize::try_from(CACHE_BYTES).unwrap_or(usize::MAX);
        let opened = guarded(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(cache_bytes).create(self.dir.join(FILE)).map_err(of)
        });
        Ok(Arc::new(RedbStore { db: opened? }))
    }

    fn remove(&self) -> Result<(), StoreError> {
        place::remove(&self.dir)
    }
}

fn of(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    if matches!(error, redb::Error::Io(_) | redb::Error::DatabaseAlreadyOpen) {
        StoreError::refused(&error)
    } else {
        StoreError::damaged(&error)
    }
}

#[derive(Debug)]
struct RedbStore {
    db: Database,
}

impl RedbStore {
    fn write(&self, durability: Durability, write: &Batch<'_>) -> Result<(), StoreError> {
        guarded(|| {
            let mut transaction = self.db.begin_write().map_err(of)?;
            transaction.set_durability(durability).map_err(of)?;
            if let Some((puts, standing)) = write {
                let mut keys = transaction.open_table(KEYS).map_err(of)?;
                for (key, value) in *puts {
                    keys.insert(key.as_slice(), value.as_slice()).map_err(of)?;
                }
                let mut table = transaction.open_table(STANDING).map_err(of)?;
                table.insert((), standing.encode().as_slice()).map_err(of)?;
            }
            transaction.commit().map_err(of)
        })
    }

    /// Reads the keys; the default when there was no batch.
    fn read<T: Default>(
        &self,
        read: impl FnOnce(&ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, StorageError>,
    ) -> Result<T, StoreError> {
        guarded(|| {
            let transaction = self.db.begin_read().map_err(of)?;
            match transaction.open_table(KEYS) {
                Ok(keys) => read(&keys).map_err(of),
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(T::default()),
                Err(error) => Err(of(error)),
            }
        })
    }
}

/// A key and its value as a table has them.
type Found<'a> = (AccessGuard<'a, &'static [u8]>, AccessGuard<'a, &'static [u8]>);

/// What a transaction writes: nothing, or a batch with its standing.
type Batch<'a> = Option<(&'a [Pair], &'a Standing)>;

impl Store for RedbStore {
    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        guarded(|| {
            let transaction = self.db.begin_read().map_err(of)?;
            let table = match transaction.open_table(STANDING) {
                Ok(table) => table,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(of(error)),
            };
            let found = table.get(()).map_err(of)?;
            found.map(|bytes| Standing::decode(bytes.value())).transpose()
        })
    }

    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError> {
        assert_keys(puts);
        self.write(Durability::None, &Some((puts, standing)))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|keys| Ok(keys.get(key)?.map(|value| value.value().to_vec())))
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
        self.read(|table| {
            let pair = |(key, value): Found<'_>| (key.value().to_vec(), value.value().to_vec());
            let found = table.range::<&[u8]>(keys)?.map(|found| found.map(pair));
            in_order(found, order, limit)
        })
    }

    /// Batches are not durable by themselves: the one that is, makes those before it so.
    fn flush(&self) -> Result<(), StoreError> {
        self.write(Durability::Immediate, &None)
    }
}
