//! Third parties that accept, reject or hold what comes in, for one paycode or for all of them.

use super::{Paycode, merchant, paycode, status_of};
use crate::{
    calls::{field, json},
    harness::Payer,
    receiving::{carol_sends, told},
};
use ecs_core::{Caller, Json, Scope};
use ecs_systems::port::FailureCode;

const DETAILS: FailureCode = FailureCode::IncorrectOrUnknownPaymentDetails;

/// Registers an external System that looks at complete sets.
fn register(payer: &mut Payer, more: &str) {
    let params = format!(
        r#"{{"system":"acme:look","required":"lightningd:set:complete",
            "disallowed":["acme:looked","lightningd:refusing"]{more}}}"#
    );
    payer.call("payecs_newsystem", &params).expect("a new name");
}

/// What the System is given: the set and the number.
fn invocation(payer: &mut Payer) -> (String, String) {
    let answer = payer.call("payecs_invocations", r#"["acme:look",60]"#).expect("one");
    let all = json(&field(&answer, "invocations")).items().expect("an array");
    let [one] = &all[..] else { panic!("{answer}") };
    let entity = field(&json(&field(one, "entity")), "entity");
    (entity, field(one, "invocation"))
}

/// Answers with these Components.
fn answer(payer: &mut Payer, components: &str) {
    let (entity, number) = invocation(payer);
    let params = format!(
        r#"{{"entity":{entity},"invocation":{number},
            "writes":{{"entity":{entity},"acme:looked":true{components}}}}}"#
    );
    payer.call("payecs_advance", &params).expect("an answer");
}

