//! `payecs trace`: the Systems that ran on an Entity, once or as they run.

mod tail;

use super::{
    call::{Daemon, refused, show},
    client::{CallError, Client, block_on},
    look::{cut, short},
};
use ecs_core::{ErrorObject, Json};
use ecs_systems::units::Msat;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};
use tail::Tail;

/// How often is asked for what is new.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Shows the Systems that ran on an Entity, oldest first, each with the Components it matched and
/// what it changed.
///
/// With --follow it shows what has run and what runs from now on, on its plans and parts too, a
/// line for each System, until the payment ends. While somebody follows, the engine keeps what is
/// attached and how long each System takes; what ran before is told without.
///
/// Exit codes: 0 shown, and with --follow ended, paid or not; 1 there is no such Entity to follow,
/// or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs trace --data-dir D 17
  payecs trace --data-dir D 17 --follow
  payecs trace --data-dir D 17 --follow --json | jq -r .system")]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// Its number.
    entity: u32,
    /// Go on until the payment ends, with its plans and parts.
    #[arg(long, short)]
    follow: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if !args.follow {
        return show(&args.daemon, "payecs_systrace", Json::of(&[args.entity]), |answer| {
            Some(traced(&answer.decode().ok()?))
        });
    }
    let followed = Client::of(&args.daemon.data_dir)
        .and_then(|client| block_on(follow(&client, args.entity, args.daemon.json)));
    match followed {
        Ok(exit) => exit,
        Err(error) => refused(&args.daemon, &error),
    }
}

