//! One idempotency key, one request, one final answer: whoever asks, how often, and when.

use crate::{
    books::Audited,
    harness::{Outcome, Payer, Setup},
    invoices::hash_of,
    nets,
};
use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{
        Amount, Cancel, Exclude, FeeBudget, IdempotencyKey, Label, MaxDelay, Metadata, RetryFor,
        SameAs,
    },
    units::{Msat, Seconds},
};
use node_sim::{InvoiceRequest, Script, SimNetwork};
use payflow_default::Retention;
use std::num::NonZeroU32;

const AMOUNT: Msat = Msat(100_000);
const DAY_MS: u64 = 24 * 3_600 * 1_000;

fn keyed() -> Write {
    Write::here().attach(&IdempotencyKey(Json::of("order 7")))
}

fn carols(payer: &Payer) -> String {
    payer.invoice("carol", InvoiceRequest::of(AMOUNT))
}

/// Has bob keep the next part for that long.
fn keep_next(payer: &Payer, for_ms: u64) {
    let until = payer.now.after_ms(for_ms);
    payer.script(Script::KeepNext { node: payer.node("bob"), until });
}

/// Everything that a caller is told, but whether it was told before.
fn told(outcome: &Outcome) -> Outcome {
    Outcome { replayed: false, ..outcome.clone() }
}

/// Nothing was sent or posted since.
fn assert_nothing_done(payer: &Payer, before: &(usize, usize)) {
    assert_eq!(&done(payer), before);
    payer.assert_books_agree();
}

fn done(payer: &Payer) -> (usize, usize) {
    (payer.books.all().len(), payer.submitted_in_all())
}

/// A payment that is paid, and one that fails as there is no way for so much.
fn both_ends(payer: &Payer) -> [(String, Write); 2] {
    let too_much = InvoiceRequest::of(Msat(nets::HALF.0 - 100_000_000));
    [(carols(payer), keyed()), (payer.invoice("carol", too_much), keyed())]
}

fn one_way() -> SimNetwork {
    nets::one_way_out(Msat(1_000))
}

#[test]
fn the_same_key_gives_the_same_answer_also_of_a_failure_also_after_crash_and_collection() {
    for end in [0, 1] {
        let mut payer = Payer::new(&one_way());
        let (invoice, _) = both_ends(&payer)[end].clone();
        let budget = || keyed().attach(&FeeBudget(Msat(if end == 0 { 5_000 } else { 0 })));
        let first = payer.pay(&invoice, budget());
        assert_eq!((first.status == "complete", first.code() != 0), (end == 0, end == 1));
        let before = done(&payer);
        for round in 0..4 {
            if round == 1 {
                payer.crash();
            }
            if round == 2 {
                payer.driver.retain(Retention { age: Seconds(0), finished_max: 0 });
                payer.run_for(1_000);
                assert_eq!(payer.driver.engine().entities(), []);
                payer.driver.retain(Retention::FOR_EVER);
            }
            let again = payer.pay(&invoice, budget());
            assert_eq!((told(&again), again.replayed), (told(&first), true));
            assert_nothing_done(&payer, &before);
        }
        if end == 1 {
            assert!(!payer.pay_plainly(&invoice).replayed, "the hash is free without the key");
        }
    }
}

#[test]
fn whoever_comes_with_the_key_while_it_runs_ends_as_the_first_does() {
    for cancelled in [false, true] {
        for crash in [false, true] {
            let mut payer = Payer::new(&nets::line());
            let invoice = carols(&payer);
            keep_next(&payer, if cancelled { 60_000 } else { 3 * DAY_MS / 2 });
            let first = payer.start(&invoice, keyed());
            let others: Vec<EntityId> = (0..3).map(|_| payer.start(&invoice, keyed())).collect();
            payer.run_for(2_000);
            for id in &others {
                assert_eq!(payer.driver.engine().get::<SameAs>(*id), Some(&SameAs(first)));
                assert!(!payer.outcome(*id).is_final());
            }
            if crash {
                payer.crash();
            }
            if cancelled {
                payer.tell(first, Write::here().attach(&Cancel));
            }
            let until = payer.now.after_ms(2 * DAY_MS);
            payer.run_until_over(&[&[first], &*others].concat(), until.0 - payer.now.0);
            let answer = payer.outcome(first);
            assert!(answer.is_final() && !answer.replayed, "{answer:?}");
            for id in &others {
                let other = payer.outcome(*id);
                assert_eq!((told(&other), other.replayed), (answer.clone(), true));
            }
            assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
            payer.assert_books_agree();
        }
    }
}

