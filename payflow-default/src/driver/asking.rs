//! What nothing is heard of, or nobody can say what became of it: parts are asked about again and
//! again and never resent, our word on an HTLC is said again.

use ecs_systems::units::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How long after an unknown answer the node is asked again.
pub const ASK_AGAIN_MS_FIRST: u64 = 1_000;
/// How long nothing is heard of a part that is out before the node is asked: an event may be lost.
pub const ASK_SILENT_MS_FIRST: u64 = 60_000;
/// Longest time between two questions; each wait is twice the one before.
pub const ASK_AGAIN_MS_MAX: u64 = 600_000;

/// When to ask about what.
#[derive(Debug)]
pub(super) struct Asking<K> {
    due: BTreeSet<(Timestamp, K)>,
    watched: BTreeMap<K, Asked>,
}

impl<K> Default for Asking<K> {
    fn default() -> Self {
        Self { due: BTreeSet::new(), watched: BTreeMap::new() }
    }
}

/// The one question that is planned about something, and how long to wait for the next.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Timestamp,
    if_silent_ms: u64,
    if_unknown_ms: u64,
}

impl Asked {
    /// Something that left now, and of which nothing was heard.
    fn first(now: Timestamp) -> Self {
        Self {
            at: now.after_ms(ASK_SILENT_MS_FIRST),
            if_silent_ms: doubled(ASK_SILENT_MS_FIRST),
            if_unknown_ms: ASK_AGAIN_MS_FIRST,
        }
    }
}

impl<K: Copy + Ord> Asking<K> {
    /// It is out: ask if nothing is heard of it.
    pub(super) fn watch(&mut self, what: K, now: Timestamp) {
        self.plan(what, Asked::first(now));
    }

    /// The answer was unknown: ask later, each time twice as much later.
    pub(super) fn ask_later(&mut self, what: K, now: Timestamp) {
        let asked = self.watched.get(&what).copied().unwrap_or_else(|| Asked::first(now));
        let wait_ms = asked.if_unknown_ms;
        let at = now.after_ms(wait_ms);
        self.plan(what, Asked { at, if_unknown_ms: doubled(wait_ms), ..asked });
    }

    /// It is over.
    pub(super) fn forget(&mut self, what: &K) {
        if let Some(asked) = self.watched.remove(what) {
            self.due.remove(&(asked.at, *what));
        }
    }

    /// What to ask about now, each once. It stays watched: the answer may be lost too.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<K> {
        let mut all = Vec::new();
        while let Some((_, what)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            all.push(what);
            let asked = self.watched[&what];
            let wait_ms = asked.if_silent_ms;
            let at = now.after_ms(wait_ms);
            self.plan(what, Asked { at, if_silent_ms: doubled(wait_ms), ..asked });
        }
        all
    }

    /// How much is watched.
    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }

    /// Whether a question about it is planned.
    pub(super) fn is_watched(&self, what: &K) -> bool {
        self.watched.contains_key(what)
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    fn plan(&mut self, what: K, asked: Asked) {
        self.forget(&what);
        self.due.insert((asked.at, what));
        self.watched.insert(what, asked);
    }
}

fn doubled(wait_ms: u64) -> u64 {
    wait_ms.saturating_mul(2).min(ASK_AGAIN_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::{
        port::PartKey,
        units::{GroupId, PartId, PaymentHash},
    };

    fn part() -> PartKey {
        let (payment_hash, group_id) = (PaymentHash([1; 32]), GroupId(1));
        PartKey { payment_hash, group_id, part_id: PartId(1) }
    }

    /// The waits between twelve questions, with `heard` after each.
    fn waits(
        asking: &mut Asking<PartKey>,
        heard: impl Fn(&mut Asking<PartKey>, Timestamp),
    ) -> Vec<u64> {
        let (part, mut now) = (part(), Timestamp(0));
        let mut waits = Vec::new();
        for _ in 0..12 {
            let at = asking.next_at().expect("just planned");
            waits.push(at.0 - now.0);
            assert_eq!(asking.take_due(Timestamp(at.0 - 1)), []);
            assert_eq!(asking.take_due(at), [part]);
            heard(asking, at);
            now = at;
        }
        waits
    }

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let mut asking = Asking::default();
        asking.ask_later(part(), Timestamp(0));
        let waits = waits(&mut asking, |asking, now| asking.ask_later(part(), now));
        assert_eq!(waits[..3], [1_000, 2_000, 4_000]);
        assert_eq!(waits[11], ASK_AGAIN_MS_MAX);
        asking.forget(&part());
        assert_eq!((asking.next_at(), asking.watched.len()), (None, 0));
    }

    #[test]
    fn a_part_of_which_nothing_is_heard_is_asked_about_until_it_is_over() {
        let mut asking = Asking::default();
        asking.watch(part(), Timestamp(0));
        let waits = waits(&mut asking, |_, _| {});
        assert_eq!(waits[..4], [60_000, 120_000, 240_000, 480_000]);
        assert_eq!(waits[4..], [ASK_AGAIN_MS_MAX; 8]);
        asking.forget(&part());
        assert_eq!(asking.next_at(), None);
    }

    #[test]
    fn an_unknown_answer_brings_the_next_question_forward_and_adds_none() {
        let mut asking = Asking::default();
        asking.watch(part(), Timestamp(0));
        asking.ask_later(part(), Timestamp(5));
        assert_eq!((asking.next_at(), asking.due.len()), (Some(Timestamp(1_005)), 1));
    }
}
