//! `payecs backup`: a copy of a data directory, while its engine runs or not.

pub(super) mod files;
pub(super) mod manifest;

use super::{demo::home::JOURNAL, spinner::spinner, verify};
use ecs_core::Json;
use indicatif::ProgressBar;
use ledger_store::{
    SECRETS_DIR,
    store::{Store, StoreError},
};
use manifest::Manifest;
use payecs_journal::{Cause, Disk, DiskError, Error, Head, OsDisk};
use serde::Serialize;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// How often a copy is begun anew because its engine let go of a file meanwhile.
const ATTEMPTS_MAX: u32 = 5;
/// What a backup is not, for people.
const ADVICE: &str = "Not in it: the channels of your node. Back those up with the node.
It is old as soon as a payment runs: after a restore the engine asks the node what happened since,
and takes on nothing before.";

/// Copies the journal of a data directory, also while its engine runs.
///
/// The copy has everything up to a record that was durable: the state, the whole ledger, and what
/// secrets the engine keeps beside them. It is a directory for its owner alone, written under
/// another name, checked as `payecs verify` does, and only then given its name. `payecs restore`
/// makes a data directory of it; `payecs verify --data-dir` proves it again at any time.
///
/// Not in it are the channels of the node, which the node must back up itself, and what can be made
/// again, such as the index. A backup is old the moment a payment runs; an engine that was restored
/// from it sends nothing before it has asked the node what happened since.
///
/// Exit codes: 0 made and checked; 1 not made; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs backup --data-dir D --to backups/monday
  payecs backup --data-dir D --to backups/latest --force
  payecs backup --data-dir D --to B --json | jq -r .ledger.head > head-of-today")]
pub(crate) struct Args {
    /// The directory that `payecs demo --data-dir` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    data_dir: PathBuf,
    /// The directory to be made.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Take the place of a backup that is there.
    #[arg(long)]
    force: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Why there is no backup. Nothing was changed at the place where it was to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackupError {
    /// Nothing to be copied.
    #[error("there is no journal in {}: is it a data directory?", .0.display())]
    NoJournal(PathBuf),
    /// The name is taken.
    #[error("{} is there already: choose another name{}", dir.display(), if *backup {
        ", or add --force to put the new backup in its place"
    } else {
        "; it is no backup, so it is never replaced"
    })]
    Taken {
        /// What is there.
        dir: PathBuf,
        /// Whether that is a backup.
        backup: bool,
    },
    /// The copy would be a part of what is copied.
    #[error("{} is in the data directory: choose a place outside, best on another disk",
        .0.display())]
    Inside(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A log could not be copied.
    #[error("in {}: {error}", dir.display())]
    Journal {
        /// Where: the original or the copy.
        dir: PathBuf,
        /// What is wrong.
        error: StoreError,
    },
    /// Where a journal is to be put, something is.
    #[error("{} is not empty, {} is there: name a new directory; nothing is ever overwritten",
        dir.display(), name.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        name: PathBuf,
    },
    /// The copy was made, and does not hold.
    #[error("the copy does not hold and was removed: {}", .0.join("; "))]
    Unsound(Vec<String>),
}

