use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn config(dir: &Path, options: &[&str]) -> Result<Config, String> {
    let dir = dir.to_str().unwrap();
    let line = Line::try_parse_from([&["payecs", "--data-dir", dir], options].concat());
    line.unwrap().args.config().map_err(|error| error.to_string())
}

#[test]
fn an_option_counts_more_than_the_file_and_that_more_than_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let default = config(dir.path(), &[]).unwrap();
    assert_eq!((default.listen, default.speed), (LISTEN, Speed::REAL));
    assert_eq!(default.wanted, Wanted::default());
    assert!(!default.metrics);
    assert_eq!(default.policy, Policy::default(), "nobody is asked");
    let file = "listen = \"[::1]:7\"\nnodes = 50\norigin = [\"http://a\"]\nspeed = 10\n\
                metrics = true\nask-above = \"5sat\"\napproval-timeout = 7\n\
                unpaid-paycodes = 6\nheld-htlcs = 8\nheld-htlcs-per-channel = 4\n";
    fs::write(dir.path().join(FILE), file).unwrap();
    let filed = config(dir.path(), &["--nodes", "60"]).unwrap();
    assert_eq!((filed.listen, filed.wanted.nodes), ("[::1]:7".parse().unwrap(), Some(60)));
    let asking = |config: &Config| (config.policy.ask_above_msat, config.policy.approval_timeout);
    assert_eq!(asking(&filed), (Some(Msat(5_000)), Seconds(7)));
    assert_eq!(filed.policy.unpaid_paycodes_max, 6);
    let held =
        |config: &Config| (config.policy.held_htlcs_max, config.policy.held_htlcs_per_channel_max);
    assert_eq!(held(&filed), (8, 4));
    let more = config(dir.path(), &["--unpaid-paycodes", "7"]).unwrap();
    assert_eq!(more.policy.unpaid_paycodes_max, 7);
    let words = ["--held-htlcs", "9", "--held-htlcs-per-channel", "5"];
    assert_eq!(held(&config(dir.path(), &words).unwrap()), (9, 5));
    let asked = config(dir.path(), &["--ask-above", "9", "--approval-timeout", "8"]).unwrap();
    assert_eq!(asking(&asked), (Some(Msat(9)), Seconds(8)));
    fs::write(dir.path().join("amount.toml"), "ask-above = 7000\n").unwrap();
    let amount = dir.path().join("amount.toml");
    let bare = config(dir.path(), &["--config", amount.to_str().unwrap()]).unwrap();
    assert_eq!(bare.policy.ask_above_msat, Some(Msat(7_000)));
    let of_file = config(dir.path(), &["--graph", "G", "--balances", "bimodal"]).unwrap();
    let balances = Some(Balances::Bimodal);
    let graph = Some(PathBuf::from("G"));
    assert_eq!(of_file.wanted, Wanted { graph, balances, ..Wanted::default() });
    assert!(filed.metrics && config(dir.path(), &["--metrics"]).unwrap().metrics);
    assert!(!config(dir.path(), &["--metrics=false"]).unwrap().metrics);
    assert_eq!(
        (filed.origins.as_slice(), filed.speed),
        (["http://a".to_owned()].as_slice(), "10".parse().unwrap())
    );
    let other = config(dir.path(), &["--origin", "http://b,http://c"]).unwrap();
    assert_eq!(other.origins, ["http://b", "http://c"]);
    assert_eq!(other.quotas, Quotas::default());
    fs::write(dir.path().join(FILE), "[quotas]\nentities = 5\nnames = 6").unwrap();
    let quotas = config(dir.path(), &["--quota", "names=7,bytes=8"]).unwrap().quotas;
    let max = [Quota::Entities, Quota::Names, Quota::Bytes].map(|quota| quotas.max(quota));
    assert_eq!(max, [5, 7, 8]);
}

#[test]
fn each_kind_is_cleaned_at_the_age_that_was_said_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = "autoclean-cycle = 60\nautoclean-paidinvoices-age = 1\n\
                autoclean-expiredinvoices-age = 2\nautoclean-paidpaycodes-age = 3\n\
                autoclean-expiredpaycodes-age = 4\n";
    fs::write(dir.path().join(FILE), file).unwrap();
    let said = |options: &[&str]| {
        let autoclean = config(dir.path(), options).unwrap().policy.autoclean;
        let ages = OverKind::ALL.map(|kind| autoclean.age(kind).map(|age| age.0));
        (autoclean.cycle.0, ages)
    };
    assert_eq!(said(&[]), (60, [Some(1), Some(2), Some(3), Some(4)]));
    let options = [
        ["--autoclean-cycle", "61"],
        ["--autoclean-paidinvoices-age", "5"],
        ["--autoclean-expiredinvoices-age", "0"],
        ["--autoclean-paidpaycodes-age", "7"],
        ["--autoclean-expiredpaycodes-age", "8"],
    ];
    assert_eq!(said(&options.concat()), (61, [Some(5), None, Some(7), Some(8)]), "0 is never");
}

#[test]
fn a_page_that_no_browser_names_so_is_refused_wherever_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let option = config(dir.path(), &["--origin", "http://a,ftp://a"]).unwrap_err();
    fs::write(dir.path().join(FILE), "origin = [\"ftp://a\"]").unwrap();
    let filed = config(dir.path(), &[]).unwrap_err();
    for said in [option, filed] {
        assert!(said.starts_with("origin `ftp://a`: ") && said.contains("https://"), "{said}");
    }
}

#[test]
fn localhost_is_an_address_where_it_is_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    let given = config(dir.path(), &["--listen", "localhost:0"]).unwrap();
    fs::write(dir.path().join(FILE), "listen = \"localhost:0\"").unwrap();
    let filed = config(dir.path(), &[]).unwrap();
    assert!(given.listen.ip().is_loopback() && given.listen == filed.listen);
}

#[test]
fn a_file_that_says_something_else_is_refused_and_the_place_named() {
    let dir = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("lisen = \"127.0.0.1:1\"", "unknown field `lisen`"),
        ("listen = \"everywhere\"", "listen = \"everywhere\""),
        ("nodes = 1", "`nodes` must be 2 to 250000, got 1"),
        ("nodes = 9\ngraph = \"G\"", "not both"),
        ("balances = \"even\"", "balances"),
        ("speed = \"0\"", "speed"),
        ("ask-above = \"5 sat\"", "ask-above"),
        ("ask-above = -1", "ask-above"),
        ("autoclean-cycle = 0", "`autoclean-cycle` must be 1 second or more, got 0"),
        ("autoclean-paidpaycodes-age = -1", "autoclean-paidpaycodes-age"),
        ("autoclean-paidpays-age = 1", "unknown field"),
        ("approval-timeout = 0", "`approval-timeout` must be 1 to 86400 seconds, got 0"),
        ("approval-timeout = 86401", "must be 1 to 86400"),
        ("nodes =", "nodes"),
        ("[quotas]\nentitis = 1", "there is no quota `entitis`; `entities`?"),
        ("[quotas]\nsystems = 2000", "at most 1024"),
    ] {
        fs::write(dir.path().join(FILE), text).unwrap();
        let refused = config(dir.path(), &[]).unwrap_err();
        assert!(refused.contains(FILE) && refused.contains(said), "{text}: {refused}");
    }
    let missing = config(dir.path(), &["--config", "/nowhere/p.toml"]).unwrap_err();
    assert!(missing.starts_with("/nowhere/p.toml: "), "{missing}");
}
