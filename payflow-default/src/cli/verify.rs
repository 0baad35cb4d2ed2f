//! `payecs verify`: whether a data directory is as it was written, and its books add up.

mod checkpoints;

use super::{
    demo::home::{INDEX, JOURNAL},
    spinner::spinner,
};
use ecs_core::{Engine, Json};
use ecs_systems::{policy::Policy, port::Books};
use indicatif::ProgressBar;
use ledger_store::{
    LATE_PAYMENTS_MAX, LedgerHistory, MemoryLedger, MemoryReceipts,
    store::{Store, StoreError},
};
use node_sim::OUR_NAME;
use payecs_index::{Backend as _, Fault, HISTORY, Progress, SledBackend, compare};
use payecs_journal::{Disk, Head, LedgerReader, LogId, Options, OsDisk};
use payflow_default::app::{Parts, bundled, engine};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Proves the journal of a data directory: every entry of the ledger follows from the one before,
/// the books follow from the entries, the state agrees with them, and the index finds every entry.
///
/// Where something is not as it was written, the file, the byte and the entry are named, and what
/// still holds. The chain can be read while the engine runs; for the rest it must be stopped. What
/// a crash left unfinished at the end of a file is finished first, as a start would.
///
/// Exit codes: 0 all holds; 1 something does not; 2 for a bad option; 3 the chain holds, and the
/// rest was not looked at, because the engine runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs verify --data-dir D
  payecs verify --data-dir D --head \"$(cat head-of-last-month)\"
                                   also proves that nothing was rewritten since that head
  payecs verify --data-dir D --key \"$(cat key-of-the-engine)\"
                                   also proves that this engine signed its checkpoints
  payecs verify --data-dir D --json | jq -r .ledger.head > head-of-this-month")]
