//! Many small things in order, in little room.

use std::sync::Arc;

/// Most items in a chunk; one that has more becomes two.
const PER_CHUNK_MAX: usize = 1_024;
/// By how many items a chunk that is full grows.
const GROWTH: usize = 64;

/// What has its place by a key.
pub(crate) trait Keyed: Clone {
    /// What it is found by.
    type Key: Ord + Copy;

    /// Its key.
    fn key(&self) -> Self::Key;
}

impl Keyed for u64 {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

impl Keyed for (u64, u64) {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

/// Items in the order of their keys, one for each key, in chunks.
///
/// Where keys come in order an item takes little more than its own size, elsewhere at most twice
/// that: a node of a `BTreeMap` would be half empty, and has room for eleven. Chunks are shared
/// between clones until one of them changes, so that a clone costs a thousandth of the items.
#[derive(Clone, Debug)]
pub(crate) struct Sorted<T> {
    /// None of them is empty.
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

/// Equal where the items are, whatever chunks they are in.
impl<T: PartialEq> PartialEq for Sorted<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.items().eq(other.items())
    }
}

impl<T: Eq> Eq for Sorted<T> {}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Sorted<T> {
    /// All, in order.
    fn items(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Keyed> Sorted<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The only chunk where it may be.
    fn place(&self, key: T::Key) -> usize {
        let behind = |chunk: &Arc<Vec<T>>| chunk.first().is_some_and(|it| it.key() <= key);
        self.chunks.partition_point(behind).saturating_sub(1)
    }

    /// Where it is: its chunk, and its place in that.
    fn find(&self, key: T::Key) -> Option<(usize, usize)> {
        let place = self.place(key);
        let at = self.chunks.get(place)?.binary_search_by_key(&key, T::key).ok()?;
        Some((place, at))
    }

    /// The one with that key.
    pub(crate) fn get(&self, key: T::Key) -> Option<&T> {
        let (place, at) = self.find(key)?;
        self.chunks.get(place)?.get(at)
    }

    /// The same, to change it, but for its key.
    pub(crate) fn get_mut(&mut self, key: T::Key) -> Option<&mut T> {
        let (place, at) = self.find(key)?;
        Arc::make_mut(self.chunks.get_mut(place)?).get_mut(at)
    }

    /// The first of all.
    pub(crate) fn first(&self) -> Option<&T> {
        self.chunks.first()?.first()
    }

    /// Adds it, unless there is one with that key.
    pub(crate) fn insert(&mut self, item: T) {
        let key = item.key();
        let (place, chunks) = (self.place(key), self.chunks.len());
        let Some(chunk) = self.chunks.get_mut(place) else {
            return self.open(place, item);
        };
        let Err(at) = chunk.binary_search_by_key(&key, T::key) else { return };
        if at == PER_CHUNK_MAX && place.saturating_add(1) == chunks {
            return self.open(chunks, item);
        }
        let chunk = Arc::make_mut(chunk);
        if chunk.len() == chunk.capacity() {
            chunk.reserve_exact(GROWTH);
        }
        chunk.insert(at, item);
        self.len = self.len.saturating_add(1);
        if chunk.len() > PER_CHUNK_MAX {
            let upper = chunk.split_off(PER_CHUNK_MAX / 2);
            chunk.shrink_to_fit();
            self.chunks.insert(place.saturating_add(1), Arc::new(upper));
        }
    }

    /// Begins a chunk.
    fn open(&mut self, place: usize, item: T) {
        let mut chunk = Vec::with_capacity(GROWTH);
        chunk.push(item);
        self.chunks.insert(place, Arc::new(chunk));
        self.len = self.len.saturating_add(1);
    }

    /// Takes the one with that key away.
    pub(crate) fn remove(&mut self, key: T::Key) -> Option<T> {
        let (place, at) = self.find(key)?;
        let chunk = Arc::make_mut(self.chunks.get_mut(place)?);
        let item = chunk.remove(at);
        self.len = self.len.saturating_sub(1);
        if chunk.is_empty() {
            self.chunks.remove(place);
        } else if chunk.len().saturating_add(GROWTH) < chunk.capacity() / 2 {
            chunk.shrink_to(chunk.len().saturating_add(GROWTH));
        }
        Some(item)
    }

    /// Those from that key on, in order.
    pub(crate) fn from(&self, key: T::Key) -> impl Iterator<Item = &T> {
        let mut chunks = self.chunks.get(self.place(key)..).unwrap_or_default().iter();
        let first = chunks.next().map(|chunk| {
            let (_, rest) = chunk.split_at(chunk.partition_point(|it| it.key() < key));
            rest
        });
        first.into_iter().flatten().chain(chunks.flat_map(|chunk| chunk.iter()))
    }

    /// The chunks, in order.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[T]> {
        self.chunks.iter().map(|chunk| chunk.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    impl<T> Sorted<T> {
        /// How much room there is.
        fn capacity(&self) -> usize {
            self.chunks.iter().map(|chunk| chunk.capacity()).sum()
        }
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Insert(u64),
        Remove(u64),
    }

    /// Many in order, many anywhere, and some of them away again.
    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let runs = (any::<bool>(), 0_u64..6_000, 1_u64..9, 0_usize..2_500);
        proptest::collection::vec(runs, 1..6).prop_map(|runs| {
            let deeds = runs.into_iter().flat_map(|(adds, from, step, count)| {
                let many = (0..count as u64).map(move |it| {
                    from.wrapping_add(it.wrapping_mul(step).wrapping_mul(step)) % 9_973
                });
                many.map(move |it| if adds { Deed::Insert(it) } else { Deed::Remove(it) })
            });
            deeds.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_a_set_in_order(
            deeds in deeds(),
            probes in proptest::collection::vec(0_u64..10_000, 9),
        ) {
            let (mut sorted, mut set) = (Sorted::default(), BTreeSet::new());
            for (number, deed) in deeds.iter().enumerate() {
                let kept = (number % 997 == 0).then(|| (sorted.clone(), set.clone()));
                match deed {
                    Deed::Insert(it) => {
                        sorted.insert(*it);
                        set.insert(*it);
                    }
                    Deed::Remove(it) => prop_assert_eq!(sorted.remove(*it), set.take(it)),
                }
                prop_assert_eq!((sorted.len(), sorted.first()), (set.len(), set.first()));
                if let Some((sorted, set)) = kept {
                    prop_assert!(sorted.from(0).eq(&set), "a clone stays as it was");
                }
            }
            prop_assert!(sorted.chunks().all(|chunk| !chunk.is_empty()));
            for probe in probes {
                prop_assert_eq!(sorted.get(probe), set.get(&probe));
                prop_assert!(sorted.from(probe).eq(set.range(probe..)));
            }
        }
    }

    #[test]
    fn what_comes_in_order_takes_little_room_and_what_goes_leaves_none() {
        let mut sorted = Sorted::default();
        (0..100_000_u64).for_each(|it| sorted.insert((it, it)));
        assert!(sorted.capacity() < 100_000 + 1_024, "{}", sorted.capacity());
        (0..100_000).filter(|it| it % 100 > 0).for_each(|it| {
            sorted.remove((it, it)).expect("it is there");
        });
        assert_eq!(sorted.len(), 1_000);
        assert!(sorted.capacity() < 100 * 2 * GROWTH + 10_000, "{}", sorted.capacity());
        (0..100_000).for_each(|it| {
            sorted.remove((it, it));
        });
        assert_eq!((sorted.len(), sorted.capacity(), sorted.first()), (0, 0, None));
    }

    #[test]
    fn what_is_there_is_changed_and_not_added_again() {
        #[derive(Clone, Debug, PartialEq)]
        struct Named(u64, &'static str);

        impl Keyed for Named {
            type Key = u64;

            fn key(&self) -> u64 {
                self.0
            }
        }

        let mut sorted = Sorted::default();
        (0..3_000).for_each(|it| sorted.insert(Named(it, "first")));
        let before = sorted.clone();
        sorted.insert(Named(2_000, "again"));
        assert_eq!(sorted, before);
        sorted.get_mut(2_000).expect("it is there").1 = "changed";
        assert_eq!(sorted.get(2_000).map(|it| it.1), Some("changed"));
        assert_eq!(before.get(2_000).map(|it| it.1), Some("first"));
        assert!(sorted.get_mut(3_000).is_none());
    }
}