impl BackupError {
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        Self::File { path: path.to_owned(), why: error.to_string() }
    }

    pub(super) fn disk(dir: &Path, error: DiskError) -> Self {
        Self::journal(dir, Error::from(error).into())
    }

    pub(super) fn journal(dir: &Path, error: StoreError) -> Self {
        Self::Journal { dir: dir.to_owned(), error }
    }

    /// The engine let go of a file while it was copied.
    fn is_overtaken(&self) -> bool {
        let Self::Journal { error: StoreError::Journal(Error::Disk(error)), .. } = self else {
            return false;
        };
        error.cause == Cause::Missing
    }
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    to: PathBuf,
    /// The last record in it.
    record: u64,
    ledger: verify::Ledger,
    files: usize,
    bytes: u64,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match make(args) {
        Ok(made) => match print(&made, args.json) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(args: &Args) -> Result<Made, BackupError> {
    if !args.data_dir.join(JOURNAL).is_dir() {
        return Err(BackupError::NoJournal(args.data_dir.clone()));
    }
    check_place(args)?;
    let unfinished = files::unfinished(&args.to)?;
    let spinner = spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let made = fill(&args.data_dir, &unfinished, &spinner);
    spinner.finish_and_clear();
    let finished = made.and_then(|(head, record, manifest)| {
        files::finish(&unfinished, &args.to)?;
        Ok((head, record, manifest))
    });
    if finished.is_err() {
        // What is left of it has a name of its own and is no backup.
        let _ = fs::remove_dir_all(&unfinished);
    }
    let (head, record, manifest) = finished?;
    let ledger = verify::Ledger { entries: head.count, head: head.to_string() };
    let (files, bytes) = (manifest.files.len(), manifest.bytes());
    Ok(Made { to: args.to.clone(), record, ledger, files, bytes })
}

/// Whether a backup may be put there.
fn check_place(args: &Args) -> Result<(), BackupError> {
    let whole =
        |path: &Path| fs::canonicalize(path).map_err(|error| BackupError::file(path, &error));
    if whole(&files::above(&args.to))?.starts_with(whole(&args.data_dir)?) {
        return Err(BackupError::Inside(args.to.clone()));
    }
    let there = fs::symlink_metadata(&args.to).is_ok();
    let backup = Manifest::is_in(&args.to);
    if there && !(args.force && backup) {
        return Err(BackupError::Taken { dir: args.to.clone(), backup });
    }
    Ok(())
}

/// Copies, checks and describes; the head of the ledger that was copied, and the last record.
fn fill(
    data_dir: &Path,
    unfinished: &Path,
    spinner: &ProgressBar,
) -> Result<(Head, u64, Manifest), BackupError> {
    let (journal, to) = (data_dir.join(JOURNAL), unfinished.join(JOURNAL));
    let record = copy(&journal, &to, spinner)?;
    files::copy_others(&journal, &to)?;
    files::copy_dir(&data_dir.join(SECRETS_DIR), &unfinished.join(SECRETS_DIR))?;
    spinner.set_message("the copy is checked");
    let head = note(&to)?;
    let faults = verify::faults_of(&to);
    if !faults.is_empty() {
        return Err(BackupError::Unsound(faults));
    }
    let manifest = Manifest::of(unfinished, head, record)?;
    manifest.write(unfinished)?;
    Ok((head, record, manifest))
}

/// Copies the logs; the last record.
fn copy(journal: &Path, to: &Path, spinner: &ProgressBar) -> Result<u64, BackupError> {
    let from = OsDisk::open(journal).map_err(|error| BackupError::disk(journal, error))?;
    let mut attempt = 1;
    loop {
        let target = OsDisk::open(to).map_err(|error| BackupError::disk(to, error))?;
        let mut bytes = 0_u64;
        let copied = ledger_store::store::copy(&from, &target, &mut |piece| {
            bytes = bytes.saturating_add(piece);
            spinner.set_message(format!("{} MiB copied", bytes >> 20));
        });
        match copied.map_err(|error| BackupError::journal(journal, error)) {
            Err(error) if error.is_overtaken() && attempt < ATTEMPTS_MAX => attempt += 1,
            copied => return Ok(copied?.0),
        }
        fs::remove_dir_all(to).map_err(|error| BackupError::file(to, &error))?;
    }
}

/// Opens the copy, so that its ledger has all that its records have, and writes into its books that
/// it is a backup. The head is the one before that note: the original has it too.
fn note(to: &Path) -> Result<Head, BackupError> {
    let failed = |error| BackupError::journal(to, error);
    let disk = OsDisk::open(to).map_err(|error| BackupError::disk(to, error))?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let mut engine = verify::empty_engine().map_err(|why| BackupError::Unsound(vec![why]))?;
    let (mut store, _) =
        Store::open(&disk, verify::options(), &mut engine, &mut |_| {}).map_err(failed)?;
    let head = store.head();
    store.note_backup(&mut engine).map_err(failed)?;
    store.close().map_err(failed)?;
    Ok(head)
}

fn print(made: &Made, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", Json::of(made).text());
    }
    let Made { to, record, ledger, files, bytes } = made;
    writeln!(out, "backup  {}: {files} files, {bytes} bytes, written and checked", to.display())?;
    writeln!(out, "state   to record {record}")?;
    writeln!(out, "ledger  {} entries", ledger.entries)?;
    writeln!(out, "        head: {}", ledger.head)?;
    writeln!(out, "{ADVICE}")
}
