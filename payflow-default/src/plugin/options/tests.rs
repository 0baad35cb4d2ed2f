use super::*;
use ecs_core::Quota;
use ecs_systems::units::Msat;

fn of(given: &str) -> Result<Options, String> {
    let given = Json::parse(given).unwrap();
    Options::of(&given, Some(Path::new("/ln"))).map_err(|wrong| wrong.to_string())
}

#[test]
fn what_is_not_said_is_as_by_default_and_what_is_said_counts() {
    let default = of("{}").unwrap();
    assert_eq!(default.data_dir, Path::new("/ln/payecs"));
    assert_eq!((default.speed, default.announce_all), (Speed::REAL, true));
    assert_eq!(default.wanted, Wanted::default());
    assert!(!default.accepts.unknown && default.accepts.forgotten.is_none());
    let said = r#"{"payecs-dir":"/elsewhere","payecs-nodes":30,"payecs-seed":"7",
        "payecs-balances":"bimodal","payecs-speed":"10","payecs-announce":"external",
        "payecs-log":"info","payecs-accept-unknown":true,"payecs-accept-forgotten":"old list",
        "payecs-operator":"me","payecs-graph":null,"payecs-quotas":"names=9,entities=7",
        "payecs-ask-above":"5sat","payecs-approval-timeout":7,"payecs-unpaid-paycodes":6,
        "payecs-otlp":"http://127.0.0.1:4318","payecs-held-htlcs":8,"others":[1],
        "payecs-held-htlcs-per-channel":4,
        "payecs-autoclean-cycle":60,"payecs-autoclean-expiredpaycodes-age":"5"}"#;
    let said = of(said).unwrap();
    assert_eq!(said.data_dir, Path::new("/elsewhere"));
    let (nodes, seed, balances) = (Some(30), Some(7), Some(Balances::Bimodal));
    assert_eq!(said.wanted, Wanted { nodes, seed, balances, graph: None });
    let max = [Quota::Names, Quota::Entities].map(|quota| said.quotas.max(quota));
    assert_eq!((max, &default.quotas), ([9, 7], &Quotas::default()));
    assert!(!said.announce_all && said.accepts.unknown);
    let asks = |options: &Options| (options.policy.ask_above_msat, options.policy.approval_timeout);
    assert_eq!(asks(&default), (None, Policy::default().approval_timeout));
    assert_eq!(asks(&said), (Some(Msat(5_000)), Seconds(7)));
    assert_eq!(said.policy.unpaid_paycodes_max, 6);
    let urls = [&default, &said].map(|options| options.otlp.as_ref().map(|it| it.url.as_str()));
    assert_eq!(urls, [None, Some("http://127.0.0.1:4318/v1/traces")]);
    let held = (said.policy.held_htlcs_max, said.policy.held_htlcs_per_channel_max);
    assert_eq!(held, (8, 4));
    let autoclean = &said.policy.autoclean;
    assert_eq!((autoclean.cycle, default.policy.autoclean.cycle), (Seconds(60), Seconds(3_600)));
    let enabled: Vec<_> = autoclean.enabled().collect();
    assert_eq!(enabled, [(OverKind::ExpiredPaycodes, Seconds(5))]);
    let decision = said.accepts.forgotten.unwrap();
    assert_eq!((decision.who.as_str(), decision.why.as_str()), ("me", "old list"));
    let nowhere = Options::of(&Json::nothing(), None).unwrap();
    assert_eq!(nowhere.data_dir, Path::new("payecs"), "lightningd runs us in its directory");
}

#[test]
fn a_value_that_can_not_be_is_refused_by_the_name_of_its_option() {
    for (given, said) in [
        (r#"{"payecs-nodes":1}"#, "payecs-nodes: expected 2 to 250000, got 1"),
        (r#"{"payecs-nodes":4294967298}"#, "payecs-nodes: expected 2 to 250000"),
        (r#"{"payecs-nodes":"many"}"#, "payecs-nodes: expected an integer"),
        (r#"{"payecs-nodes":9,"payecs-graph":"G"}"#, "not both"),
        (r#"{"payecs-seed":-1}"#, "payecs-seed: "),
        (r#"{"payecs-balances":"even"}"#, "payecs-balances: "),
        (r#"{"payecs-speed":0}"#, "payecs-speed: expected a speed"),
        (r#"{"payecs-announce":"some"}"#, "payecs-announce: expected `all`"),
        (r#"{"payecs-otlp":"https://10.0.0.1"}"#, "payecs-otlp: nothing is encrypted there"),
        (r#"{"payecs-log":"=="}"#, "payecs-log: "),
        (r#"{"payecs-dir":""}"#, "payecs-dir: it says nothing"),
        (r#"{"payecs-dir":["D"]}"#, "payecs-dir: expected a string"),
        (r#"{"payecs-accept-forgotten":"old"}"#, "payecs-operator"),
        (r#"{"payecs-operator":"me"}"#, "payecs-accept-forgotten"),
        (r#"{"payecs-quotas":"entitis=7"}"#, "payecs-quotas: there is no quota `entitis`"),
        (r#"{"payecs-accept-unknown":"perhaps"}"#, "payecs-accept-unknown: "),
        (r#"{"payecs-ask-above":"5 sat"}"#, "payecs-ask-above: "),
        (r#"{"payecs-unpaid-paycodes":-1}"#, "payecs-unpaid-paycodes: expected an integer"),
        (r#"{"payecs-autoclean-cycle":0}"#, "payecs-autoclean-cycle: expected 1 second or more"),
        (r#"{"payecs-autoclean-paidinvoices-age":"old"}"#, "paidinvoices-age: expected an int"),
        (r#"{"payecs-approval-timeout":0}"#, "payecs-approval-timeout: expected 1 to 86400"),
        (r#"{"payecs-approval-timeout":"soon"}"#, "payecs-approval-timeout: expected 1 to"),
    ] {
        let refused = of(given).unwrap_err();
        assert!(refused.contains(said), "{given}: {refused}");
    }
}
