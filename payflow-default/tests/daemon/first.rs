//! What somebody meets who uses the daemon for the first time.

use crate::rig::{Daemon, payecs, said, text};
use serde_json::Value;
use std::{net::TcpListener, process::Stdio};
use tempfile::TempDir;

#[test]
fn a_start_that_is_refused_says_why_and_leaves_nothing_behind() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).unwrap();
    let place = TempDir::new().unwrap();
    let dir = place.path().join("new");
    for (option, value, code, why) in [
        ("--listen", taken.1.as_str(), 1, "is in use"),
        ("--listen", "10.0.0.1:0", 1, "can be reached from other machines"),
        ("--listen", "localhost", 2, "127.0.0.1:9741 or localhost:9741"),
        ("--origin", "ftp://a", 2, "allowed are http://HOST"),
    ] {
        let serve = payecs(&["serve", "--data-dir", text(&dir), option, value])
            .env("PAYECS_LISEN", "127.0.0.1:1")
            .output()
            .unwrap();
        assert_eq!(serve.status.code(), Some(code), "{value}: {}", said(&serve));
        assert!(said(&serve).contains(why), "{value}: {}", said(&serve));
        assert!(!dir.exists(), "{value}");
        let warned = "warning: `PAYECS_LISEN` in the environment is no setting of payecs; \
                      `PAYECS_LISTEN`?";
        assert!(code == 2 || said(&serve).contains(warned), "{value}: {}", said(&serve));
    }
}

#[test]
fn an_option_counts_more_than_what_the_environment_says_of_another_network() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start_in(dir.path(), "10", &[("PAYECS_GRAPH", "/nowhere/of-env")]);
    assert!(daemon.call(&["getinfo"]).status.success(), "it has its own nodes");
    daemon.stop();
    let place = TempDir::new().unwrap();
    let new = place.path().join("new");
    let serve = |options: &[&str], environment: &[(&str, &str)]| {
        let mut command = payecs(&["serve", "--data-dir", text(&new), "--listen", "127.0.0.1:0"]);
        command.args(options).envs(environment.iter().copied()).output().unwrap()
    };
    let (nodes, graph) = (("PAYECS_NODES", "30"), ("PAYECS_GRAPH", "/nowhere/of-env"));
    let file = "/nowhere/of-option";
    let chosen = serve(&["--graph", file], &[nodes]);
    assert!(chosen.status.code() == Some(1) && said(&chosen).contains(file), "{}", said(&chosen));
    for (options, environment) in
        [(&["--graph", file, "--nodes", "30"][..], &[][..]), (&[], &[nodes, graph])]
    {
        let both = serve(options, environment);
        assert_eq!(both.status.code(), Some(2), "{}", said(&both));
        assert!(said(&both).contains("or a graph"), "{}", said(&both));
    }
}

#[test]
fn a_daemon_that_stopped_leaves_no_token_and_whoever_calls_is_told() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let again = payecs(&["serve", "--data-dir", text(dir.path()), "--listen", &daemon.address()])
        .output()
        .unwrap();
    assert!(said(&again).contains("a daemon serves it already"), "{}", said(&again));
    let left = ["cookie", "address", "socket"].map(|name| dir.path().join("access").join(name));
    assert!(left.iter().all(|file| file.exists()));
    daemon.stop();
    assert!(!left.iter().any(|file| file.exists()), "{left:?}");
    let nobody = payecs(&["getinfo", "--data-dir", text(dir.path())]).output().unwrap();
    let why =
        format!("no daemon runs on {0}: start `payecs serve --data-dir {0}`", text(dir.path()));
    assert!(nobody.status.code() == Some(1) && said(&nobody).contains(&why), "{}", said(&nobody));
}

#[test]
fn a_token_is_not_made_for_a_method_that_is_not_there() {
    let dir = TempDir::new().unwrap();
    let make = |method: &str| {
        let made = payecs(&["token", "create", "bot", "--data-dir", text(dir.path())])
            .args(["--scope", "read", "--method", "decode", "--method", method])
            .output();
        made.unwrap()
    };
    let refused = make("listpay");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("no such method; `listpays`?"), "{}", said(&refused));
    assert!(!dir.path().join("access/tokens.json").exists());
    assert!(make("listpays").status.success());
}

