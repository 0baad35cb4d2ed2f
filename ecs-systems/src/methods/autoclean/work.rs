//! The work of cleaning: some of it at a time, so that nothing else is held up by it.

use crate::{
    methods::{
        now,
        paycodes::{live_set, receipts},
    },
    policy::{Autoclean, Intake, Policy},
    port::{Over, OverKind},
    records::{ReceiptLine, receipt_record},
    refusal::TOO_BUSY,
};
use bevy_ecs::prelude::Resource;
use ecs_core::{Engine, ErrorObject, Record};
use payecs_units::{PaymentHash, Seconds, Timestamp};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
};

/// Most receipts that one record cleans away, as in Core Lightning.
pub const CLEANED_PER_RECORD_MAX: usize = 100;
/// Most receipts that are looked at in one step.
const LOOKED_AT_MAX: usize = 256;
/// Most cleanings that callers have under way.
const CLEANINGS_MAX: usize = 16;

/// What is to be cleaned, in the order in which it was begun. It is in no snapshot: what was
/// deleted is in the records.
#[derive(Resource, Debug, Default)]
pub(crate) struct Cleaning {
    under_way: VecDeque<Job>,
    /// When it was last looked what has become too old.
    looked_at: Option<Timestamp>,
}

/// What came of a cleaning.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cleaned {
    /// How many were deleted.
    pub(super) cleaned: u64,
    /// How many of that kind were over, and were not.
    pub(super) uncleaned: u64,
}

/// Where who asked finds what came of it.
type Answer = Arc<OnceLock<Result<Cleaned, ErrorObject>>>;

/// One way through what is over, from the oldest on.
#[derive(Debug)]
struct Job {
    /// What ended at that moment or before is deleted. `None`: nothing can be so old.
    cutoffs: BTreeMap<OverKind, Option<Timestamp>>,
    /// What ended later is not looked at.
    until: Timestamp,
    /// The last one that was looked at.
    after: Option<(Timestamp, u64)>,
    so_far: Cleaned,
    answer: Answer,
}

impl Job {
    /// Looks at the next receipts, and answers which of them are to go, and whether others are
    /// left to be looked at.
    fn next(&mut self, engine: &Engine) -> Result<(Vec<PaymentHash>, bool), ErrorObject> {
        let looked = receipts(engine)?.over(self.after, self.until, LOOKED_AT_MAX);
        let mut is_more = looked.len() >= LOOKED_AT_MAX;
        let mut gone = Vec::new();
        for Over { at, created_index, payment_hash, kind } in looked {
            if gone.len() >= CLEANED_PER_RECORD_MAX {
                is_more = true;
                break;
            }
            self.after = Some((at, created_index));
            let Some(cutoff) = self.cutoffs.get(&kind) else { continue };
            if cutoff.is_some_and(|cutoff| at <= cutoff)
                && live_set(engine, &payment_hash).is_none()
            {
                gone.push(payment_hash);
            } else {
                self.so_far.uncleaned = self.so_far.uncleaned.saturating_add(1);
            }
        }
        Ok((gone, is_more))
    }
}

/// Refuses one more where so many are under way.
pub(super) fn must_have_room(engine: &Engine) -> Result<(), ErrorObject> {
    let under_way = engine.resource::<Cleaning>().map_or(0, |it| it.under_way.len());
    if under_way < CLEANINGS_MAX {
        return Ok(());
    }
    let what = format!("{CLEANINGS_MAX} cleanings are under way: try again later");
    Err(ErrorObject::new(TOO_BUSY, what))
}

/// Begins to delete what is over for so long. What comes of it will be in the answer.
pub(super) fn begin_once(engine: &mut Engine, kind: OverKind, age: Seconds) -> Answer {
    let until = now(engine);
    let cutoffs = BTreeMap::from([(kind, cutoff(until, age))]);
    let (answer, so_far) = (Answer::default(), Cleaned::default());
    let job = Job { cutoffs, until, after: None, so_far, answer: Arc::clone(&answer) };
    if let Some(mut cleaning) = engine.resource_mut::<Cleaning>() {
        cleaning.under_way.push_back(job);
    }
    answer
}

