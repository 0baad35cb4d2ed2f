//! A store in memory.

use super::{Backend, in_order};
use crate::{
    error::StoreError,
    store::{Order, Pair, Standing, Store, assert_keys},
};
use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

/// A place in memory, for tests and for programs that keep nothing. What was flushed is there when
/// it is opened again, what was not is gone. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    /// What was flushed. A store that was removed keeps its own.
    place: Arc<Mutex<Kept>>,
}

type Kept = Arc<Mutex<Map>>;

#[derive(Clone, Debug, Default)]
struct Map {
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
    standing: Option<Standing>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for MemoryBackend {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let kept = locked(&self.place).clone();
        let map = RwLock::new(locked(&kept).clone());
        Ok(Arc::new(MemoryStore { map, kept }))
    }

    fn remove(&self) -> Result<(), StoreError> {
        *locked(&self.place) = Kept::default();
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryStore {
    map: RwLock<Map>,
    kept: Kept,
}

impl MemoryStore {
    fn read<T>(&self, read: impl FnOnce(&Map) -> T) -> T {
        read(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn standing(&self) -> Result<Option<Standing>, StoreError> {
        Ok(self.read(|map| map.standing))
    }

    fn apply(&self, puts: &[Pair], standing: &Standing) -> Result<(), StoreError> {
        assert_keys(puts);
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.keys.extend(puts.iter().cloned());
        map.standing = Some(*standing);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read(|map| map.keys.get(key).cloned()))
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
        let bounds = (Bound::Included(keys.start), Bound::Excluded(keys.end));
        self.read(|map| {
            let found = map.keys.range::<[u8], _>(bounds);
            in_order(found.map(|(key, value)| Ok((key.clone(), value.clone()))), order, limit)
        })
    }

    fn flush(&self) -> Result<(), StoreError> {
        *locked(&self.kept) = self.read(Map::clone);
        Ok(())
    }
}
