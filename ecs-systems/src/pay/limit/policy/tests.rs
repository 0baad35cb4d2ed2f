//! Rows 24 and 25.

use super::*;
use crate::{
    components::Preapproved,
    fixture::{AMOUNT, BUDGET, Bench, NOW_MS, Ran, here, payment, run},
};
use ecs_core::{EffectClass, Json};

/// Amount and fee budget.
const SPEND: u64 = AMOUNT.0 + BUDGET.0;

fn judged(bench: &mut Bench, amount: Msat, budget: Msat) -> Ran {
    let write = here().attach(&Preapproved).attach(&Amount(amount)).attach(&FeeBudget(budget));
    bench.run(&POLICY, write)
}

fn bench(max: Option<u64>, ask: Option<u64>) -> Bench {
    Bench::new().policy(|policy| {
        policy.payment_max_msat = max.map(Msat);
        policy.ask_above_msat = ask.map(Msat);
    })
}

#[test]
fn amount_and_fee_budget_together_are_held_against_the_policy() {
    for (max, ask, outcome) in [
        (None, None, "policy:passed"),
        (Some(SPEND), None, "policy:passed"),
        (Some(SPEND - 1), None, "failing"),
        (Some(0), None, "failing"),
        (None, Some(SPEND), "policy:passed"),
        (None, Some(SPEND - 1), "approval:asked"),
        (Some(SPEND), Some(SPEND - 1), "approval:asked"),
        (Some(SPEND - 1), Some(SPEND - 1), "failing"),
    ] {
        let ran = judged(&mut bench(max, ask), AMOUNT, BUDGET);
        assert_eq!(ran.names(), [outcome], "{max:?} {ask:?}");
        assert_eq!(ran.code(), (outcome == "failing").then_some(POLICY_REFUSED));
        assert_eq!(ran.effects.len(), usize::from(outcome == "approval:asked"));
    }
    let ran = judged(&mut Bench::new(), Msat(u64::MAX), Msat(1));
    assert_eq!(ran.code(), Some(-32602), "the sum overflows");
}

#[test]
fn a_refusal_says_what_was_allowed() {
    let ran = judged(&mut bench(Some(5), None), AMOUNT, BUDGET);
    let facts = json!({ "limit": "payment_max", "used": 0, "requested": SPEND, "max": 5,
        "resets_at": null });
    assert_eq!(ran.facts(), Json::of(&facts));
}

#[test]
fn silence_refuses_when_the_time_of_the_question_is_up() {
    let mut bench = bench(None, Some(1));
    let ran = judged(&mut bench, AMOUNT, BUDGET);
    let timer = &ran.effects[0];
    let EffectClass::Timer { at_ms, only_if, .. } = &timer.class else { panic!("no timer") };
    assert_eq!((*at_ms, timer.kind.as_str()), (NOW_MS + 600_000, APPROVAL_TIMER));
    assert_eq!(only_if.as_deref(), Some("lightningd:approval:asked"));
    let question = bench.app.get::<ApprovalAsked>(payment()).unwrap().0.clone();
    assert_eq!(question.requested_msat, Msat(SPEND));
    assert_eq!((question.above_msat, question.until.0), (Msat(1), *at_ms));

    assert_eq!(bench.app.fire_timer(payment(), timer.id), Ok(true));
    let error = bench.app.get::<ecs_core::Failed>(payment()).unwrap();
    assert_eq!(error.0.code, POLICY_REFUSED);
    assert!(bench.app.outstanding(payment()).is_empty());
}

#[test]
fn an_operators_word_decides_and_takes_the_timer_back() {
    let asked = || {
        let mut bench = bench(None, Some(1));
        judged(&mut bench, AMOUNT, BUDGET);
        bench
    };
    let mut bench = asked();
    let ran = bench.run(&APPROVE, here().attach(&Approval(true)));
    assert_eq!(ran.names(), ["approval", "approval:asked", "policy:passed"]);
    assert!(ran.detached("approval") && ran.detached("approval:asked"));
    assert!(bench.app.outstanding(payment()).is_empty(), "no timer is left");

    let mut bench = asked();
    let ran = bench.run(&APPROVE, here().attach(&Approval(false)));
    assert_eq!((ran.code(), ran.names()), (Some(POLICY_REFUSED), vec!["failing"]));
}

#[test]
fn a_payment_that_ended_is_not_failed_again_by_its_question() {
    let mut bench = bench(None, Some(1));
    let timer = judged(&mut bench, AMOUNT, BUDGET).effects[0].id;
    bench.run(&APPROVE, here().attach(&Approval(false)));
    bench.app.run();
    assert!(bench.app.get::<ecs_core::Failed>(payment()).is_some());
    assert_eq!(bench.app.fire_timer(payment(), timer), Ok(false), "the timer is gone");
    assert!(bench.app.get::<Failing>(payment()).is_none());
}

#[test]
fn an_answer_without_a_question_changes_nothing() {
    assert!(!run(&APPROVE, here().attach(&Approval(true))).matched);
}
