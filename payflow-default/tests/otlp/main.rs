//! `payecs serve --otlp`, and `payecs-otlp` of the plugin: what a collector is sent, and what is
//! where there is none.

mod collector;
mod plugin;
#[path = "../daemon/rig.rs"]
#[expect(dead_code, reason = "the tests of the daemon use all of it")]
mod rig;

use collector::{Collector, Sent};
use plugin::Plugin;
use rig::{Daemon, payecs, said, text};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, net::TcpListener, path::Path};
use tempfile::TempDir;

/// A file of settings that names a collector.
fn configure(dir: &Path, url: &str) {
    let settings = format!("[otlp]\nendpoint = \"{url}\"\n");
    fs::write(dir.join("payecs.toml"), settings).expect("it does");
}

/// A daemon whose file of logs has what is said of the collector.
fn logging(dir: &Path, log: &Path) -> Daemon {
    let log = fs::File::create(log).expect("it does");
    Daemon::logging(dir, "10", "payflow::spans=info", log.into())
}

/// The one span of a kind with that outcome.
fn one<'a>(spans: &'a [Sent], kind: &str, outcome: Option<&str>) -> &'a Sent {
    let is_it = |span: &&Sent| span.name == kind && span.field("outcome") == outcome;
    let mut found = spans.iter().filter(is_it);
    let span = found.next().unwrap_or_else(|| panic!("no {kind} {outcome:?}: {spans:#?}"));
    assert!(found.next().is_none(), "several {kind} {outcome:?}: {spans:#?}");
    span
}

/// The Systems that ran in a span.
fn runs<'a>(spans: &'a [Sent], within: &Sent) -> BTreeSet<&'a str> {
    let inside = spans.iter().filter(|span| span.parent == within.id);
    inside.filter_map(|span| span.field("system")).collect()
}

fn waits_for_payment(daemon: &Daemon, collector: &Collector) {
    let is_over = |span: &Sent| span.name == "payment" && span.field("outcome").is_some();
    daemon.wait_until("its span is sent", || collector.spans().iter().any(is_over));
}

#[test]
fn a_payment_is_a_tree_of_spans_and_no_secret_is_in_it() {
    let (dir, collector) = (TempDir::new().unwrap(), Collector::start());
    configure(dir.path(), &collector.url());
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    waits_for_payment(&daemon, &collector);
    let status = daemon.answer(&["paystatus", &format!("bolt11={invoice}")]);
    let entity = status["entity"].to_string();
    let preimage = daemon.answer(&["payecs_getcomponents", &entity, "lightningd:preimage"]);
    let preimage = preimage["lightningd:preimage"].as_str().unwrap().to_owned();
    let decoded = daemon.answer(&["decode", &invoice]);
    let cookie = fs::read_to_string(dir.path().join("access/cookie")).unwrap();
    daemon.stop();
    let spans = collector.spans();
    let payment = one(&spans, "payment", Some("paid"));
    assert!(payment.parent.is_empty() && !payment.failed, "{payment:#?}");
    let hash = status["payment_hash"].as_str().unwrap();
    let fee = status["fee_msat"].to_string();
    for (field, value) in [
        ("entity", entity.as_str()),
        ("payment_hash", hash),
        ("amount_msat", "20000"),
        ("fee_msat", &fee),
    ] {
        assert_eq!(payment.field(field), Some(value), "{payment:#?}");
    }
    let plan = one(&spans, "plan", Some("planned"));
    let part = one(&spans, "part", Some("paid"));
    for child in [plan, part] {
        assert_eq!((&child.parent, &child.trace), (&payment.id, &payment.trace), "{child:#?}");
        assert_eq!(child.field("amount_msat"), Some("20000"), "{child:#?}");
        assert_ne!(child.field("entity"), Some(entity.as_str()), "{child:#?}");
    }
    assert_eq!(part.field("payment_hash"), Some(hash));
    for (within, system) in [
        (payment, "lightningd:parse_invoice"),
        (payment, "lightningd:settle"),
        (plan, "lightningd:route"),
        (part, "lightningd:send_part"),
        (part, "lightningd:part_paid"),
    ] {
        assert!(runs(&spans, within).contains(system), "{system}: {spans:#?}");
    }
    let secret = decoded["payment_secret"].as_str().expect("the invoice has one");
    for text in [preimage.as_str(), secret, cookie.trim(), &invoice] {
        assert!(text.len() > 30 && !collector.was_sent(text.as_bytes()), "{text}");
    }
    assert!(!collector.was_sent(&bytes(&preimage)) && !collector.was_sent(&bytes(secret)));
    assert!(collector.was_sent(hash.as_bytes()), "what is sent is found so");
    let head = collector.head();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert_eq!(collector.resource().get("service.name").map(String::as_str), Some("payecs"));
}

#[test]
fn a_plugin_sends_its_spans_too_and_what_is_left_at_its_end() {
    let (dir, collector) = (TempDir::new().unwrap(), Collector::start());
    let mut plugin = Plugin::start(dir.path(), &collector.url());
    let invoice = plugin.ask("sim_invoice", &json!(["20sat"]))["result"]["bolt11"].clone();
    plugin.asks_until_complete("payecs-pay", &json!([invoice]));
    plugin.stop();
    let spans = collector.spans();
    let payment = one(&spans, "payment", Some("paid"));
    let part = one(&spans, "part", Some("paid"));
    assert_eq!((&part.parent, payment.field("amount_msat")), (&payment.id, Some("20000")));
}

