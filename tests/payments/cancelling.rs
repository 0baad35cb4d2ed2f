//! A cancel says what can still settle, and keeps saying it until nothing can.

use crate::{answers::part_out, harness::Payer, invoices::hash_of, nets};
use ecs_core::{EntityId, Failing, Json, Quota, Quotas, Systems, Write, system};
use ecs_systems::{
    components::{
        Amount, Cancel, Exposure, ExposureFacts, Parent, PartsOpen, PlanningEntity, RetryFor,
    },
    units::Msat,
};
use node_sim::{InvoiceRequest, Script};

/// Takes both ways of the diamond.
const AMOUNT: Msat = Msat(700_000_000);
const MINUTE_MS: u64 = 60_000;

fn exposure(payer: &Payer, id: EntityId) -> Option<ExposureFacts> {
    payer.driver.engine().get::<Exposure>(id).map(|exposure| exposure.0)
}

/// What the parts that are open say themselves.
fn summed(payer: &Payer, id: EntityId) -> ExposureFacts {
    let engine = payer.driver.engine();
    let mut sums = ExposureFacts::default();
    let open = engine.get::<PartsOpen>(id).map(|open| open.0.clone()).unwrap_or_default();
    for part in open {
        let facts = engine.get::<ecs_systems::components::Part>(part.entity).expect("it is out");
        sums.htlcs += 1;
        sums.amount_msat.0 += facts.0.route.amount().0;
        sums.sent_msat.0 += facts.0.route.sent().0;
        let until = facts.0.height.checked_add(facts.0.route.hops[0].cltv_blocks);
        sums.until_height = sums.until_height.max(until);
    }
    sums
}

fn retry_for_long() -> Write {
    Write::here().attach(&RetryFor(Json::of(&86_400)))
}

/// A payment whose parts by bob and by dave are out; each node keeps its own for so long.
fn two_parts_out(payer: &mut Payer, by_bob_ms: u64, by_dave_ms: u64) -> (EntityId, String) {
    for (node, for_ms) in [("bob", by_bob_ms), ("dave", by_dave_ms)] {
        let (node, until) = (payer.node(node), payer.now.after_ms(for_ms));
        payer.script(Script::KeepNext { node, until });
    }
    let request = InvoiceRequest { basic_mpp: true, ..InvoiceRequest::any() };
    let invoice = payer.invoice("carol", request);
    let id = payer.start(&invoice, retry_for_long().attach(&Amount(AMOUNT)));
    while payer.submitted(hash_of(&invoice)).len() < 2 {
        payer.run_for(10);
    }
    payer.run_for(1_000);
    assert_eq!(summed(payer, id).htlcs, 2);
    (id, invoice)
}

