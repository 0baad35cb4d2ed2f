//! `payecs serve` and the commands that call it, as programs.

mod first;
mod knowledge;
mod looking;
mod rig;

use rig::{Daemon, payecs, said, text, token};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::Stdio,
};
use tempfile::TempDir;

#[test]
fn what_was_written_is_there_after_a_kill_and_a_second_daemon_is_refused() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    assert_eq!(daemon.answer(&["payecs_newentity"]).to_string(), r#"{"entity":1}"#);
    daemon.answer(&["payecs_setcomponents", r#"{"entity":1,"acme:x":0.50}"#]);
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    let systems = daemon.answer(&["payecs_listsystems"]);
    assert!(systems["systems"].as_array().unwrap().len() > 40);
    let verified = daemon.run("verify", &[]);
    assert_eq!(verified.status.code(), Some(3), "{}", said(&verified));
    let told = said(&verified);
    assert!(told.contains("ledger  ") && told.contains("unseen  ") && !told.contains("FAULT"));
    let second = payecs(&["serve", "--data-dir", text(dir.path()), "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("is held by process"), "{}", said(&second));
    drop(daemon);
    let nobody =
        payecs(&["call", "--data-dir", text(dir.path()), "rpc.discover"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said(&nobody).contains("does not answer"), "{}", said(&nobody));
    let daemon = Daemon::start(dir.path());
    let read = daemon.call(&["payecs_getcomponents", "1", "acme:x", "--json"]);
    assert_eq!(said(&read), "{\"entity\":1,\"acme:x\":0.50}\n");
    let again = daemon.run("pay", &[&invoice]);
    assert!(said(&again).contains("It was paid before: 20000 msat"), "{}", said(&again));
    daemon.stop();
    assert!(
        !dir.path().join("access/address").exists() && !dir.path().join("access/socket").exists()
    );
}

#[test]
fn a_payment_that_cannot_be_made_ends_with_its_code_and_what_to_do() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("1000btc");
    let mut failed = None;
    daemon.wait_until("payments are taken on", || {
        let output = daemon.run("pay", &[&invoice]);
        let open = !said(&output).contains("2330");
        failed = Some(output);
        open
    });
    let failed = failed.unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(said(&failed).contains("(code 215)") && said(&failed).contains("Pay less"));
    let garbage = daemon.run("pay", &["lnbcnothing"]);
    assert!(said(&garbage).contains("(code -32602)"), "{}", said(&garbage));
    let misspelt = daemon.call(&["payecs_advnce"]);
    assert!(said(&misspelt).contains("`payecs_advance`?"), "{}", said(&misspelt));
    let entity =
        daemon.answer(&["payecs_listentities", "limit=1"])["entities"][0]["entity"].clone();
    let explained = daemon.run("explain", &[&entity.to_string()]);
    assert!(explained.status.success() && said(&explained).contains("is over"));
    let traced = daemon.run("trace", &[&entity.to_string()]);
    assert!(said(&traced).contains("parse_invoice"), "{}", said(&traced));
    let mixed = daemon.call(&["payecs_listentities", "limit=1", "7"]);
    assert_eq!(mixed.status.code(), Some(2), "{}", said(&mixed));
    let nobody = daemon.run("explain", &["77777"]);
    assert!(said(&nobody).contains("(code 2204)"), "{}", said(&nobody));
}

#[test]
fn only_who_has_a_token_is_heard_and_does_what_it_allows() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let new = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    assert!(daemon.http(None, new).starts_with("HTTP/1.1 401 "));
    assert!(daemon.http(Some("payecs_wrong"), new).starts_with("HTTP/1.1 401 "));
    let made = payecs(&["token", "create", "bot", "--data-dir", text(dir.path())])
        .args(["--scope", "read"])
        .output()
        .unwrap();
    let token = said(&made).trim().to_owned();
    let kept = fs::read_to_string(dir.path().join("access/tokens.json")).unwrap();
    assert!(token.starts_with("payecs_") && !kept.contains(&token), "only its hash is kept");
    let refused = daemon.http(Some(&token), new);
    assert!(refused.starts_with("HTTP/1.1 200 ") && refused.contains("1502"), "{refused}");
    let list = new.replace("payecs_newentity", "payecs_listsystems");
    assert!(daemon.http(Some(&token), &list).contains("lightningd:parse_invoice"));
    let twice = payecs(&["token", "create", "bot", "--data-dir", text(dir.path())])
        .args(["--scope", "pay"])
        .output()
        .unwrap();
    assert!(twice.status.code() == Some(1) && said(&twice).contains("revoke it first"));
    let revoked = payecs(&["token", "revoke", "bot", "--data-dir", text(dir.path())]).output();
    assert!(revoked.unwrap().status.success());
    assert!(daemon.http(Some(&token), &list).starts_with("HTTP/1.1 401 "));
    let mut socket = UnixStream::connect(dir.path().join("access/socket")).unwrap();
    socket.write_all(new.replace("\"id\":1", "\"id\":\"a\"").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((&answer["id"], &answer["result"]["entity"]), (&"a".into(), &1.into()));
}

/// What ended behind a cursor, with what the answer has as the next one.
fn ended(daemon: &Daemon, since: &mut u64, timeout: u64) -> Vec<Value> {
    let (from, timeout) = (format!("since={since}"), format!("timeout={timeout}"));
    let page = daemon.answer(&["payecs_events", &from, "limit=2", &timeout]);
    let next = page["cursor"].as_u64().expect("it does");
    assert!(next >= *since, "{page}");
    *since = next;
    page["events"].as_array().expect("it does").clone()
}

#[test]
fn who_keeps_its_cursor_hears_what_ended_before_a_kill_and_what_was_under_way_at_it() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    assert!(!daemon.run("pay", &[&daemon.invoice("1000btc")]).status.success());
    drop(daemon);
    let daemon = Daemon::start_at(dir.path(), "0.5");
    let (mut cursor, mut told) = (0, Vec::new());
    loop {
        let events = ended(&daemon, &mut cursor, 0);
        if events.is_empty() {
            break;
        }
        told.extend(events);
    }
    let of = |name: &'static str| told.iter().filter(move |it| it["event"] == name);
    let paid: Vec<_> = of("pay_success").collect();
    assert_eq!((paid.len(), &paid[0]["amount_msat"]), (1, &20_000.into()), "{paid:?}");
    let failed = of("pay_failure").next_back().expect("it does");
    assert_eq!(
        (&failed["error"]["code"], &failed["error"]["data"]["final"]),
        (&215.into(), &true.into())
    );
    let cursors: Vec<_> = told.iter().map(|event| event["cursor"].as_u64()).collect();
    assert!(cursors.is_sorted_by(|one, next| one < next), "{cursors:?}");
    let slow = daemon.invoice("21sat");
    let mut pays = payecs(&["pay", "--data-dir", text(dir.path()), &slow])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it does");
    let pending = || daemon.answer(&["listpays", "status=pending"])["pays"][0].clone();
    let mut hash = Value::Null;
    daemon.wait_until("it is under way", || {
        hash = pending()["payment_hash"].clone();
        !hash.is_null()
    });
    drop(daemon);
    assert!(!pays.wait().expect("it does").success(), "nobody answers it");
    let daemon = Daemon::start(dir.path());
    let mut ends = Vec::new();
    daemon.wait_until("it has ended", || {
        ends.extend(ended(&daemon, &mut cursor, 60));
        ends.iter().any(|event| event["payment_hash"] == hash)
    });
    assert!(ends.iter().any(|it| it["event"] == "pay_success" && it["amount_msat"] == 21_000));
    let beyond = daemon.call(&["payecs_events", "since=1000000"]);
    let last = said(&beyond);
    assert!(last.contains("(code -32602)") && last.contains("the last one is"), "{last}");
}

#[test]
fn what_happens_is_measured_and_told_to_who_may_look() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    assert!(daemon.run("pay", &[&invoice]).status.success(), "it is answered again");
    let reader = token(dir.path(), "scraper", &["--scope", "read"]);
    let told = daemon.http_to("GET /metrics", Some(&reader), "");
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    for line in [
        "payecs_up 1",
        "payecs_intake_open 1",
        "payecs_payments_total{code=\"0\"} 1",
        "payecs_paid_msat_total 20000",
        "payecs_payments_kept 2",
        "payecs_balance_msat{account=\"pending_outgoing\"} 0",
        "payecs_calls_total{method=\"pay\",code=\"0\"} 2",
        "# TYPE payecs_journal_sync_duration_seconds histogram",
        "# HELP payecs_call_duration_seconds From a call to its answer, by method.",
    ] {
        assert!(told.lines().any(|said| said == line), "{line}: {told}");
    }
    assert!(!told.contains(&invoice) && told.contains("payecs_call_duration_seconds_bucket"));
    assert!(daemon.http_to("GET /metrics", None, "").starts_with("HTTP/1.1 401 "));
    let payer = token(dir.path(), "payer", &["--scope", "pay"]);
    assert!(daemon.http_to("GET /metrics", Some(&payer), "").starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_token_for_some_components_reaches_no_others() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    daemon.answer(&["payecs_setcomponents", r#"{"entity":1,"erp:order":7,"acme:x":1}"#]);
    let scopes = ["--scope", "read", "--scope", "flow", "--scope", "pay", "--component", "erp:"];
    let erp = token(dir.path(), "erp", &scopes);
    let ask = |method: &str, params: &str| {
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        daemon.http(Some(&erp), &call)
    };
    assert!(
        ask("payecs_listentities", "[]").ends_with(r#"{"entities":[{"entity":1,"erp:order":7}]}}"#)
    );
    for (method, params) in [
        ("payecs_getcomponents", r#"[1,"acme:x"]"#),
        ("payecs_setcomponents", r#"[{"entity":1,"acme:x":2}]"#),
        ("payecs_delentity", "[1]"),
        ("pay", r#"["lnbc1"]"#),
        ("listpays", "[]"),
        ("sim_invoice", r#"["20sat"]"#),
        ("payecs_events", "[]"),
    ] {
        let said = ask(method, params);
        assert!(said.contains(r#""code":1502"#), "{method}: {said}");
    }
    let read = daemon.call(&["payecs_getcomponents", "1", "acme:x", "--json"]);
    assert_eq!(said(&read), "{\"entity\":1,\"acme:x\":1}\n");
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_program_that_can_send_no_spans_says_how_to_build_one_that_can() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let refused = payecs(&["serve", "--data-dir", text(&data), "--otlp", "http://127.0.0.1:4318"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    for part in ["no spans can be sent to http://127.0.0.1:4318/v1/traces", "--features otlp"] {
        assert!(said(&refused).contains(part), "{part}: {}", said(&refused));
    }
    assert!(!data.exists(), "nothing was made");
}
