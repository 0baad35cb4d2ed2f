//! JSON for people: the same text over several lines, or fields without brackets.

use super::demo::words::sat;
use ecs_core::Json;
use ecs_systems::units::{Msat, Timestamp};

/// Spaces for each level.
const INDENT: usize = 2;
/// How names end that are amounts.
const MSAT: &str = "_msat";
/// Names of moments, in seconds since 1970.
const MOMENTS: [&str; 4] = ["created_at", "completed_at", "ended_at", "expires_at"];
/// The name of how long an invoice may be paid, in seconds.
const EXPIRY: &str = "expiry";

/// The same with a line for each field and item. Their order, and how numbers are written, stay.
pub(crate) fn pretty(json: &Json) -> String {
    let mut out = String::new();
    write(&mut out, json, 0);
    out
}

/// Fields, one on a line, as they are: names and numbers stay. What is inside of one is indented
/// below it.
pub(crate) fn fields(json: &Json, level: usize) -> String {
    let mut out = String::new();
    for (name, value) in json.entries().unwrap_or_default() {
        out.extend(std::iter::repeat_n(' ', level * INDENT));
        out.push_str(&plain(&Json::of(&name)));
        out.push(':');
        inside(&mut out, &value, level + 1);
    }
    match (json.entries(), json.items()) {
        (Some(_), _) => {}
        (None, Some(items)) => items.iter().for_each(|item| out.push_str(&fields(item, level))),
        (None, None) => {
            out.extend(std::iter::repeat_n(' ', level * INDENT));
            out.extend([&plain(json), "\n"]);
        }
    }
    out
}

/// The value of a field, behind its name.
fn inside(out: &mut String, value: &Json, level: usize) {
    let is_nested = |json: &Json| json.entries().is_some() || json.items().is_some();
    match (value.items(), value.entries()) {
        (Some(items), _) if items.iter().any(is_nested) => {
            out.push('\n');
            for item in &items {
                let text = fields(item, level + 1);
                let bullet = format!("{}- ", " ".repeat(level * INDENT));
                out.push_str(&bullet);
                out.push_str(text.trim_start());
            }
        }
        (Some(items), _) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            let text = if items.is_empty() { "none".to_owned() } else { items.join(", ") };
            out.extend([" ", &text, "\n"]);
        }
        (None, Some(_)) => {
            out.push('\n');
            out.push_str(&fields(value, level));
        }
        (None, None) => out.extend([" ", &plain(value), "\n"]),
    }
}

/// A text without its quotes, unless there is in it what a terminal would take for more than text.
fn plain(json: &Json) -> String {
    match json.as_str() {
        Some(text) if !text.chars().any(char::is_control) => text.into_owned(),
        Some(_) | None => json.text().to_owned(),
    }
}

/// What an answer says, in words: amounts in sat, moments as dates. `None`: it is no object.
pub(crate) fn facts(answer: &Json) -> Option<String> {
    let entries = answer.entries()?;
    let width = entries.iter().map(|(name, _)| label(name).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in entries {
        let shown = format!("{:<width$} ", label(&name));
        out.push_str(&shown);
        match told(&name, &value) {
            Some(text) => out.extend([" ", &text, "\n"]),
            None => inside(&mut out, &value, 1),
        }
    }
    Some(out)
}

/// The name of a field, without the unit that its value is shown in.
fn label(name: &str) -> String {
    name.strip_suffix(MSAT).unwrap_or(name).replace('_', " ")
}

/// A value whose name says what it is.
fn told(name: &str, value: &Json) -> Option<String> {
    if let Ok(is_so) = value.decode::<bool>() {
        return Some(if is_so { "yes" } else { "no" }.to_owned());
    }
    let number = value.decode::<u64>().ok()?;
    if name.ends_with(MSAT) {
        Some(sat(Msat(number)))
    } else if MOMENTS.contains(&name) {
        Some(Timestamp::from_unix_seconds(number).to_string())
    } else if name == EXPIRY {
        Some(lasting(number))
    } else {
        None
    }
}

/// A number of seconds in the two largest units that are not zero.
fn lasting(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let mut left = seconds;
    let mut words = Vec::new();
    for (length, name) in units {
        let count = left / length;
        left %= length;
        match count {
            0 => {}
            1 => words.push(format!("1 {name}")),
            _ => words.push(format!("{count} {name}s")),
        }
    }
    if words.is_empty() { "0 seconds".to_owned() } else { words[..words.len().min(2)].join(" ") }
}

fn write(out: &mut String, json: &Json, level: usize) {
    if let Some(items) = json.items() {
        let items = items.into_iter().map(|item| (None, item));
        return block(out, ('[', ']'), items.collect(), level);
    }
    match json.entries() {
        Some(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (Some(name), value));
            block(out, ('{', '}'), fields.collect(), level);
        }
        None => out.push_str(json.text()),
    }
}

