//! What has been done but may not be seen yet: effects wait until their record is durable.

use super::Driver;
use ecs_core::{Delivery, Delta, Effect, EffectClass, Engine, ErrorObject, ServerId};
use ecs_systems::{
    port::{HtlcId, NodeRequest},
    units::Timestamp,
};
use ledger_store::store::Kept;
use std::collections::VecDeque;

/// The record of one command, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRecord {
    /// Its number: one more than that of the record before.
    pub number: u64,
    /// Money is concerned: nothing of it may be seen before it is synced. Otherwise written is
    /// enough: a process that is killed keeps it, a power cut may not.
    pub must_sync: bool,
    /// What changed.
    pub delta: Delta,
}

/// Gives a command's answer to whoever asked.
pub type Answer = Box<dyn FnOnce() + Send>;

/// What may be seen outside only once its record is kept.
pub(super) enum Held {
    /// What a command asks for.
    Effects(Vec<Effect>),
    /// Our word on an HTLC, where nobody knows which record it was found in.
    Word(HtlcId, NodeRequest),
    /// What a command answers.
    Answer(Answer),
    /// What external Systems are to do, to those who serve them.
    Deliveries(Vec<Delivery>),
    /// Servers that have lost all that they served, and why.
    Dismissed(Vec<(ServerId, ErrorObject)>),
    /// Payments have ended, the last one in that entry of the ledger.
    Ended(u64),
}

struct Waiting {
    /// What must be kept before.
    until: Kept,
    held: Held,
}

/// Holds effects back until the journal has their records.
pub(super) struct Gate {
    last: u64,
    /// The last record that must be synced.
    last_to_sync: u64,
    /// The cursor of the last event that was held back.
    ended: u64,
    kept: Kept,
    records: Vec<JournalRecord>,
    waiting: VecDeque<Waiting>,
}

impl Gate {
    /// A gate behind which the journal's last record has that number, and the last event that
    /// cursor.
    pub(super) fn after(last: u64, ended: u64) -> Self {
        let kept = Kept { written: last, synced: last };
        let last_to_sync = last;
        let (records, waiting) = (Vec::new(), VecDeque::new());
        Self { last, last_to_sync, ended, kept, records, waiting }
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes what a command changed and what it asks for.
    pub(super) fn add(&mut self, engine: &Engine, delta: Option<Delta>, effects: Vec<Effect>) {
        if let Some(delta) = delta {
            let must_sync = concerns_money(engine, &delta, &effects);
            self.last += 1;
            if must_sync {
                self.last_to_sync = self.last;
            }
            self.records.push(JournalRecord { number: self.last, must_sync, delta });
        }
        if !effects.is_empty() {
            self.hold(self.last_to_sync, Held::Effects(effects));
        }
    }

    /// Holds back what servers are to be told until the records are kept in which it began.
    pub(super) fn hold_deliveries(&mut self, deliveries: Vec<Delivery>) {
        if !deliveries.is_empty() {
            self.hold(self.last_to_sync, Held::Deliveries(deliveries));
        }
    }

    /// Holds back what tells servers that they serve nothing any more, as what they were given.
    pub(super) fn hold_dismissed(&mut self, dismissed: Vec<(ServerId, ErrorObject)>) {
        if !dismissed.is_empty() {
            self.hold(self.last_to_sync, Held::Dismissed(dismissed));
        }
    }

    /// Holds our word on an HTLC back until every record so far is synced: the one that it was
    /// found in may be among them.
    pub(super) fn hold_word(&mut self, htlc: HtlcId, word: NodeRequest) {
        self.hold(self.last, Held::Word(htlc, word));
    }

    /// Holds an answer back until everything that it may tell of is kept.
    pub(super) fn hold_answer(&mut self, answer: Answer) {
        self.hold(self.last_to_sync, Held::Answer(answer));
    }

    /// Holds the events back that a command has written, behind all else that it asks
    /// for.
    pub(super) fn hold_ends(&mut self, ended: u64) {
        if ended > self.ended {
            self.ended = ended;
            self.hold(self.last_to_sync, Held::Ended(ended));
        }
    }

    fn hold(&mut self, synced: u64, held: Held) {
        self.waiting.push_back(Waiting { until: Kept { written: self.last, synced }, held });
    }

    /// Nothing more will be kept: what waits is never done, and who waits for an answer gets none.
    pub(super) fn give_up(&mut self) {
        self.records.clear();
        self.waiting.clear();
    }

    /// The records for the journal, each once, in order.
    pub(super) fn take_records(&mut self) -> Vec<JournalRecord> {
        std::mem::take(&mut self.records)
    }

    /// Takes how far the journal has come.
    pub(super) fn kept(&mut self, kept: Kept) {
        self.kept.written = self.kept.written.max(kept.written).max(kept.synced);
        self.kept.synced = self.kept.synced.max(kept.synced);
    }

    /// The next that may be done: its record and all before it are kept.
    pub(super) fn next(&mut self) -> Option<Held> {
        let Kept { written, synced } = self.waiting.front()?.until;
        let reached = written <= self.kept.written && synced <= self.kept.synced;
        reached.then(|| self.waiting.pop_front().map(|next| next.held))?
    }

    /// Whether an answer would be given at once: everything is kept that it may tell of.
    pub(super) fn lets_answers_out(&self) -> bool {
        let Kept { written, synced } = self.kept;
        self.waiting.is_empty() && self.last <= written && self.last_to_sync <= synced
    }

    /// Whether every record so far is synced.
    pub(super) fn is_synced(&self) -> bool {
        self.kept.synced == self.last
    }

    /// Whether that effect waits for its record.
    pub(super) fn holds(&self, effect: &Effect) -> bool {
        let same = |other: &Effect| (other.entity, other.id) == (effect.entity, effect.id);
        self.waiting.iter().any(
            |waiting| matches!(&waiting.held, Held::Effects(effects) if effects.iter().any(same)),
        )
    }

    /// Whether everything is kept that was done, and everything done that waited for it.
    pub(super) fn is_clear(&self) -> bool {
        self.records.is_empty() && self.waiting.is_empty() && self.is_synced()
    }
}

impl Driver {
    /// From now on nothing is done outside before its record is kept: the records go out through
    /// [`Driver::take_records`], numbered from `last` + 1, and [`Driver::records_kept`] says how
    /// far they have come. Answers go through [`Driver::answer_once_kept`]. To be called before
    /// anything else, and then [`Driver::resume`].
    ///
    /// Receipts must have a seed (`ledger_store::MemoryReceipts::with_seed`): those made beside the
    /// engine are in no record.
    pub fn keep_journal(&mut self, last: u64) {
        self.engine.record_changes(true);
        self.ended = self.ends();
        self.gate = Some(Gate::after(last, self.ended));
    }