fn looked_at(payer: &mut Payer) -> Paycode {
    paycode(payer, r#"{"amount_msat":100000,"prepend":["acme:look"]}"#)
}

#[test]
fn the_system_of_a_paycode_accepts_rejects_or_holds_it_and_sees_no_other() {
    for (says, status, code) in [
        ("", "paid", None),
        (
            r#","lightningd:reject":"temporary_node_failure""#,
            "unpaid",
            Some(FailureCode::TemporaryNodeFailure),
        ),
        (r#","lightningd:hold":true"#, "held", None),
    ] {
        let mut payer = merchant();
        register(&mut payer, "");
        let other = paycode(&mut payer, "[100000]");
        let part = other.whole(100_000);
        carol_sends(&mut payer, part);
        payer.run_for(2_000);
        assert_eq!(status_of(&mut payer, &other), "paid", "nobody is asked about it");
        let paycode = looked_at(&mut payer);
        let part = paycode.whole(100_000);
        let id = carol_sends(&mut payer, part);
        payer.run_for(2_000);
        assert_eq!(status_of(&mut payer, &paycode), "receiving", "it waits for the answer");
        answer(&mut payer, says);
        payer.run_for(2_000);
        assert_eq!(status_of(&mut payer, &paycode), status, "{says}");
        if let Some(code) = code {
            assert_eq!(told(&payer, id), code, "{says}");
        }
        if status == "held" {
            let named = format!(r#"{{"payment_hash":"{}"}}"#, paycode.hash);
            payer.call("settlepaycode", &named).expect("it is decided");
            payer.run_for(2_000);
            assert_eq!(status_of(&mut payer, &paycode), "paid");
        }
        payer.assert_books_agree();
    }
}

#[test]
fn what_a_system_lets_wait_or_leaves_goes_back_and_the_paycode_stays_payable() {
    for gone in [false, true] {
        let mut payer = merchant();
        register(&mut payer, r#","timeout":5"#);
        let paycode = looked_at(&mut payer);
        if gone {
            payer.call("payecs_removesystem", r#"["acme:look"]"#).expect("it is in no list of all");
        }
        let part = paycode.whole(100_000);
        let id = carol_sends(&mut payer, part);
        payer.run_for(10_000);
        assert_eq!(told(&payer, id), DETAILS, "gone: {gone}");
        assert_eq!(status_of(&mut payer, &paycode), "unpaid");
        if gone {
            register(&mut payer, "");
        }
        let part = paycode.whole(100_000);
        carol_sends(&mut payer, part);
        payer.run_for(1_000);
        answer(&mut payer, "");
        payer.run_for(2_000);
        assert_eq!(status_of(&mut payer, &paycode), "paid", "gone: {gone}");
        payer.assert_books_agree();
    }
}

#[test]
fn an_open_set_of_a_paycode_whose_system_is_gone_times_out_as_any_other() {
    let mut payer = merchant();
    register(&mut payer, "");
    let paycode = looked_at(&mut payer);
    payer.call("payecs_removesystem", r#"["acme:look"]"#).expect("removed");
    let part = paycode.whole(100_000).of_it(ecs_systems::units::Msat(40_000));
    let id = carol_sends(&mut payer, part);
    payer.run_for(80_000);
    let code = told(&payer, id);
    assert!([DETAILS, FailureCode::MppTimeout].contains(&code), "{code:?}");
    assert_eq!(status_of(&mut payer, &paycode), "unpaid");
    payer.assert_books_agree();
}

#[test]
fn a_system_in_the_default_list_sees_every_receipt_also_after_a_crash() {
    let mut payer = merchant();
    register(&mut payer, "");
    let params = r#"{"prepend":["acme:look"]}"#;
    let listed = payer.call("payecs_changedefaultsystems", params).expect("it is registered");
    assert_eq!(field(&listed, "additions"), params);
    let refused = payer.refused("payecs_removesystem", r#"["acme:look"]"#);
    assert!(refused.0 == -32602 && refused.1.contains("default list"), "{refused:?}");
    payer.crash();
    let paycode = paycode(&mut payer, "[100000]");
    let part = paycode.whole(100_000);
    carol_sends(&mut payer, part);
    payer.run_for(2_000);
    assert_eq!(status_of(&mut payer, &paycode), "receiving");
    answer(&mut payer, "");
    payer.run_for(2_000);
    assert_eq!(status_of(&mut payer, &paycode), "paid");
    payer.assert_books_agree();
}

#[test]
fn what_ourselves_pay_is_looked_at_too() {
    let mut payer = merchant();
    register(&mut payer, "");
    let made = payer
        .call(
            "invoice",
            r#"{"amount_msat":5000,"label":"a","description":"b","prepend":"acme:look"}"#,
        )
        .expect("an invoice");
    let params = Json::array([json(&field(&made, "bolt11"))]);
    let call = payer.begin_call("pay", params.text());
    payer.run_for(1_000);
    answer(&mut payer, "");
    let paid = payer.finish_call(&call).expect("it is ours");
    assert_eq!(field(&paid, "status"), "\"complete\"");
}

#[test]
fn systems_that_are_unknown_doubled_or_not_the_callers_to_name_are_refused() {
    let mut payer = merchant();
    register(&mut payer, "");
    for (names, words) in [
        (r#""acme:gone""#, "acme:gone"),
        (r#"["acme:look","acme:look"]"#, "named twice"),
        (r#"["lightningd:settle_set"]"#, "stands in the default list"),
        ("7", "prepend"),
    ] {
        for (method, more) in [("paycode", ""), ("invoice", r#","label":"a","description":"b""#)] {
            let params = format!(r#"{{"amount_msat":1{more},"prepend":{names}}}"#);
            let (code, said) = payer.refused(method, &params);
            assert!(code == -32602 && said.contains(words), "{method} {names}: {said}");
        }
    }
    let caller = Caller { scopes: [Scope::Receive].into(), ..Caller::owner() };
    let params = r#"{"amount_msat":1,"prepend":"acme:look"}"#;
    let call = payer.begin_call_of(&caller, "paycode", params);
    assert_eq!(payer.finish_call(&call).expect_err("no scope `flow`").code, 1502);
    assert_eq!(field(&payer.call("listpaycodes", "[]").unwrap(), "paycodes"), "[]");
}

#[test]
fn the_same_request_with_another_system_is_another_request() {
    let mut payer = merchant();
    register(&mut payer, "");
    let with = |prepend: &str| format!(r#"{{"amount_msat":1,"idempotency_key":"k"{prepend}}}"#);
    let first = payer.call("paycode", &with(r#","prepend":"acme:look""#)).expect("a paycode");
    let again = payer.call("paycode", &with(r#","prepend":["acme:look"]"#)).expect("the same");
    assert_eq!(first, again);
    assert_eq!(payer.refused("paycode", &with("")).0, -32602);
}
