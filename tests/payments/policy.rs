//! What an operator allows: limits, and questions.

use crate::{
    harness::{Outcome, Payer},
    nets,
};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Approval, Cancel, FeeBudget, Label},
    policy::Policy,
    port::SpendLimit,
    units::{Msat, Seconds},
};
use node_sim::InvoiceRequest;

const AMOUNT: Msat = Msat(100_000);
/// With the exempt fee of 5 sat.
const SPEND: Msat = Msat(105_000);

fn asking() -> Payer {
    let policy = Policy {
        ask_above_msat: Some(Msat(SPEND.0 - 1)),
        approval_timeout: Seconds(300),
        ..Policy::default()
    };
    Payer::with_policy(&nets::line(), policy)
}

/// A payment that waits for an operator.
fn asked(payer: &mut Payer) -> EntityId {
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    payer.run_for(10_000);
    let outcome = payer.outcome(id);
    assert_eq!(outcome.status, "deciding", "{}", payer.story(id));
    assert!(payer.pending().is_empty(), "nothing is set aside while an operator thinks");
    assert_eq!(payer.submitted_in_all(), 0);
    id
}

fn assert_policy_refused(payer: &Payer, outcome: &Outcome) {
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 2310), "{outcome:?}");
    assert_eq!(payer.submitted_in_all(), 0);
    payer.assert_books_agree();
}

#[test]
fn a_payment_that_an_operator_approves_is_paid() {
    let mut payer = asking();
    let id = asked(&mut payer);
    payer.tell(id, Write::here().attach(&Approval(true)));
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(1_001));
    payer.run_for(400_000);
    assert_eq!(payer.outcome(id).status, "complete", "the question's timer is off");
}

#[test]
fn a_payment_that_an_operator_refuses_is_not_paid() {
    let mut payer = asking();
    let id = asked(&mut payer);
    payer.tell(id, Write::here().attach(&Approval(false)));
    let outcome = payer.finish(id);
    assert_policy_refused(&payer, &outcome);
}

#[test]
fn silence_is_no_approval() {
    let mut payer = asking();
    let id = asked(&mut payer);
    payer.run_for(289_000);
    assert!(!payer.outcome(id).is_final());
    payer.run_for(2_000);
    let outcome = payer.outcome(id);
    assert_policy_refused(&payer, &outcome);
    payer.tell(id, Write::here().attach(&Approval(true)));
    payer.run_for(60_000);
    assert_eq!(payer.submitted_in_all(), 0, "too late");
}

#[test]
fn a_payment_below_the_question_is_not_asked_about() {
    let mut payer = asking();
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(AMOUNT.0 - 1)));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(1_000));
}

#[test]
fn a_payment_cancelled_while_an_operator_thinks_ends() {
    let mut payer = asking();
    let id = asked(&mut payer);
    payer.tell(id, Write::here().attach(&Cancel));
    payer.run_for(1_000);
    let outcome = payer.outcome(id);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    payer.assert_books_agree();
}

#[test]
fn one_payment_may_spend_the_most_allowed_and_not_more() {
    let policy = Policy { payment_max_msat: Some(SPEND), ..Policy::default() };
    let mut payer = Payer::with_policy(&nets::line(), policy);
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(AMOUNT.0 + 1)));
    let outcome = payer.pay_plainly(&invoice);
    assert_policy_refused(&payer, &outcome);
    let facts = ["limit", "used", "requested", "max", "resets_at"].map(|name| outcome.fact(name));
    assert_eq!(facts, [r#""payment_max""#, "0", "105001", "105000", "null"]);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(1_001));
}

#[test]
fn a_window_is_full_until_enough_of_it_has_passed() {
    let limit = SpendLimit {
        name: "hourly".to_owned(),
        label: None,
        window: Seconds(3_600),
        max_msat: Msat(205_000),
    };
    let policy = Policy { limits: vec![limit], ..Policy::default() };
    let mut payer = Payer::with_policy(&nets::line(), policy);
    let pay = |payer: &mut Payer| {
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        payer.pay_plainly(&invoice)
    };
    assert_eq!(pay(&mut payer).status, "complete");
    let paid_at = payer.now;
    let refused = pay(&mut payer);
    assert_eq!((refused.status.as_str(), refused.code()), ("failed", 2310), "{refused:?}");
    let facts = ["limit", "used", "requested", "max"].map(|name| refused.fact(name));
    assert_eq!(facts, [r#""hourly""#, "101001", "105000", "205000"]);
    let resets_at = paid_at.after(Seconds(3_600));
    assert_eq!(refused.fact("resets_at"), ecs_core::Json::of(&resets_at).text());
    payer.assert_books_agree();
    payer.run_for(resets_at.0 - payer.now.0 - 1);
    assert_eq!(pay(&mut payer).code(), 2310);
    payer.run_for(1);
    assert_eq!(pay(&mut payer).status, "complete");
    payer.assert_books_agree();
}

#[test]
fn a_limit_on_a_label_counts_what_is_under_way_and_leaves_others_alone() {
    let limit = SpendLimit {
        name: "tea".to_owned(),
        label: Some("tea".to_owned()),
        window: Seconds(3_600),
        max_msat: Msat(150_000),
    };
    let policy = Policy { limits: vec![limit], ..Policy::default() };
    let mut payer = Payer::with_policy(&nets::line(), policy);
    let labelled = |label: &str| {
        Write::here().attach(&Label(ecs_core::Json::of(label))).attach(&FeeBudget(Msat(2_000)))
    };
    let invoices: Vec<String> =
        (0..3).map(|_| payer.invoice("carol", InvoiceRequest::of(AMOUNT))).collect();
    let first = payer.start(&invoices[0], labelled("tea"));
    let second = payer.pay(&invoices[1], labelled("tea"));
    assert_eq!((second.code(), second.fact("used")), (2310, "102000".to_owned()), "{second:?}");
    assert_eq!(payer.pay(&invoices[2], labelled("milk")).status, "complete");
    assert_eq!(payer.finish(first).status, "complete");
    payer.assert_books_agree();
}
