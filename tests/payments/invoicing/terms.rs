//! Invoices on other terms: held, for somebody else's hash, with metadata, for exactly so much.

use super::{invoice, listed, merchant, pays, status_of};
use crate::{
    calls::{field, json},
    harness::Payer,
    paycodes::Paycode,
    receiving::{carol_sends, told},
};
use ecs_core::Json;
use ecs_systems::{port::FailureCode, units::Preimage};

const PREIMAGE: Preimage = Preimage([7; 32]);

/// An invoice for 1000 msat with the label `a`, and more.
fn made(payer: &mut Payer, more: &str) -> Paycode {
    let params = format!("{{\"amount_msat\":1000,\"label\":\"a\",\"description\":\"tea\",{more}}}");
    Paycode::of(&payer.call("invoice", &params).expect(&params))
}

fn strings_of(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

/// The only paycode that is there.
fn paycode(payer: &mut Payer) -> Json {
    let answer = payer.call("listpaycodes", "{}").expect("a list");
    let all = json(&field(&answer, "paycodes")).items().expect("an array");
    let [one] = &all[..] else { panic!("{answer}") };
    one.clone()
}

#[test]
fn an_invoice_for_somebody_elses_hash_waits_for_the_preimage_and_is_paid_then() {
    let mut payer = merchant();
    let made = made(&mut payer, &format!("\"payment_hash\":\"{}\"", PREIMAGE.hash()));
    assert_eq!(made.hash, PREIMAGE.hash());
    let held = format!("{{\"payment_hash\":\"{}\",\"until\":\"held\"}}", made.hash);
    let held = payer.begin_call("waitpaycode", &held);
    let paid = payer.begin_call("waitanyinvoice", "[]");
    pays(&mut payer, &made, 1_000);
    assert!(held.answered().expect("an answer").is_ok() && paid.answered().is_none());
    assert_eq!(status_of(&mut payer, "a"), "unpaid", "it is held");
    let seen = paycode(&mut payer);
    assert_eq!(
        (field(&seen, "status"), field(&seen, "invoice_label")),
        strings_of("\"held\"", "\"a\"")
    );
    payer.crash();
    let preimage = format!("{{\"preimage\":\"{}\"}}", PREIMAGE.reveal());
    payer.call("settlepaycode", &preimage).expect("it is held");
    payer.run_for(2_000);
    assert_eq!(status_of(&mut payer, "a"), "paid");
    let told = payer.call("waitanyinvoice", "[0,0]").expect("it is paid");
    assert_eq!((field(&told, "pay_index"), field(&told, "label")), strings_of("1", "\"a\""));
    payer.assert_books_agree();
}

#[test]
fn a_held_invoice_that_is_cancelled_is_given_back_and_can_be_paid_no_more() {
    let mut payer = merchant();
    let made = made(&mut payer, "\"hold\":true");
    let id = carol_sends(&mut payer, made.whole(1_000));
    let waiting = payer.begin_call("waitinvoice", "[\"a\"]");
    payer.call("cancelpaycode", &format!("[\"{}\"]", made.hash)).expect("it is held");
    payer.run_for(2_000);
    assert_eq!(told(&payer, id), FailureCode::IncorrectOrUnknownPaymentDetails);
    assert_eq!(waiting.answered().expect("an answer").expect_err("it is over").code, 903);
    assert_eq!(status_of(&mut payer, "a"), "expired");
    let again = carol_sends(&mut payer, made.whole(1_000));
    assert_eq!(told(&payer, again), FailureCode::IncorrectOrUnknownPaymentDetails);
    payer.assert_books_agree();
}

#[test]
fn metadata_is_told_with_the_invoice_and_with_its_paycode() {
    let mut payer = merchant();
    made(&mut payer, "\"metadata\":{\"order\":7}");
    invoice(&mut payer, "b", 1_000);
    payer.crash();
    let all = listed(&mut payer, "{}");
    assert_eq!(
        (field(&all[0], "metadata"), field(&all[1], "metadata")),
        strings_of("{\"order\":7}", "")
    );
}

#[test]
fn payment_metadata_is_in_the_invoice_and_told_as_the_payer_brought_it() {
    let mut payer = merchant();
    let made = made(&mut payer, "\"payment_metadata\":\"c0ffee\",\"hold\":true");
    let bolt11 = field(&listed(&mut payer, "{}")[0], "bolt11");
    let said = payer.call("decode", &format!("[{bolt11}]")).expect("it reads");
    assert_eq!(field(&said, "payment_metadata"), "\"c0ffee\"");
    let invoice = bolt11.trim_matches('"').to_owned();
    let carol = payer.node("carol");
    payer.network.pay_invoice(carol, &invoice, 1, payer.now).expect("a way to us");
    payer.run_for(2_000);
    let seen = paycode(&mut payer);
    assert_eq!(field(&seen, "status"), "\"held\"");
    let parts = json(&field(&seen, "parts")).items().expect("an array");
    assert_eq!(field(&parts[0], "payment_metadata"), "\"c0ffee\"");
    assert_eq!(field(&seen, "payment_hash"), format!("\"{}\"", made.hash));
}

#[test]
fn an_invoice_may_take_exactly_what_it_asks_for() {
    let mut payer = merchant();
    let made = made(&mut payer, "\"overpay\":\"exact\"");
    let id = carol_sends(&mut payer, made.whole(1_001));
    assert_eq!(told(&payer, id), FailureCode::IncorrectOrUnknownPaymentDetails);
    pays(&mut payer, &made, 1_000);
    assert_eq!(status_of(&mut payer, "a"), "paid");
}
