//! What has been done but may not be seen yet: effects wait until their record is durable.

use ecs_core::{Delta, Effect, EffectClass, Engine};
use ecs_systems::port::HtlcId;
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

/// What may be seen outside only once its record is kept.
#[derive(Debug)]
pub(super) enum Held {
    /// What a command asks for.
    Effects(Vec<Effect>),
    /// Our word on an HTLC that the node has shown again.
    Word(HtlcId),
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    must_sync: bool,
    held: Held,
}

/// Holds effects back until the journal has their records.
#[derive(Debug)]
pub(super) struct Gate {
    last: u64,
    kept: Kept,
    records: Vec<JournalRecord>,
    waiting: VecDeque<Waiting>,
}

impl Gate {
    /// A gate behind which the journal's last record has that number.
    pub(super) fn after(last: u64) -> Self {
        let kept = Kept { written: last, synced: last };
        Self { last, kept, records: Vec::new(), waiting: VecDeque::new() }
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes what a command changed and what it asks for.
    pub(super) fn add(&mut self, engine: &Engine, delta: Option<Delta>, effects: Vec<Effect>) {
        let must_sync = match delta {
            Some(delta) => {
                let must_sync = concerns_money(engine, &delta, &effects);
                self.last += 1;
                self.records.push(JournalRecord { number: self.last, must_sync, delta });
                must_sync
            }
            None => false,
        };
        if !effects.is_empty() {
            let held = Held::Effects(effects);
            self.waiting.push_back(Waiting { number: self.last, must_sync, held });
        }
    }

    /// Holds our word on an HTLC back until every record so far is synced: the one that it was
    /// found in may be among them.
    pub(super) fn hold_word(&mut self, htlc: HtlcId) {
        let held = Held::Word(htlc);
        self.waiting.push_back(Waiting { number: self.last, must_sync: true, held });
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
        let next = self.waiting.front()?;
        let reached = if next.must_sync { self.kept.synced } else { self.kept.written };
        (next.number <= reached).then(|| self.waiting.pop_front().map(|next| next.held))?
    }
}

/// Whether a command's record must be synced: lines were written beside the Components, something
/// is to be done outside, or a frozen Entity changed.
fn concerns_money(engine: &Engine, delta: &Delta, effects: &[Effect]) -> bool {
    let asks = effects.iter().any(|effect| effect.class == EffectClass::Reply);
    asks || delta.changes.iter().any(|change| match change {
        ecs_core::Change::Lines(..) | ecs_core::Change::Registered(..) => true,
        ecs_core::Change::Component(id, ..)
        | ecs_core::Change::Over(id, _)
        | ecs_core::Change::Ended(id)
        | ecs_core::Change::Life(id, _) => engine.is_frozen(*id),
        ecs_core::Change::Awaited(effect) => engine.is_frozen(effect.entity),
    })
}
