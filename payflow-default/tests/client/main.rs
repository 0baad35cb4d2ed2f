//! A client that shares no code with the daemon, in Python, against the binary: a whole life, bad
//! input, and every error code.

mod codes;

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::ErrorKind,
    path::Path,
    process::Command,
};

/// Where it is set, the client is left out: there is no Python, and that is known.
const SKIP: &str = "PAYECS_SKIP_PYTHON";

/// The codes that came, each with the transports over which it did.
type Seen = BTreeMap<i32, BTreeSet<String>>;

/// Runs a part of the client. `None`: it is left out.
fn run(part: &str) -> Option<Seen> {
    if env::var_os(SKIP).is_some() {
        eprintln!("{SKIP} is set: the client's part `{part}` is left out");
        return None;
    }
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client/main.py");
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
    let told: Value = serde_json::from_slice(&output.stdout).expect("it tells what it saw");
    let told = told.as_object().expect("by code").iter();
    Some(told.map(|(code, over)| (code.parse().expect("a number"), names(over))).collect())
}

fn names(over: &Value) -> BTreeSet<String> {
    let all = over.as_array().expect("a list").iter();
    all.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_whole_life_is_the_same_over_every_transport_by_name_and_by_position() {
    let seen = run("life");
    assert!(seen.is_none_or(|seen| seen.len() > 5), "it is refused some things");
}

#[test]
fn bad_input_is_refused_with_its_code_and_writes_nothing() {
    let seen = run("bad");
    assert!(seen.is_none_or(|seen| seen[&-32_602].len() == 3), "over every transport");
}

#[test]
fn each_invocation_goes_to_one_server_and_to_the_next_where_that_one_goes_away() {
    let Some(seen) = run("serving") else { return };
    for code in [-32_602, -32_601, 2_201, 2_203, 2_205, 2_207, 2_244] {
        assert!(seen.contains_key(&code), "{code} did not come: {seen:?}");
    }
}

#[test]
fn who_subscribes_hears_of_each_invoice_that_is_paid_also_after_a_kill() {
    let Some(seen) = run("told") else { return };
    assert!(seen.contains_key(&-32_602), "a cursor that there is not is refused: {seen:?}");
}

#[test]
fn a_daemon_says_every_code_that_it_can_be_brought_to_say() {
    let Some(seen) = run("codes") else { return };
    let (seen, said): (BTreeSet<i32>, _) = (seen.into_keys().collect(), codes::said_by_a_daemon());
    assert_eq!(seen, said, "what came on the left, what the table says a daemon says on the right");
}
