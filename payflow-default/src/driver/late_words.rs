//! Words on parts that are over, which the books can't judge yet.

use super::ASK_AGAIN_MS_FIRST;
use ecs_systems::{
    port::{LedgerError, PartKey, PartStatus},
    units::Timestamp,
};
use std::collections::BTreeMap;

/// Most words that are kept. Reached: the word is logged as an error and must be said again.
pub(super) const LATE_WORDS_MAX: usize = 100_000;

/// The last word on each part, until the books can tell what they know of it.
#[derive(Debug, Default)]
pub(super) struct LateWords {
    words: BTreeMap<PartKey, PartStatus>,
    /// When to try again.
    at: Option<Timestamp>,
}

impl LateWords {
    /// Keeps a word that `error` stood in the way of.
    pub(super) fn keep(
        &mut self,
        key: PartKey,
        status: PartStatus,
        now: Timestamp,
        error: &LedgerError,
    ) {
        if self.words.len() >= LATE_WORDS_MAX && !self.words.contains_key(&key) {
            tracing::error!(target: "payflow::send", ?key, %error, "word on a part not kept");
            return;
        }
        tracing::warn!(target: "payflow::send", ?key, %error, "word on a part kept for later");
        self.words.insert(key, status);
        self.at.get_or_insert(now.after_ms(ASK_AGAIN_MS_FIRST));
    }

    /// When there is something to try again.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.at
    }

    /// All words, once it is time.
    pub(super) fn take_due(&mut self, now: Timestamp) -> BTreeMap<PartKey, PartStatus> {
        if self.at.is_none_or(|at| at > now) {
            return BTreeMap::new();
        }
        self.at = None;
        std::mem::take(&mut self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::units::{GroupId, Msat, PartId, PaymentHash, Preimage};

    #[test]
    fn no_word_is_lost_or_told_before_its_time_and_those_too_many_are_not_kept() {
        let key = |part| {
            let (payment_hash, group_id) = (PaymentHash([1; 32]), GroupId(1));
            PartKey { payment_hash, group_id, part_id: PartId(part) }
        };
        let error = LedgerError::HistoryOpening { done: 1, of: 2 };
        let paid = |msat| PartStatus::Paid { preimage: Preimage([1; 32]), spent_msat: Msat(msat) };
        let mut words = LateWords::default();
        for (part, at) in (0..).zip(0..=LATE_WORDS_MAX) {
            words.keep(key(part), paid(1), Timestamp(part), &error);
            assert_eq!(words.words.len(), (at + 1).min(LATE_WORDS_MAX));
        }
        words.keep(key(7), paid(2), Timestamp(9), &error);
        assert_eq!(words.next_at(), Some(Timestamp(ASK_AGAIN_MS_FIRST)));
        assert!(words.take_due(Timestamp(ASK_AGAIN_MS_FIRST - 1)).is_empty());
        let told = words.take_due(Timestamp(ASK_AGAIN_MS_FIRST));
        assert_eq!((told.len(), told[&key(7)].clone()), (LATE_WORDS_MAX, paid(2)));
        assert_eq!((words.next_at(), words.take_due(Timestamp(u64::MAX)).len()), (None, 0));
    }
}
