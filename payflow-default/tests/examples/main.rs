//! The examples of `docs/examples/python`, and the guide `docs/PLUGINS.md`, against the binary.

use std::{env, io::ErrorKind, path::Path, process::Command};

/// Where it is set, the examples are left out: there is no Python, and that is known.
const SKIP: &str = "PAYECS_SKIP_PYTHON";

/// Runs a part of the tests.
fn run(part: &str) {
    if env::var_os(SKIP).is_some() {
        eprintln!("{SKIP} is set: the examples' part `{part}` is left out");
        return;
    }
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/main.py");
    let place = tempfile::tempdir().expect("there is room");
    let mut python = Command::new("python3");
    python.arg("-B").arg(main).args([part, env!("CARGO_BIN_EXE_payecs")]).arg(place.path());
    let output = match python.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "there is no python3: install Python 3.9 or newer, or leave this out with {SKIP}=1"
        ),
        Err(error) => panic!("python3: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{part}: {said}");
    eprint!("{said}");
}

#[test]
fn each_payment_is_tipped_once_and_never_beyond_what_was_set() {
    run("tips");
}

#[test]
fn a_human_is_asked_and_silence_is_a_no() {
    run("approvals");
}

#[test]
fn a_label_limits_what_fees_may_be() {
    run("fee_limits");
}

#[test]
fn the_guide_to_plugins_shows_what_happens() {
    run("guide");
}

#[test]
fn an_invoice_of_another_currency_is_paid_for_once_and_proved() {
    run("exchanges");
}
