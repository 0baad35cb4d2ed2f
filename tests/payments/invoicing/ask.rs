//! `invoice` and `listinvoices`.

use super::{invoice, listed, merchant, merchant_on, paycode, pays, status_of};
use crate::{
    calls::{field, json},
    harness::Payer,
    nets,
    paycodes::Paycode,
};
use ecs_systems::units::Preimage;

const PREIMAGE: Preimage = Preimage([7; 32]);

/// How many paycodes there are, with an invoice or without.
fn paycodes(payer: &mut Payer) -> usize {
    let answer = payer.call("listpaycodes", "{}").expect("a list");
    json(&field(&answer, "paycodes")).items().expect("an array").len()
}

#[test]
fn an_invoice_says_what_it_is_asked_to_and_is_a_paycode_with_a_label() {
    let mut payer = merchant();
    let made = payer.call(
        "invoice",
        &format!(
            "{{\"amount_msat\":\"100sat\",\"label\":17,\"description\":\"tea \u{2615}\",\
             \"expiry\":60,\"preimage\":\"{}\",\"cltv\":30,\
             \"fallbacks\":[\"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080\"]}}",
            PREIMAGE.reveal()
        ),
    );
    let made = made.expect("an invoice");
    let said = payer.call("decode", &format!("[{}]", field(&made, "bolt11"))).expect("it reads");
    for (name, value) in [
        ("valid", "true"),
        ("amount_msat", "100000"),
        ("description", "\"tea \u{2615}\""),
        ("expiry", "60"),
        ("min_final_cltv_expiry", "30"),
    ] {
        assert_eq!(field(&said, name), value, "{name}");
    }
    for name in ["payment_hash", "payment_secret", "expires_at"] {
        assert_eq!(field(&said, name), field(&made, name), "{name}");
    }
    assert!(field(&said, "fallbacks").contains("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"));
    assert_eq!(field(&made, "payment_hash"), format!("\"{}\"", PREIMAGE.hash()));
    let by = |name: &str, value: &str| format!("{{\"{name}\":{value}}}");
    let bolt11 = field(&made, "bolt11");
    for params in [
        by("label", "17"),
        by("label", "\"17\""),
        by("payment_hash", &field(&made, "payment_hash")),
        by("invstring", &bolt11.to_uppercase()),
        "{}".to_owned(),
    ] {
        let found = listed(&mut payer, &params);
        let [found] = &found[..] else { panic!("{params}") };
        assert_eq!(field(found, "label"), "\"17\"");
        assert_eq!(field(found, "bolt11"), bolt11);
        assert_eq!(field(found, "status"), "\"unpaid\"");
        assert_eq!(field(found, "description"), "\"tea \u{2615}\"");
        assert_eq!(field(found, "payment_preimage"), "");
    }
    let paycode = payer.call("listpaycodes", "{}").expect("a list");
    let paycode = json(&field(&paycode, "paycodes")).items().expect("an array");
    assert_eq!(field(&paycode[0], "invoice_label"), "\"17\"");
    payer.crash();
    assert_eq!(listed(&mut payer, "{}").len(), 1, "it is in the journal");
    payer.run_for(60_000);
    assert_eq!(status_of(&mut payer, "17"), "expired");
}

#[test]
fn any_amount_may_be_asked_for_and_a_description_may_be_hashed() {
    let mut payer = merchant();
    let long = "x".repeat(640);
    let params = format!("[\"any\",\"a\",\"{long}\"]");
    assert_eq!(payer.refused("invoice", &params).0, -32602);
    let params = format!(
        "{{\"amount_msat\":\"any\",\"label\":\"a\",\"description\":\"{long}\",\
         \"deschashonly\":true}}"
    );
    let made = payer.call("invoice", &params).expect("an invoice");
    let said = payer.call("decode", &format!("[{}]", field(&made, "bolt11"))).expect("it reads");
    assert_eq!((field(&said, "amount_msat"), field(&said, "description")), Default::default());
    assert_eq!(field(&said, "description_hash").len(), 66);
    pays(&mut payer, &Paycode::of(&made), 12_345);
    let found = &listed(&mut payer, "[\"a\"]")[0];
    for (name, value) in
        [("status", "\"paid\""), ("amount_received_msat", "12345"), ("pay_index", "1")]
    {
        assert_eq!(field(found, name), value, "{name}");
    }
    assert_eq!(field(found, "description").len(), 642);
    assert_eq!(field(found, "payment_preimage").len(), 66);
}

