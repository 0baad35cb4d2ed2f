//! What is said of payments, by their Components and errors.

use super::{
    changes::{Given, changes},
    failed,
};
use crate::{
    components::{
        ApprovalAsked, Deadline, Destination, MainPayment, Parent, Part, PartFailure, PartsOpen,
        PlanningEntity, SameAs,
    },
    fixture::{BUDGET, Bench, HUB, PAYEE, child, failure, here, open_part, part, payment, sample},
    refusal::{Asked, from_no_plan},
};
use ecs_core::{Caller, ErrorObject, Failing, Inputs, Json, Systems, Write};
use payecs_planner::{Exclusion, NoPlan, NoPlanReason};
use payecs_units::{Blocks, Msat};
use serde_json::{Value, json};

const AMOUNT: Msat = Msat(100_000);

fn no_plan(reason: NoPlanReason) -> NoPlan {
    NoPlan {
        reason,
        largest_msat: None,
        fee_needed_msat: None,
        delay_needed_blocks: None,
        parts_needed: None,
        allow: Vec::new(),
        cut: Vec::new(),
    }
}

fn asked(amount: u64, fee_left: u64) -> Asked {
    Asked {
        amount_msat: Msat(amount),
        fee_left_msat: Msat(fee_left),
        delay_left_blocks: Blocks(40),
        parts_left: 2,
    }
}

fn given() -> Given {
    Given {
        amount: Some(AMOUNT),
        fee_budget: Some(BUDGET),
        exclude: Some(vec![Exclusion::Node(HUB), Exclusion::Node(PAYEE)]),
        retry_for_ms: Some(60_000),
        delay_max: Some(Blocks(2_016)),
        takes_parts: Some(true),
    }
}

/// Each change as what, from, to, whether it is promised, and what else.
fn told(error: &ErrorObject, given: &Given) -> Vec<Value> {
    let all = serde_json::to_value(changes(error, given)).unwrap();
    let all = all.as_array().unwrap().iter();
    all.map(|it| {
        let with = it.get("with").and_then(Value::as_array).cloned().unwrap_or_default();
        let with: Vec<Value> =
            with.iter().map(|it| json!([it["what"], it["from"], it["to"]])).collect();
        assert!(it["words"].as_str().unwrap().ends_with('.'), "{it}");
        json!([it["what"], it["from"], it["to"], it["promised"], with])
    })
    .collect()
}

fn of_plan(no_plan: &NoPlan, asked: Asked) -> ErrorObject {
    asked.beside(from_no_plan(no_plan))
}

#[test]
fn each_limit_of_a_plan_has_its_change() {
    let dear = |fee, delay| NoPlan {
        fee_needed_msat: Some(Msat(fee)),
        delay_needed_blocks: Some(Blocks(delay)),
        ..no_plan(NoPlanReason::TooExpensive)
    };
    let parts = NoPlan { parts_needed: Some(4), ..no_plan(NoPlanReason::NoRoute) };
    let allow = vec![Exclusion::Node(HUB)];
    let excluded = NoPlan { allow, ..no_plan(NoPlanReason::Excluded) };
    let less = NoPlan { largest_msat: Some(Msat(70)), ..no_plan(NoPlanReason::NoRoute) };
    let (hub, payee) = (HUB.to_string(), PAYEE.to_string());
    for (no_plan, expected) in [
        (dear(6_000, 30), json!([["maxfee", 5_000, 6_000, true, []]])),
        (dear(10, 50), json!([["maxdelay", 40, 50, true, []]])),
        (dear(6_000, 50), json!([["maxfee", 5_000, 6_000, true, [["maxdelay", 40, 50]]]])),
        (dear(10, 2_017), json!([["maxdelay", 40, 2_017, false, []]])),
        (parts, json!([["maxparts", 2, 4, true, []]])),
        (excluded, json!([["exclude", [hub, payee], [payee], true, []]])),
        (less, json!([["amount_msat", 100_000, 70, true, [["maxfee", 5_000, 5_000]]]])),
        (no_plan(NoPlanReason::NoRoute), json!([])),
    ] {
        let error = of_plan(&no_plan, asked(AMOUNT.0, BUDGET.0));
        assert_eq!(json!(told(&error, &given())), expected, "{no_plan:?}");
    }
}

#[test]
fn a_plan_for_the_rest_of_a_payment_promises_nothing() {
    let rest = asked(30_000, 1_000);
    let dear = NoPlan {
        fee_needed_msat: Some(Msat(2_000)),
        delay_needed_blocks: Some(Blocks(30)),
        largest_msat: Some(Msat(9)),
        ..no_plan(NoPlanReason::TooExpensive)
    };
    let expected = json!([["maxfee", 5_000, 6_000, false, []]]);
    assert_eq!(json!(told(&of_plan(&dear, rest), &given())), expected, "others had 4 sat of it");
    let bare = from_no_plan(&dear);
    assert_eq!(json!(told(&bare, &given())), json!([]), "nobody knows what was asked");
}

#[test]
fn more_parts_are_no_change_where_the_payee_takes_one() {
    let parts = NoPlan { parts_needed: Some(4), ..no_plan(NoPlanReason::NoRoute) };
    let single = Given { takes_parts: Some(false), ..given() };
    let error = of_plan(&parts, asked(AMOUNT.0, BUDGET.0));
    assert_eq!(told(&error, &single), Vec::<Value>::new());
}

