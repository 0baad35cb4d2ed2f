//! Commands that are one question each: `decode`, `getinfo`, `ledger`.

use super::{
    call::{Daemon, one, show},
    pretty::facts,
};
use ecs_core::Json;
use serde::Deserialize;
use std::{ops::RangeBounds, process::ExitCode};
use tabled::{
    builder::Builder,
    settings::{Alignment, Style, object::Columns},
};

/// Shows what an invoice says, and what is wrong with it.
///
/// Exit codes: 0 shown; 1 it can't be read at all, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeArgs {
    #[command(flatten)]
    daemon: Daemon,
    /// The invoice, with or without `lightning:` in front.
    invoice: String,
}

/// Shows what the engine and its node are, and whether new payments are taken on.
///
/// Exit codes: 0 shown; 1 nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    daemon: Daemon,
}

/// Shows the books.
#[derive(Debug, clap::Args)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: Ledger,
}

#[derive(Debug, clap::Subcommand)]
enum Ledger {
    /// What the books come to, and the balance of each account, in millisatoshi.
    Balance {
        #[command(flatten)]
        daemon: Daemon,
    },
    /// The entries in the order in which they were written, each with its postings.
    List {
        #[command(flatten)]
        daemon: Daemon,
        /// The first that is listed, counted from 1.
        #[arg(long, value_name = "INDEX", default_value_t = 1)]
        start: u64,
        /// Most entries that are listed.
        #[arg(long, value_name = "N", default_value_t = 100,
              value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only those about this payment hash.
        #[arg(long, value_name = "HASH")]
        payment_hash: Option<String>,
    },
}

pub(crate) fn decode(args: &DecodeArgs) -> ExitCode {
    show(&args.daemon, "decode", Json::of(&[&args.invoice]), facts)
}

pub(crate) fn info(args: &InfoArgs) -> ExitCode {
    one(&args.daemon, "getinfo", Json::array([]))
}

pub(crate) fn ledger(args: &LedgerArgs) -> ExitCode {
    match &args.command {
        Ledger::Balance { daemon } => show(daemon, "ledger-balance", Json::array([]), balances),
        Ledger::List { daemon, start, limit, payment_hash } => {
            let mut params = vec![("start", Json::of(start)), ("limit", Json::of(limit))];
            params.extend(payment_hash.as_ref().map(|hash| ("payment_hash", Json::of(hash))));
            show(daemon, "ledger-list", Json::object(params), postings)
        }
    }
}

#[derive(Deserialize)]
struct Balances {
    spendable_msat: u64,
    pending_outgoing_msat: u64,
    outgoing_total_msat: u64,
    fees_paid_msat: u64,
    incoming_total_msat: u64,
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "account")]
    name: String,
    debits_pending_msat: u64,
    debits_posted_msat: u64,
    credits_pending_msat: u64,
    credits_posted_msat: u64,
}

fn balances(answer: &Json) -> Option<String> {
    let it: Balances = answer.decode().ok()?;
    let mut sums = Builder::default();
    for (name, amount) in [
        ("can be spent", it.spendable_msat),
        ("on its way out", it.pending_outgoing_msat),
        ("paid", it.outgoing_total_msat),
        ("in fees", it.fees_paid_msat),
        ("received", it.incoming_total_msat),
    ] {
        sums.push_record([name.to_owned(), amount.to_string()]);
    }
    let mut accounts = Builder::default();
    accounts.push_record(["account", "debits", "pending", "credits", "pending"]);
    for it in it.accounts {
        accounts.push_record([
            it.name,
            it.debits_posted_msat.to_string(),
            it.debits_pending_msat.to_string(),
            it.credits_posted_msat.to_string(),
            it.credits_pending_msat.to_string(),
        ]);
    }
    Some(format!("{}\n\n{}", table(sums, 1..), table(accounts, 1..)))
}

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Entry>,
    #[serde(default)]
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Entry {
    index: u64,
    recorded_at: Json,
    postings: Vec<Posting>,
}

#[derive(Deserialize)]
struct Posting {
    debit_account: String,
    credit_account: String,
    amount_msat: u64,
    code: String,
    state: String,
}

fn postings(answer: &Json) -> Option<String> {
    let it: Entries = answer.decode().ok()?;
    let mut rows = Builder::default();
    rows.push_record(["index", "time", "code", "state", "debit", "credit", "msat"]);
    for entry in it.entries {
        let time = entry
            .recorded_at
            .as_str()
            .map_or_else(|| entry.recorded_at.to_string(), std::borrow::Cow::into_owned);
        for posting in entry.postings {
            let Posting { debit_account, credit_account, amount_msat, code, state } = posting;
            let (index, amount) = (entry.index.to_string(), amount_msat.to_string());
            rows.push_record([
                index,
                time.clone(),
                code,
                state,
                debit_account,
                credit_account,
                amount,
            ]);
        }
    }
    let more = it.next.map_or_else(String::new, |next| format!("\nMore: --start {next}"));
    Some(table(rows, 6..) + &more)
}

/// Rows whose columns in `right` are aligned to the right.
pub(crate) fn table(rows: Builder, right: impl RangeBounds<usize>) -> String {
    let mut table = rows.build();
    table.with(Style::blank()).modify(Columns::new(right), Alignment::right());
    table.to_string()
}
