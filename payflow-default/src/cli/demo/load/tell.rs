//! What a load prints: a line for each thing that is kept, or a live rate.

use crate::cli::spinner::spinner;
use ecs_core::{EntityId, Json};
use ecs_systems::{
    effects::{PayFailure, PaySuccess},
    port::BalanceObject,
    units::Msat,
};
use indicatif::ProgressBar;
use ledger_store::store::Restored;
use serde::Serialize;
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::time::Instant;

/// How a payment ended.
#[derive(Debug)]
pub(super) enum Ending {
    Paid(PaySuccess),
    Failed(PayFailure),
}

/// One line of `--json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Line<'a> {
    /// What the data directory had.
    Opened {
        records: u64,
        ledger_entries: u64,
    },
    /// Payments that an earlier run left.
    TakenUp {
        entities: &'a [EntityId],
    },
    Started {
        entity: EntityId,
    },
    Paid {
        entity: EntityId,
        payment_hash: String,
        amount_msat: Msat,
        fee_msat: Msat,
    },
    Failed {
        entity: EntityId,
        payment_hash: Option<String>,
        code: i64,
        message: &'a str,
    },
    Rate {
        seconds: u64,
        ended: u64,
        failed: u64,
        running: usize,
        per_second: u64,
    },
    Closed {
        paid: u64,
        failed: u64,
        seconds: u64,
        median_ms: Option<u64>,
        p99_ms: Option<u64>,
        balance: &'a BalanceObject,
        /// Whether the books agree with the network; absent where parts are on their way.
        books_agree: Option<bool>,
        difference: Option<&'a str>,
    },
}

/// Tells of a load.
#[derive(Debug)]
pub(super) struct Teller {
    json: bool,
    spinner: ProgressBar,
    began: Instant,
    paid: u64,
    failed: u64,
    /// At the last rate.
    told: (Instant, u64),
    /// How long payments took, in milliseconds, of the first so many.
    took_ms: Vec<u64>,
}

/// Of so many payments it is remembered how long they took.
const TOOK_MAX: usize = 1_000_000;

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        let spinner = if json { ProgressBar::hidden() } else { spinner() };
        let now = Instant::now();
        Self { json, spinner, began: now, paid: 0, failed: 0, told: (now, 0), took_ms: Vec::new() }
    }

    pub(super) fn found(&mut self, found: &Restored) -> io::Result<()> {
        let Restored { records, entries, .. } = *found;
        self.say(&Line::Opened { records, ledger_entries: entries }, || {
            format!(
                "Opened: {entries} entries in the ledger, {records} records behind the snapshot."
            )
        })
    }

    pub(super) fn taken_up(&mut self, entities: &[EntityId]) -> io::Result<()> {
        self.say(&Line::TakenUp { entities }, || {
            format!("Going on with {} payments that were under way.", entities.len())
        })
    }

    pub(super) fn started(&mut self, entity: EntityId) -> io::Result<()> {
        self.line_if_json(&Line::Started { entity })
    }

    pub(super) fn ended(&mut self, ending: &Ending, took: Option<Duration>) -> io::Result<()> {
        if let Some(took) = took.filter(|_| self.took_ms.len() < TOOK_MAX) {
            self.took_ms.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
        match ending {
            Ending::Paid(paid) => {
                self.paid += 1;
                let PaySuccess { entity, amount_msat, fee_msat, .. } = *paid;
                let payment_hash = paid.payment_hash.to_string();
                self.line_if_json(&Line::Paid { entity, payment_hash, amount_msat, fee_msat })
            }
            Ending::Failed(failed) => {
                self.failed += 1;
                let PayFailure { entity, payment_hash, error, .. } = failed;
                let payment_hash = payment_hash.map(|hash| hash.to_string());
                let (code, message) = (i64::from(error.code), error.message.as_str());
                self.line_if_json(&Line::Failed { entity: *entity, payment_hash, code, message })
            }
        }
    }

    /// A payment whose end went by unheard.
    pub(super) fn unheard(&mut self, paid: bool) {
        self.paid += u64::from(paid);
        self.failed += u64::from(!paid);
    }

    pub(super) fn rate(&mut self, running: usize) -> io::Result<()> {
        let (at, before) = self.told;
        let ended = self.paid + self.failed;
        self.told = (Instant::now(), ended);
        let passed_ms = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let per_second = (ended - before).saturating_mul(1_000) / passed_ms;
        let (seconds, failed) = (self.began.elapsed().as_secs(), self.failed);
        self.spinner.set_message(format!(
            "{per_second} payments/s, {ended} ended, {failed} of them failed, {running} under way"
        ));
        self.spinner.tick();
        self.line_if_json(&Line::Rate { seconds, ended, failed, running, per_second })
    }

    pub(super) fn closed(
        &mut self,
        balance: &BalanceObject,
        agreed: Option<&Result<usize, String>>,
    ) -> io::Result<()> {
        self.spinner.finish_and_clear();
        self.took_ms.sort_unstable();
        let last = self.took_ms.len().saturating_sub(1);
        let at = |percent| self.took_ms.get(last * percent / 100).copied();
        let (median_ms, p99_ms) = (at(50), at(99));
        let (paid, failed, seconds) = (self.paid, self.failed, self.began.elapsed().as_secs());
        let difference = agreed.and_then(|agreed| agreed.as_ref().err().map(String::as_str));
        let books_agree = agreed.map(Result::is_ok);
        let line = Line::Closed {
            paid,
            failed,
            seconds,
            median_ms,
            p99_ms,
            balance,
            books_agree,
            difference,
        };
        let books = match (books_agree, difference) {
            (None, _) => {
                "Parts are on their way: start again to bring them to their end.".to_owned()
            }
            (Some(_), Some(difference)) => {
                format!("The books DISAGREE with the network: {difference}.")
            }
            (Some(_), None) => "The books agree with the network, channel by channel.".to_owned(),
        };
        let text = format!(
            "{paid} paid, {failed} failed in {seconds} s; half took at most {} ms, 99 % {} ms.\n\
             In all {} msat paid and {} msat in fees; {} msat can be spent. {books}",
            median_ms.unwrap_or(0),
            p99_ms.unwrap_or(0),
            balance.outgoing_total_msat.0,
            balance.fees_paid_msat.0,
            balance.spendable_msat.0,
        );
        self.say(&line, || text)
    }

    fn say(&self, line: &Line<'_>, text: impl FnOnce() -> String) -> io::Result<()> {
        if self.json {
            return print(line);
        }
        let text = text();
        self.spinner.suspend(|| writeln!(io::stdout().lock(), "{text}"))
    }

    fn line_if_json(&self, line: &Line<'_>) -> io::Result<()> {
        if self.json { print(line) } else { Ok(()) }
    }
}

fn print(line: &Line<'_>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", Json::of(line).text())
}
