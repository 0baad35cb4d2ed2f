//! `listpaycodes`.

use super::{PREIMAGE, Paycode, listed, merchant, paycode, status_of};
use crate::{
    calls::{field, json},
    receiving::carol_sends,
};
use ecs_core::{Caller, Json, Scope};
use ecs_systems::{port::CustomTlv, units::Msat};
use node_sim::RemotePart;

fn items(answer: &Json, name: &str) -> Vec<Json> {
    json(&field(answer, name)).items().expect("an array")
}

#[test]
fn a_paycode_says_where_it_stands_from_its_issue_to_its_end() {
    let mut payer = merchant();
    let params = "{\"amount_msat\":100000,\"metadata\":{\"order\":7},\"timeout\":3600}";
    let made = paycode(&mut payer, params);
    let unpaid = listed(&mut payer, &made);
    assert_eq!(field(&unpaid, "status"), "\"unpaid\"");
    assert_eq!(
        (field(&unpaid, "amount_msat"), field(&unpaid, "metadata")),
        ("100000".to_owned(), "{\"order\":7}".to_owned())
    );
    for absent in [
        "amount_received_msat",
        "paid_at",
        "payment_preimage",
        "held_until_height",
        "payment_secret",
    ] {
        assert_eq!(field(&unpaid, absent), "", "{absent}");
    }
    assert_eq!(items(&unpaid, "parts"), []);
    let came_at = payer.now;
    carol_sends(&mut payer, made.whole(100_000).of_it(Msat(60_000)));
    let receiving = listed(&mut payer, &made);
    assert_eq!(field(&receiving, "status"), "\"receiving\"");
    assert_eq!(field(&receiving, "amount_received_msat"), "60000");
    let [part] = &items(&receiving, "parts")[..] else { panic!("{receiving}") };
    assert_eq!(field(part, "amount_msat"), "60000");
    assert!(!field(part, "short_channel_id").is_empty() && !field(part, "htlc_id").is_empty());
    let accepted: u64 = field(part, "accepted_at").parse().unwrap();
    assert!((came_at.unix_seconds()..=came_at.unix_seconds() + 2).contains(&accepted));
    payer.run_for(71_000);
    assert_eq!(status_of(&mut payer, &made), "unpaid", "the set was given back");
    carol_sends(&mut payer, made.whole(100_000).of_it(Msat(60_000)));
    carol_sends(&mut payer, made.whole(100_000).of_it(Msat(50_000)));
    let paid = listed(&mut payer, &made);
    assert_eq!(field(&paid, "status"), "\"paid\"");
    assert_eq!(
        (field(&paid, "amount_received_msat"), items(&paid, "parts").len()),
        ("110000".to_owned(), 2)
    );
    assert!(!field(&paid, "paid_at").is_empty() && !field(&paid, "payment_preimage").is_empty());
    payer.run_for(3_600_000);
    assert_eq!(listed(&mut payer, &made), paid, "what is paid does not expire");
}

#[test]
fn a_paycode_expires_and_one_that_is_held_says_until_when() {
    let mut payer = merchant();
    let short = paycode(&mut payer, "[1000,10]");
    let held = paycode(&mut payer, "{\"amount_msat\":1000,\"hold\":true}");
    carol_sends(&mut payer, held.whole(1_000));
    let told = listed(&mut payer, &held);
    assert_eq!(field(&told, "status"), "\"held\"");
    assert_eq!(
        (items(&told, "parts").len(), field(&told, "amount_received_msat")),
        (1, "1000".to_owned())
    );
    let expiry: u64 = field(&items(&told, "parts")[0], "cltv_expiry").parse().unwrap();
    assert_eq!(field(&told, "held_until_height"), (expiry - 18).to_string());
    assert_eq!(status_of(&mut payer, &short), "unpaid");
    payer.run_for(8_000);
    assert_eq!(status_of(&mut payer, &short), "expired");
}

#[test]
fn a_preimage_is_told_of_a_paid_one_and_to_who_may_read_secrets() {
    let mut payer = merchant();
    let params = format!("{{\"amount_msat\":1000,\"preimage\":\"{}\"}}", PREIMAGE.reveal());
    let made = paycode(&mut payer, &params);
    let hidden = listed(&mut payer, &made);
    carol_sends(&mut payer, made.whole(1_000));
    let paid = listed(&mut payer, &made);
    assert_eq!(field(&paid, "payment_preimage"), format!("\"{}\"", PREIMAGE.reveal()));
    let reader = Caller::with([Scope::Read]);
    let call = payer.begin_call_of(&reader, "listpaycodes", "[]");
    let all = payer.finish_call(&call).unwrap();
    assert_eq!(field(&items(&all, "paycodes")[0], "status"), "\"paid\"");
    for told in [hidden, all] {
        assert!(!told.text().contains(&PREIMAGE.reveal()), "{told}");
        assert!(!told.text().contains(&made.secret.reveal()), "{told}");
    }
}

