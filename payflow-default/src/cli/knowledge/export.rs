//! `payecs knowledge export`.

use super::{AT_ONCE, STANDARD, failed};
use crate::cli::{
    call::{Daemon, refused, told},
    client::{CallError, Client, block_on},
    demo::words::counted,
    graph::{check_free, write},
};
use ecs_core::{Fields, Json};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Writes what a daemon knows of the liquidity of announced channels, as lines of JSON that
/// `payecs knowledge import` takes.
///
/// Each line is a report: bounds of a direction as they were at a `time`. They are older where they
/// are imported, and count less. What the daemon learns meanwhile may be in it or not. Of channels
/// that the graph hasn't, and of what is in flight, nothing is written.
///
/// The file appears whole or not at all.
///
/// Exit codes: 0 written; 1 the file can't be written or is there, or nobody answers; 2 for a bad
/// option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs knowledge export --data-dir D known.jsonl
  payecs knowledge export --data-dir D - | ssh other payecs knowledge import --data-dir E -")]
pub(super) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// The file that is written; `-`: stdout, and nothing else is said then.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write it also where there is one.
    #[arg(long)]
    force: bool,
}

/// What is written.
#[derive(Default)]
struct Lines {
    text: String,
    reports: usize,
    directions: usize,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match exported(args) {
        Ok(lines) if args.file == Path::new(STANDARD) => {
            match io::stdout().lock().write_all(lines.text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Ok(lines) => {
            let out = args.file.display().to_string();
            let fields = [
                ("out", Json::of(&out)),
                ("reports", Json::of(&lines.reports)),
                ("directions", Json::of(&lines.directions)),
            ];
            let [reports, directions] =
                [counted(lines.reports, "report"), counted(lines.directions, "direction")];
            let said = format!("{out}: {reports} of {directions}.");
            told(&args.daemon, Ok(Json::object(fields)), |_| Some(said.clone()))
        }
        Err(error) => refused(&args.daemon, &error),
    }
}

fn exported(args: &Args) -> Result<Lines, CallError> {
    let to_file = args.file != Path::new(STANDARD);
    if to_file {
        check_free(&args.file, args.force)?;
    }
    let client = Client::of(&args.daemon.data_dir)?;
    let lines = block_on(lines(&client))?;
    if to_file {
        // Somebody may have made it meanwhile.
        check_free(&args.file, args.force)?;
        write(&args.file, lines.text.as_bytes())
            .map_err(|error| failed(&args.file, &error.to_string()))?;
    }
    Ok(lines)
}

/// Asks page by page. It ends: each page begins behind the one before.
async fn lines(client: &Client) -> Result<Lines, CallError> {
    let (mut lines, mut after) = (Lines::default(), None);
    loop {
        let mut params = vec![("limit", Json::of(&AT_ONCE))];
        params.extend(after.map(|after| ("after", after)));
        let page = client.call("payecs_listknowledge", Json::object(params)).await?;
        let mut page = page.fields().unwrap_or_default();
        for element in page.remove("knowledge").and_then(|it| it.items()).unwrap_or_default() {
            lines.add(&element);
        }
        match page.remove("next") {
            Some(next) => after = Some(next),
            None => return Ok(lines),
        }
    }
}

impl Lines {
    fn add(&mut self, element: &Json) {
        let mut element = element.fields().unwrap_or_default();
        let reports = element.remove("reports").and_then(|it| it.items()).unwrap_or_default();
        let direction = element.remove("short_channel_id_dir");
        let Some(direction) = direction.filter(|_| element.contains_key("capacity_msat")) else {
            return;
        };
        self.directions += usize::from(!reports.is_empty());
        for report in reports {
            let mut row: Fields = vec![("short_channel_id_dir".to_owned(), direction.clone())];
            row.extend(report.entries().unwrap_or_default());
            self.text.push_str(Json::object(row).text());
            self.text.push('\n');
            self.reports += 1;
        }
    }
}
