//! `payecs call`, and the commands that are one call each.

use super::{
    client::{CallError, Client, block_on},
    pretty::{fields, pretty},
};
use ecs_core::Json;
use ecs_systems::errors::explained;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// Which daemon, and how its answers are shown.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Daemon {
    /// The data directory of the daemon, which `payecs serve` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    pub(crate) data_dir: PathBuf,
    /// One line of JSON, and errors as JSON on stdout too.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Calls a method of a running daemon as its owner, and prints the answer as JSON.
///
/// Each PARAM is JSON, or text where it is no JSON: `7`, `true`, `[1,2]` and `{"a":1}` are what
/// they look like, `lnbc…` is a string, and so is `'"7"'`. They are given by position, or by name
/// where every one of them is NAME=VALUE. Options such as --json come before METHOD or after it.
/// `payecs call … check METHOD PARAM…` only judges a call.
///
/// Exit codes: 0 answered; 1 refused, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs call --data-dir D payecs_newentity
  payecs call --data-dir D payecs_getcomponents 1 lightningd:amount
  payecs call --data-dir D payecs_listentities limit=10 'required=[\"lightningd:invoice\"]'
  payecs call --data-dir D rpc.discover | jq -r '.methods[].name'")]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// What to call; docs/RPC.md lists everything.
    method: String,
    /// Its params.
    #[arg(value_name = "PARAM", allow_negative_numbers = true)]
    params: Vec<String>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match params(&args.params) {
        Ok(params) => one(&args.daemon, &args.method, params),
        Err(mixed) => {
            eprintln!(
                "error: `{mixed}` has a name, and another param has none: name all of them or \
                 none; text with `=` in it can be given as JSON, '\"{mixed}\"'"
            );
            ExitCode::from(2)
        }
    }
}

/// Calls once, and prints what comes of it.
pub(crate) fn one(daemon: &Daemon, method: &str, params: Json) -> ExitCode {
    let answer =
        Client::of(&daemon.data_dir).and_then(|client| block_on(client.call(method, params)));
    match answer {
        Ok(answer) => print(&answer, daemon.json),
        Err(error) => refused(daemon, &error),
    }
}

/// Calls once, and shows the answer in words; as it is where it is wanted so, or has no words.
pub(crate) fn show(
    daemon: &Daemon,
    method: &str,
    params: Json,
    tell: impl Fn(&Json) -> Option<String>,
) -> ExitCode {
    let answer =
        Client::of(&daemon.data_dir).and_then(|client| block_on(client.call(method, params)));
    told(daemon, answer, tell)
}

/// Shows an answer as [`show`] does.
pub(crate) fn told(
    daemon: &Daemon,
    answer: Result<Json, CallError>,
    tell: impl Fn(&Json) -> Option<String>,
) -> ExitCode {
    match answer {
        Ok(answer) if daemon.json => print(&answer, true),
        Ok(answer) => match tell(&answer) {
            Some(text) => match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            None => print(&answer, false),
        },
        Err(error) => refused(daemon, &error),
    }
}

/// Prints an answer; one that nobody reads is no success.
pub(crate) fn print(answer: &Json, one_line: bool) -> ExitCode {
    let text = if one_line { answer.to_string() } else { pretty(answer) };
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says why, and what to do next.
pub(crate) fn refused(daemon: &Daemon, error: &CallError) -> ExitCode {
    match error {
        CallError::Refused(error) if daemon.json => {
            print(&Json::of(error), true);
        }
        CallError::Refused(why) => {
            eprintln!("error: {error}");
            if let Some(data) = &why.data {
                eprint!("{}", fields(data, 1));
            }
            eprintln!("  {}", explained(why.code).next);
        }
        CallError::NotServed { .. }
        | CallError::Silent { .. }
        | CallError::Cookie(_)
        | CallError::Io(_) => {
            if daemon.json {
                let fields = [("code", Json::null()), ("message", Json::of(&error.to_string()))];
                print(&Json::object(fields), true);
            }
            eprintln!("error: {error}");
        }
    }
    ExitCode::FAILURE
}

/// By name where every one has a name, by position where none has; else one that has.
fn params(texts: &[String]) -> Result<Json, &str> {
    let named: Vec<(&str, &str)> = texts.iter().filter_map(|text| name_of(text)).collect();
    if named.is_empty() {
        return Ok(Json::array(texts.iter().map(|text| value(text))));
    }
    match texts.iter().find(|text| name_of(text).is_some()) {
        Some(first) if named.len() < texts.len() => Err(first),
        Some(_) | None => Ok(Json::object(named.into_iter().map(|(it, text)| (it, value(text))))),
    }
}

fn name_of(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    is_name(name).then_some((name, value))
}

fn value(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|_| Json::of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_json_or_text_and_by_name_only_where_all_are() {
        for (texts, wanted) in [
            (vec![], "[]"),
            (vec!["1", "lightningd:amount"], r#"[1,"lightningd:amount"]"#),
            (vec!["lnbc1", "null", "\"7\"", "1e400"], r#"["lnbc1",null,"7",1e400]"#),
            (vec!["limit=10", "required=[\"a\"]"], r#"{"limit":10,"required":["a"]}"#),
            (vec!["label=a=b"], r#"{"label":"a=b"}"#),
            (vec!["{\"a\":1}", "lightning:LNBC"], r#"[{"a":1},"lightning:LNBC"]"#),
        ] {
            let texts: Vec<String> = texts.into_iter().map(ToOwned::to_owned).collect();
            assert_eq!(params(&texts).unwrap().text(), wanted, "{texts:?}");
        }
        let mixed = ["7", "limit=10"].map(ToOwned::to_owned);
        assert_eq!(params(&mixed), Err("limit=10"));
    }
}
