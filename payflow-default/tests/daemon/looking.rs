//! What an operator sees of Systems: the list, what runs, and how often.

use crate::rig::{Daemon, payecs, said, text};
use serde_json::{Value, json};
use std::process::Output;
use tempfile::TempDir;

fn words(output: &Output) -> String {
    said(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", said(output));
    std::str::from_utf8(&output.stdout).expect("it writes UTF-8")
}

#[test]
fn the_default_list_is_shown_without_a_daemon_in_every_format() {
    let flow = |format: &str| {
        let mut flow = payecs(&["flow", "--format", format]);
        flow.env_remove("PAYECS_DATA_DIR").output().unwrap()
    };
    assert!(words(&flow("text")).contains("Nothing looks wrong with this list."));
    let drawn = flow("mermaid");
    let page = include_str!("../../../docs/FLOW.md");
    assert!(page.contains(stdout(&drawn)), "docs/FLOW.md has the same drawing");
    assert!(stdout(&flow("dot")).starts_with("digraph flow {"));
    let json: Value = serde_json::from_slice(&flow("json").stdout).unwrap();
    assert_eq!(json["systems"][0]["system"], "lightningd:generate_nonce");
    assert_eq!(json["warnings"], json!([]));
    let asked = payecs(&["flow", "--entity", "7"]).env_remove("PAYECS_DATA_DIR").output().unwrap();
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    assert!(said(&asked).contains("needs the --data-dir of a daemon"), "{}", said(&asked));
}

#[test]
fn the_list_of_an_entity_is_shown_with_what_looks_wrong() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    daemon.answer(&["payecs_newsystem", "acme:tip", "[\"acme:go\"]", "acme:tipped"]);
    let shown = words(&daemon.run("flow", &[]));
    assert!(shown.contains("Registered, and not in this list: acme:tip"), "{shown}");
    let list = r#"{"systems":["acme:tip","acme:tpi"],"current":0}"#;
    let write = format!(r#"{{"entity":7,"lightningd:systems":{list},"acme:go":1}}"#);
    daemon.answer(&["payecs_setcomponents", &write]);
    let shown = words(&daemon.run("flow", &["--entity", "7"]));
    assert!(shown.contains("> 1 acme:tip acme:go acme:tipped it doesn't say external"), "{shown}");
    assert!(shown.contains("1 warning: `acme:tpi` is not registered; `acme:tip`?"), "{shown}");
    let drawn = daemon.run("flow", &["--entity", "7", "--format", "mermaid"]);
    assert!(stdout(&drawn).contains("s0[\"1 acme:tip\"]"), "{}", said(&drawn));
    assert!(said(&drawn).contains("warning: `acme:tpi`"), "{}", said(&drawn));
    let nobody = daemon.run("flow", &["--entity", "77"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said(&nobody).contains("Entity 77 has no list of Systems"), "{}", said(&nobody));
}

#[test]
fn a_payment_is_followed_to_its_end_with_its_plans_and_parts() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    let status = daemon.answer(&["paystatus", &format!("bolt11={invoice}")]);
    let entity = status["entity"].to_string();
    let followed = daemon.run("trace", &[&entity, "--follow"]);
    let shown = words(&followed);
    for part in [
        "parse_invoice +",
        "plan 2 route ",
        "part 3 send_part ",
        "part 3 part_paid ",
        " +preimage",
        &format!("Entity {entity} is over: complete, 20 sat and a fee of"),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let preimage = daemon.answer(&["payecs_getcomponents", &entity, "lightningd:preimage"]);
    let preimage = preimage["lightningd:preimage"].as_str().unwrap().to_owned();
    let lines = daemon.run("trace", &[&entity, "--follow", "--json"]);
    for line in stdout(&lines).lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        assert!(step["system"].is_string() && step["changes"].is_array(), "{line}");
    }
    assert!(!said(&lines).contains(&preimage) && !shown.contains(&preimage), "it is secret");
    let nobody = daemon.run("trace", &["77777", "--follow"]);
    assert!(nobody.status.code() == Some(1) && said(&nobody).contains("(code 2204)"));
    let cookie = std::fs::read_to_string(format!("{}/access/cookie", text(dir.path()))).unwrap();
    let measured = daemon.http_to("GET /metrics", Some(cookie.trim()), "");
    for series in [
        "payecs_system_runs_total{system=\"lightningd:parse_invoice\"} ",
        "payecs_system_duration_seconds_count{system=\"lightningd:settle\"} ",
    ] {
        assert!(measured.contains(series), "{series}: {measured}");
    }
}
