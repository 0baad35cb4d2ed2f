//! `delinvoice`.

use super::{invoice, listed, merchant, pays, quoted, status_of};
use crate::{calls::field, paycodes::Paycode, receiving::carol_sends};
use ecs_systems::units::Msat;

#[test]
fn what_has_the_status_that_was_named_is_deleted_with_its_paycode() {
    for (is, others) in [
        ("unpaid", ["paid", "expired"]),
        ("paid", ["unpaid", "expired"]),
        ("expired", ["unpaid", "paid"]),
    ] {
        let mut payer = merchant();
        let made = payer.call("invoice", "[1000,\"a\",\"tea\",60]").expect("an invoice");
        let made = Paycode::of(&made);
        match is {
            "paid" => pays(&mut payer, &made, 1_000),
            "expired" => payer.run_for(60_000),
            _ => {}
        }
        for other in others {
            let error = payer.call("delinvoice", &format!("[\"a\",\"{other}\"]")).unwrap_err();
            assert_eq!(error.code, 906);
            let facts = error.facts();
            let said =
                ["current_status", "expected_status"].map(|name| facts[name].text().to_owned());
            assert_eq!(said, [is, other].map(|it| format!("\"{it}\"")));
        }
        let told = payer.call("delinvoice", &format!("[\"a\",\"{is}\"]")).expect("it is so");
        assert_eq!((field(&told, "status"), field(&told, "label")), (quoted(is), quoted("a")));
        payer.crash();
        assert_eq!(listed(&mut payer, "{}").len(), 0);
        let paycodes = payer.call("listpaycodes", "{}").expect("a list");
        assert_eq!(field(&paycodes, "paycodes"), "[]");
        assert_eq!(payer.refused("delinvoice", &format!("[\"a\",\"{is}\"]")).0, 905);
        invoice(&mut payer, "a", 1_000);
        payer.assert_books_agree();
    }
}

#[test]
fn a_paycode_that_is_deleted_takes_its_invoice_along() {
    let mut payer = merchant();
    let made = invoice(&mut payer, "a", 1_000);
    let params = format!("[\"{}\",\"unpaid\"]", made.hash);
    payer.call("delpaycode", &params).expect("it is unpaid");
    assert_eq!(status_of(&mut payer, "a"), "");
    invoice(&mut payer, "a", 1_000);
}

#[test]
fn one_that_is_being_paid_is_not_deleted_and_one_whose_paycode_was_cancelled_has_expired() {
    let mut payer = merchant();
    let made = invoice(&mut payer, "a", 1_000);
    carol_sends(&mut payer, made.whole(1_000).of_it(Msat(400)));
    assert_eq!(status_of(&mut payer, "a"), "unpaid");
    let error = payer.call("delinvoice", "[\"a\",\"unpaid\"]").unwrap_err();
    let current = error.facts()["current_status"].text().to_owned();
    assert_eq!((error.code, current), (906, quoted("receiving")));
    payer.call("cancelpaycode", &format!("[\"{}\"]", made.hash)).expect("it gathers");
    payer.run_for(2_000);
    assert_eq!(status_of(&mut payer, "a"), "expired");
    payer.call("delinvoice", "[\"a\",\"expired\"]").expect("nothing is there any more");
}

#[test]
fn a_description_is_deleted_alone_and_once() {
    let mut payer = merchant();
    invoice(&mut payer, "a", 1_000);
    let params = "{\"label\":\"a\",\"status\":\"unpaid\",\"desconly\":true}";
    let told = payer.call("delinvoice", params).expect("it has one");
    assert_eq!(field(&told, "description"), "");
    payer.crash();
    let found = &listed(&mut payer, "{}")[0];
    assert_eq!(
        (field(found, "description"), field(found, "updated_index")),
        (String::new(), "2".to_owned())
    );
    assert_eq!(payer.refused("delinvoice", params).0, 908);
}
