//! `payecs graph`: graphs of channels in files.

mod stats;
mod import;

pub(super) use import::{check_free, write};

use super::call::{Daemon, refused};
use crate::cli::{client::CallError, spinner};
use ecs_core::{ErrorObject, Json};
use ecs_systems::refusal::PAY_UNSPECIFIED_ERROR;
use indicatif::{ProgressBar, ProgressStyle};
use payecs_gossip::{End, Format, Imported};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Files below this are read without a bar, in bytes.
const SMALL_BYTES: u64 = 8 << 20;

/// Shows what a graph is like, and makes one that `--graph` options take.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Stats(stats::Args),
    Import(import::Args),
}

/// A file to read, and how to answer.
#[derive(Clone, Debug, clap::Args)]
struct Source {
    /// A Core Lightning `gossip_store`, what `lightning-cli listchannels` or `lncli describegraph`
    /// printed; packed with zstd or not.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is written in: `gossip_store`, `listchannels` or `describegraph`. Default: what its
    /// content shows.
    #[arg(long, value_name = "FORMAT")]
    from: Option<Format>,
    /// One line of JSON, and errors as JSON on stdout too.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match &args.command {
        Command::Stats(args) => stats::run(args),
        Command::Import(args) => import::run(args),
    }
}

impl Source {
    /// Reads the graph, with a bar where a person looks and it takes a while.
    fn read(&self) -> Result<Imported, CallError> {
        let bar = ProgressBar::hidden();
        let mut is_shown = false;
        let read = payecs_gossip::import(&self.file, self.from, &mut |progress| {
            if !is_shown && progress.of >= SMALL_BYTES {
                is_shown = true;
                spinner::shown_as(&bar, progress.of, bar_style());
            }
            bar.set_position(progress.read);
        });
        bar.finish_and_clear();
        read.map_err(|error| failed(&self.file, &error.to_string()))
    }

    /// Says what is wrong with a file, and no more: what helps with a payment doesn't help here.
    fn refused(&self, error: &CallError) -> ExitCode {
        if let CallError::Refused(why) = error
            && !self.json
        {
            eprintln!("error: {}", why.message);
            return ExitCode::FAILURE;
        }
        refused(&Daemon { data_dir: PathBuf::new(), json: self.json }, error)
    }
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("  reading {bytes} of {total_bytes} {bar:30} {eta}");
    style.expect("the template is written here")
}

/// Something about a file is wrong.
fn failed(path: &Path, why: &str) -> CallError {
    let why = format!("{}: {why}", path.display());
    CallError::Refused(ErrorObject::new(PAY_UNSPECIFIED_ERROR, why))
}

/// What was left out, and how the reading ended, as data.
fn left_out(it: &Imported) -> [(&'static str, Json); 2] {
    let left_out = it.left_out.iter().map(|(why, count)| (*why, Json::of(count)));
    let end = match it.end {
        End::Whole => Json::of("whole"),
        End::Superseded => Json::of("superseded"),
        End::Torn { offset } => Json::object([("torn_at", Json::of(&offset))]),
    };
    [("left_out", Json::object(left_out)), ("end", end)]
}

/// The same in lines.
fn left_out_told(it: &Imported) -> Vec<String> {
    let mut lines: Vec<String> =
        it.left_out.iter().map(|(why, count)| format!("Left out: {count} {why}.")).collect();
    match it.end {
        End::Whole => {}
        End::Superseded => lines.push(
            "The store says that another one took its place: what is behind was not read."
                .to_owned(),
        ),
        End::Torn { offset } => lines.push(format!(
            "The last record, at offset {offset}, was not written to its end: it was not read."
        )),
    }
    lines
}

#[cfg(test)]
mod tests;
