//! lightningd's side of `payecs-plugin`, in Python, against the binary.

use std::{
    env,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

/// Where it is set, what needs Python is left out.
const SKIP: &str = "PAYECS_SKIP_PYTHON";
const BINARY: &str = env!("CARGO_BIN_EXE_payecs-plugin");

fn run(part: &str) {
    if env::var_os(SKIP).is_some() {
        eprintln!("{SKIP} is set: the part `{part}` is left out");
        return;
    }
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin/main.py");
    let place = tempfile::tempdir().expect("there is room");
    let mut python = Command::new("python3");
    python.arg("-B").arg(main).args([part, BINARY]).arg(place.path());
    match python.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{part}: {said}");
            eprint!("{said}");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "there is no python3: install Python 3.9 or newer, or leave this out with {SKIP}=1"
        ),
        Err(error) => panic!("python3: {error}"),
    }
}

#[test]
fn the_handshake_is_lightningds_and_no_name_is_taken_twice() {
    run("handshake");
}

#[test]
fn every_command_is_served_by_name_and_by_position() {
    run("life");
}

#[test]
fn a_system_is_told_of_before_the_answer_and_a_notification_runs_nothing() {
    run("told");
}

#[test]
fn what_is_received_is_told_on_a_topic_of_ours_without_its_preimage() {
    run("received");
}

#[test]
fn requests_are_read_however_they_are_glued_cut_or_broken() {
    run("framing");
}

#[test]
fn what_is_as_large_as_may_be_is_kept() {
    run("large");
}

#[test]
fn twenty_thousand_requests_at_once_are_answered_once_each() {
    run("pipelined");
}

#[test]
fn the_end_of_the_input_is_a_clean_stop() {
    run("ends");
}

#[test]
fn entities_are_there_after_a_kill() {
    run("kills");
}

#[test]
fn a_payment_above_what_is_set_waits_for_an_answer() {
    run("asks");
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_program_that_can_send_no_spans_is_disabled_and_says_how_to_build_one_that_can() {
    run("spanless");
}

#[test]
fn help_and_version_are_told_and_nothing_else_is_taken() {
    for (option, code, said) in [
        ("--help", 0, "plugin=/path/to/payecs-plugin"),
        ("--version", 0, "payecs-plugin "),
        // lightningd that runs with it hands it on.
        ("--developer", 0, ""),
        ("x", 2, ""),
    ] {
        let done = Command::new(BINARY).arg(option).stdin(Stdio::null()).output();
        let done = done.expect("it starts");
        assert_eq!(done.status.code(), Some(code), "{option}");
        assert!(String::from_utf8_lossy(&done.stdout).contains(said), "{option}");
    }
}
