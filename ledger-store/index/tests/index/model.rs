//! Random batches, flushes and crashes, beside a map.

use crate::{laws::all, places::Place, standing};
use payecs_index::{Order, Pair, Store};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Clone, Debug)]
enum Act {
    Apply(Vec<Pair>),
    Flush,
    Read(Vec<u8>, Vec<u8>, usize),
    Drop,
    Kill,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let key = || vec(1..4_u8, 1..4);
    let put = (key(), vec(any::<u8>(), 0..3));
    let act = prop_oneof![
        6 => vec(put, 0..12).prop_map(Act::Apply),
        2 => Just(Act::Flush),
        3 => (key(), key(), 0..5_usize).prop_map(|(from, to, limit)| Act::Read(from, to, limit)),
        1 => Just(Act::Drop),
        1 => Just(Act::Kill),
    ];
    vec(act, 1..25)
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

struct Run<P> {
    place: P,
    store: Option<Arc<dyn Store>>,
    /// The map after each batch, the empty one first.
    maps: Vec<Map>,
    /// How many batches were flushed.
    flushed: usize,
}

impl<P: Place> Run<P> {
    /// Opens what a crash left: a state that was, no older than what was flushed.
    fn reopen(&mut self) {
        let store = self.place.backend().open().unwrap();
        let standing = store.standing().unwrap();
        let count = standing.map_or(0, |standing| standing.head.count);
        let count = usize::try_from(count).unwrap();
        assert!((self.flushed..self.maps.len()).contains(&count), "{count} of {}", self.flushed);
        self.maps.truncate(count + 1);
        self.flushed = count;
        assert_eq!(all(&*store), Vec::from_iter(self.maps[count].clone()));
        self.store = Some(store);
    }

    fn act(&mut self, act: &Act) {
        let store = self.store.clone().expect("it is open");
        let map = self.maps.last().expect("the empty one is there");
        match act {
            Act::Apply(puts) => {
                let mut map = map.clone();
                map.extend(puts.iter().cloned());
                store.apply(puts, &standing(self.maps.len() as u64)).unwrap();
                self.maps.push(map);
            }
            Act::Flush => {
                store.flush().unwrap();
                self.flushed = self.maps.len() - 1;
            }
            Act::Read(from, to, limit) => {
                assert_eq!(store.get(from).unwrap().as_ref(), map.get(from));
                let within = |key: &Vec<u8>| *key >= *from && *key < *to;
                let mut found: Vec<Pair> = map.clone().into_iter().collect();
                found.retain(|(key, _)| within(key));
                let up = store.range(from..to, Order::Up, *limit).unwrap();
                assert_eq!(up, found[..found.len().min(*limit)]);
                found.reverse();
                let down = store.range(from..to, Order::Down, *limit).unwrap();
                assert_eq!(down, found[..found.len().min(*limit)]);
            }
            Act::Drop => {
                drop((store, self.store.take()));
                self.reopen();
            }
            Act::Kill => {
                let killed = self.place.killed();
                drop((store, self.store.take()));
                self.place = killed;
                self.reopen();
            }
        }
    }
}

/// Follows the model from new places on.
pub(crate) fn follow<P: Place>(place: impl Fn() -> P) {
    let mut runner = TestRunner::new(crate::cases(48));
    let ran = runner.run(&acts(), |acts| {
        let maps = vec![Map::new()];
        let mut run = Run { place: place(), store: None, maps, flushed: 0 };
        run.reopen();
        for act in &acts {
            run.act(act);
        }
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}