    /// The records for the journal, each once, in order.
    #[must_use]
    pub fn take_records(&mut self) -> Vec<JournalRecord> {
        self.gate.as_mut().map(Gate::take_records).unwrap_or_default()
    }

    /// The number of the last record; everything that was said before it is in records up to it.
    #[must_use]
    pub fn last_record(&self) -> u64 {
        self.gate.as_ref().map_or(0, Gate::last)
    }

    /// Takes how far the journal has come, and does what waited for that.
    pub fn records_kept(&mut self, now: Timestamp, kept: Kept) {
        self.now = self.now.max(now);
        if let Some(gate) = &mut self.gate {
            gate.kept(kept);
        }
        self.perform_kept();
    }

    /// Gives an answer as soon as everything that it may tell of is kept; at once where no journal
    /// is.
    pub fn answer_once_kept(&mut self, answer: Answer) {
        match &mut self.gate {
            Some(gate) => gate.hold_answer(answer),
            None => answer(),
        }
        self.perform_kept();
    }

    /// Whether everything is kept that was done, and everything done that waited for it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.gate.as_ref().is_none_or(Gate::is_clear)
    }

    /// The journal keeps nothing more: what waits for it is never done, and whoever waits for an
    /// answer gets none. The driver is good for looking at only.
    pub fn give_up(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.give_up();
        }
    }
}

/// Whether a command's record must be synced: lines were written beside the Components, something
/// is to be done outside, or a frozen Entity changed.
fn concerns_money(engine: &Engine, delta: &Delta, effects: &[Effect]) -> bool {
    let asks = effects.iter().any(|effect| effect.class == EffectClass::Reply);
    asks || delta.changes.iter().any(|change| match change {
        ecs_core::Change::Lines(..)
        | ecs_core::Change::Registered(..)
        | ecs_core::Change::Unregistered(..)
        | ecs_core::Change::Listed(_) => true,
        ecs_core::Change::Component(id, ..)
        | ecs_core::Change::Shared(id, ..)
        | ecs_core::Change::Over(id, _)
        | ecs_core::Change::Ended(id)
        | ecs_core::Change::Life(id, _)
        | ecs_core::Change::Given(id, ..)
        | ecs_core::Change::Progress(id, _) => engine.is_frozen(*id),
        ecs_core::Change::Awaited(effect) => engine.is_frozen(effect.entity),
        ecs_core::Change::Value(..)
        | ecs_core::Change::Noted(..)
        | ecs_core::Change::Beside(..) => false,
    })
}
