//! Rows P2 and P3.

use super::*;
use crate::refusal::from_no_plan;
use crate::{
    components::{AttemptFacts, Planning},
    fixture::{AMOUNT, BUDGET, Bench, PREIMAGE, Ran, child, here, payment, plan_of},
};
use ecs_core::ErrorObject;
use payecs_planner::{NoPlan, NoPlanReason};
use payecs_units::{Blocks, Msat};
use std::num::NonZeroU32;

/// Somebody else.
fn other() -> EntityId {
    child().next()
}

fn waiting() -> Write {
    let attempt = AttemptFacts {
        n: 1,
        fee_left_msat: BUDGET,
        delay_left_blocks: Blocks(2_016),
        parts_left: 1,
    };
    here()
        .attach(&Systems::listing(["lightningd:dispatch"]))
        .attach(&PlanningEntity(child()))
        .attach(&Attempt(attempt))
}

fn failing(code: i32) -> Failing {
    Failing(ErrorObject::new(code, "some reason"))
}

/// Each way in which a payment waits no more for the plan.
fn not_waiting() -> Vec<(&'static str, Write)> {
    let without = |name| waiting().detach_name(name);
    vec![
        ("waits for none", without("lightningd:planning-entity")),
        ("waits for another", waiting().attach(&PlanningEntity(other()))),
        ("fails", waiting().attach(&failing(210))),
        ("is paid", waiting().attach(&PaidPreimage(PREIMAGE))),
        ("has a plan", waiting().attach(&Planned::new(plan_of(BUDGET)))),
        ("has ended", without("lightningd:systems")),
    ]
}

fn given(parent: Option<Write>, spec: &SystemSpec, plan: Write) -> (Bench, Ran) {
    let mut bench = Bench::new();
    if let Some(parent) = parent {
        bench.put(payment(), parent);
    }
    let plan = plan.attach(&Planning).attach(&Parent(payment()));
    let ran = bench.run_on(child(), spec, plan);
    assert!(ran.matched && ran.refusal.is_none());
    assert!(!bench.app.entities().contains(&child()), "the plan Entity ends");
    (bench, ran)
}

#[test]
fn a_payment_that_waits_gets_its_plan_and_goes_on() {
    let plan = Planned::new(plan_of(AMOUNT));
    let (mut bench, ran) = given(Some(waiting()), &HAND_OVER, here().attach(&plan));
    assert_eq!(ran.names_on(payment()), ["plan"]);
    assert_eq!(bench.app.get::<Planned>(payment()), Some(&plan));
    assert_eq!(bench.woken()[0], payment());
}

#[test]
fn a_plan_nobody_waits_for_is_dropped() {
    for (why, parent) in not_waiting() {
        let plan = here().attach(&Planned::new(plan_of(AMOUNT)));
        let (mut bench, ran) = given(Some(parent), &HAND_OVER, plan);
        assert!(ran.names_on(payment()).is_empty(), "{why}");
        assert!(bench.woken().is_empty(), "{why}");
    }
    let (bench, _) = given(None, &HAND_OVER, here().attach(&Planned::new(plan_of(AMOUNT))));
    assert!(bench.app.entities().is_empty(), "a payment that is gone is not made anew");
}

#[test]
fn a_payment_that_waits_fails_as_its_plan_did() {
    let (mut bench, ran) = given(Some(waiting()), &HAND_OVER_FAILURE, here().attach(&failing(205)));
    assert_eq!(ran.names_on(payment()), ["attempt", "failing", "planning-entity"]);
    assert!(ran.detached_from(payment(), "attempt"));
    assert!(ran.detached_from(payment(), "planning-entity"));
    assert_eq!(bench.app.get::<Failing>(payment()), Some(&failing(205)));
    assert_eq!(bench.woken()[0], payment());
}

#[test]
fn a_failure_nobody_waits_for_is_dropped() {
    for (why, parent) in not_waiting() {
        let (mut bench, ran) =
            given(Some(parent), &HAND_OVER_FAILURE, here().attach(&failing(205)));
        assert!(ran.names_on(payment()).is_empty(), "{why}: what failed it first stays");
        assert!(bench.woken().is_empty(), "{why}");
    }
    let (bench, _) = given(None, &HAND_OVER_FAILURE, here().attach(&failing(205)));
    assert!(bench.app.entities().is_empty());
}

#[test]
fn what_the_planner_answered_has_with_it_what_it_was_asked() {
    let no_plan = NoPlan {
        reason: NoPlanReason::TooExpensive,
        largest_msat: Some(Msat(7)),
        fee_needed_msat: Some(Msat(9)),
        delay_needed_blocks: Some(Blocks(5)),
        parts_needed: None,
        allow: Vec::new(),
        cut: Vec::new(),
    };
    let plan = || {
        here()
            .attach(&Amount(AMOUNT))
            .attach(&FeeBudget(BUDGET))
            .attach(&MaxDelay(NonZeroU32::new(40).unwrap()))
            .attach(&MaxParts(NonZeroU32::new(3).unwrap()))
    };
    let answer = Failing(from_no_plan(&no_plan));
    let (bench, _) = given(Some(waiting()), &HAND_OVER_FAILURE, plan().attach(&answer));
    let Failing(error) = bench.app.get::<Failing>(payment()).unwrap();
    let data = error.data.as_ref().unwrap();
    assert_eq!(data.decode::<NoPlan>().unwrap(), no_plan);
    let asked = Asked {
        amount_msat: AMOUNT,
        fee_left_msat: BUDGET,
        delay_left_blocks: Blocks(40),
        parts_left: 3,
    };
    assert_eq!(data.fields().unwrap()[Asked::NAME].decode::<Asked>().unwrap(), asked);
    let (bench, _) = given(Some(waiting()), &HAND_OVER_FAILURE, plan().attach(&failing(210)));
    assert_eq!(bench.app.get::<Failing>(payment()), Some(&failing(210)), "it was not asked");
}
