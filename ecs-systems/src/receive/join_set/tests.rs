//! Sets are opened, and joined.

use super::*;
use crate::{
    components::{CheckAmountsRan, CheckCltvRan, CheckSecretRan, HtlcMatched, Refusing},
    fixture::{AMOUNT, Bench, NOW_MS, Ran, here, payment},
    receive::fixture::{htlc, live_set, receipt, received, set_entity},
};
use ecs_core::EffectClass;
use payecs_units::Msat;

fn checked(htlc: IncomingHtlc) -> Write {
    here()
        .attach(&Htlc(htlc))
        .attach(&HtlcMatched)
        .attach(&CheckSecretRan)
        .attach(&CheckAmountsRan)
        .attach(&CheckCltvRan)
}

fn of(msat: u64) -> IncomingHtlc {
    IncomingHtlc { amount_msat: Msat(msat), ..htlc().0 }
}

fn joins(bench: Bench, htlc: IncomingHtlc) -> (Bench, Ran) {
    let mut bench = bench;
    let ran = bench.run_on(payment(), &JOIN_SET, checked(htlc));
    (bench, ran)
}

#[test]
fn the_first_htlc_opens_a_set_with_a_timer_of_its_own() {
    let (bench, ran) = joins(Bench::new().receipt(receipt()), of(AMOUNT.0 - 1));
    assert_eq!(ran.names(), ["htlc:joined", "systems"]);
    let names = ["paycode", "secret-known", "set", "set:received", "systems"];
    assert_eq!(ran.names_on(set_entity()), names);
    let SetReceived(facts) = bench.app.get::<SetReceived>(set_entity()).unwrap();
    assert_eq!((facts.first_at, facts.amount_msat), (Timestamp(NOW_MS), Msat(AMOUNT.0 - 1)));
    assert_eq!(facts.htlcs[0].entity, payment());
    let timer = &ran.effects[0];
    let EffectClass::Timer { at_ms, writes, .. } = &timer.class else { panic!("a timer") };
    assert_eq!((timer.entity, *at_ms), (set_entity(), NOW_MS + SET_MS_MAX));
    assert_eq!(*writes, [Write::here().attach(&SetTimedOut)]);
    let paycode = ran.attached_to(set_entity(), "paycode").unwrap();
    assert!(paycode.contains("\"expires_at\""), "{paycode}");
}

#[test]
fn what_waits_for_a_decision_is_held_and_knows_its_preimage_only_where_it_is_here() {
    for (hold, preimage_known, names) in [
        (true, true, [true, true]),
        (false, false, [true, false]),
        (true, false, [true, false]),
        (false, true, [false, true]),
    ] {
        let receipt = Receipt { hold, preimage_known, ..receipt() };
        let (bench, _) = joins(Bench::new().receipt(receipt), of(AMOUNT.0));
        let has = |name| bench.app.component(set_entity(), name).is_some();
        assert_eq!(["lightningd:hold", "lightningd:secret-known"].map(has), names);
        assert!(has("lightningd:set:enough"), "one HTLC may be all of it");
    }
}

#[test]
fn another_htlc_is_added_and_a_set_with_enough_says_so() {
    for (there, more, enough) in [(1, AMOUNT.0 - 2, false), (1, AMOUNT.0 - 1, true)] {
        let set = live_set().attach(&received(there));
        let bench = Bench::new().receipt(receipt()).with(set_entity(), set);
        let (mut bench, ran) = joins(bench, of(more));
        assert_eq!(ran.attached("htlc:joined"), Some("2"));
        let SetReceived(facts) = bench.app.get::<SetReceived>(set_entity()).unwrap();
        assert_eq!((facts.amount_msat, facts.htlcs.len()), (Msat(there + more), 2));
        assert_eq!(facts.first_at, Timestamp(NOW_MS - 60_000), "the first one's");
        assert_eq!(bench.app.get::<SetEnough>(set_entity()).is_some(), enough);
        assert!(ran.effects.is_empty(), "the timer runs on");
        assert_eq!(bench.woken()[0], set_entity());
    }
}

#[test]
fn an_htlc_that_came_too_late_or_that_its_set_does_not_take_is_refused_alone() {
    let set = || live_set().attach(&received(1));
    let mut full = received(1);
    full.0.htlcs = vec![full.0.htlcs[0]; SET_HTLCS_MAX];
    let other_total = IncomingHtlc { total_msat: Msat(AMOUNT.0 + 1), ..of(1) };
    let expired = Receipt { expires_at: Timestamp(NOW_MS), ..receipt() };
    for (receipt, set, htlc) in [
        (receipt(), Some(set().attach(&SetEnough)), of(1)),
        (receipt(), Some(set().attach(&Refusing(crate::port::PayeeFailure::TIMEOUT))), of(1)),
        (receipt(), Some(set()), other_total),
        (receipt(), Some(live_set().attach(&full)), of(1)),
        (expired, None, of(1)),
    ] {
        let mut bench = Bench::new().receipt(receipt);
        if let Some(set) = set {
            bench = bench.with(set_entity(), set);
        }
        let (_, ran) = joins(bench, htlc);
        assert_eq!((ran.names(), ran.names_on(set_entity())), (vec!["refusing"], Vec::new()));
    }
}