fn block(
    out: &mut String,
    (open, close): (char, char),
    inside: Vec<(Option<String>, Json)>,
    level: usize,
) {
    out.push(open);
    let is_empty = inside.is_empty();
    for (at, (name, value)) in inside.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        new_line(out, level + 1);
        if let Some(name) = name {
            out.push_str(Json::of(&name).text());
            out.push_str(": ");
        }
        write(out, &value, level + 1);
    }
    if !is_empty {
        new_line(out, level);
    }
    out.push(close);
}

fn new_line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', level * INDENT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says_stands_on_lines_of_its_own() {
        let data = r#"{"reason":"no_route","largest_msat":null,
            "cut":[{"way":"1x2x3/0","allows_msat":0},
            {"way":"a\n"}],"at":{"height":7,"parts":[1,2],"none":[]},"final":true}"#;
        let lines = [
            "  reason: no_route",
            "  largest_msat: null",
            "  cut:",
            "    - way: 1x2x3/0",
            "      allows_msat: 0",
            "    - way: \"a\\n\"",
            "  at:",
            "    height: 7",
            "    parts: 1, 2",
            "    none: none",
            "  final: true\n",
        ];
        assert_eq!(fields(&Json::parse(data).unwrap(), 1), lines.join("\n"));
        assert_eq!(fields(&Json::of("why"), 1), "  why\n");
    }

    #[test]
    fn what_an_invoice_says_is_told_with_sats_dates_and_words() {
        let invoice = r#"{"valid":true,"amount_msat":1234567500,"created_at":1767225600,
            "expiry":5400,"expired":false,"description":"a\tb","features":"02",
            "routes":[[{"pubkey":"03","cltv_expiry_delta":9}]]}"#;
        let lines = [
            "valid        yes",
            "amount       1 234 567.500 sat",
            "created at   2026-01-01T00:00:00.000Z",
            "expiry       1 hour 30 minutes",
            "expired      no",
            "description  \"a\\tb\"",
            "features     02",
            "routes      ",
        ];
        let told = facts(&Json::parse(invoice).unwrap()).unwrap();
        assert!(told.starts_with(&lines.join("\n")), "{told}");
        assert!(told.contains("pubkey: 03\n") && told.contains("cltv_expiry_delta: 9"), "{told}");
        for (seconds, said) in [(0, "0 seconds"), (1, "1 second"), (90_061, "1 day 1 hour")] {
            assert_eq!(lasting(seconds), said);
        }
    }

    #[test]
    fn fields_keep_their_order_and_numbers_their_digits() {
        let json = r#"{"b":0.50,"a":[1,{}],"c":[],"d\n":12345678901234567890123}"#;
        let shown = pretty(&Json::parse(json).unwrap());
        let lines = [
            "{",
            "  \"b\": 0.50,",
            "  \"a\": [",
            "    1,",
            "    {}",
            "  ],",
            "  \"c\": [],",
            "  \"d\\n\": 12345678901234567890123",
            "}",
        ];
        assert_eq!(shown, lines.join("\n"));
    }
}
