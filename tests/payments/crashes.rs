//! The engine dies with everything but its last record: the payment goes on, and is paid once.

use crate::{harness::Payer, invoices::hash_of, nets};
use ecs_core::Write;
use ecs_systems::{
    components::{Approval, Cancel},
    policy::Policy,
    units::Msat,
};
use node_sim::{InvoiceRequest, Script, Settings};

const AMOUNT: Msat = Msat(100_000_000);
/// Longer than the two rounds of a payment around bob take.
const STORY_MS: u64 = 2_500;

#[test]
fn a_crash_at_any_moment_of_a_payment_in_two_rounds_leads_to_one_payment() {
    let mut moments: Vec<u64> = (0..STORY_MS / 50).map(|step| step * 50).collect();
    moments.extend([1, 2, 3, 99, 101, 399]);
    for at_ms in moments {
        let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, Write::here());
        if at_ms > 0 {
            payer.run_for(at_ms);
        }
        payer.crash();
        let outcome = payer.finish(id);
        assert_eq!(outcome.status, "complete", "crash after {at_ms} ms\n{}", payer.story(id));
        payer.assert_books_agree();
        assert_eq!(payer.truth_of(&invoice).received_in_all(), AMOUNT, "after {at_ms} ms");
    }
}

#[test]
fn a_payment_survives_a_crash_after_each_of_its_moments() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(300_000_000)));
    let id = payer.start(&invoice, Write::here());
    for _ in 0..50 {
        payer.crash();
        payer.run_for(70);
    }
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(3_000));
}

#[test]
fn a_plan_that_was_in_the_making_is_made_again() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    assert!(payer.submitted(hash_of(&invoice)).is_empty(), "only a plan is under way");
    payer.crash();
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
}

#[test]
fn a_part_that_was_recorded_but_never_left_is_offered_after_a_crash_and_only_once() {
    for not_idempotent in [false, true] {
        let mut payer = Payer::new(&nets::line());
        payer.troubles.open().not_idempotent = not_idempotent;
        payer.troubles.open().lost_parts = 1;
        payer.run_for(600_000);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, Write::here());
        payer.run_for(500);
        assert_eq!(payer.troubles.read().offers, 1);
        payer.crash();
        let outcome = payer.finish(id);
        payer.assert_paid(&outcome, Msat(2_000));
        let parts = payer.submitted(hash_of(&invoice));
        let numbers: Vec<u64> = parts.iter().map(|(_, part, _)| part.0).collect();
        assert_eq!(numbers, [if not_idempotent { 2 } else { 1 }], "the node had it never");
    }
}

#[test]
fn an_outcome_that_came_while_the_engine_was_down_is_heard_after_it() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    payer.run_for(100);
    payer.now = payer.now.after_ms(3_600_000);
    payer.crash();
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
}

#[test]
fn an_operators_question_outlives_a_crash_with_its_timer() {
    for approve in [true, false] {
        let policy = Policy { ask_above_msat: Some(Msat(1)), ..Policy::default() };
        let mut payer = Payer::with_policy(&nets::line(), policy);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, Write::here());
        payer.run_for(1_000);
        payer.crash();
        assert_eq!(payer.outcome(id).status, "deciding");
        if approve {
            payer.tell(id, Write::here().attach(&Approval(true)));
        }
        let outcome = payer.finish(id);
        assert_eq!(outcome.code(), if approve { 0 } else { 2310 }, "{outcome:?}");
        payer.assert_books_agree();
    }
}

#[test]
fn a_cancelled_payment_stays_cancelled_after_a_crash() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let bob = payer.node("bob");
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(20_000) });
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    payer.run_for(2_000);
    payer.tell(id, Write::here().attach(&Cancel));
    payer.crash();
    let outcome = payer.finish(id);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn what_was_paid_before_a_crash_is_answered_again_after_it() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let first = payer.pay_plainly(&invoice);
    payer.crash();
    let again = payer.pay_plainly(&invoice);
    assert!(again.replayed && again.preimage == first.preimage, "{again:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn a_crash_while_the_signer_thinks_asks_it_again() {
    let settings = Settings {
        signer: node_sim::Signer::UpTo(AMOUNT),
        answer_ms: 2_000,
        ..Settings::default()
    };
    let network = nets::line_with(settings);
    let mut payer = Payer::new(&network);
    payer.run_for(10_000);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    payer.crash();
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(2_000));
}
