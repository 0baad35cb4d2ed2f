//! `wait`.

use super::{invoice, merchant, paycode, pays};
use crate::{
    calls::{Call, field, json},
    harness::Payer,
};

fn wait(payer: &mut Payer, subsystem: &str, index: &str, next: u64) -> Call {
    payer.begin_call("wait", &format!("[\"{subsystem}\",\"{index}\",{next}]"))
}

/// What a call is answered with, by name; empty: it is not answered.
fn told(call: &Call, name: &str) -> String {
    call.answered().map(|answer| field(&answer.expect("a count"), name)).unwrap_or_default()
}

#[test]
fn each_count_is_waited_for_and_paycodes_are_no_invoices() {
    let mut payer = merchant();
    let made = wait(&mut payer, "invoices", "created", 1);
    let any = wait(&mut payer, "paycodes", "created", 2);
    paycode(&mut payer, "[1000]");
    payer.run_for(1);
    assert_eq!([told(&made, "created"), told(&any, "created")], ["", ""]);
    let tea = invoice(&mut payer, "tea", 1_000);
    payer.run_for(1);
    assert_eq!([told(&made, "created"), told(&any, "created")], ["1", "2"]);
    assert_eq!(field(&json(&told(&made, "invoices")), "label"), "\"tea\"");
    assert_eq!(field(&json(&told(&any, "paycodes")), "invoice_label"), "\"tea\"");
    let changed = wait(&mut payer, "invoices", "updated", 3);
    pays(&mut payer, &tea, 1_000);
    assert_eq!(told(&changed, "updated"), "3");
    assert_eq!(field(&json(&told(&changed, "invoices")), "status"), "\"paid\"");
    let gone = wait(&mut payer, "invoices", "deleted", 1);
    payer.call("delinvoice", "[\"tea\",\"paid\"]").expect("it is paid");
    payer.run_for(1);
    assert_eq!((told(&gone, "deleted"), told(&gone, "invoices")), ("1".to_owned(), String::new()));
    payer.crash();
    for (index, count) in [("created", "1"), ("updated", "4"), ("deleted", "1")] {
        let now = wait(&mut payer, "invoices", index, 0);
        payer.run_for(1);
        assert_eq!(told(&now, index), count, "{index}");
    }
    assert_eq!(payer.refused("wait", "[\"forwards\",\"created\",1]").0, -32602);
}
