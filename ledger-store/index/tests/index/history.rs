//! What the entries of the ledger are found by.

use crate::fakes::{Log, settled};
use payecs_index::{
    Follower, HISTORY, History, MemoryBackend, Moment, Names, PAGE_ENTRIES_MAX, Progress,
};
use payecs_journal::LogId;

/// An entry as the store of an engine writes it.
fn payload(at_ms: u64, lines: &[(&str, String)]) -> Vec<u8> {
    let line =
        |(system, body): &(&str, String)| format!(r#"{{"system":"{system}","body":{body}}}"#);
    let lines = lines.iter().map(line).collect::<Vec<_>>().join(",");
    format!(r#"{{"at_ms":{at_ms},"entity":7,"lines":[{lines}]}}"#).into_bytes()
}

fn hash(number: u8) -> [u8; 32] {
    [number; 32]
}

/// A line that claims a hash.
fn claim(number: u8, key: Option<&str>) -> (&'static str, String) {
    let hash = hex::encode(hash(number));
    let key = key.map(|key| format!(r#","idempotency_key":"{key}""#)).unwrap_or_default();
    ("ledger:claim", format!(r#"{{"entry":"claim","payment_hash":"{hash}","groupid":1{key}}}"#))
}

fn names(payload: &[u8]) -> Result<Names, String> {
    (HISTORY.names)(0, payload)
}

#[test]
fn nothing_but_hashes_times_and_a_digest_of_the_key_is_kept() {
    let secret = "5e".repeat(32);
    let hash = hex::encode(hash(1));
    let body = format!(
        r#"{{"payment_hash":"{hash}","idempotency_key":"or\u0064er-17","preimage":"{secret}"}}"#
    );
    let names = names(&payload(5, &[("ledger:void", body)])).unwrap();
    let lengths: Vec<_> = names.iter().map(|(name, value)| (name.len(), value.len())).collect();
    assert_eq!(lengths, [(33, 0), (33, 0), (9, 0)], "key, payment and time");
    for bytes in names.into_iter().flat_map(|(name, value)| [name, value]) {
        assert!(!bytes.windows(32).any(|part| part == [0x5e; 32]), "the preimage");
        assert!(!bytes.windows(6).any(|part| part == b"order-"), "the caller's words");
    }
}

#[test]
fn lines_of_others_are_passed_over_and_unreadable_ones_are_told_without_their_words() {
    for body in ["7", "{\"payment_hash\":7}", "{\"payment_hash\":\"secret\"}", "null"] {
        let other = names(&payload(5, &[("acme:line", body.to_owned())])).unwrap();
        assert_eq!(other.len(), 1, "{body}");
        let ours = names(&payload(5, &[("ledger:post", body.to_owned())]));
        assert!(!ours.unwrap_err().contains("secret"), "{body}");
    }
    for unread in [b"secret".as_slice(), b"{}", b"\xff", b"{\"at_ms\":-1,\"lines\":[]}"] {
        assert!(!names(unread).unwrap_err().contains("secret"));
    }
}

/// Five entries: two of hash 1 with a key that hash 2 takes over, and a clock that once went back.
fn history() -> (Follower, History) {
    let log = Log::salted(LogId([1; 16]), 0, "");
    for (at_ms, lines) in [
        (100, vec![claim(1, Some("k"))]),
        (200, vec![claim(2, Some("k")), claim(3, None)]),
        (150, vec![claim(3, Some("other"))]),
        (200, vec![claim(1, None), claim(1, None)]),
        (u64::MAX, vec![]),
    ] {
        log.append(&payload(at_ms, &lines));
    }
    let follower = Follower::start(MemoryBackend::default(), log, HISTORY).unwrap();
    settled(&follower.index(), 5);
    let history = History::of(follower.index());
    (follower, history)
}

#[test]
fn entries_of_a_payment_come_in_order_and_in_pages() {
    let (_follower, history) = history();
    for (number, from, limit, expected) in [
        (1, 0, 9, vec![0, 3]),
        (1, 0, 1, vec![0]),
        (1, 1, 9, vec![3]),
        (1, 4, 9, vec![]),
        (2, 0, 9, vec![1]),
        (3, 0, 9, vec![1, 2]),
        (4, 0, 9, vec![]),
    ] {
        let answer = history.entries_of_payment(&hash(number), from, limit).unwrap();
        assert_eq!(answer.found, expected, "{number} from {from}");
        assert_eq!(answer.progress, Progress { applied: 5, of: 5 });
    }
}

#[test]
fn a_key_leads_to_the_entry_that_claimed_it_last() {
    let (_follower, history) = history();
    for (key, entry) in [("k", Some(1)), ("other", Some(2)), ("", None), ("K", None)] {
        assert_eq!(history.entry_of_key(key).unwrap().found, entry, "{key}");
    }
}

#[test]
fn entries_are_found_by_time_from_both_ends_and_in_pages() {
    let (_follower, history) = history();
    let at = |at_ms, entry| Moment { at_ms, entry };
    let all = [at(100, 0), at(150, 2), at(200, 1), at(200, 3), at(u64::MAX, 4)];
    for from_ms in [0, 100, 101, 150, 200, 201, u64::MAX] {
        let since = |after, limit| history.entries_since(from_ms, after, limit).unwrap().found;
        let until = |before, limit| history.entries_until(from_ms, before, limit).unwrap().found;
        let mut later = all.to_vec();
        later.retain(|moment| moment.at_ms >= from_ms);
        let mut earlier = all.to_vec();
        earlier.retain(|moment| moment.at_ms <= from_ms);
        earlier.reverse();
        assert_eq!((since(None, 9), until(None, 9)), (later.clone(), earlier.clone()), "{from_ms}");
        for (found, expected) in [(pages(since), later), (pages(until), earlier)] {
            assert_eq!(found, expected, "{from_ms} in pages of one");
        }
    }
}

/// All pages of one entry each.
fn pages(ask: impl Fn(Option<Moment>, usize) -> Vec<Moment>) -> Vec<Moment> {
    let mut found = vec![];
    while let [next] = ask(found.last().copied(), 1)[..] {
        found.push(next);
    }
    found
}

#[test]
fn no_answer_is_longer_than_a_page() {
    let log = Log::salted(LogId([1; 16]), 0, "");
    let count = PAGE_ENTRIES_MAX as u64 + 1;
    (0..count).for_each(|at_ms| log.append(&payload(at_ms, &[claim(1, None)])));
    let follower = Follower::start(MemoryBackend::default(), log, HISTORY).unwrap();
    settled(&follower.index(), count);
    let history = History::of(follower.index());
    let all = history.entries_of_payment(&hash(1), 0, usize::MAX).unwrap().found;
    assert_eq!(all.len(), PAGE_ENTRIES_MAX);
    let since = history.entries_since(0, None, usize::MAX).unwrap().found;
    assert_eq!(since.len(), PAGE_ENTRIES_MAX);
}
