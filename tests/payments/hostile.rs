//! Systems of third parties, callers and restarts that mean no good: whatever they do, payments end
//! and the books agree.

use crate::{
    harness::{DAY_MS, Payer},
    nets,
};
use ecs_core::{
    EffectRequest, EntityId, Error, Json, On, Record, Step, SystemDef, Systems, Write, Writer,
    system,
};
use ecs_systems::{
    components::{Approval, Cancel, PartsOpen},
    effects::Learn,
    planner::Route,
    policy::Policy,
    port::Lesson,
    units::Msat,
};
use node_sim::InvoiceRequest;

const AMOUNT: Msat = Msat(1_000_000);

/// The default list with a name put before another.
fn list_with(payer: &Payer, before: &str, extra: &str) -> Write {
    let mut names: Vec<String> =
        payer.driver.engine().default_systems().iter().map(ToString::to_string).collect();
    let at = names.iter().position(|name| name == before).expect("a System of the flow");
    names.insert(at, extra.to_owned());
    Write::here().attach(&Systems::listing(names))
}

fn first(payer: &Payer) -> Write {
    list_with(payer, "lightningd:generate_nonce", "acme:x")
}

/// A payer in a network of three where a third party runs `acme:x`.
fn beside(def: SystemDef, does: fn() -> Step) -> Payer {
    let mut payer = Payer::new(&nets::line());
    let now = payer.now;
    let added =
        payer.driver.command(now, |engine| engine.add_payment_system(def, move |_: On| Ok(does())));
    added.expect("a proper System");
    payer
}

