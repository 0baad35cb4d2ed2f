//! `payecs explain`: why an Entity is where it is.

mod payment;

use super::{
    call::{Daemon, told},
    client::{CallError, Client, block_on},
    demo::words::{counted, sat},
    pretty::fields,
};
use ecs_core::Json;
use ecs_systems::{errors::explained, units::Msat};
use payment::Payment;
use serde::Deserialize;
use std::{fmt::Write as _, process::ExitCode};

/// Longest value of a Component that is shown, in characters.
const VALUE_CHARS_MAX: usize = 64;

/// Says why an Entity is where it is: what runs next, what is awaited, for each System of its list
/// which Component is missing or in the way, and of a payment which parts are out.
///
/// Of a payment that failed it says why, with which changes of fee, delay, parts, exclusions or
/// amount it would have gone, which channels limit, and which parts failed where. A change is
/// `sure` where the planner found routes with it. Also of one that was collected, as far as the
/// books know it.
///
/// Exit codes: 0 shown; 1 there is no such Entity, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  payecs explain --data-dir D 17")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    daemon: Daemon,
    /// Its number.
    entity: u32,
    /// Also Systems that have run, or that wait for much.
    #[arg(long)]
    all: bool,
}

pub(crate) fn explain(args: &ExplainArgs) -> ExitCode {
    let asked =
        Client::of(&args.daemon.data_dir).and_then(|client| block_on(asked(&client, args.entity)));
    let (answer, parts) =
        asked.map_or_else(|error| (Err(error), vec![]), |(it, out)| (Ok(it), out));
    told(&args.daemon, answer, |answer| Some(explanation(&answer.decode().ok()?, &parts, args.all)))
}

/// Why an Entity is where it is, and its parts that are out.
async fn asked(client: &Client, entity: u32) -> Result<(Json, Vec<Part>), CallError> {
    let answer = client.call("payecs_explain", Json::of(&[entity])).await?;
    let which = Json::object([("entity", Json::of(&entity))]);
    // Only payments have parts.
    let status = client.call("paystatus", which).await.ok();
    let status = status.and_then(|status| status.decode::<Status>().ok());
    Ok((answer, status.map_or_else(Vec::new, |status| status.parts)))
}

#[derive(Deserialize)]
struct Status {
    parts: Vec<Part>,
}

/// A part that is out.
#[derive(Deserialize)]
struct Part {
    entity: u32,
    partid: u64,
    amount_msat: Msat,
    fee_msat: Msat,
}

#[derive(Deserialize)]
struct Explanation {
    entity: u32,
    state: String,
    next: Option<String>,
    awaits: Vec<String>,
    invocation: Option<Invocation>,
    error: Option<ecs_core::ErrorObject>,
    systems: Vec<Judged>,
    #[serde(default)]
    payment: Option<Payment>,
}

#[derive(Deserialize)]
struct Invocation {
    #[serde(rename = "invocation")]
    number: u64,
    system: String,
    since: String,
}

#[derive(Deserialize)]
struct Judged {
    system: String,
    registered: bool,
    missing: Vec<String>,
    in_the_way: Vec<String>,
    set_aside: bool,
}

fn explanation(it: &Explanation, parts: &[Part], all: bool) -> String {
    let mut text = match it.state.as_str() {
        "over" => format!("Entity {} is over: no System runs on it any more.\n", it.entity),
        "gone" => format!("Entity {} is gone; this is what the books know.\n", it.entity),
        "unlisted" => format!("Entity {} has no list of Systems.\n", it.entity),
        "busy" => format!("Entity {} waits for a reply.\n", it.entity),
        "invoked" => format!("Entity {} waits for an external System.\n", it.entity),
        "runs" => format!("Entity {} can go on.\n", it.entity),
        _ => format!(
            "Entity {} rests: no System matches now. It goes on when another Entity or a timer \
             writes what one of these lacks.\n",
            it.entity
        ),
    };
    if let Some(next) = &it.next {
        let _ = writeln!(text, "Next: {}", short(next));
    }
    if let Some(Invocation { number, system, since }) = &it.invocation {
        let _ = writeln!(text, "Invoked: {} (invocation {number}, since {since})", short(system));
    }
    if !it.awaits.is_empty() {
        let _ = writeln!(text, "Awaits: {}", it.awaits.join(", "));
    }
    if let Some(error) = &it.error {
        let _ = writeln!(text, "Error {}: {}", error.code, error.message);
        let known = explained(error.code);
        let _ = writeln!(text, "  {}\n  {}", known.meaning, known.next);
        if let Some(data) = error.data.as_ref().filter(|_| it.payment.is_none()) {
            text.push_str(&fields(data, 1));
        }
    }
    text.extend(it.payment.as_ref().map(payment::told));
    if !parts.is_empty() {
        let _ = writeln!(text, "Waits for {} to end:", counted(parts.len(), "part"));
    }
    for Part { entity, partid, amount_msat, fee_msat } in parts {
        let (amount, fee) = (sat(*amount_msat), sat(*fee_msat));
        let _ = writeln!(text, "  Entity {entity}, part {partid}: {amount}, fee {fee}");
    }
    let shown = it.systems.iter().filter(|system| all || system.is_near());
    for system in shown {
        let _ = writeln!(text, "  {}", system.told());
    }
    text
}

impl Judged {
    /// Whether only one Component is missing, or something odd keeps it from running. What is kept
    /// off by a Component has mostly run.
    fn is_near(&self) -> bool {
        let is_near = self.in_the_way.is_empty() && self.missing.len() <= 1;
        is_near || self.set_aside || !self.registered
    }

    fn told(&self) -> String {
        let mut why = Vec::new();
        if !self.registered {
            why.push("is not registered".to_owned());
        }
        if self.set_aside {
            why.push("looped, panicked or failed here and may not run again".to_owned());
        }
        for (names, what) in [(&self.missing, "lacks"), (&self.in_the_way, "is kept off by")] {
            let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
            if !names.is_empty() {
                why.push(format!("{what} {}", names.join(", ")));
            }
        }
        if why.is_empty() {
            why.push("matches".to_owned());
        }
        format!("{:<28} {}", short(&self.system), why.join("; "))
    }
}

pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("lightningd:").unwrap_or(name)
}

pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_that_waits_for_its_parts_names_their_entities() {
        let answer = r#"{"entity":7,"state":"rests","next":null,"awaits":[],"invocation":null,
            "error":{"code":205,"message":"No route","data":{"reason":"no_route"}},"systems":[]}"#;
        let out = r#"{"parts":[{"entity":12,"partid":1,"amount_msat":20500,"fee_msat":1000},
            {"entity":13,"partid":2,"amount_msat":1000,"fee_msat":0}],"status":"pending"}"#;
        let answer = Json::parse(answer).unwrap().decode().unwrap();
        let parts = Json::parse(out).unwrap().decode::<Status>().unwrap().parts;
        let said = explanation(&answer, &parts, false);
        for line in [
            "Waits for 2 parts to end:",
            "  Entity 12, part 1: 20.500 sat, fee 1 sat",
            "  Entity 13, part 2: 1 sat, fee 0 sat",
            "  reason: no_route",
        ] {
            assert!(said.lines().any(|said| said == line), "{line}: {said}");
        }
        assert!(!explanation(&answer, &[], false).contains("Waits for"));
    }
}