#[test]
fn payments_and_invoices_are_told_in_words_and_as_json() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let invoice = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&invoice]).status.success());
    let shown = |command: &str, args: &[&str], words: &[&str]| {
        let output = daemon.run(command, args);
        assert!(output.status.success(), "{command}: {}", said(&output));
        let told = said(&output);
        let spaced = told.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(spaced.contains(word), "{command} {word}: {told}");
        }
        assert!(!told.contains('{'), "{command}: {told}");
    };
    shown("listpays", &[], &["index amount fee status began", " 20 sat ", " complete 20"]);
    shown("paystatus", &[&invoice], &["status complete", "amount 20 sat", "created at 20"]);
    shown("decode", &[&invoice], &["amount 20 sat", "expiry 1 hour", "expired no", "valid yes"]);
    let json = |command: &str, args: &[&str]| -> Value {
        let output = daemon.run(command, &[&["--json"], args].concat());
        assert_eq!(said(&output).lines().count(), 1, "{command}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let status = json("paystatus", &[&invoice]);
    let hash = status["payment_hash"].as_str().unwrap();
    assert_eq!(json("listpays", &[hash])["pays"][0]["amount_msat"], 20_000);
    assert_eq!(json("decode", &[&invoice])["payment_hash"], hash);
    let by_entity = json("paystatus", &[&status["entity"].to_string()]);
    assert_eq!(by_entity["payment_hash"], hash);
    assert_eq!(json("listpays", &["--status", "failed", hash])["pays"], Value::Array(vec![]));
    for which in [invoice.as_str(), hash] {
        let over = daemon.run("cancelpay", &[which]);
        assert!(said(&over).contains("(code 208)"), "{which}: {}", said(&over));
    }
}

#[test]
fn a_channel_is_rebalanced_and_what_cannot_be_is_told() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let spendable = || -> Vec<(String, u64)> {
        let balance = daemon.answer(&["ledger-balance"]);
        let accounts = balance["accounts"].as_array().unwrap().iter().filter_map(|account| {
            let (_, channel) = account["account"].as_str()?.split_once(":assets:channel:")?;
            let posted = |side: &str| account[format!("{side}_posted_msat")].as_u64();
            Some((channel.to_owned(), posted("debits")? - posted("credits")?))
        });
        accounts.collect()
    };
    daemon.wait_until("its books are open", || spendable().len() > 1);
    for (args, code, why) in [
        (&["1x1x1"][..], 1, "1x1x1"),
        (&["1x1"][..], 1, "short_channel_id"),
        (&["1x1x1", "--target", "much"][..], 1, "target"),
        (&["1x1x1", "--retry-for", "x"][..], 2, "--retry-for"),
    ] {
        let refused = daemon.run("rebalance", args);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {}", said(&refused));
        assert!(said(&refused).contains(why), "{args:?}: {}", said(&refused));
    }
    let before = spendable();
    let moved = before.iter().find_map(|(channel, _)| {
        let told = daemon.run("rebalance", &[channel, "--maxfee", "1000sat", "--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).ok()?;
        told["amount_msat"].as_u64().map(|amount| (channel.clone(), amount, told))
    });
    let (channel, amount, told) = moved.expect("a channel of ours can be rebalanced");
    let fee = told["fee_msat"].as_u64().unwrap();
    assert!(amount > 0 && fee <= 1_000_000, "{told}");
    let has = |all: &[(String, u64)]| all.iter().find(|it| it.0 == channel).unwrap().1;
    let change = has(&spendable()).abs_diff(has(&before));
    assert!([amount, amount + fee].contains(&change), "{change}: {told}");
    let sum = |all: &[(String, u64)]| all.iter().map(|it| it.1).sum::<u64>();
    assert_eq!(sum(&before) - sum(&spendable()), fee, "the fee is all that it cost");
}

#[test]
fn an_invoice_is_made_drawn_and_waited_for() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let made = daemon.run("invoice", &["20sat", "tea", "two teas", "--qr", "--expiry", "60"]);
    assert!(made.status.success(), "{}", said(&made));
    let told = String::from_utf8(made.stdout).unwrap();
    let invoice = told.lines().last().unwrap();
    assert!(invoice.starts_with("ln") && told.lines().count() > 20, "{told}");
    assert!(!told.contains('\u{1b}'), "colours are for terminals: {told}");
    let decoded = daemon.run("decode", &["--json", invoice]);
    let decoded: Value = serde_json::from_slice(&decoded.stdout).unwrap();
    assert_eq!((&decoded["expiry"], &decoded["description"]), (&60.into(), &"two teas".into()));
    let again = daemon.run("invoice", &["20sat", "tea", "two teas"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("(code 900)"), "{}", said(&again));
    // Our node pays itself, without a channel.
    daemon.wait_until("it is paid", || daemon.run("pay", &[invoice]).status.success());
    let paid = daemon.run("call", &["waitinvoice", "tea", "--json"]);
    let paid: Value = serde_json::from_slice(&paid.stdout).unwrap();
    assert_eq!((&paid["status"], &paid["pay_index"]), (&"paid".into(), &1.into()));
    let short = ["1sat", "coffee", "one coffee", "--expiry", "1", "--wait", "--json"];
    let waited = daemon.run("invoice", &short);
    assert_eq!(waited.status.code(), Some(1), "{}", said(&waited));
    assert!(said(&waited).contains("\"code\":903"), "{}", said(&waited));
}

#[test]
fn what_is_refused_says_what_there_is_on_lines_of_its_own() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let dear = daemon.invoice("1000btc");
    daemon.wait_until("payments are taken on", || {
        !said(&daemon.run("pay", &[&dear])).contains("2330")
    });
    for (command, args, lines) in [
        ("pay", vec![dear.as_str()], vec!["  requested_msat: ", "  final: true"]),
        (
            "call",
            vec!["ledger-balance", "nosuch"],
            vec!["error: nothing was posted to an account `nosuch` (code -32602)", "  accounts: "],
        ),
        ("call", vec![""], vec!["error: The command has no name; `rpc.discover` lists"]),
    ] {
        let refused = daemon.run(command, &args);
        let told = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        for line in lines {
            assert!(told.lines().any(|said| said.starts_with(line)), "{line}: {told}");
        }
        assert!(!told.contains('{'), "{told}");
    }
}

#[test]
fn a_payment_under_way_names_the_entities_of_its_parts_and_can_be_given_up() {
    let dir = TempDir::new().unwrap();
    let daemon = Daemon::start(dir.path());
    let first = daemon.invoice("20sat");
    daemon.wait_until("it is paid", || daemon.run("pay", &[&first]).status.success());
    drop(daemon);
    let daemon = Daemon::start_at(dir.path(), "0.1");
    let invoice = daemon.invoice("21sat");
    let mut pays = payecs(&["pay", "--data-dir", text(dir.path()), &invoice])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    daemon.wait_until("a part is out", || {
        let entity = daemon.answer(&["listpays", "status=pending"])["pays"][0]["entity"].clone();
        told = said(&daemon.run("explain", &[&entity.to_string()]));
        told.contains("Waits for 1 part to end:\n  Entity ")
    });
    assert!(told.contains(", part 1: 21 sat, fee "), "{told}");
    let given_up = daemon.run("cancelpay", &[&invoice]);
    assert!(given_up.status.success(), "{}", said(&given_up));
    assert!(said(&given_up).contains("It starts nothing more."), "{}", said(&given_up));
    assert!(said(&given_up).contains("htlcs: 1"), "{}", said(&given_up));
    drop(daemon);
    assert!(!pays.wait().unwrap().success(), "nobody answers it");
}