#[test]
fn a_full_engine_begins_no_payment_and_ends_what_is_under_way() {
    for cancels in [false, true] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let (id, _) = two_parts_out(&mut payer, MINUTE_MS, 2 * MINUTE_MS);
        let nothing = Quota::ALL
            .into_iter()
            .fold(Quotas::default(), |all, quota| all.with(quota, 0).expect("less than the most"));
        let now = payer.now;
        payer.driver.command(now, |engine| engine.set_quotas(nothing));
        let another = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
        let refused = payer.begin_call("pay", &format!("[\"{another}\"]"));
        payer.run_for(1_000);
        let code = refused.answered().map(|answer| answer.map_err(|error| error.code));
        assert_eq!(code, Some(Err(2208)));
        if cancels {
            let cancelled = payer.begin_call("cancelpay", &format!(r#"{{"entity":{id}}}"#));
            payer.run_for(1_000);
            assert!(cancelled.answered().is_some_and(|answer| answer.is_ok()), "it counts");
        }
        let outcome = payer.finish(id);
        assert!(outcome.is_final(), "{}", payer.story(id));
        assert!(cancels || outcome.status == "complete", "{outcome:?}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_cancel_tells_what_can_still_settle_until_nothing_can() {
    for crash in [false, true] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let (id, _) = two_parts_out(&mut payer, 10 * MINUTE_MS, 20 * MINUTE_MS);
        assert_eq!(exposure(&payer, id), None, "nobody has cancelled");
        payer.tell(id, Write::here().attach(&Cancel));
        let at_cancel = summed(&payer, id);
        assert_eq!(exposure(&payer, id), Some(at_cancel));
        assert_eq!((at_cancel.htlcs, at_cancel.amount_msat), (2, AMOUNT));
        assert!(at_cancel.sent_msat > AMOUNT && at_cancel.until_height.is_some());
        if crash {
            payer.crash();
        }
        payer.run_for(MINUTE_MS);
        assert_eq!(exposure(&payer, id), Some(at_cancel));
        let mut seen = vec![2];
        while !payer.outcome(id).is_final() {
            payer.run_for(1_000);
            let told = exposure(&payer, id).expect("from the cancel on");
            assert_eq!(told, summed(&payer, id));
            if seen.last() != Some(&told.htlcs) {
                seen.push(told.htlcs);
            }
        }
        assert_eq!(seen.last(), Some(&0), "{seen:?}");
        let outcome = payer.outcome(id);
        assert_eq!(exposure(&payer, id), Some(ExposureFacts::default()));
        if outcome.status == "failed" {
            assert_eq!(outcome.code(), 210);
            assert_eq!(outcome.fact("exposure"), Json::of(&ExposureFacts::default()).text());
        }
        payer.assert_books_agree();
    }
}

#[test]
fn a_part_that_settles_after_the_cancel_is_paid_and_nothing_is_exposed_any_more() {
    let mut payer = Payer::new(&nets::line());
    let (id, _) = part_out(&mut payer);
    payer.tell(id, Write::here().attach(&Cancel));
    let told = exposure(&payer, id).expect("from the cancel on");
    assert_eq!((told.htlcs, told.sent_msat), (1, Msat(100_002_000)));
    assert!(!payer.outcome(id).is_final());
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
    assert_eq!(exposure(&payer, id), Some(ExposureFacts::default()));
}

#[test]
fn nothing_is_exposed_of_what_is_cancelled_before_anything_left() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    let outcome = payer.pay(&invoice, Write::here().attach(&Cancel));
    let id = payer.started[0].id;
    assert_eq!((outcome.code(), exposure(&payer, id)), (210, Some(ExposureFacts::default())));
    assert_eq!(outcome.fact("exposure"), Json::of(&ExposureFacts::default()).text());
}

#[test]
fn a_cancel_of_what_fails_already_tells_what_can_still_settle_too() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let (id, _) = two_parts_out(&mut payer, 10 * MINUTE_MS, 20 * MINUTE_MS);
    let error = r#"{"code":7001,"message":"enough"}"#;
    payer.tell(id, Write::here().attach_json("lightningd:error", Json::parse(error).unwrap()));
    assert!(payer.driver.engine().get::<Failing>(id).is_some());
    payer.tell(id, Write::here().attach(&Cancel));
    assert_eq!(exposure(&payer, id), Some(summed(&payer, id)));
    let outcome = payer.finish(id);
    assert!(outcome.code() == 7001 || outcome.status == "complete", "{outcome:?}");
}

#[test]
fn parts_that_are_out_are_told_of_the_cancel_and_end_as_they_end() {
    for crash in [false, true] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let (id, _) = two_parts_out(&mut payer, 10 * MINUTE_MS, 20 * MINUTE_MS);
        let parts: Vec<EntityId> = payer
            .driver
            .engine()
            .get::<PartsOpen>(id)
            .expect("two are out")
            .0
            .iter()
            .map(|it| it.entity)
            .collect();
        payer.tell(id, Write::here().attach(&Cancel));
        if crash {
            payer.crash();
        }
        for part in parts {
            let engine = payer.driver.engine();
            assert!(engine.get::<Cancel>(part).is_some(), "{}", payer.story(id));
            assert!(engine.get::<Systems>(part).is_some(), "it is not over");
        }
        assert_eq!(summed(&payer, id).htlcs, 2, "none was declared failed");
        assert!(payer.finish(id).is_final());
        payer.assert_books_agree();
    }
}

/// The external System at work there answers with these writes.
fn answer(payer: &mut Payer, entity: EntityId, writes: &[Write]) {
    let (now, engine) = (payer.now, payer.driver.engine());
    let number = engine.invocation(entity).and_then(|it| it.invocation);
    assert!(number.is_some(), "it is at work");
    let answered =
        payer.driver.command(now, |engine| engine.advance_with(entity, number, writes, &[]));
    assert_eq!(answered, Ok(()));
}