/// The moment that was so long ago; `None`: before 1970.
fn cutoff(now: Timestamp, age: Seconds) -> Option<Timestamp> {
    now.0.checked_sub(age.0.checked_mul(1_000)?).map(Timestamp)
}

/// When there is something to clean next: `now` where that is under way, or overdue. `None`: never,
/// or new work is not taken on.
#[must_use]
pub fn next_cleaning(engine: &Engine, now: Timestamp) -> Option<Timestamp> {
    engine.resource::<Intake>().copied().unwrap_or_default().check().ok()?;
    let cleaning = engine.resource::<Cleaning>()?;
    if !cleaning.under_way.is_empty() {
        return Some(now);
    }
    let autoclean = &engine.resource::<Policy>()?.autoclean;
    autoclean.enabled().next()?;
    Some(cleaning.looked_at.map_or(now, |at| cycle_after(autoclean, at)))
}

fn cycle_after(autoclean: &Autoclean, at: Timestamp) -> Timestamp {
    at.after(Seconds(autoclean.cycle.0.max(1)))
}

/// Cleans some of what is to be cleaned, within a command: at most [`CLEANED_PER_RECORD_MAX`]
/// receipts are deleted, each by a line of its record. To be called when [`next_cleaning`] says.
pub fn clean_some(engine: &mut Engine) {
    begin_cycle(engine);
    let Some(mut cleaning) = engine.resource_mut::<Cleaning>() else { return };
    let Some(mut job) = cleaning.under_way.pop_front() else { return };
    let is_more = job.next(engine).and_then(|(gone, is_more)| {
        delete(engine, &gone)?;
        job.so_far.cleaned = job.so_far.cleaned.saturating_add(gone.len() as u64);
        Ok(is_more)
    });
    match is_more {
        Ok(true) => {
            if let Some(mut cleaning) = engine.resource_mut::<Cleaning>() {
                cleaning.under_way.push_front(job);
            }
        }
        ended @ (Ok(false) | Err(_)) => {
            let Cleaned { cleaned, uncleaned } = job.so_far;
            match &ended {
                Ok(_) => tracing::info!(target: "payflow::receive", cleaned, uncleaned, "cleaned"),
                Err(error) => tracing::error!(
                    target: "payflow::receive", cleaned, code = error.code, "not all was cleaned"
                ),
            }
            // It is set here alone.
            let _set = job.answer.set(ended.map(|_| job.so_far));
        }
    }
}

fn delete(engine: &mut Engine, gone: &[PaymentHash]) -> Result<(), ErrorObject> {
    if gone.is_empty() {
        return Ok(());
    }
    let line = |hash: &PaymentHash| receipt_record(&ReceiptLine::Clean { payment_hash: *hash });
    let lines: Vec<Record> = gone.iter().map(line).collect();
    Ok(engine.keep_records(&lines)?)
}

/// Begins to look for what has become too old, where it is time for that and nothing else is under
/// way.
fn begin_cycle(engine: &mut Engine) {
    let now = now(engine);
    let Some(autoclean) = engine.resource::<Policy>().map(|it| it.autoclean.clone()) else {
        return;
    };
    let Some(mut cleaning) = engine.resource_mut::<Cleaning>() else { return };
    let is_due = cleaning.looked_at.is_none_or(|at| cycle_after(&autoclean, at) <= now);
    if !is_due || !cleaning.under_way.is_empty() || autoclean.enabled().next().is_none() {
        return;
    }
    cleaning.looked_at = Some(now);
    let cutoffs: BTreeMap<_, _> =
        autoclean.enabled().map(|(kind, age)| (kind, cutoff(now, age))).collect();
    // What is younger than all that goes is not looked at, and not counted.
    let Some(until) = cutoffs.values().flatten().max().copied() else { return };
    let (so_far, answer) = (Cleaned::default(), Answer::default());
    cleaning.under_way.push_back(Job { cutoffs, until, after: None, so_far, answer });
}
