//! What the node says late, twice, wrongly or never about a part.

use crate::{harness::Payer, invoices::hash_of, nets};
use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{Cancel, RetryFor},
    units::{Msat, Seconds},
};
use node_sim::{Faults, InvoiceRequest, Script, Settings};

pub(crate) const AMOUNT: Msat = Msat(100_000_000);
/// How long a payment may last whose outcome nobody told: asking comes in time.
const SOON_MS: u64 = 15 * 60 * 1_000;

fn settings(faults: Faults) -> Settings {
    Settings { faults, ..Settings::default() }
}

/// A payment whose only part is out.
pub(crate) fn part_out(payer: &mut Payer) -> (EntityId, String) {
    part_out_with(payer, Write::here())
}

/// The same with more Components.
fn part_out_with(payer: &mut Payer, more: Write) -> (EntityId, String) {
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, more);
    while payer.submitted(hash_of(&invoice)).is_empty() {
        payer.run_for(1);
    }
    (id, invoice)
}

#[test]
fn an_outcome_that_nobody_tells_is_asked_for() {
    for (by_bob, status, code) in [(nets::HALF, "complete", 0), (Msat(1_000), "failed", 210)] {
        let mut payer = Payer::new(&nets::diamond(by_bob));
        let (id, invoice) = part_out(&mut payer);
        payer.script(Script::LoseOutcome { key: payer.part(id, 1) });
        payer.run_until_over(&[id], SOON_MS);
        let outcome = payer.outcome(id);
        assert_eq!(payer.truth_of(&invoice).in_flight(), Msat::ZERO);
        let ended = (outcome.status.as_str(), outcome.code());
        assert_eq!(ended, (status, code), "{}", payer.story(id));
        payer.assert_books_agree();
    }
}

#[test]
fn every_outcome_may_be_lost_and_payments_still_end() {
    let faults = Faults { lost_outcome_ppm: 1_000_000, ..Faults::default() };
    let mut payer = Payer::new(&nets::diamond_with(nets::HALF, settings(faults)));
    let invoices: Vec<String> =
        (1..=5).map(|n| payer.invoice("carol", InvoiceRequest::of(Msat(n * 1_000_000)))).collect();
    let ids: Vec<EntityId> = invoices.iter().map(|it| payer.start(it, Write::here())).collect();
    payer.run_until_over(&ids, SOON_MS);
    for id in ids {
        assert_eq!(payer.outcome(id).status, "complete", "{}", payer.story(id));
    }
    payer.assert_books_agree();
}

#[test]
fn every_event_twice_is_booked_once() {
    let faults = Faults { duplicate_event_ppm: 1_000_000, ..Faults::default() };
    for by_bob in [nets::HALF, Msat(1_000)] {
        let mut payer = Payer::new(&nets::diamond_with(by_bob, settings(faults)));
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let outcome = payer.pay_plainly(&invoice);
        assert_eq!(outcome.status, "complete", "{outcome:?}");
        payer.run_for(60_000);
        payer.assert_books_agree();
    }
}

#[test]
fn answers_that_take_seconds_change_nothing() {
    let settings = Settings { answer_ms: 10_000, ..Settings::default() };
    let mut payer = Payer::new(&nets::diamond_with(Msat(1_000), settings));
    payer.run_for(60_000);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(3_000));
}

#[test]
fn a_part_of_which_nobody_can_say_anything_is_never_resent_and_asked_about_until_it_is_known() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let (id, invoice) = part_out(&mut payer);
    let key = payer.part(id, 1);
    payer.script(Script::LoseOutcome { key });
    payer.script(Script::AnswerUnknown { key, times: 5 });
    payer.crash();
    payer.run_for(10_000);
    assert!(!payer.outcome(id).is_final(), "nobody has said anything");
    payer.run_until_over(&[id], SOON_MS);
    assert_eq!(payer.outcome(id).status, "complete", "{}", payer.story(id));
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn an_htlc_that_is_kept_past_its_expiry_comes_back_and_the_payment_ends() {
    let settings = Settings { block_interval: Seconds(60), ..Settings::default() };
    let mut payer = Payer::new(&nets::diamond_with(nets::HALF, settings));
    let bob = payer.node("bob");
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(100 * 24 * 3_600_000) });
    let (id, invoice) = part_out(&mut payer);
    payer.run_for(3_600 * 1_000);
    payer.assert_money_is_whole();
    let outcome = payer.finish(id);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn a_restart_of_the_node_loses_no_payment() {
    let settings = Settings { answer_ms: 500, ..Settings::default() };
    for after_ms in [0, 100, 300, 700, 1_500] {
        let mut payer = Payer::new(&nets::diamond_with(Msat(1_000), settings.clone()));
        payer.run_for(10_000);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, Write::here());
        payer.run_for(after_ms);
        payer.network.restart(payer.now);
        let outcome = payer.finish(id);
        payer.assert_paid(&outcome, Msat(3_000));
    }
}

