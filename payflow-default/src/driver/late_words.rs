//! Words on parts that are over, which the books can't judge yet. Each is a Component of an Entity
//! of its own, so that a restart has it: the node, which has said it, need not say it again.

use super::{ASK_AGAIN_MS_FIRST, Driver};
use ecs_core::{EntityId, Write, Writer};
use ecs_systems::{
    components::{LateWord, LateWordFacts},
    port::{LedgerError, PartKey},
    units::Timestamp,
};
use std::collections::BTreeMap;

/// Most words that are kept. Reached: the word is logged as an error and must be said again.
pub(super) const LATE_WORDS_MAX: usize = 100_000;

/// Where the last word on each part is, until the books can tell what they know of it.
#[derive(Debug, Default)]
pub(super) struct LateWords {
    words: BTreeMap<PartKey, EntityId>,
    /// When to try again.
    at: Option<Timestamp>,
}

impl LateWords {
    /// The Entity for the word on a part: the one that has it, or `new`. `None`: there are too
    /// many.
    fn place(&self, key: &PartKey, new: impl FnOnce() -> EntityId) -> Option<EntityId> {
        let known = self.words.get(key).copied();
        known.or_else(|| (self.words.len() < LATE_WORDS_MAX).then(new))
    }

    fn keep(&mut self, key: PartKey, place: EntityId, again_at: Timestamp) {
        self.words.insert(key, place);
        self.at.get_or_insert(again_at);
    }

    /// When there is something to try again.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Where all words are, once it is time.
    fn due(&mut self, now: Timestamp) -> Vec<EntityId> {
        if self.at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.at = None;
        self.words.values().copied().collect()
    }
}

impl Driver {
    /// Keeps a word that `error` stood in the way of.
    pub(super) fn keep_word(&mut self, word: LateWordFacts, error: &LedgerError) {
        let LateWordFacts { key, .. } = word;
        let Some(place) = self.late_words.place(&key, || self.engine.new_entity()) else {
            tracing::error!(target: "payflow::send", ?key, %error, "word on a part not kept");
            return;
        };
        self.late_words.keep(key, place, self.now.after_ms(ASK_AGAIN_MS_FIRST));
        if self.engine.get(place) == Some(&LateWord(word)) {
            return;
        }
        tracing::warn!(target: "payflow::send", ?key, %error, "word on a part kept for later");
        self.write_word(Write::to(place).attach(&LateWord(word)));
    }

    /// The books have judged what is said of a part.
    pub(super) fn forget_word(&mut self, key: &PartKey) {
        if let Some(place) = self.late_words.words.remove(key) {
            self.write_word(Write::end(place));
        }
    }

    fn write_word(&mut self, write: Write) {
        self.begin(self.now);
        if let Err(error) = self.engine.set_components(&Writer::Engine, &[write], &[]) {
            tracing::error!(target: "payflow::driver", %error, "own write refused");
        }
        self.perform_effects();
    }

    /// Has the books judge again what they could not.
    pub(super) fn judge_words_again(&mut self) {
        for place in self.late_words.due(self.now) {
            let word = self.engine.get(place).map(|LateWord(word)| *word);
            if let Some(word) = word {
                self.take_late_word(word);
            }
        }
    }

    /// Finds the words that were kept: after a restart.
    pub(super) fn know_late_words(&mut self) {
        for entity in self.engine.entities() {
            if let Some(LateWord(word)) = self.engine.get(entity) {
                self.late_words.keep(word.key, entity, self.now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_systems::units::{GroupId, PartId, PaymentHash};

    #[test]
    fn no_word_is_told_before_its_time_and_those_too_many_have_no_place() {
        let key = |part| {
            let (payment_hash, group_id) = (PaymentHash([1; 32]), GroupId(1));
            PartKey { payment_hash, group_id, part_id: PartId(part) }
        };
        let entity = |number: u32| EntityId::new(number + 1).unwrap();
        let mut words = LateWords::default();
        for (part, number) in (0..LATE_WORDS_MAX as u64).zip(0..) {
            let place = words.place(&key(part), || entity(number)).unwrap();
            words.keep(key(part), place, Timestamp(5 + part));
        }
        assert_eq!(words.place(&key(u64::MAX), || entity(7)), None);
        assert_eq!(words.place(&key(7), || entity(9)), Some(entity(7)));
        assert_eq!(words.next_at(), Some(Timestamp(5)));
        assert!(words.due(Timestamp(4)).is_empty());
        assert_eq!(words.due(Timestamp(5)).len(), LATE_WORDS_MAX);
        assert_eq!((words.next_at(), words.due(Timestamp(u64::MAX)).len()), (None, 0));
    }
}
