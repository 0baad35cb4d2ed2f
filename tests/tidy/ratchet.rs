//! Exceptions to a bound: they may shrink, never grow, and go when they are no longer needed.

use std::collections::BTreeMap;

/// Where the exceptions are listed.
pub(crate) const PATH: &str = "tests/tidy/ratchet.txt";

/// Something that has a size and a bound on it.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// The file it is in.
    pub(crate) path: String,
    /// The line it begins at, from 1.
    pub(crate) line: usize,
    /// What is measured, one word: two measures of a kind in a file count as the larger one.
    pub(crate) kind: String,
    /// Its size.
    pub(crate) size: usize,
    /// Most it may be without an exception.
    pub(crate) max: usize,
    /// What to do about it.
    pub(crate) advice: String,
}

type Key = (String, String);

/// Every fault of the measures against the exceptions in `list`.
pub(crate) fn faults(measures: &[Measure], list: &str) -> Vec<String> {
    let (exceptions, mut faults) = parse(list);
    let mut largest: BTreeMap<Key, &Measure> = BTreeMap::new();
    for measure in measures {
        let key = (measure.path.clone(), measure.kind.clone());
        let kept = largest.entry(key).or_insert(measure);
        if kept.size < measure.size {
            *kept = measure;
        }
    }
    for (key, &(number, line)) in &exceptions {
        let size = largest.get(key).filter(|found| found.size > found.max).map(|found| found.size);
        match size {
            None => faults.push(format!("{PATH}:{line}: no longer needed: remove this line")),
            Some(size) if size < number => {
                faults.push(format!("{PATH}:{line}: it has shrunk: lower {number} to {size}"));
            }
            Some(_) => {}
        }
    }
    for (key, found) in largest {
        let Measure { path, line, kind, size, max, advice } = found;
        let allowed = exceptions.get(&key).map_or(*max, |&(number, _)| number.max(*max));
        if *size > allowed {
            faults.push(format!("{path}:{line}: {kind} is {size}, at most {allowed}: {advice}"));
        }
    }
    faults
}

/// The exceptions with their number and line in the list, and what could not be read.
fn parse(list: &str) -> (BTreeMap<Key, (usize, usize)>, Vec<String>) {
    let mut exceptions = BTreeMap::new();
    let mut faults = vec![];
    for (index, text) in list.lines().enumerate() {
        let line = index + 1;
        let text = text.split('#').next().unwrap_or_default();
        let fields: Vec<_> = text.split_whitespace().collect();
        match fields[..] {
            [] => {}
            [path, kind, number] if number.parse::<usize>().is_ok() => {
                let number = number.parse().expect("checked by the guard");
                if exceptions.insert((path.to_owned(), kind.to_owned()), (number, line)).is_some() {
                    faults.push(format!("{PATH}:{line}: listed twice: remove one"));
                }
            }
            _ => faults.push(format!("{PATH}:{line}: expected `path kind number`")),
        }
    }
    (exceptions, faults)
}

#[test]
fn an_exception_may_shrink_but_never_grow_and_goes_when_it_is_not_needed() {
    let measure = |size| Measure {
        path: "a.rs".to_owned(),
        line: 3,
        kind: "file".to_owned(),
        size,
        max: 400,
        advice: "split it".to_owned(),
    };
    let lower = |number| format!("{PATH}:1: it has shrunk: lower {number} to 450");
    for (sizes, list, expected) in [
        (vec![400], "", vec![]),
        (vec![401], "", vec!["a.rs:3: file is 401, at most 400: split it".to_owned()]),
        (vec![450], "a.rs file 450 # why", vec![]),
        (vec![10, 450], "a.rs file 450", vec![]),
        (vec![451], "a.rs file 450", vec!["a.rs:3: file is 451, at most 450: split it".into()]),
        (vec![450], "a.rs file 460", vec![lower(460)]),
        (vec![400], "a.rs file 450", vec![format!("{PATH}:1: no longer needed: remove this line")]),
        (vec![], "b.rs file 450", vec![format!("{PATH}:1: no longer needed: remove this line")]),
        (vec![], "# a comment\n\n", vec![]),
        (vec![], "a.rs file", vec![format!("{PATH}:1: expected `path kind number`")]),
        (vec![], "a.rs file many", vec![format!("{PATH}:1: expected `path kind number`")]),
        (
            vec![450],
            "a.rs file 450\na.rs file 450",
            vec![format!("{PATH}:2: listed twice: remove one")],
        ),
    ] {
        let measures: Vec<_> = sizes.into_iter().map(measure).collect();
        assert_eq!(faults(&measures, list), expected, "{list}");
    }
}