#[test]
fn a_part_that_is_lost_on_its_way_to_the_node_is_asked_about_and_offered_again_once() {
    for not_idempotent in [false, true] {
        let mut payer = Payer::new(&nets::line());
        payer.troubles.open().not_idempotent = not_idempotent;
        payer.troubles.open().lost_parts = 1;
        payer.troubles.open().lost_questions = 2;
        payer.run_for(600_000);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, retry_for_an_hour());
        payer.run_until_over(&[id], SOON_MS);
        let outcome = payer.outcome(id);
        payer.assert_paid(&outcome, Msat(2_000));
        assert_eq!(
            (payer.submitted(hash_of(&invoice)).len(), payer.troubles.read().offers),
            (1, 2)
        );
    }
}

/// Starts a payment whose part is lost on its way to the node, as nobody knows yet.
fn part_lost(payer: &mut Payer, more: Write) -> EntityId {
    payer.run_for(600_000);
    payer.troubles.open().lost_parts = 1;
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, more);
    payer.run_for(10_000);
    assert_eq!((payer.troubles.read().offers, payer.outcome(id).status.as_str()), (1, "sending"));
    id
}

#[test]
fn a_part_that_never_arrived_is_not_offered_again_for_a_payment_that_is_over() {
    let error = r#"{"code":7001,"message":"enough"}"#;
    let cancelled = Write::here().attach(&Cancel);
    let failed = Write::here().attach_json("lightningd:error", Json::parse(error).unwrap());
    for (said, more, code) in [
        (cancelled, retry_for_an_hour(), 210),
        (failed, retry_for_an_hour(), 7001),
        // After a minute its time is up: just before the node is asked.
        (Write::here(), Write::here(), 210),
    ] {
        let mut payer = Payer::new(&nets::line());
        let id = part_lost(&mut payer, more);
        payer.tell(id, said);
        let outcome = payer.finish(id);
        assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", code), "{outcome:?}");
        assert_eq!(payer.troubles.read().offers, 1, "code {code}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_part_that_never_arrived_is_not_offered_again_for_a_payment_that_is_paid() {
    let mut payer = Payer::new(&nets::two_ways_out());
    payer.run_for(600_000);
    let (id, _) = part_out_with(&mut payer, retry_for_an_hour());
    let until = payer.now.after_ms(10_000);
    payer.script(Script::FailThenPay { key: payer.part(id, 1), until });
    payer.troubles.open().lost_parts = 1;
    payer.run_for(30_000);
    assert!(payer.outcome(id).preimage.is_some() && !payer.outcome(id).is_final());
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
    assert_eq!(payer.troubles.read().offers, 2, "one for each part");
}

pub(crate) fn retry_for_an_hour() -> Write {
    Write::here().attach(&RetryFor(Json::of(&3_600)))
}

#[test]
fn a_preimage_of_another_hash_is_neither_payment_nor_failure() {
    let mut payer = Payer::new(&nets::line());
    payer.troubles.open().wrong_preimages = 3;
    let (id, invoice) = part_out(&mut payer);
    payer.run_for(1_500);
    assert_eq!(payer.outcome(id).status, "sending");
    assert_eq!(payer.outcome(id).preimage, None);
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
}

#[test]
fn a_part_that_is_answered_in_time_is_never_asked_about() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    payer.pay_plainly(&invoice);
    payer.run_for(3_600_000);
    assert_eq!((payer.troubles.read().offers, payer.troubles.read().questions), (2, 0));
}
