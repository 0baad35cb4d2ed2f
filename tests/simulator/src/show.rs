//! What is told, in words or as JSON.

use crate::args::Args;
use payflow_default::testing::simulator::{Finding, Report};
use serde_json::json;
use std::io::{self, Write};

const MS_PER_HOUR: u64 = 3_600_000;

/// How fast it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    seeds: u64,
    seconds: f64,
}

impl Pace {
    pub(crate) fn of(seeds: u64, seconds: f64) -> Self {
        Self { seeds, seconds }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate to be read"
    )]
    fn per_second(self, count: u64) -> u64 {
        if self.seconds > 0.0 { (count as f64 / self.seconds) as u64 } else { 0 }
    }
}

/// Every step of a run.
pub(crate) fn trace(lines: &[String]) {
    for line in lines {
        say(line);
    }
}

/// How far it is.
pub(crate) fn progress(args: &Args, report: &Report, pace: &Pace) {
    let payments = report.payments;
    let rate = pace.per_second(payments);
    if !args.json {
        let line = format!("{} seeds, {payments} payments, {rate} payments/s", pace.seeds);
        let _closed = writeln!(io::stderr(), "{line}");
    }
}

/// What came of all runs in which every law held.
pub(crate) fn report(args: &Args, report: &Report, pace: &Pace) {
    let rate = pace.per_second(report.payments);
    if args.json {
        let outcomes: serde_json::Map<_, _> =
            report.outcomes.iter().map(|(code, n)| (code.to_string(), json!(n))).collect();
        let value = json!({
            "seeds": pace.seeds,
            "payments": report.payments,
            "outcomes": outcomes,
            "received": report.received,
            "paycodes": report.paycodes,
            "paycode_ends": report.ends,
            "payers": report.payers,
            "parts": report.parts,
            "faults": report.faults,
            "deaths": report.deaths,
            "virtual_ms": report.virtual_ms,
            "longest_ms": report.longest_ms,
            "fingerprint": format!("{:016x}", report.fingerprint),
            "seconds": pace.seconds,
            "payments_per_second": rate,
        });
        return say(&value.to_string());
    }
    say(&format!("{} seeds in {:.1} s", pace.seeds, pace.seconds));
    say(&format!("payments           {:>10}  ({rate}/s)", report.payments));
    for (code, count) in &report.outcomes {
        let what = if *code == 0 { "paid".to_owned() } else { format!("failed with {code}") };
        say(&format!("  {what:<24} {count:>10}"));
    }
    say(&format!("parts              {:>10}", report.parts));
    say(&format!("paid to us         {:>10}", report.received));
    if report.paycodes > 0 {
        say(&format!("paycodes           {:>10}", report.paycodes));
        for (status, count) in &report.ends {
            say(&format!("  {status:<24} {count:>10}"));
        }
        say(&format!("parts of others    {:>10}", report.payers.values().sum::<u64>()));
        for (name, count) in &report.payers {
            say(&format!("  {name:<36} {count:>10}"));
        }
    }
    say(&format!("deaths survived    {:>10}", report.deaths));
    for (name, count) in &report.faults {
        say(&format!("  {name:<32} {count:>10}"));
    }
    say(&format!("virtual time       {:>10} h", report.virtual_ms / MS_PER_HOUR));
    say(&format!("longest payment    {:>10} s", report.longest_ms / 1_000));
    say(&format!("fingerprint  {:016x}", report.fingerprint));
}

/// A law was broken.
pub(crate) fn finding(args: &Args, finding: &Finding) {
    if args.json {
        let breaches: Vec<String> = finding.breaches.iter().map(ToString::to_string).collect();
        let value = json!({
            "seed": finding.seed,
            "receive": finding.receive,
            "without": finding.without,
            "broken": breaches,
            "command": finding.command(),
        });
        return say(&value.to_string());
    }
    say(&finding.to_string());
}

/// Nobody listens where that is closed.
fn say(line: &str) {
    let _closed = writeln!(io::stdout(), "{line}");
}
