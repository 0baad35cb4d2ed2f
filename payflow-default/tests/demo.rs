//! The binary's `demo`, from outside.

use serde_json::Value;
use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
    command
        .env_remove("PAYECS_LOG")
        .env_remove("CLICOLOR_FORCE")
        .arg("demo")
        .args(args)
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it writes UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

fn all<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// What must be true of the default story, whatever the clock.
fn assert_whole_story(lines: &[Value]) {
    assert!(lines.iter().all(|line| line["event"].is_string()));
    let results = all(lines, "result");
    let (paid, refused) = (results[0], results[1]);
    assert_eq!(paid["status"], "complete");
    let parts = paid["parts"].as_array().expect("an array");
    let count = |state: &str| parts.iter().filter(|part| part["state"] == state).count();
    assert!(count("paid") >= 2, "several parts arrived");
    assert!(count("failed") >= 1, "a part failed");
    assert_eq!(paid["retried_parts"], count("failed"));
    assert!(paid["rounds"].as_u64().expect("a number") >= 2, "and was planned again");
    assert_eq!(paid["preimage"].as_str().expect("a string").len(), 64);
    assert_eq!(all(lines, "part_start").len(), parts.len());
    assert_eq!(all(lines, "part_end").len(), parts.len());
    assert_eq!(refused["status"], "failed");
    assert_eq!(refused["error"]["code"], 220);
    assert_eq!(refused["nothing_moved"], true);
    let summary = lines.last().expect("a last line");
    assert_eq!((&summary["event"], &summary["good"]), (&"summary".into(), &true.into()));
    assert_eq!(summary["audit"]["agrees"], true);
}

#[test]
fn it_pays_in_parts_retries_and_explains_a_failure() {
    let output = demo(&["--seed", "1", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = lines(&output);
    assert_whole_story(&lines);
    let systems = all(&lines, "system");
    let first = systems.iter().position(|line| line["system"] == "lightningd:settle").unwrap();
    assert!(systems[..first].iter().any(|line| line["system"] == "lightningd:part_failed"));
    let roles: Vec<&Value> = systems.iter().map(|line| &line["role"]).collect();
    for role in ["payment", "plan", "part"] {
        assert!(roles.iter().any(|it| *it == role), "{role}");
    }
    assert!(systems.iter().all(|line| line["entity"].is_u64() && line["invocation"].is_null()));
}

#[test]
fn as_text_it_says_the_same_without_colours_where_nobody_can_see_them() {
    let output = demo(&["--seed", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output.stdout);
    for part in ["Act 1", "Paid. 6 000 000 sat", "failed on the way", "Preimage", "Act 2"] {
        assert!(text.contains(part), "{part}");
    }
    for part in ["Failed with code 220", "What to do:", "What binds:", "Nothing. Money was set"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.lines().rev().nth(1).unwrap().starts_with("Audit: books and network agree"));
    assert!(!text.contains('\u{1b}'));
    assert!(output.stderr.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_output_and_another_seed_another() {
    for form in [&["--json", "--trace"][..], &["--virtual"][..]] {
        let run = |seed: &str| demo(&[&["--seed", seed], form].concat()).stdout;
        let first = run("5");
        assert!(first.len() > 5_000);
        assert_eq!(first, run("5"));
        assert_ne!(first, run("6"));
    }
}

#[test]
fn in_real_time_it_tells_the_same_kind_of_story() {
    let output = demo(&["--seed", "1", "--json", "--speed", "5"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_whole_story(&lines(&output));
}

#[test]
fn more_than_all_funds_is_refused_with_code_215_and_exit_code_1() {
    let output = demo(&["--amount", "1btc", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let first = all(&lines, "result")[0];
    assert_eq!(first["error"]["code"], 215);
    assert_eq!(first["nothing_moved"], true);
    assert!(first["meaning"].as_str().unwrap().contains("to spend"));
    let summary = lines.last().unwrap();
    assert_eq!((&summary["good"], &summary["audit"]["agrees"]), (&false.into(), &true.into()));
    let output = demo(&["--amount", "1btc"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown.contains("Failed with code 215"));
    assert!(shown.contains("Act 1 should have been paid and was not."));
}

#[test]
fn a_small_amount_goes_in_one_part_and_it_is_said_that_no_retry_was_needed() {
    let output = demo(&["--amount", "1000", "--nodes", "3"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("No part failed"));
}

#[test]
fn bad_options_exit_with_2_and_say_what_is_expected() {
    for (args, expected) in [
        (&["--amount", "0"][..], "an amount must be above zero"),
        (&["--amount", "a lot"][..], "expected msat"),
        (&["--nodes", "250001"][..], "2..=250000"),
        (&["--nodes", "9", "--graph", "G"][..], "cannot be used with"),
        (&["--balances", "even"][..], "uniform, bimodal"),
        (&["--speed", "0"][..], "expected a speed"),
        (&["--log", "x=y=z"][..], "--log"),
    ] {
        let output = demo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(expected), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
