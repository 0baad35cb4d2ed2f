//! Commands about payments that were made: `listpays`, `paystatus`, `cancelpay`.

use super::{
    ask::table,
    call::{Daemon, show, told},
    client::{CallError, Client, block_on},
    demo::words::sat,
    pretty::facts,
};
use ecs_core::Json;
use ecs_systems::units::{Msat, PaymentHash, Timestamp};
use serde::Deserialize;
use std::process::ExitCode;
use tabled::builder::Builder;

/// Lists the payments that were tried, by when they began, each try as one row.
///
/// Exit codes: 0 listed; 1 nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs listpays --data-dir D --status failed
  payecs listpays --data-dir D --json lnbc1… | jq .pays")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    daemon: Daemon,
    /// Only those of this invoice or payment hash.
    #[arg(value_name = "INVOICE|HASH")]
    which: Option<String>,
    /// Only those that stand so.
    #[arg(long, value_enum)]
    status: Option<Standing>,
    /// The first index that is listed.
    #[arg(long, value_name = "INDEX", default_value_t = 1)]
    start: u64,
    /// Most payments that are listed.
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Standing {
    Pending,
    Complete,
    Failed,
}

/// Says how a payment stands, live or ended.
///
/// Exit codes: 0 shown; 1 no such payment is known, or nobody answers; 2 for a bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  payecs paystatus --data-dir D lnbc1…")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    daemon: Daemon,
    /// Its invoice, its payment hash, or the number of its Entity.
    #[arg(value_name = "INVOICE|HASH|ENTITY")]
    which: String,
}

/// Has a payment start nothing more. Parts that are out may still arrive.
///
/// Exit codes: 0 it starts nothing more; 1 no such payment is under way, or nobody answers; 2 for a
/// bad option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  payecs cancelpay --data-dir D lnbc1…")]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    daemon: Daemon,
    /// Its invoice, its payment hash, or the number of its Entity.
    #[arg(value_name = "INVOICE|HASH|ENTITY")]
    which: String,
}

pub(crate) fn list(args: &ListArgs) -> ExitCode {
    let status = args.status.map(|standing| match standing {
        Standing::Pending => "pending",
        Standing::Complete => "complete",
        Standing::Failed => "failed",
    });
    let params = [("index", Json::of("created")), ("start", Json::of(&args.start))].into_iter();
    let params = params.chain([("limit", Json::of(&args.limit))]);
    let params = params.chain(args.which.as_ref().map(|which| hash_or_invoice(which)));
    let params = params.chain(status.map(|status| ("status", Json::of(status))));
    show(&args.daemon, "listpays", Json::object(params), listed)
}

pub(crate) fn status(args: &StatusArgs) -> ExitCode {
    show(&args.daemon, "paystatus", Json::object([named(&args.which)]), facts)
}

pub(crate) fn cancel(args: &CancelArgs) -> ExitCode {
    let answer = Client::of(&args.daemon.data_dir)
        .and_then(|client| block_on(cancelled(&client, &args.which)));
    told(&args.daemon, answer, |answer| {
        Some(format!("It starts nothing more. What is out may still arrive.\n{}", facts(answer)?))
    })
}

async fn cancelled(client: &Client, which: &str) -> Result<Json, CallError> {
    let mut named = named(which);
    if named.0 == INVOICE {
        let invoice: Invoice =
            client.call("decode", Json::of(&[which])).await?.decode().unwrap_or_default();
        named = ("payment_hash", Json::of(&invoice.payment_hash));
    }
    client.call("cancelpay", Json::object([named])).await
}

/// What an invoice says, as far as it is needed here.
#[derive(Default, Deserialize)]
struct Invoice {
    #[serde(default)]
    payment_hash: Option<String>,
}

/// The param that an invoice is.
const INVOICE: &str = "bolt11";

/// The param that names a payment.
fn named(which: &str) -> (&'static str, Json) {
    match which.parse::<u32>() {
        Ok(entity) => ("entity", Json::of(&entity)),
        Err(_) => hash_or_invoice(which),
    }
}

fn hash_or_invoice(which: &str) -> (&'static str, Json) {
    let is_hash = which.parse::<PaymentHash>().is_ok();
    (if is_hash { "payment_hash" } else { INVOICE }, Json::of(which))
}

#[derive(Deserialize)]
struct Pays {
    pays: Vec<Pay>,
    #[serde(default)]
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Pay {
    payment_hash: String,
    status: String,
    created_at: u64,
    #[serde(default)]
    label: Option<String>,
    amount_msat: Msat,
    #[serde(default)]
    fee_msat: Option<Msat>,
    created_index: u64,
    #[serde(default)]
    error: Option<ecs_core::ErrorObject>,
}

fn listed(answer: &Json) -> Option<String> {
    let it: Pays = answer.decode().ok()?;
    let mut rows = Builder::default();
    rows.push_record(["index", "amount", "fee", "status", "began", "label", "payment hash"]);
    for pay in it.pays {
        let fee = pay.fee_msat.map_or_else(String::new, sat);
        let code = pay.error.map_or_else(String::new, |error| format!(" {}", error.code));
        rows.push_record([
            pay.created_index.to_string(),
            sat(pay.amount_msat),
            fee,
            pay.status + &code,
            Timestamp::from_unix_seconds(pay.created_at).to_string(),
            pay.label.unwrap_or_default(),
            pay.payment_hash,
        ]);
    }
    let more = it.next.map_or_else(String::new, |next| format!("\nMore: --start {next}"));
    Some(table(rows, 0..3) + &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_named_by_what_is_at_hand() {
        let hash = "ab".repeat(32);
        for (which, param) in
            [("17", "entity"), (hash.as_str(), "payment_hash"), ("lnbc1", "bolt11")]
        {
            assert_eq!(named(which).0, param, "{which}");
        }
    }

    #[test]
    fn payments_are_rows_with_what_they_cost_and_why_they_failed() {
        let answer = r#"{"pays":[{"payment_hash":"aa","status":"complete","created_at":1767225600,
            "amount_msat":20500,"fee_msat":1000,"created_index":3,"destination":"02"},
            {"payment_hash":"bb","status":"failed","created_at":1767225601,"amount_msat":1000,
            "created_index":4,"label":"rent","error":{"code":205,"message":"No"}}],"next":5}"#;
        let said = listed(&Json::parse(answer).unwrap()).unwrap();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = said.lines().map(words).collect();
        let wanted = [
            "index amount fee status began label payment hash",
            "3 20.500 sat 1 sat complete 2026-01-01T00:00:00.000Z aa",
            "4 1 sat failed 205 2026-01-01T00:00:01.000Z rent bb",
            "More: --start 5",
        ];
        assert_eq!(lines, wanted);
    }
}
