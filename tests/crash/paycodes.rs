//! A paycode that was answered is there after any death, with its key and its metadata.

use crate::{
    calls::{field, json},
    journal::{Death, Durable},
    nets,
};
use ecs_core::Json;
use ecs_systems::{
    port::{PartStatus, Receipts},
    units::Msat,
};
use node_sim::RemotePart;

/// The answer of a call that is done with the next records.
fn call(durable: &mut Durable, name: &str, params: &str) -> Json {
    let call = durable.payer.begin_call(name, params);
    durable.run_for(2_000).expect("it lives");
    call.answered().expect("it is kept").expect(name)
}

#[test]
fn a_paycode_that_was_answered_is_there_after_any_death() {
    let asked = "{\"amount_msat\":1000,\"idempotency_key\":\"k\",\"metadata\":{\"order\":7}}";
    for (snapshot, death) in [
        (false, Death::Kill),
        (true, Death::Kill),
        (false, Death::PowerLoss(1)),
        (true, Death::PowerLoss(2)),
    ] {
        let mut durable = Durable::new(&nets::line());
        let waiting = durable.payer.begin_call("paycode", asked);
        assert_eq!(waiting.answered(), None, "its record is not kept yet");
        durable.run_for(1_000).expect("it lives");
        let made = waiting.answered().expect("it is kept").expect("it is made");
        if snapshot {
            durable.snapshot();
        }
        durable.die(death);
        durable.run_for(1_000).expect("it lives");
        assert_eq!(call(&mut durable, "paycode", asked), made);
        let read = |name| json(&field(&made, name));
        let hash = read("payment_hash").decode().expect("a hash");
        let facts = durable.payer.receipts.facts(&hash).expect("it is there");
        assert_eq!(facts.metadata.expect("it was given").text(), "{\"order\":7}");
        let secret = read("payment_secret").decode().expect("a secret");
        let part = RemotePart::whole(hash, secret, Msat(1_000));
        let (payer, now) = (durable.payer.node("bob"), durable.payer.now);
        let id = durable.payer.network.pay_us(payer, part, now).expect("a way to us");
        durable.run_for(5_000).expect("it lives");
        let status = durable.payer.network.remote_status(id).expect("it was sent");
        assert!(matches!(status, PartStatus::Paid { .. }), "{status:?}");
        durable.assert_books_agree();
    }
}

#[test]
fn what_was_cleaned_is_gone_and_counted_after_any_death() {
    for (snapshot, death) in [
        (false, Death::Kill),
        (true, Death::Kill),
        (false, Death::PowerLoss(1)),
        (true, Death::PowerLoss(2)),
    ] {
        let mut durable = Durable::new(&nets::line());
        for _ in 0..2 {
            call(&mut durable, "paycode", "[1000,1]");
        }
        durable.run_for(2_000).expect("it lives");
        let cleaned = call(&mut durable, "autoclean-once", "[\"expiredpaycodes\",1]");
        let both = r#"{"autoclean":{"expiredpaycodes":{"cleaned":2,"uncleaned":0}}}"#;
        assert_eq!(cleaned.text(), both);
        if snapshot {
            durable.snapshot();
        }
        durable.die(death);
        durable.run_for(1_000).expect("it lives");
        let status = call(&mut durable, "autoclean-status", "[\"expiredpaycodes\"]");
        let counted = r#"{"autoclean":{"expiredpaycodes":{"enabled":false,"cleaned":2}}}"#;
        assert_eq!(status.text(), counted);
        let left = call(&mut durable, "listpaycodes", "[]");
        assert_eq!(field(&left, "paycodes"), "[]");
        durable.assert_books_agree();
    }
}
