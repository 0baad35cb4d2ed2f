//! `payecs knowledge`: what is known of liquidity, from a daemon to a file and back.

mod export;
mod import;

use super::client::CallError;
use ecs_core::ErrorObject;
use ecs_systems::refusal::PAY_UNSPECIFIED_ERROR;
use std::{path::Path, process::ExitCode};

/// What stands for standard input or output.
const STANDARD: &str = "-";
/// Reports in one call, as many as a daemon takes.
const AT_ONCE: usize = 1_000;

/// Writes what a daemon knows of liquidity to a file, or tells a daemon what a file has of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Export(export::Args),
    Import(import::Args),
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match &args.command {
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
    }
}

/// Something about a file is wrong.
fn failed(path: &Path, why: &str) -> CallError {
    let why = format!("{}: {why}", path.display());
    CallError::Refused(ErrorObject::new(PAY_UNSPECIFIED_ERROR, why))
}