pub(crate) struct Args {
    /// The directory that `payecs serve` or `payecs demo` keeps.
    #[arg(long, value_name = "DIR", env = "PAYECS_DATA_DIR")]
    data_dir: PathBuf,
    /// A head of the ledger that an earlier `verify` printed and that was kept elsewhere; may be
    /// given several times.
    #[arg(long, value_name = "HEAD")]
    head: Vec<Head>,
    /// The public key of the engine, which an earlier `verify` printed and that was kept elsewhere:
    /// each checkpoint must be signed by it. May be given several times, where a restored engine
    /// went on with a key of its own.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// The exit code where what was looked at holds, and not all could be looked at.
const NOT_ALL_SEEN: u8 = 3;

/// What was found; `fault` where something does not hold.
#[derive(Debug, Default, Serialize)]
struct Report {
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Ledger>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<checkpoints::Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    books: Option<BooksFound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<IndexFound>,
    /// Each thing that does not hold, as a sentence.
    faults: Vec<String>,
    /// Why more was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<String>,
}

/// Why the state was not gone through.
enum NotSeen {
    /// Another process has it.
    Held(String),
    /// It can't be read, or something of it does not hold.
    Fault(String),
}

impl From<String> for NotSeen {
    fn from(fault: String) -> Self {
        Self::Fault(fault)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Ledger {
    pub(super) entries: u64,
    pub(super) head: String,
}

#[derive(Debug, Serialize)]
struct State {
    /// Behind the newest snapshot.
    records: u64,
    /// Cut from the ends of files: they were never acknowledged.
    torn_bytes: u64,
}

#[derive(Debug, Serialize)]
struct BooksFound {
    postings: u64,
    /// Hashes with a payment that has not ended.
    open: usize,
    accounts: usize,
}

#[derive(Debug, Serialize)]
struct IndexFound {
    /// Of the ledger: each is found by all its names, and nothing else is.
    entries: u64,
    /// Later ones, which the next start reads.
    behind: u64,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let dir = args.data_dir.join(JOURNAL);
    if !dir.is_dir() {
        eprintln!("error: there is no journal in {}: is it a data directory?", dir.display());
        return ExitCode::FAILURE;
    }
    let mut report = Report::default();
    match OsDisk::open(dir) {
        Ok(disk) => look(args, &(Arc::new(disk) as Arc<dyn Disk>), &mut report),
        Err(error) => report.faults.push(error.to_string()),
    }
    report.holds = report.faults.is_empty() && report.unseen.is_none();
    match print(&report, args.json) {
        Ok(()) if report.holds => ExitCode::SUCCESS,
        Ok(()) if report.faults.is_empty() => ExitCode::from(NOT_ALL_SEEN),
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}

/// What does not hold of the journal in a directory, as sentences.
pub(super) fn faults_of(journal: &Path) -> Vec<String> {
    let mut report = Report::default();
    match OsDisk::open(journal) {
        Ok(disk) => {
            let _ledger =
                look_at_journal(&[], &[], &(Arc::new(disk) as _), &mut report, &spinner());
        }
        Err(error) => report.faults.push(error.to_string()),
    }
    report.faults.extend(report.unseen);
    report.faults
}

fn look(args: &Args, disk: &Arc<dyn Disk>, report: &mut Report) {
    let spinner = spinner();
    let ledger = look_at_journal(&args.head, &args.key, disk, report, &spinner);
    if let Some(ledger) = ledger {
        look_at_index(&args.data_dir.join(INDEX), &ledger, report, &spinner);
    }
    spinner.finish_and_clear();
}

/// Goes through both logs; what reads the ledger, where the state can be had.
fn look_at_journal(
    heads: &[Head],
    keys: &[String],
    disk: &Arc<dyn Disk>,
    report: &mut Report,
    spinner: &ProgressBar,
) -> Option<LedgerReader> {
    let (found, mut proven) = checkpoints::look(&**disk, keys, &mut report.faults);
    report.checkpoints = found;
    proven.extend(heads);
    let told = payecs_journal::verify(&**disk, &proven, &mut |progress| {
        let (read, all) = (progress.read_bytes >> 20, progress.total_bytes >> 20);
        spinner.set_message(format!("{} entries, {read} of {all} MiB", progress.entries));
        spinner.tick();
    });
    match told {
        Ok(head) => {
            report.ledger = Some(Ledger { entries: head.count, head: head.to_string() });
        }
        Err(error) => report.faults.push(error.to_string()),
    }
    match look_at_state(disk, report) {
        Ok(ledger) => Some(ledger),
        Err(NotSeen::Held(why)) => {
            report.unseen = Some(why);
            None
        }
        Err(NotSeen::Fault(fault)) => {
            report.faults.push(fault);
            None
        }
    }
}

/// Holds the index against the ledger, where there is one.
fn look_at_index(dir: &Path, ledger: &LedgerReader, report: &mut Report, spinner: &ProgressBar) {
    if !dir.is_dir() {
        return;
    }
    let compared = SledBackend::new(dir).open().map_err(Fault::from).and_then(|store| {
        compare(&*store, ledger, &HISTORY, &mut |Progress { applied, of }| {
            spinner.set_message(format!("{applied} of {of} entries found in the index"));
            spinner.tick();
        })
    });
    match compared {
        Ok(Progress { applied, of }) => {
            let behind = of.saturating_sub(applied);
            report.index = Some(IndexFound { entries: applied, behind });
        }
        Err(Fault::Index(why)) => report.faults.push(format!(
            "the index of the ledger is of no use: {why}; delete {}, and the next start builds it \
             again",
            dir.display()
        )),
        Err(Fault::Log(why)) => report.faults.push(why),
    }
}

/// An engine to be brought to a state and looked at.
pub(super) fn empty_engine() -> Result<Engine, String> {
    // Nothing is asked of it.
    let history = Arc::new(LedgerHistory::default());
    engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::over(OUR_NAME, history, LATE_PAYMENTS_MAX)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: bundled(),
    })
    .map_err(|error| error.to_string())
}

/// How a journal is opened to be looked at: nothing is set aside for what will not come.
pub(super) fn options() -> Options {
    Options { segment_bytes: 1 << 20, reserve_bytes: 0, ..Options::new(LogId([0; 16])) }
}

/// Brings an engine to the state, and goes through the books; what reads the ledger.
fn look_at_state(disk: &Arc<dyn Disk>, report: &mut Report) -> Result<LedgerReader, NotSeen> {
    let mut engine = empty_engine()?;
    let opened = Store::open(disk, options(), &mut engine, &mut |_| {});
    let (store, found) = opened.map_err(|error| {
        if matches!(error, StoreError::Journal(payecs_journal::Error::Locked { .. })) {
            return NotSeen::Held(format!(
                "{error}; state, books and index are proven once it is stopped, or in a backup"
            ));
        }
        NotSeen::Fault(error.to_string())
    })?;
    report.state = Some(State {
        records: found.records,
        torn_bytes: found.torn.iter().map(|torn| torn.cut_bytes).sum(),
    });
    report.faults.extend(found.skipped.iter().map(|snapshot| {
        format!("{}; a start takes the snapshot before it and the records since", snapshot.error)
    }));
    let audit = store.audit(OUR_NAME);
    report.books = Some(BooksFound {
        postings: audit.postings,
        open: audit.open,
        accounts: audit.balances.len(),
    });
    if let Some(fault) = audit.fault {
        let (index, why) = (fault.index, fault.why);
        return Err(NotSeen::Fault(format!(
            "entry {index} of the ledger does not follow from those before it: {why}; the {index} \
             before it hold"
        )));
    }
    report.faults.extend(audit.differs);
    let books = engine.resource::<Books>().ok_or_else(|| "the engine has no books".to_owned())?;
    books.0.verify().map_err(|error| error.to_string())?;
    for (account, balance) in books.0.trial_balance() {
        if audit.balances.get(&account) != Some(&balance) {
            report.faults.push(format!("the state has other sums of {account} than the ledger"));
        }
    }
    Ok(store.reader())
}

fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", Json::of(report).text());
    }
    if let Some(Ledger { entries, head }) = &report.ledger {
        writeln!(out, "ledger  {entries} entries, each follows from the one before")?;
        writeln!(out, "        head: {head}")?;
    }
    if let Some(checkpoints::Found { count, keys }) = &report.checkpoints {
        let keys = keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(out, "        {count} checkpoints, signed by {keys}")?;
    }
    if let Some(State { records, torn_bytes }) = &report.state {
        writeln!(out, "state   {records} records behind the newest snapshot, all readable")?;
        if *torn_bytes > 0 {
            writeln!(out, "        {torn_bytes} bytes of an unfinished write were cut")?;
        }
    }
    if let Some(BooksFound { postings, open, accounts }) = &report.books {
        writeln!(out, "books   {postings} postings on {accounts} accounts, {open} payments open")?;
    }
    if let Some(IndexFound { entries, behind }) = &report.index {
        writeln!(out, "index   {entries} entries found by all their names, {behind} behind")?;
    }
    for fault in &report.faults {
        writeln!(out, "FAULT   {fault}")?;
    }
    if let Some(why) = &report.unseen {
        writeln!(out, "unseen  {why}")?;
    }
    let verdict = match (report.holds, report.faults.as_slice()) {
        (true, _) => "All holds.",
        (false, []) => "What was looked at holds. It is not all: see above.",
        (false, _) => "Something does NOT hold: see above.",
    };
    writeln!(out, "{verdict}")
}