#[test]
fn books_policy_time_and_invoice_have_their_changes_and_promise_nothing() {
    let at = "2026-01-01T00:00:00.000Z";
    let limit = |used: u64, resets: Value| {
        let max = 60_000;
        json!({ "limit": "daily", "used": used, "requested": 9, "max": max, "resets_at": resets })
    };
    let less = |to: u64| json!(["amount_msat", 100_000, to, false, [["maxfee", 5_000, 5_000]]]);
    for (code, data, expected) in [
        (
            215,
            json!({ "requested_msat": 105_000, "available_msat": 102_000 }),
            json!([["maxfee", 5_000, 2_000, false, []], less(97_000)]),
        ),
        (
            215,
            json!({ "requested_msat": 105_000, "available_msat": 50_000 }),
            json!([less(45_000)]),
        ),
        (215, json!({ "requested_msat": 105_000, "available_msat": 5_000 }), json!([])),
        (2310, limit(0, json!(null)), json!([less(55_000)])),
        (2310, limit(60_000, json!(at)), json!([["time", null, at, false, []]])),
        (2310, json!({ "until": at, "requested": 1 }), json!([])),
        (210, json!({ "deadline": at }), json!([["retry_for", 60, null, false, []]])),
        (210, json!({}), json!([])),
        (
            207,
            json!({ "now": 1_767_225_601, "expiry": 1_767_225_600 }),
            json!([["time", "2026-01-01T00:00:01.000Z", at, false, []]]),
        ),
        (203, json!({ "failcode": 16_399 }), json!([])),
    ] {
        let error = ErrorObject::new(code, "No").with_data(&data);
        assert_eq!(json!(told(&error, &given())), expected, "{code} {data}");
        assert_eq!(failed(&error, &Given::default()).why, "No.");
    }
}

fn explained(bench: &mut Bench) -> Value {
    let params = Json::parse("[1]").unwrap();
    let inputs = Inputs::default();
    let answer = bench.app.call(&Caller::owner(), inputs, "payecs_explain", Some(&params));
    serde_json::from_str(answer.unwrap().now().unwrap().text()).unwrap()
}

fn claimed() -> Write {
    here()
        .attach(&MainPayment(Json::yes()))
        .attach(&Systems::listing(["lightningd:dispatch"]))
        .attach_json("lightningd:claim", sample("lightningd:claim"))
}

#[test]
fn a_payment_under_way_says_what_it_waits_for_and_until_when() {
    let deadline = || claimed().attach(&Deadline(payecs_units::Timestamp(1_767_225_600_000)));
    let question = ApprovalAsked(sample("lightningd:approval:asked").decode().unwrap());
    for (write, what, said) in [
        (deadline().attach(&PartsOpen(vec![open_part()])), "parts", "1 part to end, block "),
        (deadline().attach(&PlanningEntity(child())), "planner", "until 2026-01-01T00:00:00.000Z."),
        (claimed().attach(&question), "operator", "an operator to approve"),
        (claimed().attach(&SameAs(child())), "payment", "with the same idempotency key"),
    ] {
        let part = Write::to(child()).attach(&Part(part())).attach(&Parent(payment()));
        let mut bench = Bench::new().with(child(), part).with(payment(), write);
        let told = &explained(&mut bench)["payment"];
        assert_eq!(
            (&told["status"], &told["waits_for"][0]["what"]),
            (&json!("pending"), &json!(what))
        );
        assert!(told["why"].as_str().unwrap().contains(said), "{told}");
        assert_eq!(told["known_by"], "engine");
    }
}

#[test]
fn what_fails_says_why_and_what_is_still_open_with_the_parts_that_failed() {
    let failing = Failing(ErrorObject::new(210, "Payment was cancelled"));
    let write = claimed().attach(&failing).attach(&PartsOpen(vec![open_part()]));
    let part = Write::to(child()).attach(&Part(part())).attach(&Parent(payment()));
    let mut bench =
        Bench::new().with(child(), part.attach(&PartFailure(failure()))).with(payment(), write);
    let told = &explained(&mut bench)["payment"];
    assert_eq!((&told["status"], &told["code"]), (&json!("failing"), &json!(210)));
    let why = told["why"].as_str().unwrap();
    assert!(
        why.starts_with("It fails once nothing of it is open: Payment was cancelled."),
        "{why}"
    );
    let tried = &told["attempts"]["parts"][0];
    assert_eq!(
        (&tried["failure"], &tried["failcode"], &tried["entity"]),
        (&json!("temporary_channel_failure"), &json!(0x1007), &json!(2))
    );
    assert_eq!(tried["short_channel_id_dir"], json!(failure().erring_channel));
}

#[test]
fn what_is_no_payment_is_not_explained_as_one() {
    let mut bench = Bench::new().with(payment(), here().attach(&Destination(HUB)));
    assert_eq!(explained(&mut bench).get("payment"), None);
    let mut draft = Bench::new().with(payment(), here().attach(&MainPayment(Json::yes())));
    let told = &explained(&mut draft)["payment"];
    assert_eq!((&told["status"], &told["changes"]), (&json!("draft"), &json!([])));
}
