//! What is told of receipts that are paid.

use super::{invoice, merchant, paycode, pays, quoted};
use crate::{
    calls::{field, json},
    harness::{Payer, START},
};
use ecs_core::{Caller, Json, Scope, Write};
use ecs_systems::components::Circular;

/// What is behind that cursor, of those kinds.
fn told(payer: &mut Payer, since: u64, kinds: &str) -> Vec<Json> {
    let params = format!("{{\"since\":{since},\"events\":{kinds}}}");
    let page = payer.call("payecs_events", &params).expect(&params);
    json(&field(&page, "events")).items().expect("an array")
}

const RECEIVED: &str = "[\"paycode_payment\",\"invoice_payment\"]";

/// What differs between them: `event`, `amount_msat`, `label`, `to_self`, `circular`.
fn short(events: &[Json]) -> Vec<String> {
    let names = ["event", "amount_msat", "label", "to_self", "circular"];
    let of = |event: &Json| names.map(|name| field(event, name).replace('"', "")).join(" ");
    events.iter().map(|event| of(event).trim_end().to_owned()).collect()
}

/// Makes an invoice and pays it from here, with more Components.
fn pays_itself(payer: &mut Payer, label: &str, more: Write) {
    let made = payer.call("invoice", &format!("[5000,\"{label}\",\"tea\"]")).expect("it is");
    let bolt11 = field(&made, "bolt11");
    assert_eq!(payer.pay(bolt11.trim_matches('"'), more).status, "complete");
}

#[test]
fn what_others_pay_and_what_we_pay_ourselves_is_told_in_order_also_when_it_is_gone() {
    let mut payer = merchant();
    let bare = paycode(&mut payer, "[1000]");
    pays(&mut payer, &bare, 1_999);
    let tea = invoice(&mut payer, "tea", 2_000);
    pays(&mut payer, &tea, 2_000);
    pays_itself(&mut payer, "own", Write::here());
    pays_itself(&mut payer, "round", Write::here().attach(&Circular));
    let unpaid = invoice(&mut payer, "never", 3_000);
    pays(&mut payer, &unpaid, 2_999);
    let all = told(&mut payer, 0, RECEIVED);
    assert_eq!(
        short(&all),
        [
            "paycode_payment 1999",
            "invoice_payment 2000 tea",
            "invoice_payment 5000 own true",
            "invoice_payment 5000 round  true",
        ]
    );
    let hashes = [&bare, &tea].map(|made| quoted(&made.hash.to_string()));
    assert_eq!([0, 1].map(|at| field(&all[at], "payment_hash")), hashes);
    for event in &all {
        let at = json(&field(event, "paid_at")).decode::<u64>().expect("seconds");
        assert!((0..60).contains(&(at - START.unix_seconds())), "{event}");
    }
    for label in ["tea", "own", "round"] {
        let deleted = payer.call("delinvoice", &format!("[\"{label}\",\"paid\"]"));
        deleted.expect("it is paid");
    }
    payer.call("delpaycode", &format!("[{},\"paid\"]", hashes[0])).expect("it is paid");
    assert_eq!(told(&mut payer, 0, RECEIVED), all, "they are gone");
    payer.crash();
    assert_eq!(told(&mut payer, 0, RECEIVED), all, "after a restart");
    // A consumer that is slow, or that wants one kind alone.
    let mut slow = Vec::new();
    let mut cursor = 0;
    while let Some(next) = told(&mut payer, cursor, RECEIVED).first() {
        cursor = json(&field(next, "cursor")).decode().expect("a cursor");
        slow.push(next.clone());
    }
    assert_eq!(slow, all);
    assert_eq!(told(&mut payer, 0, "\"invoice_payment\""), all[1..]);
    assert_eq!(told(&mut payer, 0, "\"paycode_payment\""), all[..1]);
    payer.assert_books_agree();
}

#[test]
fn a_payment_to_ourselves_is_told_as_received_and_then_as_paid() {
    let mut payer = merchant();
    pays_itself(&mut payer, "own", Write::here());
    let both = told(&mut payer, 0, "[\"invoice_payment\",\"pay_success\",\"pay_failure\"]");
    assert_eq!(short(&both), ["invoice_payment 5000 own true", "pay_success 5000"]);
    let hashes = [0, 1].map(|at| field(&both[at], "payment_hash"));
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn no_preimage_is_told_to_anybody_and_nothing_without_scope_read() {
    let mut payer = merchant();
    let preimage = "07".repeat(32);
    let made =
        paycode(&mut payer, &format!("{{\"amount_msat\":1000,\"preimage\":\"{preimage}\"}}"));
    pays(&mut payer, &made, 1_000);
    let reader = Caller::with([Scope::Read]);
    for caller in [Caller::owner(), reader] {
        let call = payer.begin_call_of(&caller, "payecs_events", "[0]");
        let page = payer.finish_call(&call).expect("a page");
        assert!(page.text().contains("paycode_payment"), "{page}");
        assert!(!page.text().contains(&preimage), "{page}");
    }
    let call = payer.begin_call_of(&Caller::with([Scope::Pay]), "payecs_events", "[0]");
    assert_eq!(payer.finish_call(&call).expect_err("it may not read").code, 1502);
}

#[test]
fn kinds_that_there_are_not_are_refused_and_named() {
    let mut payer = merchant();
    for kinds in ["[]", "\"paid\"", "[\"invoice_creation\"]", "7", "{}", "[[\"pay_success\"]]"] {
        let error = payer.call("payecs_events", &format!("[0,1,0,{kinds}]")).unwrap_err();
        assert_eq!(error.code, -32602);
        assert!(error.message.contains("`events`: expected `pay_success`"), "{}", error.message);
    }
}
