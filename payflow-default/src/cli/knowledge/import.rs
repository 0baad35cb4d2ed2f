//! `payecs knowledge import`.

use super::{AT_ONCE, STANDARD, failed};
use crate::cli::{
    call::{Daemon, refused, told},
    client::{CallError, Client, block_on},
    demo::words::counted,
};
use ecs_core::{ErrorObject, Json};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
const METHOD: &str = "payecs_importknowledge";

/// Tells a daemon what a file has of liquidity: lines of JSON, as `payecs knowledge export` writes
/// them.
///
/// Each line is a report: `{"short_channel_id_dir", "minimum_msat", "maximum_msat", "time"}`, with
/// one bound at least; `age_seconds` in place of `time`, or neither for now. It counts as if the
/// daemon had learned it then: docs/RPC.md has the rules, with `payecs_importknowledge`.
///
/// All lines are judged before the first of them is imported. They are imported 1000 at a time;
/// where the daemon stops between, importing the same file again completes it.
///
/// Exit codes: 0 imported; 1 a line is refused, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs knowledge import --data-dir D known.jsonl
  payecs knowledge import --data-dir D known.jsonl --skip-unknown
  echo '{\"short_channel_id_dir\":\"1x2x3/0\",\"maximum_msat\":0}' |
    payecs knowledge import --data-dir D -")]
pub(super) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// The file that is read; `-`: stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave out what is of channels that the daemon's graph hasn't.
    #[arg(long)]
    skip_unknown: bool,
}

/// Reports for one call, each with the number of its line.
type Batch = Vec<(usize, Json)>;

pub(super) fn run(args: &Args) -> ExitCode {
    match imported(args) {
        Ok([imported, skipped]) => {
            let fields = [("imported", Json::of(&imported)), ("skipped", Json::of(&skipped))];
            let left_out = match skipped {
                0 => String::new(),
                _ => format!("; {skipped} of channels that the graph hasn't left out"),
            };
            let said = format!("Imported {}{left_out}.", counted(imported, "report"));
            told(&args.daemon, Ok(Json::object(fields)), |_| Some(said.clone()))
        }
        Err(error) => refused(&args.daemon, &error),
    }
}

/// How many were imported, and how many were left out.
fn imported(args: &Args) -> Result<[usize; 2], CallError> {
    let text = read(&args.file).map_err(|error| failed(&args.file, &error.to_string()))?;
    let batches = batches(&args.file, &text)?;
    let client = Client::of(&args.daemon.data_dir)?;
    block_on(async {
        for batch in &batches {
            let command = ("command_to_check", Json::of(METHOD));
            call(&client, "check", args, batch, Some(command)).await?;
        }
        let mut counts = [0, 0];
        for batch in &batches {
            let answer = call(&client, METHOD, args, batch, None).await?;
            let fields = answer.fields().unwrap_or_default();
            for (count, name) in counts.iter_mut().zip(["imported", "skipped"]) {
                *count += fields.get(name).and_then(|it| it.decode::<usize>().ok()).unwrap_or(0);
            }
        }
        Ok(counts)
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = if path == Path::new(STANDARD) {
        io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    }?;
    if read as u64 > FILE_BYTES_MAX {
        let what = format!("it has more than {FILE_BYTES_MAX} bytes: import it in pieces");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(text)
}

/// The lines of a file; empty ones are nothing.
fn batches(path: &Path, text: &str) -> Result<Vec<Batch>, CallError> {
    let mut batches: Vec<Batch> = Vec::new();
    for (place, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let report = Json::parse(line).ok().filter(|it| it.entries().is_some());
        let no_report = || failed(path, &format!("line {}: it is no JSON object", place + 1));
        let report = (place + 1, report.ok_or_else(no_report)?);
        match batches.last_mut().filter(|batch| batch.len() < AT_ONCE) {
            Some(batch) => batch.push(report),
            None => batches.push(vec![report]),
        }
    }
    Ok(batches)
}

/// Calls with a batch. A refusal names the line.
async fn call(
    client: &Client,
    method: &str,
    args: &Args,
    batch: &Batch,
    more: Option<(&'static str, Json)>,
) -> Result<Json, CallError> {
    let reports = Json::array(batch.iter().map(|(_, report)| report.clone()));
    let skips = ("skip_unknown", Json::of(&args.skip_unknown));
    let params = Json::object(more.into_iter().chain([("reports", reports), skips]));
    client.call(method, params).await.map_err(|error| match error {
        CallError::Refused(why) => CallError::Refused(named(&args.file, batch, why)),
        CallError::NotServed { .. }
        | CallError::Silent { .. }
        | CallError::Cookie(_)
        | CallError::Io(_) => error,
    })
}

/// A refusal with the line that it is about, where it says which report.
fn named(path: &Path, batch: &Batch, why: ErrorObject) -> ErrorObject {
    let index = why.facts().get("index").and_then(|it| it.decode::<usize>().ok());
    let Some((line, _)) = index.and_then(|index| batch.get(index)) else { return why };
    let message = format!("{}, line {line}: {}", path.display(), why.message);
    ErrorObject { message, ..why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one_and_empty_ones_too() {
        let text = format!("{{}}\n\n \n{}{{\"a\":1}}\r\n", "{}\n".repeat(AT_ONCE));
        let batches = batches(Path::new("F"), &text).unwrap();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [AT_ONCE, 2]);
        assert_eq!((batches[0][1].0, batches[1][1].0), (4, 1_004));
        for bad in ["{}\n[1]", "{}\n{", "{}\n{} {}"] {
            let error = super::batches(Path::new("F"), bad).unwrap_err();
            assert!(error.to_string().starts_with("F: line 2: it is no JSON object"), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_line_of_the_report_it_is_about() {
        let batch = vec![(7, Json::null()), (9, Json::null())];
        let data = Json::object([("index", Json::of(&1))]);
        let refused = ErrorObject::new(2_332, "no channel").with_data(&data);
        assert_eq!(named(Path::new("F"), &batch, refused).message, "F, line 9: no channel");
        let other = ErrorObject::new(209, "not yet");
        assert_eq!(named(Path::new("F"), &batch, other.clone()), other);
    }
}
