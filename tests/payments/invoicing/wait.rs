//! `waitinvoice` and `waitanyinvoice`.

use super::{invoice, merchant, paycode, pays};
use crate::{
    calls::{Call, field},
    harness::Payer,
};

fn error(call: &Call) -> i32 {
    call.answered().expect("an answer").expect_err("an error").code
}

/// The `pay_index` and label of the next paid invoice after that one; else the code.
fn next(payer: &mut Payer, last: u64) -> Result<(String, String), i32> {
    let answer = payer.call("waitanyinvoice", &format!("[{last},0]"));
    let told = answer.map_err(|error| error.code)?;
    Ok((field(&told, "pay_index"), field(&told, "label").trim_matches('"').to_owned()))
}

fn index(number: u64, label: &str) -> (String, String) {
    (number.to_string(), label.to_owned())
}

#[test]
fn who_waits_for_an_invoice_is_told_that_it_is_paid_expired_or_gone() {
    let mut payer = merchant();
    assert_eq!(payer.refused("waitinvoice", "[\"a\"]").0, -1);
    let made = invoice(&mut payer, "a", 1_000);
    let waiting = [(); 2].map(|()| payer.begin_call("waitinvoice", "[\"a\"]"));
    let other = invoice(&mut payer, "b", 1_000);
    pays(&mut payer, &other, 1_000);
    assert!(waiting.iter().all(|call| call.answered().is_none()), "another was paid");
    pays(&mut payer, &made, 1_000);
    for call in &waiting {
        let told = call.answered().expect("an answer").expect("it is paid");
        assert_eq!((field(&told, "status"), field(&told, "pay_index")), paid("2"));
    }
    payer.call("invoice", "[1000,\"c\",\"tea\",60]").expect("an invoice");
    let late = payer.begin_call("waitinvoice", "[\"c\"]");
    payer.run_for(60_000);
    let expired = late.answered().expect("an answer").expect_err("it is over");
    assert_eq!((expired.code, expired.facts()["label"].text()), (903, "\"c\""));
    invoice(&mut payer, "d", 1_000);
    let gone = payer.begin_call("waitinvoice", "[\"d\"]");
    payer.call("delinvoice", "[\"d\",\"unpaid\"]").expect("it is unpaid");
    payer.run_for(1);
    assert_eq!(error(&gone), -1);
    assert_eq!(payer.driver.waiters(), 0);
}

fn paid(index: &str) -> (String, String) {
    ("\"paid\"".to_owned(), index.to_owned())
}

#[test]
fn each_paid_invoice_is_told_once_in_order_and_paycodes_never() {
    let mut payer = merchant();
    let waiting = payer.begin_call("waitanyinvoice", "{}");
    let bare = paycode(&mut payer, "[1000]");
    pays(&mut payer, &bare, 1_000);
    assert_eq!(waiting.answered(), None, "a paycode is none");
    assert_eq!(next(&mut payer, 0), Err(904));
    for label in ["a", "b", "c"] {
        let made = invoice(&mut payer, label, 1_000);
        let bare = paycode(&mut payer, "[1000]");
        pays(&mut payer, &bare, 1_000);
        pays(&mut payer, &made, 1_000);
    }
    let told = waiting.answered().expect("an answer").expect("it was paid");
    assert_eq!(field(&told, "label"), "\"a\"");
    payer.crash();
    for (last, label) in [(0, "a"), (1, "b"), (2, "c")] {
        assert_eq!(next(&mut payer, last), Ok(index(last + 1, label)), "whoever is slow");
    }
    assert_eq!(next(&mut payer, 3), Err(904));
    let waiting = payer.begin_call("waitanyinvoice", "[3]");
    let made = invoice(&mut payer, "d", 1_000);
    pays(&mut payer, &made, 1_000);
    let told = waiting.answered().expect("an answer").expect("it was paid");
    assert_eq!(field(&told, "pay_index"), "4");
    assert!(!told.text().contains("warning"), "{told}");
}

#[test]
fn who_missed_invoices_that_are_gone_is_told_which() {
    let mut payer = merchant();
    for label in ["a", "b", "c"] {
        let made = invoice(&mut payer, label, 1_000);
        pays(&mut payer, &made, 1_000);
    }
    for label in ["a", "b"] {
        payer.call("delinvoice", &format!("[\"{label}\",\"paid\"]")).expect("it is paid");
    }
    let told = payer.call("waitanyinvoice", "[0,0]").expect("there is one");
    assert_eq!(field(&told, "label"), "\"c\"");
    assert_eq!(field(&told, "warning_missed"), "\"pay_index 1 to 2 are gone\"");
    let told = payer.call("waitanyinvoice", "[2,0]").expect("there is one");
    assert_eq!(field(&told, "warning_missed"), "", "nothing was missed");
}

#[test]
fn who_waits_for_any_in_vain_is_told_so() {
    let mut payer = merchant();
    let call = payer.begin_call("waitanyinvoice", "[0,5]");
    payer.run_for(4_999);
    assert_eq!(call.answered(), None);
    payer.run_for(1);
    assert_eq!(error(&call), 904);
    assert_eq!(payer.refused("waitanyinvoice", "[-1]").0, -32602);
}
