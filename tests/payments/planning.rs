//! When there is no way: which code says why.

use crate::{
    harness::Payer,
    nets::{self, Channels},
};
use ecs_core::Write;
use ecs_systems::{
    components::{Exclude, ExemptFee, FeeBudget, MaxDelay, MaxFeePercent},
    planner::Exclusion,
    units::Msat,
};
use node_sim::{InvoiceRequest, SimBuilder};
use std::num::NonZeroU32;

#[test]
fn more_than_there_is_to_spend_is_refused_before_a_route_is_looked_for() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(500_000_001)));
    payer.assert_refused(&invoice, Write::here(), 215);
    let exact = payer.invoice("carol", InvoiceRequest::of(Msat(500_000_000)));
    let free = Write::here().attach(&FeeBudget(Msat::ZERO));
    payer.assert_refused(&exact, free, 205);
}

#[test]
fn amount_and_fee_budget_together_must_be_there() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(499_000_000)));
    let outcome = payer.pay(&invoice, Write::here());
    assert_eq!(outcome.code(), 215, "2 495 000 msat of budget are not there");
    assert_eq!(outcome.fact("requested_msat"), "501495000");
    assert_eq!(outcome.fact("available_msat"), "500000000");
    let budget = Write::here().attach(&FeeBudget(Msat(1_000_000)));
    let outcome = payer.pay(&invoice, budget);
    payer.assert_paid(&outcome, Msat(5_990));
}

#[test]
fn a_fee_or_delay_above_the_limit_is_too_expensive() {
    let mut payer = Payer::new(&nets::line());
    let tight = || {
        Write::here()
            .attach(&ExemptFee(Msat::ZERO))
            .attach(&MaxFeePercent(ecs_core::Json::of(&0.5)))
    };
    let slow = || Write::here().attach(&MaxDelay(NonZeroU32::new(40).unwrap()));
    for more in [tight(), slow()] {
        let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
        payer.assert_refused(&invoice, more, 206);
    }
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let outcome = payer.pay(&invoice, tight());
    assert_eq!(outcome.fact("fee_needed_msat"), "1001", "{outcome:?}");
}

#[test]
fn a_destination_out_of_the_graph_is_unreachable() {
    let mut payer = Payer::new(&nets::dead_ends());
    for name in ["dave", "frank"] {
        let invoice = payer.invoice(name, InvoiceRequest::of(Msat(100_000)));
        payer.assert_refused(&invoice, Write::here(), 216);
    }
}

#[test]
fn channels_too_small_are_told_by_where_they_are() {
    let mut payer = Payer::new(&nets::dead_ends());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(20_000_000)));
    payer.assert_refused(&invoice, Write::here(), 220);
    let invoice = payer.invoice("gina", InvoiceRequest::of(Msat(20_000_000)));
    payer.assert_refused(&invoice, Write::here(), 205);
}

#[test]
fn what_is_excluded_is_no_route() {
    let network = nets::line();
    let mut payer = Payer::new(&network);
    let (bob, carol) = (network.id("bob").unwrap(), network.id("carol").unwrap());
    let channel = network.direction(bob, carol).unwrap();
    for excluded in [Exclusion::Node(bob), Exclusion::Channel(channel)] {
        let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
        let before = payer.submitted_in_all();
        let outcome = payer.pay(&invoice, Write::here().attach(&Exclude(vec![excluded])));
        assert!([205, 215, 216, 220].contains(&outcome.code()), "{outcome:?}");
        assert_eq!(payer.submitted_in_all(), before);
        payer.assert_books_agree();
    }
}

#[test]
fn a_channel_reserve_cannot_be_spent() {
    let network = SimBuilder::new(1)
        .node("alice")
        .node("bob")
        .with("alice", "bob", Msat(1_000_000), Msat(500_000))
        .reserve(Msat(100_000))
        .us("alice")
        .build()
        .unwrap();
    let mut payer = Payer::new(&network);
    let free = || Write::here().attach(&FeeBudget(Msat::ZERO));
    let invoice = payer.invoice("bob", InvoiceRequest::of(Msat(400_001)));
    payer.assert_refused(&invoice, free(), 215);
    let invoice = payer.invoice("bob", InvoiceRequest::of(Msat(400_000)));
    let outcome = payer.pay(&invoice, free());
    payer.assert_paid(&outcome, Msat::ZERO);
}
