//! What holds for every documented Component, and what each kind takes.

use super::*;
use crate::fixture::{Bench, here, payment, sample, samples};
use ecs_core::{
    Caller, ComponentSpec, Error, Inputs, Json, OWN_PREFIX, Scope, WhenFrozen, WireComponent,
    Writable, Write, Writer,
};
use payecs_units::{BlockHeight, Msat, ShortChannelId};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn specs() -> Vec<ComponentSpec> {
    Bench::new().app.component_specs().copied().collect()
}

/// What an engine keeps of a value, or why it takes none.
fn kept(name: &str, json: &Json) -> Result<Json, Error> {
    let mut app = Bench::new().app;
    let write =
        Write { entity: Some(payment()), ..here().attach_json(name.to_owned(), json.clone()) };
    app.set_components(&Writer::Engine, &[write], &[])?;
    Ok(app.component(payment(), name).expect("it was attached"))
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("{OWN_PREFIX}{name}")).collect()
}

fn those(wanted: fn(&ComponentSpec) -> bool) -> BTreeSet<String> {
    specs().iter().filter(|spec| wanted(spec)).map(|spec| spec.name.to_owned()).collect()
}

#[test]
fn every_component_is_ours_and_says_what_it_is() {
    let specs = specs();
    for spec in &specs {
        assert!(spec.name.starts_with(OWN_PREFIX), "{}", spec.name);
        assert!(!spec.shape.is_empty() && !spec.meaning.is_empty(), "{}", spec.name);
    }
    assert_eq!(specs.len(), samples().components.len(), "each has a sample");
}

#[test]
fn what_is_kept_is_read_back_as_it_is() {
    for spec in specs() {
        let first = kept(spec.name, &sample(spec.name)).unwrap();
        assert_eq!(first, sample(spec.name), "{}", spec.name);
        let again = kept(spec.name, &first).unwrap();
        assert_eq!(again.text(), first.text(), "{} is canonical", spec.name);
    }
}

#[test]
fn callers_write_what_they_say_and_the_engine_the_rest() {
    let callers = those(|spec| spec.writable == Writable::Callers);
    let expected = named(&[
        "amount",
        "approval",
        "cancel",
        "circular",
        "description",
        "destination",
        "error",
        "exclude",
        "exemptfee",
        "feebudget",
        "first_hop",
        "hold",
        "idempotency_key",
        "invoice",
        "invoice:amount_msat",
        "invoice:currency",
        "invoice:description_hash",
        "invoice:expires_at",
        "invoice:features",
        "invoice:min_final_cltv_expiry",
        "invoice:payee",
        "invoice:payment_hash",
        "invoice:payment_metadata",
        "invoice:payment_secret",
        "invoice:routes",
        "invoice:type",
        "join",
        "label",
        "last_hop",
        "main-payment",
        "maxdelay",
        "maxfeepercent",
        "maxparts",
        "metadata",
        "nonce",
        "overpay",
        "partial",
        "payment_hash",
        "reject",
        "retry_for",
        "riskfactor",
        "systems",
        "wake_at",
    ]);
    assert_eq!(callers, expected);
    for spec in specs().iter().filter(|spec| spec.writable == Writable::Engine) {
        let write =
            Write { entity: Some(payment()), ..here().attach_json(spec.name, sample(spec.name)) };
        let refused = Bench::new().app.set_components(&Writer::Caller, &[write], &[]);
        let message = refused.unwrap_err().to_string();
        assert_eq!(message, format!("`{}` is set by the engine", spec.name));
    }
}

#[test]
fn secrets_freezing_and_what_stays_open_are_as_documented() {
    let secret = ["claim", "htlc", "invoice:payment_secret", "part:late", "preimage"];
    assert_eq!(those(|spec| spec.secret), named(&secret));
    let freezing = ["claim", "htlc", "part", "part:late", "planning", "replayed", "set"];
    assert_eq!(those(|spec| spec.freezes), named(&freezing));
    let open = those(|spec| spec.when_frozen == WhenFrozen::Allowed);
    assert_eq!(open, named(&["approval", "cancel", "hold", "label", "metadata", "reject"]));
    let becomes = those(|spec| matches!(spec.when_frozen, WhenFrozen::Becomes(_)));
    assert_eq!(becomes, named(&["error"]));
}