#[test]
fn what_is_refused_leaves_neither_invoice_nor_paycode() {
    let mut payer = merchant();
    let given = format!("\"preimage\":\"{}\"", PREIMAGE.reveal());
    paycode(&mut payer, &format!("{{\"amount_msat\":1000,{given}}}"));
    invoice(&mut payer, "a", 1_000);
    let more = |more: &str| {
        format!("{{\"amount_msat\":1000,\"label\":\"b\",\"description\":\"tea\",{more}}}")
    };
    for (params, code) in [
        ("[1000,\"a\",\"tea\"]".to_owned(), 900),
        (more(&given), 901),
        (more("\"exposeprivatechannels\":\"1x1x1\""), 902),
        (more("\"fallbacks\":[\"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\"]"), -32602),
        (more("\"cltv\":17"), -32602),
        (more("\"payment_metadata\":\"\""), -32602),
        (more("\"payment_metadata\":\"f\""), -32602),
        (more(&format!("\"payment_metadata\":\"{}\"", "00".repeat(640))), -32602),
        (more("\"overpay\":\"some\""), -32602),
        (more("\"metadata\":7"), -32602),
        (more(&format!("{given},\"payment_hash\":\"{}\"", PREIMAGE.hash())), -32602),
        ("[18446744073709551615,\"b\",\"too much for BOLT 11\"]".to_owned(), -1),
        ("[0,\"b\",\"tea\"]".to_owned(), -32602),
        ("[1000,\"\",\"tea\"]".to_owned(), -32602),
    ] {
        let error = payer.call("invoice", &params).expect_err(&params);
        assert_eq!(error.code, code, "{params}: {}", error.message);
        if code == 900 {
            assert_eq!(error.facts()["label"].text(), "\"a\"", "the one that is there");
        }
        assert_eq!((listed(&mut payer, "{}").len(), paycodes(&mut payer)), (1, 2), "{params}");
    }
    for params in ["{\"label\":\"a\",\"payment_hash\":1}", "{\"offer_id\":\"ab\"}", "{\"limit\":1}"]
    {
        assert_eq!(payer.refused("listinvoices", params).0, -32602, "{params}");
    }
}

#[test]
fn label_collision() {
    let mut payer = merchant();
    let calls = [(); 2].map(|()| payer.begin_call("invoice", "[1000,\"a\",\"tea\"]"));
    let [first, second] = calls.map(|call| payer.finish_call(&call));
    assert!(first.is_ok());
    assert_eq!(second.expect_err("the label is taken").code, 900);
    assert_eq!((listed(&mut payer, "{}").len(), paycodes(&mut payer)), (1, 1));
}

#[test]
fn nothing_is_made_where_nobody_waits_for_it() {
    let mut payer = merchant();
    let call = payer.begin_call("invoice", "[1000,\"a\",\"tea\"]");
    call.leave();
    payer.run_for(60_000);
    let crashed = payer.begin_call("invoice", "[1000,\"b\",\"tea\"]");
    payer.crash();
    payer.run_for(60_000);
    assert!(crashed.answered().is_none_or(|answer| answer.is_err()));
    assert_eq!((listed(&mut payer, "{}").len(), paycodes(&mut payer)), (0, 0));
}

/// The ways in that an invoice with these params more tells of, as JSON; empty: of none.
fn ways_in(payer: &mut Payer, label: &str, more: &str) -> String {
    let params =
        format!("{{\"amount_msat\":1000,\"label\":\"{label}\",\"description\":\"tea\"{more}}}");
    let made = payer.call("invoice", &params).expect(&params);
    let said = payer.call("decode", &format!("[{}]", field(&made, "bolt11"))).expect("it reads");
    field(&said, "routes")
}

#[test]
fn who_has_no_announced_channel_is_found_by_the_hints_of_its_invoice() {
    let mut payer = merchant_on(&nets::hidden());
    let routes = json(&ways_in(&mut payer, "a", "")).items().expect("an array");
    let hop = &routes[0].items().expect("a route")[0];
    assert_eq!((routes.len(), field(hop, "fee_base_msat").as_str()), (1, "7"));
    let named = format!(",\"exposeprivatechannels\":[{}]", field(hop, "short_channel_id"));
    assert_eq!(ways_in(&mut payer, "b", &named), json(&format!("[[{hop}]]")).text());
    assert_eq!(ways_in(&mut payer, "c", ",\"exposeprivatechannels\":false"), "");
    let mut known = merchant();
    assert_eq!(ways_in(&mut known, "a", ""), "", "gossip tells of its channels");
}

#[test]
fn whoever_makes_an_invoice_that_cannot_be_paid_is_warned() {
    let mut payer = merchant();
    let made = payer.call("invoice", "[\"20000btc\",\"much\",\"tea\"]").expect("an invoice");
    assert!(field(&made, "warning_capacity").contains("msat"), "{made}");
    let made = payer.call("invoice", "[1000,\"little\",\"tea\"]").expect("an invoice");
    assert!(!made.text().contains("warning"), "{made}");
}