/// What `payecs_systrace` answers.
#[derive(Clone, Debug, Deserialize)]
struct Trace {
    entity: u32,
    #[serde(rename = "trace")]
    steps: Vec<Step>,
    gone: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Step {
    time: String,
    system: String,
    entity: BTreeMap<String, Json>,
    #[serde(rename = "step")]
    number: u64,
    changes: Vec<Change>,
    #[serde(default)]
    others: Vec<u32>,
    #[serde(default)]
    duration_us: Option<u64>,
    #[serde(default)]
    answer_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Change {
    component: String,
    #[serde(rename = "change")]
    kind: String,
    #[serde(default)]
    value: Option<Json>,
}

impl Change {
    fn told(&self) -> String {
        let sign = match self.kind.as_str() {
            "attached" => "+",
            "changed" => "~",
            _ => "-",
        };
        let value = self.value.as_ref().map(|value| format!("={}", cut(value.text())));
        format!("{sign}{}{}", short(&self.component), value.unwrap_or_default())
    }
}

impl Step {
    /// How long it took, where that is known.
    fn took(&self) -> Option<String> {
        let answer = self.answer_ms.map(|ms| format!("answered after {ms} ms"));
        answer.or_else(|| self.duration_us.map(|us| format!("{us} us")))
    }
}

fn traced(trace: &Trace) -> String {
    if trace.steps.is_empty() {
        return format!("No System ran on Entity {}, or it is long over.\n", trace.entity);
    }
    let mut text = String::new();
    if trace.gone > 0 {
        let _ = writeln!(text, "… {} steps are not kept any more", trace.gone);
    }
    for step in &trace.steps {
        let took = step.took().map(|took| format!("  ({took})")).unwrap_or_default();
        let _ = writeln!(text, "{}  {}{took}", step.time, short(&step.system));
        for (name, value) in step.entity.iter().filter(|(name, _)| *name != "entity") {
            let _ = writeln!(text, "    {} = {}", short(name), cut(value.text()));
        }
        for change in &step.changes {
            let _ = writeln!(text, "    {}", change.told());
        }
    }
    text
}

/// Prints what runs until the Entity is over.
async fn follow(client: &Client, entity: u32, as_json: bool) -> Result<ExitCode, CallError> {
    let mut tail = Tail::of(entity);
    let mut ticks = tokio::time::interval(ASK_EVERY);
    loop {
        ticks.tick().await;
        // Asked before the steps: what ran until it was over is in them.
        let end = end_of(client, entity).await?;
        loop {
            for (entity, after) in tail.wanted() {
                let params = Json::of(&(entity, after, true));
                let answer = client.call("payecs_systrace", params).await?;
                tail.take(entity, &answer);
            }
            let unknown = tail.unknown();
            if unknown.is_empty() {
                break;
            }
            for other in unknown {
                let names = ["lightningd:parent", "lightningd:part", "lightningd:set"];
                let read = client.call("payecs_getcomponents", Json::of(&(other, names))).await?;
                tail.learn(other, &read);
            }
        }
        let lines = if as_json { tail.json_lines() } else { tail.lines() };
        let mut out = io::stdout().lock();
        let told = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
        drop(out);
        if told.is_err() {
            return Ok(ExitCode::FAILURE);
        }
        if let Some(end) = end {
            let line = if as_json { String::new() } else { end.told(entity) };
            let told = io::stdout().lock().write_all(line.as_bytes());
            return Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
}

/// How an Entity ended.
#[derive(Debug, Default)]
struct End {
    status: Option<String>,
    amount: Option<Msat>,
    fee: Option<Msat>,
    error: Option<ErrorObject>,
}

/// `None`: it goes on.
async fn end_of(client: &Client, entity: u32) -> Result<Option<End>, CallError> {
    #[derive(Deserialize)]
    struct Explained {
        state: String,
        error: Option<ErrorObject>,
    }
    let explained = client.call("payecs_explain", Json::of(&[entity])).await?;
    let explained = explained.decode::<Explained>().ok();
    let Some(Explained { error, .. }) =
        explained.filter(|it| it.state == "over" || it.state == "gone")
    else {
        return Ok(None);
    };
    let names = ["lightningd:status", "lightningd:amount", "lightningd:fee"];
    let read = client.call("payecs_getcomponents", Json::of(&(entity, names))).await?;
    let fields = read.fields().unwrap_or_default();
    let amount = |name: &str| fields.get(name)?.decode().ok();
    let status = fields.get(names[0]).and_then(Json::as_str).map(std::borrow::Cow::into_owned);
    Ok(Some(End { status, amount: amount(names[1]), fee: amount(names[2]), error }))
}

impl End {
    fn told(&self, entity: u32) -> String {
        let sat = super::demo::words::sat;
        let status = self.status.as_deref().unwrap_or("no System runs on it any more");
        let mut text = format!("Entity {entity} is over: {status}");
        if let (Some(amount), Some(fee)) = (self.amount, self.fee) {
            let _ = write!(text, ", {} and a fee of {}", sat(amount), sat(fee));
        }
        if let Some(error) = &self.error {
            let _ = write!(text, ", error {}: {}", error.code, error.message);
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_with_what_it_matched_and_changed() {
        let answer = r#"{"entity":7,"trace":[{"time":"T","system":"lightningd:plan","entity":
            {"entity":7,"lightningd:attempt":{}},"step":3,"changes":[
            {"component":"lightningd:status","change":"changed","value":"planning"},
            {"component":"acme:x","change":"detached"}],"duration_us":12},
            {"time":"U","system":"acme:x","entity":{"entity":7},"step":4,"changes":[],
            "duration_us":3,"answer_ms":250}],"gone":2}"#;
        let shown = traced(&Json::parse(answer).unwrap().decode().unwrap());
        let lines = [
            "… 2 steps are not kept any more",
            "T  plan  (12 us)",
            "    attempt = {}",
            "    ~status=\"planning\"",
            "    -acme:x",
            "U  acme:x  (answered after 250 ms)",
        ];
        assert_eq!(shown.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn how_it_ended_is_told_in_one_line() {
        let paid = End {
            status: Some("complete".to_owned()),
            amount: Some(Msat(20_000)),
            fee: Some(Msat(1_500)),
            error: None,
        };
        let line = "Entity 7 is over: complete, 20 sat and a fee of 1.500 sat\n";
        assert_eq!(paid.told(7), line);
        let error = Some(ErrorObject::new(205, "No route."));
        let failed = End { status: Some("failed".to_owned()), error, ..End::default() };
        assert_eq!(failed.told(7), "Entity 7 is over: failed, error 205: No route.\n");
    }
}
