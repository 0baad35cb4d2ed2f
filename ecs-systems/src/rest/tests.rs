//! What an Entity comes to that has a list without a match.

use super::*;
use crate::{
    components::{MainPayment, PaidPreimage},
    fixture::{
        Bench, PREIMAGE, child, claim, failure, here, open_part, part, payment, sample, set,
    },
};
use ecs_core::{Json, Systems};

/// What came of a scan in which nothing matched.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// Nothing: it waits.
    Waits,
    /// 2201 was recorded in the list.
    Stuck,
    /// This was attached.
    To(&'static str, Json),
}

/// Scans an Entity once; the plan or set it waits for is there if `alive`.
fn came(write: Write, alive: bool) -> Came {
    let list = Systems::listing(Vec::<String>::new());
    let mut bench = Bench::new();
    bench.put(payment(), write.attach(&list).attach(&MainPayment(Json::yes())));
    if alive {
        bench.put(child(), here().attach(&Planning));
    }
    let before = bench.app.components(payment());
    bench.app.wake(payment());
    bench.app.run_one();
    let changed =
        bench.app.components(payment()).into_iter().filter(|component| !before.contains(component));
    let mut changed: Vec<_> = changed.collect();
    assert!(changed.len() <= 1, "one thing at a time");
    match changed.pop() {
        None => Came::Waits,
        Some((name, json)) if &*name == "lightningd:systems" => {
            assert!(json.text().contains("2201"));
            Came::Stuck
        }
        Some((name, json)) => {
            let known = ["lightningd:failing", "lightningd:part:failure", "lightningd:refusing"];
            Came::To(known.into_iter().find(|known| *known == &*name).expect("known"), json)
        }
    }
}

fn fails_with_2201() -> Came {
    Came::To("lightningd:failing", Json::of(&ErrorObject::from(Error::NoMatch)))
}

fn is_refused() -> Came {
    Came::To("lightningd:refusing", Json::of("incorrect_or_unknown_payment_details"))
}

fn claimed() -> Write {
    here().attach(&Claimed(claim()))
}

#[test]
fn a_payment_waits_for_what_is_alive_and_else_fails_once_it_is_claimed() {
    let failing = Failing(ErrorObject::new(205, "no route"));
    let open = PartsOpen(vec![open_part()]);
    let (planning, asked) = (PlanningEntity(child()), SelfAsked(child()));
    for (what, write, alive, expected) in [
        ("a draft", here(), false, Came::Stuck),
        ("a draft with a preimage", here().attach(&PaidPreimage(PREIMAGE)), false, Came::Stuck),
        ("claimed", claimed(), false, fails_with_2201()),
        ("parts are out", claimed().attach(&open), false, Came::Waits),
        ("failing", claimed().attach(&failing).attach(&open), false, Came::Waits),
        ("its plan lives", claimed().attach(&planning), true, Came::Waits),
        ("its plan is gone", claimed().attach(&planning), false, fails_with_2201()),
        ("its set lives", claimed().attach(&asked), true, Came::Waits),
        ("its set is gone", claimed().attach(&asked), false, fails_with_2201()),
    ] {
        assert_eq!(came(write, alive), expected, "{what}");
    }
}

#[test]
fn a_plan_fails_a_part_that_never_left_failed_and_a_set_or_htlc_is_refused() {
    let part = || here().attach(&Part(part()));
    let (set, htlc) = (|| here().attach(&Set(set())), "lightningd:htlc");
    let no = Failing(ErrorObject::new(1, "no"));
    let hop = crate::fixture::part().route.hops.remove(0);
    let never_left = Failure::local(Some(&hop), FailureCode::TemporaryNodeFailure);
    let failed = Came::To("lightningd:part:failure", Json::of(&never_left));
    for (what, write, expected) in [
        ("a plan", here().attach(&Planning), fails_with_2201()),
        ("a part", part(), failed),
        ("a part that is out", part().attach(&PartSent), Came::Waits),
        ("a set", set(), is_refused()),
        ("an htlc", here().attach_json(htlc, sample(htlc)), is_refused()),
        ("an htlc that failed", here().attach_json(htlc, sample(htlc)).attach(&no), is_refused()),
    ] {
        assert_eq!(came(write, false), expected, "{what}");
    }
}

/// Else a third party's System that waits there would hold it up: it would not count as resting for
/// nothing.
#[test]
fn regression_what_has_its_outcome_waits_for_nothing() {
    let part = || here().attach(&Part(part())).attach(&PartSent);
    let refused = here().attach(&Set(set())).attach(&Refusing(PayeeFailure::DETAILS));
    for (what, write) in [
        ("a part that failed", part().attach(&PartFailure(failure()))),
        ("a part that is paid", part().attach(&PaidPreimage(PREIMAGE))),
        ("a set that is being refused", refused),
    ] {
        assert_eq!(came(write, false), Came::Stuck, "{what}");
    }
}