#[test]
fn a_wrong_shape_is_refused_naming_component_expected_and_got() {
    for spec in specs() {
        let any = ["lightningd:systems", "lightningd:systems:final", "lightningd:main-payment"];
        if any.contains(&spec.name) {
            continue;
        }
        let wrong = Json::parse(r#"{"seven":[7.5]}"#).unwrap();
        let wrong = if spec.name == "lightningd:metadata" { Json::of("text") } else { wrong };
        let error = kept(spec.name, &wrong).unwrap_err();
        assert_eq!(error.code(), -32602, "{}", spec.name);
        let got = if spec.secret { "something else" } else { wrong.text() };
        let message = format!("`{}`: expected {}, got {got}", spec.name, spec.shape);
        assert!(error.to_string().starts_with(&message), "{error}");
    }
}

#[test]
fn a_secret_that_is_wrong_is_never_repeated() {
    let hidden = "5eed".repeat(17);
    let values = [
        Json::of(&hidden),
        Json::array([Json::of(&hidden)]),
        Json::object([("payment_secret", Json::of(&hidden))]),
        Json::object([(hidden.as_str(), Json::yes())]),
    ];
    for spec in specs().iter().filter(|spec| spec.secret) {
        for value in &values {
            let message = kept(spec.name, value).unwrap_err().to_string();
            assert!(!message.contains("5eed"), "{message}");
        }
    }
}

#[test]
fn each_kind_takes_its_values_and_no_others() {
    for (names, good, bad) in TABLE {
        for name in *names {
            let name = format!("{OWN_PREFIX}{name}");
            for (given, text) in *good {
                let kept = kept(&name, &Json::parse(given).unwrap());
                assert_eq!(kept.as_ref().map(Json::text), Ok(*text), "{name} {given}");
            }
            for given in *bad {
                let error = kept(&name, &Json::parse(given).unwrap()).unwrap_err();
                assert_eq!(error.code(), -32602, "{name} {given}");
                assert!(error.to_string().contains(&name), "{error}");
            }
        }
    }
}

/// Names, what is kept of values they take, and values they refuse.
type Kind =
    (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);

const TABLE: &[Kind] = &[
    (
        &["overpay", "circular", "cancel", "preapproved", "invoice:unchecked", "set:complete"],
        &[("true", "true")],
        &["false", "1", "\"true\"", "[]", "{}", "0"],
    ),
    (
        &["amount", "partial", "remaining", "total"],
        &[
            ("1", "\"1msat\""),
            ("\"1msat\"", "\"1msat\""),
            ("\"7\"", "\"7msat\""),
            ("\"2sat\"", "\"2000msat\""),
            ("\"0.00000001btc\"", "\"1000msat\""),
            ("18446744073709551615", "\"18446744073709551615msat\""),
        ],
        &["0", "\"0msat\"", "-1", "1.5", "\"1.5\"", "18446744073709551616", "true", "\"\""],
    ),
    (
        &["exemptfee", "feebudget", "invoice:amount_msat", "fee", "part:spent"],
        &[("0", "\"0msat\""), ("\"0sat\"", "\"0msat\""), ("5000", "\"5000msat\"")],
        &["-1", "0.5", "\"x\"", "[1]"],
    ),
    (
        &["maxfeepercent", "riskfactor"],
        &[("0", "0"), ("0.50", "0.50"), ("5e-1", "5e-1"), ("0.000001", "0.000001")],
        &["-1", "0.0000001", "\"0.5\"", "true", "1e30"],
    ),
    (
        &["retry_for"],
        &[("0", "0"), ("1.5", "1.5"), ("86400", "86400")],
        &["86400.000001", "86401", "-1", "\"60\""],
    ),
    (
        &["maxdelay", "maxparts"],
        &[("1", "1"), ("4294967295", "4294967295")],
        &["0", "-1", "1.5", "4294967296", "\"1\""],
    ),
    (
        &["label", "invoice:type", "invoice:currency", "status"],
        &[("\"x\"", "\"x\""), ("\"\\u00e9\"", "\"\\u00e9\"")],
        &["\"\"", "7", "true", "{}"],
    ),
    (
        &["invoice:features", "invoice:payment_metadata"],
        &[("\"\"", "\"\""), ("\"00aB\"", "\"00aB\"")],
        &["\"0\"", "\"zz\"", "7"],
    ),
    (&["main-payment"], &[("false", "false"), ("0", "0"), ("{}", "{}")], &[]),
    (&["metadata"], &[("{}", "{}"), ("{\"a\":1}", "{\"a\":1}")], &["[]", "7", "\"x\""]),
    (&["approval"], &[("true", "true"), ("false", "false")], &["1", "\"true\""]),
    (
        &["reject", "refusing", "refused"],
        &[("\"mpp_timeout\"", "\"mpp_timeout\"")],
        &["true", "\"no\"", "23", "\"temporary_channel_failure\""],
    ),
    (&["parent", "self:asked", "htlc:joined"], &[("1", "1"), ("\"1\"", "1")], &["0", "-1", "1.5"]),
    (
        &["first_hop"],
        &[("\"1x2x3\"", "\"1x2x3\"")],
        &["\"1x2\"", "\"1x2x3/0\"", "1", "\"16777216x0x0\""],
    ),
    (
        &["exclude"],
        &[("[]", "[]"), ("[\"1x2x3/0\"]", "[\"1x2x3/0\"]")],
        &["[\"1x2x3\"]", "[\"1x2x3/2\"]", "[7]", "\"1x2x3/0\""],
    ),
    (
        &["invoice:expires_at"],
        &[("0", "0"), ("18446744073709551615", "18446744073709551615")],
        &["-1", "18446744073709551616", "\"0\""],
    ),
    (
        &["deadline"],
        &[("\"1970-01-01T00:00:00.000Z\"", "\"1970-01-01T00:00:00.000Z\"")],
        &["7", "\"soon\""],
    ),
];

#[test]
fn hashes_and_node_ids_are_kept_in_lower_case() {
    let (hash, node) = ("AB".repeat(32), format!("02{}", "CD".repeat(32)));
    for (name, given) in [
        ("payment_hash", &hash),
        ("invoice:description_hash", &hash),
        ("destination", &node),
        ("last_hop", &node),
    ] {
        let name = format!("{OWN_PREFIX}{name}");
        assert_eq!(kept(&name, &Json::of(given)), Ok(Json::of(&given.to_lowercase())));
        for wrong in [&given[1..], &given[2..], &given.replace(['0', 'A'], "g")] {
            assert!(kept(&name, &Json::of(wrong)).is_err(), "{name} {wrong}");
        }
    }
    let nonce = Json::of(&hash);
    assert_eq!(kept("lightningd:nonce", &nonce).unwrap().text(), nonce.text(), "as it came");
}

#[test]
fn texts_are_bounded() {
    for (name, bytes_max) in [
        ("label", TEXT_BYTES_MAX),
        ("invoice", INVOICE_BYTES_MAX),
        ("description", INVOICE_BYTES_MAX),
    ] {
        let name = format!("{OWN_PREFIX}{name}");
        assert!(kept(&name, &Json::of(&"x".repeat(bytes_max))).is_ok(), "{name}");
        let error = kept(&name, &Json::of(&"x".repeat(bytes_max + 1))).unwrap_err();
        assert!(error.to_string().contains(&format!("{bytes_max} allowed")), "{error}");
    }
    let metadata = |bytes: usize| Json::object([("k", Json::of(&"x".repeat(bytes)))]);
    let frame = metadata(0).text().len();
    assert!(kept("lightningd:metadata", &metadata(METADATA_BYTES_MAX - frame)).is_ok());
    assert!(kept("lightningd:metadata", &metadata(METADATA_BYTES_MAX - frame + 1)).is_err());
    let even = "0".repeat(INVOICE_BYTES_MAX + 2);
    assert!(kept("lightningd:invoice:features", &Json::of(&even)).is_err());
}

#[test]
fn only_the_scope_approve_writes_an_approval() {
    let params = r#"{"writes":[{"entity":1,"lightningd:approval":true}]}"#;
    let params = Json::parse(params).unwrap();
    let flow = [Scope::Read, Scope::Receive, Scope::Pay, Scope::Flow, Scope::Admin];
    for (scopes, code) in [(flow.to_vec(), Some(1502)), (vec![Scope::Flow, Scope::Approve], None)] {
        let (mut app, caller) = (Bench::new().app, Caller::with(scopes));
        let answer = app.call(&caller, Inputs::default(), "payecs_setcomponents", Some(&params));
        assert_eq!(answer.err().map(|error| error.code), code);
    }
}

#[test]
fn fields_of_the_invoice_may_have_any_name_and_others_of_ours_may_not() {
    assert!(kept("lightningd:invoice:acme", &Json::yes()).is_ok());
    assert!(kept("lightningd:invoice:type:acme bill", &Json::yes()).is_ok());
    let unknown = kept("lightningd:amuont", &Json::yes()).unwrap_err();
    assert!(unknown.to_string().contains("`lightningd:amount`?"), "{unknown}");
}

#[test]
fn what_a_text_says_is_read_exactly() {
    let decimal = |text: &str| Json::parse(text).unwrap();
    for (text, micros) in [("0.5", 500_000), ("10", 10_000_000), ("1e-6", 1), ("0", 0)] {
        assert_eq!(MaxFeePercent(decimal(text)).share().0, micros, "{text}");
        assert_eq!(RiskFactor(decimal(text)).share().0, micros, "{text}");
    }
    for (text, ms) in [("60", 60_000), ("0.0019", 1), ("86400", 86_400_000)] {
        assert_eq!(RetryFor(decimal(text)).milliseconds(), ms, "{text}");
    }
    for (digits, seed) in [("00", 0), ("ff", u64::MAX), ("01", 0x0101_0101_0101_0101)] {
        assert_eq!(Nonce(Json::of(&digits.repeat(32))).seed(), seed);
    }
    assert_eq!(Label(Json::of("rent")).text(), "rent");
    assert_eq!(Description(Json::of("a\nb")).text(), "a\nb");
}

#[test]
fn fees_of_open_parts_add_up_or_overflow() {
    let part = |fee| OpenPart { fee_msat: Msat(fee), ..crate::fixture::open_part() };
    let fees = |parts: &[u64]| PartsOpen(parts.iter().copied().map(part).collect()).fees();
    assert_eq!(fees(&[]), Some(Msat::ZERO));
    assert_eq!(fees(&[1, 2]), Some(Msat(3)));
    assert_eq!(fees(&[u64::MAX, 1]), None);
}

fn again<C: WireComponent + PartialEq>(component: &C) -> bool {
    let json = component.to_json();
    let read = C::from_json(&json).expect("it is what we wrote");
    read == *component && read.to_json().text() == json.text()
}

proptest! {
    #[test]
    fn any_value_of_ours_is_read_back(
        number in 1_u64.., bytes: [u8; 32], flag: bool, text in ".{1,40}", scid: u64,
        micros in 0_u64..=1_000_000_000,
    ) {
        let small = std::num::NonZeroU32::new(u32::try_from(number % 4_000_000_000 + 1).unwrap());
        prop_assert!(again(&Amount(Msat(number))) && again(&FeeBudget(Msat(number))));
        prop_assert!(again(&Remaining(Msat(number))) && again(&PartSpent(Msat(number))));
        prop_assert!(again(&MaxDelay(small.unwrap())) && again(&MaxParts(small.unwrap())));
        prop_assert!(again(&PayHash(payecs_units::PaymentHash(bytes))));
        prop_assert!(again(&PaidPreimage(payecs_units::Preimage(bytes))));
        prop_assert!(again(&InvoicePaymentSecret(payecs_units::PaymentSecret(bytes))));
        prop_assert!(again(&Approval(flag)) && again(&Label(Json::of(&text))));
        prop_assert!(again(&FirstHop(ShortChannelId(scid))) && again(&InvoiceExpiresAt(number)));
        let height = BlockHeight(small.unwrap().get());
        let part = PartFacts { height, ..crate::fixture::part() };
        prop_assert!(again(&Part(part)));
        let percent = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let percent = MaxFeePercent(Json::parse(&percent).unwrap());
        prop_assert!(again(&percent) && percent.share().0 == micros);
    }
}
