//! `payecs invoice`.

use super::{
    call::{Daemon, print, refused},
    client::{CallError, Client, block_on},
    pretty::facts,
};
use ecs_core::Json;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2, types::QrError};
use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

/// Makes an invoice, and shows it to whoever is to pay it.
///
/// AMOUNT is in millisatoshi, or `100sat`, `0.001btc`, or `any` where the payer chooses. LABEL is
/// your name for it: no two invoices have the same.
///
/// Exit codes: 0 made, and paid with --wait; 1 refused, expired, or nobody answers; 2 for a bad
/// option.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  payecs invoice --data-dir D 100sat order-17 'two teas' --qr
  payecs invoice --data-dir D any donations 'thank you' --expiry 31536000
  payecs invoice --data-dir D 1000sat order-18 'a cake' --qr --wait")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// How much.
    amount: String,
    /// What you call it.
    label: String,
    /// What the payer reads.
    description: String,
    /// How long it can be paid, in seconds; a week without it.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    expiry: Option<u32>,
    /// An address on the chain where it may be paid too; may be repeated, the best first.
    #[arg(long, value_name = "ADDRESS")]
    fallback: Vec<String>,
    /// Put only the hash of the description into the invoice.
    #[arg(long)]
    hash_only: bool,
    /// Hold what is paid until `payecs call settlepaycode` or `cancelpaycode`.
    #[arg(long)]
    hold: bool,
    /// The hash of somebody else's preimage; what is paid is held until `settlepaycode` brings it.
    #[arg(long, value_name = "HASH")]
    payment_hash: Option<String>,
    /// Draw it as a QR code.
    #[arg(long)]
    qr: bool,
    /// Wait until it is paid.
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let made = Client::of(&args.daemon.data_dir)
        .and_then(|client| block_on(client.call("invoice", params(args))));
    let shown = match made {
        Ok(made) => show(args, &made),
        Err(error) => return refused(&args.daemon, &error),
    };
    if shown.is_err() {
        return ExitCode::FAILURE;
    }
    if args.wait { wait(args) } else { ExitCode::SUCCESS }
}

fn params(args: &Args) -> Json {
    let mut params = vec![
        ("amount_msat", Json::of(&args.amount)),
        ("label", Json::of(&args.label)),
        ("description", Json::of(&args.description)),
    ];
    params.extend(args.expiry.map(|seconds| ("expiry", Json::of(&seconds))));
    if !args.fallback.is_empty() {
        params.push(("fallbacks", Json::of(&args.fallback)));
    }
    if args.hash_only {
        params.push(("deschashonly", Json::of(&true)));
    }
    if args.hold {
        params.push(("hold", Json::of(&true)));
    }
    params.extend(args.payment_hash.as_ref().map(|hash| ("payment_hash", Json::of(hash))));
    Json::object(params)
}

/// The invoice, and what its maker should know.
fn show(args: &Args, made: &Json) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.daemon.json {
        return writeln!(out, "{made}");
    }
    let fields = made.fields().unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let bolt11 = text("bolt11");
    if args.qr {
        match drawn(&bolt11, out.is_terminal()) {
            Ok(code) => writeln!(out, "{code}\n")?,
            Err(_) => eprintln!("warning: the invoice is too long for a QR code"),
        }
    }
    writeln!(out, "{bolt11}")?;
    for (name, warning) in &fields {
        if name.starts_with("warning_") {
            eprintln!("warning: {}", warning.as_str().unwrap_or_default());
        }
    }
    Ok(())
}

/// An invoice as a code of half blocks: in a terminal dark on light whatever its colours, elsewhere
/// without any, for a dark ground. Capitals take less room there (BOLT 11).
fn drawn(bolt11: &str, in_colours: bool) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(bolt11.to_uppercase(), EcLevel::L)?;
    let mut image = code.render::<Dense1x2>();
    let lines = image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    if !in_colours {
        return Ok(lines);
    }
    let inverse = lines.lines().map(|line| format!("\u{1b}[97;40m{line}\u{1b}[0m"));
    Ok(inverse.collect::<Vec<_>>().join("\n"))
}

/// Waits for the payment, and shows it.
fn wait(args: &Args) -> ExitCode {
    if !args.daemon.json {
        eprintln!("waiting for the payment; Ctrl-C leaves the invoice as it is");
    }
    let paid: Result<Json, CallError> = Client::of(&args.daemon.data_dir).and_then(|client| {
        block_on(client.call("waitinvoice", Json::array([Json::of(&args.label)])))
    });
    match paid {
        Ok(paid) if args.daemon.json => print(&paid, true),
        Ok(paid) => match facts(&paid) {
            Some(text) => match writeln!(io::stdout().lock(), "\n{}", text.trim_end()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            None => print(&paid, false),
        },
        Err(error) => refused(&args.daemon, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_where_there_is_room_for_it_and_its_lines_are_equally_wide() {
        let code = drawn(&format!("lnbcrt{}", "q".repeat(300)), true).unwrap();
        let widths: Vec<usize> = code.lines().map(|line| line.chars().count()).collect();
        assert!(widths.len() > 20 && widths.iter().all(|width| *width == widths[0]), "{widths:?}");
        assert!(code.starts_with("\u{1b}[97;40m") && code.ends_with("\u{1b}[0m"));
        assert!(drawn(&"q".repeat(4_296), true).is_ok());
        assert_eq!(drawn(&"q".repeat(4_297), true), Err(QrError::DataTooLong));
    }
}
