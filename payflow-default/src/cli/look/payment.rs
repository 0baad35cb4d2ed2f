//! What is said of a payment, as people read it.

use crate::cli::{
    ask::table,
    demo::words::{counted, sat},
};
use ecs_core::Json;
use ecs_systems::units::Msat;
use serde::Deserialize;
use std::fmt::Write as _;
use tabled::builder::Builder;

/// What `payecs_explain` says of a payment.
#[derive(Deserialize)]
pub(super) struct Payment {
    why: String,
    #[serde(default)]
    changes: Vec<Change>,
    #[serde(default)]
    limits: Vec<Limit>,
    #[serde(default)]
    attempts: Attempts,
}

#[derive(Deserialize)]
struct Change {
    #[serde(flatten)]
    set: Setting,
    #[serde(default)]
    with: Vec<Setting>,
    promised: bool,
    words: String,
}

#[derive(Deserialize)]
struct Setting {
    what: String,
    from: serde_json::Value,
    to: serde_json::Value,
}

#[derive(Deserialize)]
struct Limit {
    short_channel_id_dir: String,
    allows_msat: Msat,
    #[serde(rename = "limit")]
    kind: String,
    words: String,
}

#[derive(Default, Deserialize)]
struct Attempts {
    #[serde(default)]
    rounds: Option<u32>,
    #[serde(default)]
    rounds_max: Option<u32>,
    #[serde(default)]
    parts_failed: usize,
    #[serde(default)]
    parts: Vec<Tried>,
}

#[derive(Deserialize)]
struct Tried {
    partid: u64,
    amount_msat: Msat,
    failure: String,
    #[serde(default)]
    erring_node: Option<String>,
    #[serde(default)]
    short_channel_id_dir: Option<String>,
}

/// Why, then what would have done, what limits, and what was tried.
pub(super) fn told(it: &Payment) -> String {
    let mut text = format!("Why: {}\n", it.why);
    if !it.changes.is_empty() {
        text.push_str("Each of these changes alone:\n");
        text.push_str(&indented(&changes(&it.changes)));
        for change in &it.changes {
            let _ = writeln!(text, "  {}: {}", change.set.what, change.words);
        }
    }
    if !it.limits.is_empty() {
        text.push_str("What limits:\n");
        text.push_str(&indented(&limits(&it.limits)));
    }
    let Attempts { rounds, rounds_max, parts_failed, parts } = &it.attempts;
    if let Some(rounds) = rounds.filter(|rounds| *rounds > 0) {
        let of = rounds_max.map(|max| format!(" of at most {max}")).unwrap_or_default();
        let _ = writeln!(text, "Rounds of planning: {rounds}{of}");
    }
    if *parts_failed > 0 {
        let left_out = parts_failed.saturating_sub(parts.len());
        let more = if left_out > 0 { format!(" ({left_out} not told of)") } else { String::new() };
        let _ = writeln!(text, "Failed: {}{more}", counted(*parts_failed, "part"));
        if !parts.is_empty() {
            text.push_str(&indented(&tried(parts)));
        }
    }
    text
}

fn indented(table: &str) -> String {
    table.lines().flat_map(|line| ["  ", line.trim_end(), "\n"]).collect()
}

fn changes(all: &[Change]) -> String {
    let mut rows = Builder::default();
    rows.push_record(["change", "from", "to", "sure"]);
    for change in all {
        let sure = if change.promised { "yes" } else { "no" };
        rows.push_record([&change.set.what, &change.set.from(), &change.set.to(), sure]);
        for with in &change.with {
            rows.push_record([&format!("with {}", with.what), &with.from(), &with.to(), ""]);
        }
    }
    table(rows, 0..0)
}

impl Setting {
    fn from(&self) -> String {
        self.shown(&self.from)
    }

    fn to(&self) -> String {
        self.shown(&self.to)
    }

    fn shown(&self, value: &serde_json::Value) -> String {
        match (value, self.what.as_str()) {
            (serde_json::Value::Number(msat), "maxfee" | "amount_msat") => {
                msat.as_u64().map_or_else(|| msat.to_string(), |msat| sat(Msat(msat)))
            }
            (serde_json::Value::Null, _) => "not known".to_owned(),
            (serde_json::Value::String(text), _) => text.clone(),
            (serde_json::Value::Array(items), _) if items.is_empty() => "nothing".to_owned(),
            (serde_json::Value::Array(items), _) => {
                let items: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
                items.join(" ")
            }
            (other, _) => Json::of(other).to_string(),
        }
    }
}

fn limits(all: &[Limit]) -> String {
    let mut rows = Builder::default();
    rows.push_record(["channel", "allows", "limit", ""]);
    for it in all {
        let allows = sat(it.allows_msat);
        rows.push_record([&it.short_channel_id_dir, &allows, &it.kind, &it.words]);
    }
    table(rows, 1..2)
}

fn tried(parts: &[Tried]) -> String {
    let mut rows = Builder::default();
    rows.push_record(["part", "amount", "failure", "channel", "says"]);
    for part in parts {
        rows.push_record([
            part.partid.to_string(),
            sat(part.amount_msat),
            part.failure.clone(),
            part.short_channel_id_dir.clone().unwrap_or_default(),
            part.erring_node.clone().unwrap_or_else(|| "nobody can say who".to_owned()),
        ]);
    }
    table(rows, 1..2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"{"status":"failed","why":"It is too dear.","waits_for":[],"changes":[
        {"what":"maxfee","component":"lightningd:feebudget","from":1000,"to":2000000,
        "with":[{"what":"maxdelay","from":40,"to":60}],"promised":true,"words":"Allow more."},
        {"what":"retry_for","from":60,"to":null,"promised":false,"words":"Longer."},
        {"what":"exclude","from":["02aa"],"to":[],"promised":true,"words":"Don't."}],
        "limits":[{"short_channel_id_dir":"1x2x3/0","allows_msat":5000,"limit":"htlc",
        "words":"no larger HTLC"}],"attempts":{"rounds":2,"rounds_max":30,"parts_failed":3,
        "parts":[{"entity":9,"partid":1,"amount_msat":1000,"fee_msat":1,"failcode":4103,
        "failure":"temporary_channel_failure","short_channel_id_dir":"4x5x6/1",
        "erring_node":"02bb"},{"entity":10,"partid":2,"amount_msat":1000,"fee_msat":1,
        "failcode":0,"failure":"unreadable"}]},"known_by":"engine"}"#;

    #[test]
    fn changes_limits_and_parts_are_rows() {
        let said = told(&Json::parse(SAID).unwrap().decode().unwrap());
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = said.lines().map(words).collect();
        let wanted = [
            "Why: It is too dear.",
            "Each of these changes alone:",
            "change from to sure",
            "maxfee 1 sat 2 000 sat yes",
            "with maxdelay 40 60",
            "retry_for 60 not known no",
            "exclude 02aa nothing yes",
            "maxfee: Allow more.",
            "retry_for: Longer.",
            "exclude: Don't.",
            "What limits:",
            "channel allows limit",
            "1x2x3/0 5 sat htlc no larger HTLC",
            "Rounds of planning: 2 of at most 30",
            "Failed: 3 parts (1 not told of)",
            "part amount failure channel says",
            "1 1 sat temporary_channel_failure 4x5x6/1 02bb",
            "2 1 sat unreadable nobody can say who",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_payment_that_is_paid_is_one_line() {
        let paid = r#"{"why":"It is paid.","attempts":{"rounds":0,"parts_failed":0}}"#;
        assert_eq!(told(&Json::parse(paid).unwrap().decode().unwrap()), "Why: It is paid.\n");
    }
}
