//! Receipts that expire: a change that is waited for.

use super::{invoice, merchant, paycode, pays};
use crate::{
    calls::{Call, field, json},
    harness::Payer,
    receiving::{carol_sends, status},
};
use ecs_systems::{methods::EXPIRED_PER_RECORD_MAX, port::PartStatus};

fn changes_from(payer: &mut Payer, next: u64) -> Call {
    payer.begin_call("wait", &format!("[\"paycodes\",\"updated\",{next}]"))
}

fn changes(payer: &mut Payer) -> u64 {
    let answer = payer.call("wait", "[\"paycodes\",\"updated\",0]").expect("a count");
    field(&answer, "updated").parse().expect("a number")
}

#[test]
fn who_waits_for_changes_is_told_of_an_expiry_once_and_at_its_moment() {
    let mut payer = merchant();
    payer.call("invoice", "[1000,\"tea\",\"tea\",10]").expect("an invoice");
    let waiting = changes_from(&mut payer, 2);
    payer.run_for(9_999);
    assert!(waiting.answered().is_none(), "it has not expired");
    payer.run_for(1);
    let told = waiting.answered().expect("it has").expect("a count");
    assert_eq!(field(&told, "updated"), "2");
    assert_eq!(field(&json(&field(&told, "paycodes")), "status"), "\"expired\"");
    let invoices = payer.call("listinvoices", "{\"index\":\"updated\",\"start\":2}");
    assert!(invoices.expect("a list").to_string().contains("\"expired\""), "of invoices too");
    for _ in 0..2 {
        payer.crash();
        payer.run_for(100_000);
        assert_eq!(changes(&mut payer), 2, "once");
    }
    let again = payer.call("waitinvoice", "[\"tea\"]").expect_err("it has expired");
    assert_eq!(again.code, 903);
}

#[test]
fn what_expires_while_the_engine_is_down_or_takes_nothing_on_is_told_afterwards() {
    let mut payer = merchant();
    for _ in 0..=EXPIRED_PER_RECORD_MAX {
        paycode(&mut payer, "[1000,10]");
    }
    let made = EXPIRED_PER_RECORD_MAX as u64 + 1;
    payer.driver.set_disk_low(true);
    payer.run_for(60_000);
    assert_eq!(changes(&mut payer), made);
    payer.driver.set_disk_low(false);
    payer.run_for(1_000);
    assert_eq!(changes(&mut payer), 2 * made);
}

#[test]
fn a_set_that_began_in_time_is_paid_behind_the_expiry() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "{\"amount_msat\":1000,\"timeout\":10,\"hold\":true}");
    let id = carol_sends(&mut payer, made.whole(1_000));
    payer.run_for(60_000);
    assert_eq!((changes(&mut payer), status(&payer, id)), (2, PartStatus::InFlight));
    payer.crash();
    payer.call("settlepaycode", &format!("{{\"payment_hash\":\"{}\"}}", made.hash)).expect("held");
    payer.run_for(5_000);
    assert!(matches!(status(&payer, id), PartStatus::Paid { .. }));
    assert_eq!(changes(&mut payer), 4, "its preimage left, and it was paid");
    payer.assert_books_agree();
}

#[test]
fn what_is_paid_does_not_expire() {
    let mut payer = merchant();
    let tea = invoice(&mut payer, "tea", 1_000);
    pays(&mut payer, &tea, 1_000);
    let paid = changes(&mut payer);
    payer.run_for(8 * 86_400_000);
    assert_eq!(changes(&mut payer), paid);
}