/// Hexadecimal digits as bytes.
fn bytes(digits: &str) -> Vec<u8> {
    let byte = |place| u8::from_str_radix(&digits[place..place + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn a_failed_payment_is_an_error_with_its_code() {
    let (dir, collector) = (TempDir::new().unwrap(), Collector::start());
    configure(dir.path(), &collector.url());
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("payments are taken on", || daemon.run("pay", &[&invoice]).status.success());
    let invoice = daemon.invoice("1000btc");
    assert!(!daemon.run("pay", &[&invoice]).status.success());
    daemon.stop();
    let spans = collector.spans();
    let failed = one(&spans, "payment", Some("failed"));
    assert!(failed.failed && failed.field("code") == Some("215"), "{failed:#?}");
    assert_eq!(failed.field("amount_msat"), Some("100000000000000"));
    assert!(!one(&spans, "payment", Some("paid")).failed, "what is left is sent at the end");
}

#[test]
fn a_payment_that_goes_on_after_a_kill_is_a_tree_of_its_own() {
    let (dir, collector) = (TempDir::new().unwrap(), Collector::start());
    configure(dir.path(), &collector.url());
    let daemon = Daemon::start(dir.path());
    let first = daemon.invoice("20sat");
    daemon.wait_until("payments are taken on", || daemon.run("pay", &[&first]).status.success());
    drop(daemon);
    let daemon = Daemon::start_at(dir.path(), "0.05");
    let slow = daemon.invoice("21sat");
    let mut pays = payecs(&["pay", "--data-dir", text(dir.path()), &slow])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it does");
    daemon.wait_until("a part is out", || {
        let status = daemon.call(&["paystatus", &format!("bolt11={slow}")]);
        let status = serde_json::from_slice::<Value>(&status.stdout);
        status.is_ok_and(|it| it["parts"].as_array().is_some_and(|parts| !parts.is_empty()))
    });
    drop(daemon);
    assert!(!pays.wait().expect("it does").success(), "nobody answers it");
    let daemon = Daemon::start(dir.path());
    let is_part = |span: &Sent| span.name == "part" && span.field("amount_msat") == Some("21000");
    daemon.wait_until("its spans are sent", || {
        let spans = collector.spans();
        let part = spans.iter().find(|span| is_part(span));
        part.is_some_and(|part| spans.iter().any(|span| span.id == part.parent))
    });
    daemon.stop();
    let spans = collector.spans();
    let part = spans.iter().find(|span| is_part(span)).expect("it was sent");
    assert_eq!(part.field("outcome"), Some("paid"), "{part:#?}");
    let payment = spans.iter().find(|span| span.id == part.parent).expect("it was sent");
    assert_eq!((payment.name.as_str(), payment.field("outcome")), ("payment", Some("paid")));
    assert!(payment.parent.is_empty() && runs(&spans, payment).contains("lightningd:settle"));
}

#[test]
fn who_takes_no_spans_holds_up_no_payment_and_is_told_of_once() {
    // One refuses, and one takes connections and is silent.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, why) in
        [(free, "refused"), (silent.local_addr().unwrap(), "deadline has elapsed")]
    {
        let dir = TempDir::new().unwrap();
        configure(dir.path(), &format!("http://{address}"));
        let log = dir.path().join("log");
        let daemon = logging(dir.path(), &log);
        let invoice = daemon.invoice("20sat");
        daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
        daemon.wait_until("it is told", || fs::read_to_string(&log).unwrap().contains(why));
        let cookie = fs::read_to_string(dir.path().join("access/cookie")).unwrap();
        let told = daemon.http_to("GET /metrics", Some(cookie.trim()), "");
        let count = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |count| count.trim().parse::<u64>().expect("it is a number"))
        };
        assert!(count("payecs_spans_ended_total ") > 20, "{told}");
        assert_eq!(count("payecs_spans_sent_total "), 0, "{told}");
        daemon.stop();
        let told = fs::read_to_string(&log).unwrap();
        assert_eq!(told.matches("collector took no spans").count(), 1, "{told}");
    }
}

#[test]
fn a_collector_that_comes_later_is_sent_what_ends_then() {
    let dir = TempDir::new().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configure(dir.path(), &format!("http://{free}"));
    let log = dir.path().join("log");
    let daemon = logging(dir.path(), &log);
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    let logged = |what: &str| fs::read_to_string(&log).unwrap().contains(what);
    daemon.wait_until("it is told", || logged("collector took no spans"));
    let collector = Collector::start_at(free);
    let invoice = daemon.invoice("21sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    waits_for_payment(&daemon, &collector);
    daemon.wait_until("that is told too", || logged("collector took spans again"));
    daemon.stop();
}

#[test]
fn a_wrong_address_is_refused_at_the_start_and_nothing_is_made() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let serve = |url: &str| {
        payecs(&["serve", "--data-dir", text(&data), "--listen", "127.0.0.1:0", "--otlp", url])
            .output()
            .unwrap()
    };
    for (url, why) in [
        ("https://127.0.0.1:4318", "nothing is encrypted there"),
        ("http://10.0.0.1:4318", "nothing is encrypted on the way to 10.0.0.1"),
        ("collector", "expected http://ADDRESS:PORT"),
    ] {
        let refused = serve(url);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
    assert!(!data.exists());
}
