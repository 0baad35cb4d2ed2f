//! When there is no way: which code says why.

use crate::{
    harness::Payer,
    invoices::hash_of,
    nets::{self, Channels},
};
use ecs_core::Write;
use ecs_systems::{
    components::{Exclude, ExemptFee, FeeBudget, MaxDelay, MaxFeePercent},
    planner::Exclusion,
    units::Msat,
};
use node_sim::{InvoiceRequest, SimBuilder, SimNetwork};
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

/// 600 bytes that the payee wants back.
fn long() -> String {
    "5a".repeat(600)
}

/// alice – … – carol over so many channels for free; and by dave for 30 sat, where there is one.
fn far(hops: usize, dave: bool) -> SimNetwork {
    let names: Vec<String> = (1..hops).map(|number| format!("n{number}")).collect();
    let builder = SimBuilder::new(1).us("alice").node("alice").node("carol").node("dave");
    let builder = names.iter().fold(builder, |builder, name| builder.node(name));
    let line: Vec<&str> =
        std::iter::once("alice").chain(names.iter().map(String::as_str)).chain(["carol"]).collect();
    let builder = line.windows(2).fold(builder, |builder, pair| builder.even(pair[0], pair[1], 0));
    let by_dave =
        |builder: SimBuilder| builder.even("alice", "dave", 0).even("dave", "carol", 30_000);
    if dave { by_dave(builder) } else { builder }.build().expect("a network")
}

#[test]
fn a_payee_that_is_told_much_is_paid_over_as_many_hops_as_the_onion_has_room_for() {
    for (hops, payment_metadata, code) in [
        (12, Some(long()), 0),
        (13, Some(long()), 205),
        (13, None, 0),
        (20, None, 0),
        (21, None, 205),
    ] {
        let mut payer = Payer::new(&far(hops, false));
        let is_long = payment_metadata.is_some();
        let request = InvoiceRequest { payment_metadata, ..InvoiceRequest::of(Msat(10_000_000)) };
        let invoice = payer.invoice("carol", request);
        if code == 0 {
            let outcome = payer.pay_plainly(&invoice);
            payer.assert_paid(&outcome, Msat::ZERO);
            assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
        } else {
            let outcome = payer.pay_plainly(&invoice);
            assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", code), "{outcome:?}");
            let reason = if is_long { "\"too_long\"" } else { "\"no_route\"" };
            assert_eq!(outcome.fact("reason"), reason);
            assert_eq!(payer.submitted(hash_of(&invoice)).len(), 0, "nothing leaves");
            payer.assert_books_agree();
        }
    }
}

#[test]
fn a_payee_that_is_told_much_is_paid_by_a_shorter_way() {
    let mut payer = Payer::new(&far(13, true));
    for (payment_metadata, fee) in [(None, 0), (Some(long()), 30_000)] {
        let request = InvoiceRequest { payment_metadata, ..InvoiceRequest::of(Msat(10_000_000)) };
        let invoice = payer.invoice("carol", request);
        let outcome = payer.pay_plainly(&invoice);
        payer.assert_paid(&outcome, Msat(fee));
        assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    }
}
