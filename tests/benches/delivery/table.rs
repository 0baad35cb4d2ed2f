//! What the payments of a row came to.

use crate::balances::Model;
use crate::pay::{Outcome, Question, Reason};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Means are over payments, the fee over those delivered; CPU is of the planner, all rounds.
pub(crate) const HEAD: &str = "\
balances set         sat   of  feasible narrow delivered round-1 HTLCs rounds  CPU-ms (p50/p90)  \
failed-ms fee-ppm  not delivered though feasible: reasons";

/// One payment.
pub(crate) struct Told {
    pub(crate) question: Question,
    pub(crate) feasible: bool,
    pub(crate) narrow: bool,
    pub(crate) outcome: Outcome,
}

impl Told {
    pub(crate) fn json(&self, model: Model, set: &str) -> Value {
        json!({
            "balances": model.to_string(),
            "set": set,
            "src": self.question.source,
            "dst": self.question.destination,
            "amount_msat": self.question.amount,
            "feasible": self.feasible,
            "narrow": self.narrow,
            "outcome": self.outcome,
        })
    }

    fn fee_ppm(&self) -> f64 {
        real(self.outcome.fee_msat) * 1e6 / real(self.question.amount.0)
    }
}

/// Payments of one amount between the pairs of one set.
pub(crate) struct Row {
    model: Model,
    set: String,
    satoshi: u64,
    feasible: u64,
    narrow: u64,
    delivered: u64,
    at_once: u64,
    htlcs: u64,
    rounds: u64,
    fee_ppm: f64,
    /// Of payments delivered, and of others.
    cpu_us: [Vec<u64>; 2],
    reasons: BTreeMap<Reason, u64>,
}

impl Row {
    pub(crate) fn new(model: Model, set: &str, satoshi: u64) -> Self {
        Self {
            model,
            set: set.to_owned(),
            satoshi,
            feasible: 0,
            narrow: 0,
            delivered: 0,
            at_once: 0,
            htlcs: 0,
            rounds: 0,
            fee_ppm: 0.0,
            cpu_us: [Vec::new(), Vec::new()],
            reasons: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, told: &Told) {
        let outcome = &told.outcome;
        self.feasible += u64::from(told.feasible);
        self.narrow += u64::from(told.narrow);
        self.htlcs += u64::from(outcome.htlcs);
        self.rounds += u64::from(outcome.rounds);
        self.cpu_us[usize::from(!outcome.delivered)].push(outcome.cpu_us);
        if outcome.delivered {
            self.delivered += 1;
            self.at_once += u64::from(outcome.rounds == 1);
            self.fee_ppm += told.fee_ppm();
        } else if let Some(reason) = outcome.reason.filter(|_| told.feasible) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut all = self.cpu_us.concat();
        all.sort_unstable();
        let count = real(all.len() as u64).max(1.0);
        let at = |percent: usize| all.get(all.len() * percent / 100).map_or(0.0, |it| real(*it));
        let mean = |of: &[u64]| real(of.iter().sum()) / real(of.len() as u64).max(1.0) / 1e3;
        let reasons: Vec<String> =
            self.reasons.iter().map(|(reason, times)| format!("{reason:?} {times}")).collect();
        format!(
            "{:8} {:7} {:>8} {:>4} {:>9} {:>6} {:>9} {:>7} {:>5.2} {:>6.2} {:>7.1} \
             ({:.1}/{:.1}) {:>9.1} {:>7.0}  {}",
            self.model,
            self.set,
            self.satoshi,
            all.len(),
            self.feasible,
            self.narrow,
            self.delivered,
            self.at_once,
            real(self.htlcs) / count,
            real(self.rounds) / count,
            mean(&all),
            at(50) / 1e3,
            at(90) / 1e3,
            mean(&self.cpu_us[1]),
            self.fee_ppm / real(self.delivered).max(1.0),
            reasons.join(", ").to_lowercase(),
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures are told to three digits")]
fn real(value: u64) -> f64 {
    value as f64
}
