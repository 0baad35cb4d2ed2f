//! How much is paid: the invoice's amount, the caller's, more, or only a part of it.

use crate::{harness::Payer, invoices::hash_of, nets};
use ecs_core::{INVALID_PARAMS, Write};
use ecs_systems::{
    bolt11,
    components::{Amount, Overpay, Partial},
    port::PartStatus,
    units::{Blocks, Msat},
};
use node_sim::{InvoiceRequest, RemotePart};

#[test]
fn an_invoice_with_an_amount_is_paid_with_exactly_that() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(1_001));
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(100_000));
}

#[test]
fn an_invoice_without_an_amount_is_paid_with_the_callers() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    let outcome = payer.pay(&invoice, Write::here().attach(&Amount(Msat(70_000))));
    payer.assert_paid(&outcome, Msat(1_000));
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(70_000));
}

#[test]
fn an_amount_that_is_missing_or_one_too_many_is_refused_in_core_lightnings_words() {
    let mut payer = Payer::new(&nets::line());
    let amount = || Write::here().attach(&Amount(Msat(1_000)));
    for (request, more, message) in [
        (InvoiceRequest::any(), Write::here(), "msatoshi parameter required"),
        (InvoiceRequest::of(Msat(1_000)), amount(), "msatoshi parameter unnecessary"),
        (InvoiceRequest::of(Msat(500)), amount(), "msatoshi parameter unnecessary"),
    ] {
        let invoice = payer.invoice("carol", request);
        payer.assert_refused(&invoice, more.clone(), INVALID_PARAMS);
        let error = payer.pay(&invoice, more).error.expect("it fails again");
        assert_eq!(error.message, message);
    }
}

#[test]
fn overpaying_goes_from_the_invoices_amount_to_twice_that_and_no_further() {
    let mut payer = Payer::new(&nets::line());
    for (given, paid) in
        [(99_999, false), (100_000, true), (150_000, true), (200_000, true), (200_001, false)]
    {
        let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
        let more = || Write::here().attach(&Overpay).attach(&Amount(Msat(given)));
        if !paid {
            payer.assert_refused(&invoice, more(), INVALID_PARAMS);
            continue;
        }
        let outcome = payer.pay(&invoice, more());
        payer.assert_paid(&outcome, Msat(1_000 + given / 100_000));
        assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(given));
    }
}

#[test]
fn a_part_of_an_invoice_is_paid_once_another_node_pays_the_rest() {
    let network = nets::two_payers();
    let mut payer = Payer::new(&network);
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let id = payer.start(&invoice, Write::here().attach(&Partial(Msat(60_000))));
    payer.run_for(5_000);
    assert_eq!(payer.outcome(id).status, "sending", "carol waits for the rest");
    assert_eq!(payer.truth_of(&invoice).held_msat, Msat(60_000));

    let (erin, carol) = (network.id("erin").unwrap(), network.id("carol").unwrap());
    let fields = bolt11::decode(&invoice).unwrap();
    let whole = RemotePart::whole(hash_of(&invoice), fields.payment_secret, Msat(100_000));
    let route = network.route(erin, carol, Msat(40_000), Blocks(40), payer.now).unwrap();
    let theirs = network.send_remote(whole.of_it(Msat(40_000)), route, payer.now).unwrap();

    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(1_000));
    assert!(matches!(network.remote_status(theirs), Some(PartStatus::Paid { .. })));
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(100_000));
    assert_eq!(payer.truth_of(&invoice).spent(), Msat(61_000), "ours is only a part");
}

#[test]
fn a_part_of_an_invoice_comes_back_if_nobody_pays_the_rest() {
    let mut payer = Payer::new(&nets::two_payers());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let outcome = payer.pay(&invoice, Write::here().attach(&Partial(Msat(60_000))));
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
    assert!(!payer.submitted(hash_of(&invoice)).is_empty());
    payer.assert_books_agree();
}

#[test]
fn a_part_above_the_amount_is_refused() {
    let mut payer = Payer::new(&nets::two_payers());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let more = Write::here().attach(&Partial(Msat(100_001)));
    payer.assert_refused(&invoice, more, INVALID_PARAMS);
}