#[test]
fn a_plan_that_is_cancelled_before_it_has_asked_asks_nothing_and_ends() {
    for crash in [false, true] {
        let holds = system("acme:x").requires(["lightningd:planning"]).disallows(["acme:ok"]);
        let mut payer = Payer::new(&nets::line());
        let id = payer.start_behind(Msat(1_000_000), [holds]);
        let plan = payer.driver.engine().get::<PlanningEntity>(id).expect("it plans").0;
        payer.tell(id, Write::here().attach(&Cancel));
        assert_eq!(payer.outcome(id).code(), 210, "nothing was out: {}", payer.story(id));
        if crash {
            payer.crash();
        }
        assert!(payer.driver.engine().get::<Cancel>(plan).is_some());
        answer(&mut payer, plan, &[Write::to(plan).attach_json("acme:ok", Json::yes())]);
        assert_eq!(payer.driver.take_jobs().len(), 0, "the planner is not asked");
        let engine = payer.driver.engine();
        assert!(engine.get::<Systems>(plan).is_none() && engine.get::<Parent>(plan).is_none());
        payer.assert_books_agree();
    }
}

#[test]
fn a_system_that_disallows_the_cancel_lets_a_part_go_that_it_held_back() {
    let holds =
        system("acme:x").requires(["lightningd:part"]).disallows(["acme:ok", "lightningd:cancel"]);
    let mut payer = Payer::new(&nets::line());
    let id = payer.start_behind(Msat(1_000_000), [holds]);
    let part = payer.driver.engine().get::<PartsOpen>(id).expect("one is open").0[0].entity;
    payer.tell(id, Write::here().attach(&Cancel));
    assert!(!payer.outcome(id).is_final(), "the part is open");
    answer(&mut payer, part, &[]);
    assert_eq!(payer.outcome(id).code(), 210, "{}", payer.story(id));
    assert_eq!(payer.submitted_in_all(), 0);
    payer.assert_books_agree();
}

#[test]
fn nobody_holds_up_the_end_of_what_is_cancelled() {
    for crash in [false, true] {
        for (waits_on, disallowed) in [
            ("lightningd:part", "acme:ok"),
            ("lightningd:part", "lightningd:cancel"),
            ("lightningd:planning", "acme:ok"),
        ] {
            let holds = system("acme:x").requires([waits_on]).disallows([disallowed]);
            let mut payer = Payer::new(&nets::line());
            let id = payer.start_behind(Msat(1_000_000), [holds]);
            let engine = payer.driver.engine();
            let plan = engine.get::<PlanningEntity>(id).map(|plan| plan.0);
            let open = engine.get::<PartsOpen>(id).map(|open| open.0[0].entity);
            let held = open.or(plan).expect("it is planned or sent");
            let number = engine.invocation(held).and_then(|it| it.invocation);
            payer.tell(id, Write::here().attach(&Cancel));
            if crash {
                payer.crash();
            }
            payer.run_for(1);
            assert_eq!(payer.outcome(id).code(), 210, "{waits_on}: {}", payer.story(id));
            let (now, engine) = (payer.now, payer.driver.engine());
            assert!(engine.get::<Systems>(held).is_none() && engine.invocation(held).is_none());
            let late =
                payer.driver.command(now, |engine| engine.advance_with(held, number, &[], &[]));
            assert_eq!(late.map_err(|error| error.code()), Err(2207), "{waits_on}");
            assert_eq!(payer.submitted_in_all(), 0);
            payer.assert_books_agree();
        }
    }
}

#[test]
fn a_system_that_requires_the_cancel_has_its_time() {
    let holds = system("acme:x").requires(["lightningd:part"]).disallows(["acme:ok"]);
    let sees = system("acme:y")
        .requires(["lightningd:part", "lightningd:cancel"])
        .disallows(["acme:seen"]);
    let mut payer = Payer::new(&nets::line());
    let id = payer.start_behind(Msat(1_000_000), [holds, sees]);
    let part = payer.driver.engine().get::<PartsOpen>(id).expect("one is open").0[0].entity;
    payer.tell(id, Write::here().attach(&Cancel));
    payer.run_for(1_000);
    assert!(!payer.outcome(id).is_final(), "the second is at work: {}", payer.story(id));
    answer(&mut payer, part, &[Write::to(part).attach_json("acme:seen", Json::yes())]);
    assert_eq!(payer.outcome(id).code(), 210, "{}", payer.story(id));
    assert_eq!(payer.submitted_in_all(), 0);
    payer.assert_books_agree();
}