#[test]
fn a_name_that_nobody_registered_fails_a_claimed_payment_and_strands_no_part() {
    for before in ["lightningd:part_paid", "lightningd:plan", "lightningd:settle"] {
        let mut payer = Payer::new(&nets::line());
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let list = list_with(&payer, before, "acme:gone");
        let outcome = payer.pay(&invoice, list);
        assert!(outcome.is_final(), "{before}: {outcome:?}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_system_that_is_gone_after_a_restart_strands_no_part() {
    let mut payer = Payer::new(&nets::line());
    let now = payer.now;
    let outside = system("acme:x").requires(["acme:go"]).disallows(["acme:done"]);
    payer.driver.command(now, |engine| engine.add_external_system(outside)).unwrap();
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let list = first(&payer);
    let id = payer.start(&invoice, list);
    for job in payer.driver.take_jobs() {
        let plan = (job.run)();
        payer.driver.finish_plan(now, job.id, plan);
    }
    payer.crash();
    assert_eq!(payer.finish(id).status, "complete", "{}", payer.story(id));
    payer.assert_books_agree();
}

#[test]
fn a_system_that_holds_up_a_claimed_payment_fails_it_by_name() {
    let waits = || system("acme:x").requires(["lightningd:reservation"]);
    let polite = || waits().disallows(["lightningd:failing", "lightningd:preimage"]);
    let cases: [(SystemDef, fn() -> Step); 4] = [
        (waits(), Step::stop),
        (waits(), Step::wait),
        (polite(), Step::stop),
        (polite(), Step::wait),
    ];
    for (def, does) in cases {
        let mut payer = beside(def, does);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let list = first(&payer);
        let outcome = payer.pay(&invoice, list);
        assert_eq!((outcome.code(), &*outcome.fact("system")), (2201, "\"acme:x\""), "{outcome:?}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_system_of_a_third_party_writes_no_books_sends_nothing_and_approves_nothing() {
    let on_part = || system("acme:x").requires(["lightningd:part"]).disallows(["acme:done"]);
    let on_question = || system("acme:x").requires(["lightningd:claim"]).disallows(["acme:done"]);
    let lesson = || {
        let nowhere = Route { hops: Vec::new(), probability_ppm: 0 };
        EffectRequest::notice(&Learn(Lesson::Sent(nowhere)))
    };
    let engine_owned = || {
        let writes = vec![Write::here().attach_json("lightningd:policy:passed", Json::yes())];
        EffectRequest::timer("acme:t", 0, writes, "lightningd:part")
    };
    let cases: [(SystemDef, fn() -> Step); 3] = [
        (on_part(), || Step::advance().record(Record::new("ledger:post", Json::yes()))),
        (on_part(), || Step::advance().cancel_timers("timer:approval")),
        (on_question(), || Step::advance().attach(&Approval(true))),
    ];
    for (def, does) in cases {
        let mut payer = beside(def, does);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let list = first(&payer);
        let outcome = payer.pay(&invoice, list);
        assert_eq!(outcome.status, "failed", "{outcome:?}");
        assert_eq!(payer.submitted_in_all(), 0);
        payer.assert_books_agree();
    }
    let anothers = || EffectRequest::timer("acme:t", 0, Vec::new(), "x").on(EntityId::FIRST);
    for effect in [lesson(), engine_owned(), anothers()] {
        let mut payer = Payer::new(&nets::line());
        let now = payer.now;
        let added = payer.driver.command(now, |engine| {
            engine.add_payment_system(on_part(), move |_: On| {
                Ok(Step::advance().effect(effect.clone()))
            })
        });
        added.expect("a proper System");
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let list = first(&payer);
        let outcome = payer.pay(&invoice, list);
        assert_eq!(outcome.status, "failed", "{outcome:?}");
        assert_eq!(payer.submitted_in_all(), 0);
    }
}

#[test]
fn what_is_complete_cannot_be_rewritten_even_where_it_was_answered_again() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let first = payer.start(&invoice, Write::here());
    assert_eq!(payer.finish(first).status, "complete");
    let again = payer.start(&invoice, Write::here());
    assert!(payer.finish(again).replayed);
    let now = payer.now;
    let error = Json::parse(r#"{"code":1,"message":"x"}"#).unwrap();
    for id in [first, again] {
        for write in [
            Write::to(id).attach_json("lightningd:payment_hash", Json::of(&"ab".repeat(32))),
            Write::to(id).attach(&Systems::listing(["lightningd:settle"])),
            Write::to(id).detach_name("lightningd:preimage"),
            Write::to(id).attach_json("lightningd:error", error.clone()),
            Write::end(id),
        ] {
            let written = payer
                .driver
                .command(now, |engine| engine.set_components(&Writer::Caller, &[write], &[]));
            assert!(matches!(written, Err(Error::Frozen(_))), "{written:?}");
        }
    }
    assert_eq!(payer.pay_plainly(&invoice).status, "complete");
}

#[test]
fn a_part_that_was_held_back_does_not_leave_after_its_payment_was_cancelled() {
    for late_ms in [1_000, 100_000, 2 * 3_600_000] {
        let mut payer = Payer::new(&nets::line());
        let holds = system("acme:x").requires(["lightningd:part"]).disallows(["acme:ok"]);
        let id = payer.start_behind(AMOUNT, [holds]);
        let part = payer.driver.engine().get::<PartsOpen>(id).expect("one is open").0[0].entity;
        let number = payer.driver.engine().invocation(part).and_then(|it| it.invocation);
        payer.tell(id, Write::here().attach(&Cancel));
        payer.run_for(late_ms);
        let now = payer.now;
        let write = Write::to(part).attach_json("acme:ok", Json::yes());
        // Late, it is refused: the invocation has timed out with the payment's deadline.
        let _late =
            payer.driver.command(now, |engine| engine.advance_with(part, number, &[write], &[]));
        assert_eq!(payer.finish(id).code(), 210, "{late_ms} ms");
        assert_eq!(payer.submitted_in_all(), 0, "{late_ms} ms");
        payer.assert_books_agree();
    }
}

#[test]
fn a_system_that_is_removed_ends_what_waits_for_it_and_strands_no_part() {
    for (waits_on, code) in [
        ("lightningd:claim", Some(2203)),
        ("lightningd:part", Some(2203)),
        ("lightningd:parts:open", None),
    ] {
        for crashes in [false, true] {
            let mut payer = Payer::new(&nets::line());
            let holds = system("acme:x").requires([waits_on]).disallows(["acme:ok"]);
            let id = payer.start_behind(AMOUNT, [holds]);
            let now = payer.now;
            payer
                .driver
                .command(now, |engine| engine.remove_external_system("acme:x"))
                .expect("it is there");
            if crashes {
                payer.crash();
            }
            let outcome = payer.finish(id);
            assert!(outcome.is_final(), "{waits_on}: {outcome:?}");
            if let Some(code) = code {
                assert_eq!(outcome.code(), code, "{waits_on}: {}", payer.story(id));
                assert_eq!(payer.submitted_in_all(), 0, "{waits_on}");
            }
            payer.assert_books_agree();
        }
    }
}

#[test]
fn a_draft_that_fails_gets_to_its_end_past_any_system_that_was_removed() {
    let mut payer = Payer::new(&nets::line());
    let holds = |name| system(name).requires(["lightningd:invoice"]).disallows(["acme:ok"]);
    let id = payer.start_behind(AMOUNT, ["acme:x", "acme:y"].map(holds));
    let now = payer.now;
    for name in ["acme:y", "acme:x"] {
        payer
            .driver
            .command(now, |engine| engine.remove_external_system(name))
            .expect("it is there");
    }
    let outcome = payer.finish(id);
    assert_eq!((outcome.code(), &*outcome.fact("system")), (2203, "\"acme:x\""), "{outcome:?}");
    payer.assert_books_agree();
}

#[test]
fn two_payments_that_planned_on_the_same_channel_are_both_paid() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let most = || InvoiceRequest::of(Msat(300_000_000));
    let invoices = [payer.invoice("carol", most()), payer.invoice("carol", most())];
    let ids = invoices.map(|invoice| payer.start(&invoice, Write::here()));
    payer.run_until_over(&ids, DAY_MS);
    for id in ids {
        assert_eq!(payer.outcome(id).status, "complete", "{}", payer.story(id));
    }
    payer.assert_books_agree();
}

#[test]
fn an_approval_that_was_there_before_the_question_counts() {
    let policy = Policy { ask_above_msat: Some(Msat(1)), ..Policy::default() };
    let mut payer = Payer::with_policy(&nets::line(), policy);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay(&invoice, Write::here().attach(&Approval(true)));
    assert_eq!(outcome.status, "complete", "{outcome:?}");
}
