//! Parts and rounds: what fails is tried another way, until time, rounds or patience are used up.

use crate::{harness::Payer, invoices::hash_of, nets};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Cancel, MaxParts, PartsOpen, Reservation, RetryFor},
    policy::Policy,
    port::FailureCode,
    units::{Msat, Seconds},
};
use node_sim::{InvoiceRequest, Script};
use std::num::NonZeroU32;

const AMOUNT: Msat = Msat(100_000_000);

fn retry_for(seconds: u64) -> Write {
    Write::here().attach(&RetryFor(ecs_core::Json::of(&seconds)))
}

/// bob keeps the next HTLC for that long, and has nothing to forward it with then.
fn stuck_at_bob(payer: &Payer, milliseconds: u64) {
    let bob = payer.node("bob");
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(milliseconds) });
}

fn open_parts(payer: &Payer, id: EntityId) -> usize {
    payer.driver.engine().get::<PartsOpen>(id).map_or(0, |open| open.0.len())
}

#[test]
fn an_amount_that_no_single_way_carries_goes_in_several_parts() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(800_000_000)));
    let outcome = payer.pay_plainly(&invoice);
    assert!(outcome.parts_paid > 1, "{outcome:?}");
    payer.assert_paid(&outcome, outcome.fee.unwrap_or_default());
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(800_000_000));
}

#[test]
fn a_payee_that_takes_one_part_only_gets_one_or_none() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let whole = |amount| InvoiceRequest { basic_mpp: false, ..InvoiceRequest::of(Msat(amount)) };
    let small = payer.invoice("carol", whole(400_000_000));
    let outcome = payer.pay_plainly(&small);
    payer.assert_paid(&outcome, Msat(1_000));
    let large = payer.invoice("carol", whole(500_000_001));
    let outcome = payer.pay_plainly(&large);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 205), "{outcome:?}");
    let several = payer.invoice("carol", InvoiceRequest::of(Msat(550_000_000)));
    let one = Write::here().attach(&MaxParts(NonZeroU32::MIN));
    let outcome = payer.pay(&several, one);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 205), "{outcome:?}");
    payer.assert_books_agree();
}

#[test]
fn a_part_that_fails_for_liquidity_goes_another_way_in_the_next_round() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(3_000));
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 2, "bob first, then dave");
}

#[test]
fn what_a_failed_part_gives_back_leaves_again_through_our_only_channel() {
    let mut payer = Payer::new(&nets::one_way_out(Msat(1_000)));
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(400_000_000)));
    let id = payer.start(&invoice, Write::here());
    let outcome = payer.finish(id);
    // Each part costs 1 sat at both of dave's channels.
    payer.assert_paid(&outcome, Msat(2_000 * u64::from(outcome.parts_paid)));
    let reservation = payer.driver.engine().get::<Reservation>(id).unwrap().0;
    assert!(reservation.parts_failed >= 1 && reservation.rounds >= 2, "{reservation:?}");
}

#[test]
fn a_channel_that_failed_is_not_tried_again_with_that_much_by_any_payment() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let first = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    assert_eq!(payer.pay_plainly(&first).status, "complete");
    let again = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&again);
    payer.assert_paid(&outcome, Msat(3_000));
    assert_eq!(payer.submitted(hash_of(&again)).len(), 1, "dave at once");
    let small = payer.invoice("carol", InvoiceRequest::of(Msat(1_000)));
    let outcome = payer.pay_plainly(&small);
    payer.assert_books_agree();
    assert_eq!(outcome.status, "complete", "{outcome:?}");
}

#[test]
fn an_invoice_that_expires_between_rounds_is_not_tried_again() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let request = InvoiceRequest { expiry: Seconds(30), ..InvoiceRequest::of(AMOUNT) };
    let invoice = payer.invoice("carol", request);
    stuck_at_bob(&payer, 21_000);
    let outcome = payer.pay_plainly(&invoice);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 207), "{outcome:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn after_the_deadline_parts_in_flight_are_waited_for_and_no_more_are_sent() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    stuck_at_bob(&payer, 30_000);
    let id = payer.start(&invoice, retry_for(10));
    payer.run_for(29_000);
    assert_eq!((payer.outcome(id).status.as_str(), open_parts(&payer, id)), ("sending", 1));
    payer.assert_money_is_whole();
    let outcome = payer.finish(id);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn a_part_that_arrives_after_the_deadline_completes_the_payment() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    stuck_at_bob(&payer, 30_000);
    let outcome = payer.pay(&invoice, retry_for(10));
    payer.assert_paid(&outcome, Msat(1_000));
}

#[test]
fn a_cancelled_payment_starts_no_attempt() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    payer.assert_refused(&invoice, Write::here().attach(&Cancel), 210);
    let id = payer.start(&invoice, Write::here());
    payer.tell(id, Write::here().attach(&Cancel));
    let outcome = payer.finish(id);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    assert_eq!(payer.submitted(hash_of(&invoice)), []);
    payer.assert_books_agree();
}

#[test]
fn a_payment_cancelled_with_parts_in_flight_ends_as_they_end() {
    for (by_bob, status, code) in [(Msat(1_000), "failed", 210), (nets::HALF, "complete", 0)] {
        let mut payer = Payer::new(&nets::diamond(by_bob));
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        stuck_at_bob(&payer, 20_000);
        let id = payer.start(&invoice, Write::here());
        payer.run_for(5_000);
        payer.tell(id, Write::here().attach(&Cancel));
        payer.run_for(5_000);
        assert!(!payer.outcome(id).is_final(), "its part is out");
        let outcome = payer.finish(id);
        assert_eq!((outcome.status.as_str(), outcome.code()), (status, code), "{outcome:?}");
        assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
        payer.assert_books_agree();
    }
}

#[test]
fn rounds_are_bounded() {
    let policy = Policy { rounds_max: 1, ..Policy::default() };
    let mut payer = Payer::with_policy(&nets::diamond(Msat(1_000)), policy);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 209), "{outcome:?}");
    assert_eq!(outcome.fact("rounds"), "1");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn the_payees_no_is_final_at_once() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let request = InvoiceRequest { expiry: Seconds(60), ..InvoiceRequest::of(AMOUNT) };
    let invoice = payer.invoice("carol", request);
    stuck_at_bob(&payer, 61_000);
    let outcome = payer.pay(&invoice, retry_for(600));
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 203), "{outcome:?}");
    assert_eq!(outcome.fact("failcode"), "16399", "incorrect_or_unknown_payment_details");
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn a_node_in_trouble_and_an_unreadable_error_are_gone_around() {
    for garbled in [false, true] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let bob = payer.node("bob");
        let failcode = FailureCode::TemporaryNodeFailure;
        payer.script(Script::FailNext { node: bob, failcode });
        if garbled {
            payer.script(Script::GarbleNext { node: bob });
        }
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let outcome = payer.pay_plainly(&invoice);
        payer.assert_books_agree();
        assert_eq!(outcome.status, "complete", "garbled: {garbled}, {outcome:?}");
        assert_eq!(payer.submitted(hash_of(&invoice)).len(), 2);
    }
}
