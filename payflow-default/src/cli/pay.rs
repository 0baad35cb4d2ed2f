//! `payecs pay`: an invoice, with what happens meanwhile.

use super::{
    call::{Daemon, print, refused},
    client::{CallError, Client, block_on},
    demo::words::counted,
};
use ecs_core::Json;
use ecs_systems::refusal::{PAY_IN_PROGRESS, SHUTDOWN};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

/// The exit code where nobody knows.
const UNKNOWN: u8 = 3;
/// How often is asked how far a payment is.
const ASK_EVERY: Duration = Duration::from_millis(150);

/// Pays a BOLT 11 invoice, shows how far it is, and prints the result.
///
/// While it runs, stderr, if it is a terminal, shows the last System, the parts that are out, and
/// the fee so far. Ctrl-C ends the showing, not the payment: `payecs cancelpay` does that.
///
/// Exit codes: 0 paid; 1 not paid, with the code, the reason and what to do next; 2 for a bad
/// option; 3 nobody knows yet, such as when the daemon stops meanwhile, or another call is paying
/// the invoice: paying the same again is safe.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs pay --data-dir D lnbc1…
  payecs pay --data-dir D lnbc1… --amount 250sat --maxfee 3sat --retry-for 30
  payecs pay --data-dir D --idempotency-key order-17 lnbc1…   safe to repeat, whatever happens")]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// The invoice.
    invoice: String,
    /// What to pay, where the invoice names no amount: `250sat`, `250000msat`, `0.000001btc`, or
    /// bare millisatoshi.
    #[arg(long)]
    amount: Option<String>,
    /// The most that it may cost on top. Default: 0.5 % of the amount, at least 5 sat.
    #[arg(long)]
    maxfee: Option<String>,
    /// How long to try, in seconds. Default: 60.
    #[arg(long, value_name = "SECONDS")]
    retry_for: Option<u32>,
    /// The longest delay, in blocks. Default: 2016.
    #[arg(long, value_name = "BLOCKS")]
    maxdelay: Option<u32>,
    /// What it is for; goes into the books.
    #[arg(long)]
    label: Option<String>,
    /// Whoever pays again with this key and the same words gets the same answer.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Let --amount be up to twice what the invoice asks for.
    #[arg(long)]
    overpay: bool,
    /// Answer only once no part is out any more, not with the first proof.
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let paid = Client::of(&args.daemon.data_dir).and_then(|client| block_on(pay(args, &client)));
    match paid {
        Ok(answer) if args.daemon.json => print(&answer, true),
        Ok(answer) => told(&answer),
        Err(error) => {
            let exit = refused(&args.daemon, &error);
            if !is_unknown(&error) {
                return exit;
            }
            eprintln!(
                "It may have been paid, or may be still. Start the daemon if it has stopped, and \
                 ask with `payecs paystatus`, or pay the same invoice again: that is safe. \
                 Ask nobody for another invoice before you know."
            );
            ExitCode::from(UNKNOWN)
        }
    }
}

/// Whether nobody can say from this error that nothing was paid.
fn is_unknown(error: &CallError) -> bool {
    match error {
        CallError::Silent { .. } => true,
        CallError::Refused(error) => {
            let is_final = |json: &Json| json.decode::<bool>().ok();
            let told = error.facts().get("final").and_then(is_final);
            // Another call pays the same invoice: what comes of that is not known yet.
            let is_running = error.code == PAY_IN_PROGRESS;
            is_running || error.code == SHUTDOWN || told == Some(false)
        }
        CallError::NotServed { .. } | CallError::Cookie(_) | CallError::Io(_) => false,
    }
}

async fn pay(args: &Args, client: &Client) -> Result<Json, CallError> {
    let paying = client.call("pay", args.params());
    let mut paying = std::pin::pin!(paying);
    let shown = Shown::new(!args.daemon.json);
    let invoice = Json::object([("bolt11", Json::of(&args.invoice))]);
    let mut ticks = tokio::time::interval(ASK_EVERY);
    loop {
        tokio::select! {
            biased;
            answer = &mut paying => return answer,
            _ = ticks.tick() => {
                // Of a draft nothing is known yet, and the answer says why where there is nothing.
                if let Ok(status) = client.call("paystatus", invoice.clone()).await {
                    shown.show(&status);
                }
            }
        }
    }
}

impl Args {
    fn params(&self) -> Json {
        let text = |value: &Option<String>| value.as_ref().map(Json::of);
        let number = |value: Option<u32>| value.map(|value| Json::of(&value));
        let given = [
            ("invstring", Some(Json::of(&self.invoice))),
            ("amount_msat", text(&self.amount)),
            ("maxfee", text(&self.maxfee)),
            ("retry_for", number(self.retry_for)),
            ("maxdelay", number(self.maxdelay)),
            ("label", text(&self.label)),
            ("idempotency_key", text(&self.idempotency_key)),
            ("overpay", self.overpay.then(Json::yes)),
            ("wait", self.all.then(|| Json::of("all"))),
        ];
        Json::object(given.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}

/// How a payment stands, as far as it is shown.
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    phase: Option<String>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    parts: Vec<Json>,
    #[serde(default)]
    successful_parts: u64,
    #[serde(default)]
    failed_parts: u64,
    #[serde(default)]
    fee_msat: Option<u64>,
}

/// The line on stderr.
struct Shown(ProgressBar);

impl Shown {
    fn new(visible: bool) -> Self {
        let bar = if visible { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
        bar.set_style(style.expect("it is a template"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn show(&self, status: &Json) {
        let Ok(status) = status.decode::<Status>() else { return };
        let short = |name: &str| name.trim_start_matches("lightningd:").to_owned();
        let at = status.system.or(status.phase).map_or_else(String::new, |name| short(&name));
        let out = counted(status.parts.len(), "part");
        let (arrived, failed) = (status.successful_parts, status.failed_parts);
        let fee = status.fee_msat.unwrap_or_default();
        self.0.set_message(format!(
            "{at}; {out} out, {arrived} arrived, {failed} failed; fee so far {fee} msat"
        ));
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a payment came to.
#[derive(Deserialize)]
struct Paid {
    payment_hash: String,
    payment_preimage: String,
    amount_msat: u64,
    fee_msat: u64,
    successful_parts: usize,
    failed_parts: usize,
    #[serde(default)]
    replayed: bool,
}

fn told(answer: &Json) -> ExitCode {
    let Ok(paid) = answer.decode::<Paid>() else { return print(answer, false) };
    match io::stdout().lock().write_all(sentence(&paid).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn sentence(paid: &Paid) -> String {
    let Paid { amount_msat, fee_msat, failed_parts, .. } = paid;
    let arrived = counted(paid.successful_parts, "part");
    let before = if paid.replayed { "It was paid before" } else { "Paid" };
    format!(
        "{before}: {amount_msat} msat, fee {fee_msat} msat, {arrived} arrived, {failed_parts} \
         failed.\n  hash     {}\n  preimage {}\n",
        paid.payment_hash, paid.payment_preimage
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_one_part_and_more_are_parts() {
        for (parts, said) in [(1, " 1 part arrived, 0 failed."), (2, " 2 parts arrived, 0 failed.")]
        {
            let paid = Paid {
                payment_hash: "aa".to_owned(),
                payment_preimage: "bb".to_owned(),
                amount_msat: 1_000,
                fee_msat: 1,
                successful_parts: parts,
                failed_parts: 0,
                replayed: false,
            };
            assert!(sentence(&paid).contains(said), "{}", sentence(&paid));
        }
    }
}
