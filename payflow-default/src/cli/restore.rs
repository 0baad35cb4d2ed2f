//! `payecs restore`: a data directory from a backup.

mod check;

use super::{
    backup::{BackupError, files, manifest::Manifest},
    demo::home::{JOURNAL, NETWORK},
    verify,
};
use ecs_core::Json;
use ledger_store::SECRETS_DIR;
use payecs_journal::OsDisk;
use serde::Serialize;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What a backup has of a data directory. The secrets come first: without them a journal with
/// receipts is of no use.
const PARTS: [&str; 2] = [SECRETS_DIR, JOURNAL];
/// What follows, for people.
const ADVICE: &str = "At its first start the engine sends nothing: it asks the node what happened \
since the backup was made,
and books it. Only then it takes on new payments. Never start two engines on one node.";

/// Makes a data directory from a backup that `payecs backup` made.
///
/// Everything is checked before anything is written: each file against the backup's own list, then
/// the journal as `payecs verify` does. The directory must not exist, or be empty. The books of a
/// backup say that they are one: an engine that starts with them takes on nothing before it has
/// asked the node what was paid since, so that nothing is paid twice.
///
/// Exit codes: 0 restored; 1 not restored, and nothing written; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs restore --from backups/monday --data-dir D
  payecs restore --from B --data-dir D --json | jq -r .ledger.head")]
pub(crate) struct Args {
    /// The backup.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The directory to be made, or an empty one. One that has only a simulated network is taken
    /// as empty: the network is not the engine's.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What was restored.
#[derive(Debug, Serialize)]
struct Restored {
    data_dir: PathBuf,
    /// The last record of the original that is in it.
    record: u64,
    ledger: verify::Ledger,
    files: usize,
    bytes: u64,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match restore(args) {
        Ok(restored) => match print(&restored, args.json) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn restore(args: &Args) -> Result<Restored, BackupError> {
    let manifest = Manifest::check(&args.from)?;
    must_be_empty(&args.data_dir)?;
    let is_new = !args.data_dir.exists();
    OsDisk::open(&args.data_dir).map_err(|error| BackupError::disk(&args.data_dir, error))?;
    let mut done = Vec::new();
    if let Err(error) = PARTS.iter().try_for_each(|part| put(args, &manifest, part, &mut done)) {
        for part in done {
            let _ = fs::remove_dir_all(part);
        }
        if is_new {
            let _ = fs::remove_dir(&args.data_dir);
        }
        return Err(error);
    }
    let (files, bytes) = (manifest.files.len(), manifest.bytes());
    let ledger = verify::Ledger { entries: manifest.entries(), head: manifest.head };
    Ok(Restored { data_dir: args.data_dir.clone(), record: manifest.record, ledger, files, bytes })
}

/// Puts a part of a backup into the directory, whole or not at all.
fn put(
    args: &Args,
    manifest: &Manifest,
    part: &str,
    done: &mut Vec<PathBuf>,
) -> Result<(), BackupError> {
    let to = args.data_dir.join(part);
    let unfinished = files::unfinished(&to)?;
    let put = fill(&args.from, &unfinished, manifest, part)
        .and_then(|()| files::finish(&unfinished, &to));
    if put.is_err() {
        // What is left of it has a name of its own and is no part of a data directory.
        let _ = fs::remove_dir_all(&unfinished);
    } else {
        done.push(to);
    }
    put
}

/// Copies a part of a backup, and looks whether a journal holds.
fn fill(
    from: &Path,
    unfinished: &Path,
    manifest: &Manifest,
    part: &str,
) -> Result<(), BackupError> {
    for file in &manifest.files {
        let Ok(name) = file.name.strip_prefix(part) else { continue };
        files::copy(&from.join(&file.name), &unfinished.join(name))?;
    }
    let faults = if part == JOURNAL { verify::faults_of(unfinished) } else { Vec::new() };
    if faults.is_empty() { Ok(()) } else { Err(BackupError::Unsound(faults)) }
}

/// Whether a journal may be put there.
fn must_be_empty(dir: &Path) -> Result<(), BackupError> {
    let found = match fs::read_dir(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BackupError::file(dir, &error)),
    };
    for entry in found {
        let name = entry.map_err(|error| BackupError::file(dir, &error))?.file_name();
        if name != NETWORK {
            return Err(BackupError::NotEmpty { dir: dir.to_owned(), name: name.into() });
        }
    }
    Ok(())
}

fn print(restored: &Restored, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", Json::of(restored).text());
    }
    let Restored { data_dir, record, ledger, files, bytes } = restored;
    let dir = data_dir.display();
    writeln!(out, "restored {dir}: {files} files, {bytes} bytes, written and checked")?;
    writeln!(out, "state    to record {record}")?;
    writeln!(out, "ledger   {} entries of the original", ledger.entries)?;
    writeln!(out, "         head: {}", ledger.head)?;
    writeln!(out, "{ADVICE}")
}