#[test]
fn what_a_payer_tells_beside_is_told_of_each_part_to_those_who_may_read_secrets() {
    let mut payer = merchant();
    let made = paycode(&mut payer, r#"{"amount_msat":100000,"hold":true}"#);
    let tlv = |kind, value: &str| CustomTlv { kind, value: value.to_owned() };
    let first = vec![tlv(65_536, ""), tlv(u64::MAX, "68690a")];
    let half = made.whole(100_000).of_it(Msat(50_000));
    carol_sends(&mut payer, RemotePart { tlvs: first, ..half.clone() });
    payer.crash();
    carol_sends(&mut payer, half);
    let held = listed(&mut payer, &made);
    assert_eq!(field(&held, "status"), "\"held\"");
    let told: Vec<String> = items(&held, "parts").iter().map(|it| field(it, "tlvs")).collect();
    let first = r#"[{"type":65536,"value":""},{"type":18446744073709551615,"value":"68690a"}]"#;
    assert_eq!(told, [first, ""]);
    let call = payer.begin_call_of(&Caller::with([Scope::Read]), "listpaycodes", "[]");
    let all = payer.finish_call(&call).unwrap();
    assert!(!all.text().contains("68690a") && all.text().contains("50000"), "{all}");
}

/// Their hashes, in order, and the next index.
fn page(payer: &mut crate::harness::Payer, params: &str) -> (Vec<String>, String) {
    let answer = payer.call("listpaycodes", params).expect(params);
    let hashes = items(&answer, "paycodes").iter().map(|it| field(it, "payment_hash")).collect();
    (hashes, field(&answer, "next"))
}

#[test]
fn paycodes_are_paged_by_their_issue_or_by_their_last_change() {
    let mut payer = merchant();
    let made: Vec<Paycode> = (0..5).map(|_| paycode(&mut payer, "[1000]")).collect();
    let text = |at: usize| Json::of(&made[at].hash).text().to_owned();
    carol_sends(&mut payer, made[1].whole(1_000));
    let all: Vec<String> = (0..5).map(text).collect();
    assert_eq!(page(&mut payer, "[]"), (all.clone(), String::new()));
    let (mut found, mut start) = (Vec::new(), "0".to_owned());
    while !start.is_empty() {
        let params = format!("{{\"index\":\"created\",\"start\":{start},\"limit\":2}}");
        let (some, next) = page(&mut payer, &params);
        (found, start) = ([found, some].concat(), next);
    }
    assert_eq!(found, all);
    let changed = page(&mut payer, "{\"index\":\"updated\",\"start\":6}").0;
    assert_eq!(changed, [text(1)], "what has changed since the fifth was made");
    let last = page(&mut payer, "{\"index\":\"updated\"}").0;
    assert_eq!(last.last(), Some(&text(1)));
    assert_eq!(page(&mut payer, "{\"status\":\"paid\"}").0, [text(1)]);
    assert_eq!(page(&mut payer, "{\"status\":\"held\"}").0, [""; 0]);
    assert_eq!(page(&mut payer, &format!("[{}]", text(3))).0, [text(3)]);
    assert_eq!(page(&mut payer, &format!("[{},\"paid\"]", text(3))).0, [""; 0]);
    assert_eq!(page(&mut payer, &format!("[\"{}\"]", PREIMAGE.hash())).0, [""; 0]);
    for (params, said) in [
        ("{\"start\":1}", "`start` needs `index`"),
        ("{\"limit\":1}", "`limit` needs `index`"),
        ("{\"status\":\"open\"}", "`status`: expected"),
        ("{\"index\":\"deleted\"}", "`index`: expected"),
        ("[\"00\"]", "`payment_hash`: expected"),
    ] {
        let (code, message) = payer.refused("listpaycodes", params);
        assert!(code == -32602 && message.contains(said), "{params}: {message}");
    }
}

#[test]
fn a_long_list_with_a_status_is_looked_through_to_its_end() {
    let mut payer = merchant();
    let made: Vec<Paycode> = (0..600).map(|_| paycode(&mut payer, "[1000]")).collect();
    carol_sends(&mut payer, made[599].whole(1_000));
    let found = page(&mut payer, "{\"status\":\"paid\"}");
    assert_eq!(found, (vec![Json::of(&made[599].hash).text().to_owned()], String::new()));
}
