//! What every store keeps.

use crate::{pair, places::Place, standing};
use payecs_index::{ALL_KEYS, Order, Pair, Store};

/// Tests that a store keeps the laws. The expression makes an empty place and is evaluated anew for
/// each test.
macro_rules! store_laws {
    ($place:expr) => {
        store_laws! { @each $place;
            a_new_store_has_no_standing_and_no_keys
            a_batch_and_its_standing_are_there_together
            a_range_is_read_in_order_from_both_ends_within_its_bounds
            a_range_without_room_is_empty
            a_key_that_is_put_again_has_the_new_value
            what_was_flushed_outlives_a_killed_process
            a_store_that_was_dropped_opens_at_a_batch
            a_removed_store_is_new_and_the_open_one_is_in_nobodys_way
            keys_that_could_be_mistaken_are_refused
        }
        #[test]
        fn no_crash_leaves_a_part_of_a_batch_and_no_flushed_batch_is_lost() {
            crate::model::follow(|| $place);
        }
    };
    (@each $place:expr; $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                crate::laws::$law(&$place);
            }
        )*
    };
}

/// Everything in a store, read in small pieces.
pub(crate) fn all(store: &dyn Store) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = vec![];
    loop {
        let after = pairs.last().map(|(key, _)| [key.as_slice(), &[0]].concat());
        let from = after.as_deref().unwrap_or(ALL_KEYS.start);
        let more = store.range(from..ALL_KEYS.end, Order::Up, 7).unwrap();
        if more.is_empty() {
            return pairs;
        }
        pairs.extend(more);
    }
}

fn filled(place: &impl Place) -> std::sync::Arc<dyn Store> {
    let store = place.backend().open().unwrap();
    store.apply(&[pair("b", "2"), pair("a", "1"), pair("ba", "")], &standing(1)).unwrap();
    store.apply(&[pair("c", "4"), pair("aa", "5")], &standing(2)).unwrap();
    store
}

pub(crate) fn a_new_store_has_no_standing_and_no_keys(place: &impl Place) {
    let store = place.backend().open().unwrap();
    assert_eq!(store.standing(), Ok(None));
    assert_eq!(store.get(b"a"), Ok(None));
    assert_eq!(all(&*store), []);
    store.flush().unwrap();
}

pub(crate) fn a_batch_and_its_standing_are_there_together(place: &impl Place) {
    let store = filled(place);
    assert_eq!(store.standing(), Ok(Some(standing(2))));
    for (key, value) in [("a", "1"), ("aa", "5"), ("b", "2"), ("ba", ""), ("c", "4")] {
        assert_eq!(store.get(key.as_bytes()), Ok(Some(value.as_bytes().to_vec())), "{key}");
    }
    assert_eq!(store.get(b"bb"), Ok(None));
    store.apply(&[], &standing(3)).unwrap();
    assert_eq!(store.standing(), Ok(Some(standing(3))));
    assert_eq!(all(&*store).len(), 5, "the standing is not among the keys");
}

pub(crate) fn a_range_is_read_in_order_from_both_ends_within_its_bounds(place: &impl Place) {
    let store = filled(place);
    for (from, to, limit, up, down) in [
        ("a", "c", 9, "a aa b ba", "ba b aa a"),
        ("a", "c", 2, "a aa", "ba b"),
        ("aa", "ba", 9, "aa b", "b aa"),
        ("ab", "az", 9, "", ""),
        ("\u{1}", "z", 3, "a aa b", "c ba b"),
        ("c", "d", 1, "c", "c"),
    ] {
        let read = |order| -> String {
            let found = store.range(from.as_bytes()..to.as_bytes(), order, limit).unwrap();
            let keys = found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap());
            keys.collect::<Vec<_>>().join(" ")
        };
        let row = format!("{from}..{to} {limit}");
        assert_eq!((read(Order::Up).as_str(), read(Order::Down).as_str()), (up, down), "{row}");
    }
}

pub(crate) fn a_range_without_room_is_empty(place: &impl Place) {
    let store = filled(place);
    for (from, to, limit) in [("b", "b", 9), ("c", "a", 9), ("a", "c", 0)] {
        for order in [Order::Up, Order::Down] {
            let found = store.range(from.as_bytes()..to.as_bytes(), order, limit);
            assert_eq!(found, Ok(vec![]), "{from}..{to} {limit} {order:?}");
        }
    }
}

pub(crate) fn a_key_that_is_put_again_has_the_new_value(place: &impl Place) {
    let store = filled(place);
    store.apply(&[pair("a", "new"), pair("b", "old"), pair("b", "new")], &standing(3)).unwrap();
    for key in [b"a", b"b"] {
        assert_eq!(store.get(key), Ok(Some(b"new".to_vec())));
    }
    assert_eq!(all(&*store).len(), 5);
}

pub(crate) fn what_was_flushed_outlives_a_killed_process(place: &impl Place) {
    let store = filled(place);
    store.flush().unwrap();
    let before = all(&*store);
    let killed = place.killed();
    store.apply(&[pair("d", "6")], &standing(3)).unwrap();
    let other = killed.backend().open().unwrap();
    assert_eq!(other.standing(), Ok(Some(standing(2))));
    assert_eq!(all(&*other), before);
}

pub(crate) fn a_store_that_was_dropped_opens_at_a_batch(place: &impl Place) {
    let store = filled(place);
    let two = all(&*store);
    drop(store);
    let store = place.backend().open().unwrap();
    let count = store.standing().unwrap().map_or(0, |standing| standing.head.count);
    let found = all(&*store);
    match count {
        0 => assert_eq!(found, []),
        1 => assert_eq!(found, [pair("a", "1"), pair("b", "2"), pair("ba", "")]),
        _ => assert_eq!(found, two),
    }
}

pub(crate) fn a_removed_store_is_new_and_the_open_one_is_in_nobodys_way(place: &impl Place) {
    let backend = place.backend();
    backend.remove().unwrap();
    let old = filled(place);
    old.flush().unwrap();
    backend.remove().unwrap();
    let new = backend.open().unwrap();
    assert_eq!((new.standing(), all(&*new)), (Ok(None), vec![]));
    new.apply(&[pair("n", "1")], &standing(7)).unwrap();
    new.flush().unwrap();
    // What becomes of the old one is its own affair.
    let _ = old.apply(&[pair("o", "1")], &standing(9));
    let _ = old.flush();
    drop(old);
    drop(new);
    let new = backend.open().unwrap();
    assert_eq!(new.standing(), Ok(Some(standing(7))));
    assert_eq!(all(&*new), [pair("n", "1")]);
}

pub(crate) fn keys_that_could_be_mistaken_are_refused(place: &impl Place) {
    for key in [b"".as_slice(), b"\0", b"\0a", b"\xff", b"\xff\xff"] {
        let store = place.backend().open().unwrap();
        let puts = [(key.to_vec(), vec![])];
        let run = std::panic::AssertUnwindSafe(|| store.apply(&puts, &standing(1)));
        assert!(std::panic::catch_unwind(run).is_err(), "{key:?}");
        assert_eq!(store.standing(), Ok(None));
    }
}