#[test]
fn whoever_waits_may_give_up_and_that_is_not_the_last_word() {
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    keep_next(&payer, 60_000);
    let first = payer.start(&invoice, keyed());
    let second = payer.start(&invoice, keyed());
    payer.tell(second, Write::here().attach(&Cancel));
    let gave_up = payer.outcome(second);
    assert_eq!((gave_up.code(), gave_up.fact("final")), (210, "false".to_owned()));
    assert!(!payer.outcome(first).is_final());
    let unkeyed = payer.pay_plainly(&invoice);
    assert_eq!(unkeyed.code(), 200, "without the key as ever");
    let other_key = Write::here().attach(&IdempotencyKey(Json::of("order 8")));
    assert_eq!(payer.pay(&invoice, other_key).code(), 200);
}

/// Something else that is asked for, by name.
type Named = (&'static str, fn() -> Write);

#[test]
fn the_key_is_refused_for_anything_else_that_was_asked_for() {
    let others: [Named; 8] = [
        ("label", || Write::here().attach(&Label(Json::of("rent")))),
        ("feebudget", || Write::here().attach(&FeeBudget(Msat(6_000)))),
        ("maxfeepercent", || Write::here().attach_json("lightningd:maxfeepercent", Json::of(&1))),
        ("retry_for", || Write::here().attach(&RetryFor(Json::of(&61)))),
        ("maxdelay", || Write::here().attach(&MaxDelay(NonZeroU32::new(2_016).unwrap()))),
        ("exclude", || Write::here().attach(&Exclude(Vec::new()))),
        ("metadata", || Write::here().attach(&Metadata(Json::nothing()))),
        ("acme:tip", || Write::here().attach_json("acme:tip", Json::yes())),
    ];
    let mut payer = Payer::new(&nets::line());
    let invoice = carols(&payer);
    let with = |more: Write| {
        let mut write = keyed();
        write.components.extend(more.components);
        write
    };
    keep_next(&payer, 1_000);
    let first = payer.start(&invoice, keyed());
    for ended in [false, true] {
        for (name, other) in others {
            let refused = payer.pay(&invoice, with(other()));
            assert_eq!((name, refused.code()), (name, 201), "{refused:?}");
            assert_eq!(refused.fact("idempotency_key"), "\"order 7\"");
            let message = refused.error.expect("it failed").message;
            assert!(message.contains("`order 7`"), "{message}");
        }
        if !ended {
            payer.finish(first);
            payer.crash();
        }
    }
    let same = payer.pay(&format!("lightning:{}", invoice.to_uppercase()), keyed());
    assert!(same.replayed, "the same in other letters: {same:?}");
}

#[test]
fn what_the_engine_filled_in_is_not_part_of_the_request() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    let asked = || keyed().attach(&Amount(AMOUNT));
    let first = payer.pay(&invoice, asked());
    assert_eq!(first.status, "complete");
    let again =
        payer.pay(&invoice, asked().attach_json("lightningd:nonce", Json::of(&"07".repeat(32))));
    assert!(again.replayed, "{again:?}");
    let more = payer.pay(&invoice, keyed().attach(&Amount(Msat(AMOUNT.0 + 1))));
    assert_eq!(more.code(), 201);
}

#[test]
fn what_failed_before_its_claim_uses_no_key_up() {
    let mut payer = Payer::with(&nets::line(), Setup::default());
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    assert_eq!(payer.pay(&invoice, keyed()).code(), -32602, "no amount");
    let paid = payer.pay(&invoice, keyed().attach(&Amount(AMOUNT)));
    assert_eq!((paid.status.as_str(), paid.replayed), ("complete", false));
}
