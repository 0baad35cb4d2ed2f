//! `paycode`.

use super::{PREIMAGE, Paycode, merchant, paycode};
use crate::{
    calls::field,
    harness::{Payer, START},
    nets,
    receiving::{carol_sends, status, told},
};
use ecs_core::{Caller, Json, Scope};
use ecs_systems::{
    policy::{Intake, Policy},
    port::{FailureCode, PartStatus, Receipts},
    units::{Msat, PaymentSecret, Preimage},
};
use node_sim::RemotePart;

#[test]
fn a_paycode_is_paid_once_by_whoever_shows_its_secret() {
    for (params, msat) in [
        ("[100000]", 100_000),
        ("[\"100sat\"]", 200_000),
        ("[\"any\"]", 1),
        ("{\"amount_msat\":100000,\"overpay\":\"exact\"}", 100_000),
        ("{\"amount_msat\":1000,\"overpay\":\"any\"}", 100_000),
    ] {
        let mut payer = merchant();
        let paycode = paycode(&mut payer, params);
        let other = PaymentSecret([1; 32]);
        let wrong = RemotePart { payment_secret: Some(other), ..paycode.whole(msat) };
        let refused = carol_sends(&mut payer, wrong);
        assert_eq!(told(&payer, refused), FailureCode::IncorrectOrUnknownPaymentDetails);
        let id = carol_sends(&mut payer, paycode.whole(msat));
        assert!(matches!(status(&payer, id), PartStatus::Paid { .. }), "{params}");
        let paid = payer.receipts.lock().paid(&paycode.hash).map(|paid| paid.0);
        assert_eq!(paid, Some(Msat(msat)));
        let again = carol_sends(&mut payer, paycode.whole(msat));
        assert_eq!(told(&payer, again), FailureCode::IncorrectOrUnknownPaymentDetails);
        payer.assert_books_agree();
    }
}

#[test]
fn what_a_paycode_says_is_what_was_asked_for() {
    let mut payer = merchant();
    let now = payer.now;
    let answer = payer.call("paycode", "{\"amount_msat\":\"any\",\"timeout\":60}").unwrap();
    assert_eq!(field(&answer, "expires_at"), (now.unix_seconds() + 60).to_string());
    assert_eq!(
        (field(&answer, "created_index"), field(&answer, "status")),
        ("1".to_owned(), "\"unpaid\"".to_owned())
    );
    let usual = payer.receipts.find(&Paycode::of(&answer).hash).unwrap();
    assert_eq!((usual.cltv.0, usual.hold, usual.amount_msat), (24, false, None));
    let answer = payer.call("paycode", "{\"amount_msat\":5,\"cltv\":18,\"hold\":true}").unwrap();
    assert_eq!(field(&answer, "created_index"), "2");
    let week = START.after_ms(1_000).unix_seconds() + 604_800;
    assert_eq!(field(&answer, "expires_at"), week.to_string());
    let held = payer.receipts.find(&Paycode::of(&answer).hash).unwrap();
    assert_eq!((held.cltv.0, held.hold, held.amount_msat), (18, true, Some(Msat(5))));
}

#[test]
fn a_preimage_or_hash_may_be_the_callers() {
    let mut payer = merchant();
    let (preimage, hash) = (PREIMAGE.reveal(), Preimage([1; 32]).hash());
    let params = format!("{{\"amount_msat\":1000,\"preimage\":\"{preimage}\"}}");
    let ours = paycode(&mut payer, &params);
    assert_eq!(ours.hash, PREIMAGE.hash());
    let id = carol_sends(&mut payer, ours.whole(1_000));
    assert!(matches!(status(&payer, id), PartStatus::Paid { preimage: PREIMAGE, .. }));
    let theirs = paycode(&mut payer, &format!("{{\"amount_msat\":1,\"payment_hash\":\"{hash}\"}}"));
    assert_eq!(theirs.hash, hash);
    let id = carol_sends(&mut payer, theirs.whole(1));
    assert_eq!(status(&payer, id), PartStatus::InFlight, "nobody here has the preimage");
}

#[test]
fn same_preimage_for_two_paycodes() {
    let mut payer = merchant();
    let preimage = PREIMAGE.reveal();
    let by_preimage = format!("{{\"amount_msat\":1000,\"preimage\":\"{preimage}\"}}");
    let by_hash = format!("{{\"amount_msat\":1000,\"payment_hash\":\"{}\"}}", PREIMAGE.hash());
    let first = paycode(&mut payer, &by_preimage);
    for pays in [false, true] {
        if pays {
            carol_sends(&mut payer, first.whole(1_000));
        }
        for params in [&by_preimage, &by_hash] {
            let error = payer.call("paycode", params).unwrap_err();
            assert_eq!(error.code, 901);
            assert!(!error.message.contains(&preimage), "{error:?}");
            let hash = error.facts()["payment_hash"].decode().ok();
            assert_eq!(hash, Some(PREIMAGE.hash()));
        }
    }
}

#[test]
fn the_same_request_with_its_key_is_the_same_paycode_and_another_is_refused() {
    let mut payer = merchant();
    let asked = |amount: &str, more: &str| {
        format!("{{\"idempotency_key\":\"order 7\",\"amount_msat\":{amount}{more}}}")
    };
    let metadata = ",\"metadata\":{\"b\":1.0,\"a\":[]}";
    let first = payer.call("paycode", &asked("\"1sat\"", metadata)).unwrap();
    payer.run_for(60_000);
    for (amount, more) in [
        ("1000", ",\"metadata\":{\"a\":[],\"b\":1}"),
        ("\"1000msat\"", ",\"cltv\":24,\"metadata\":{\"a\":[],\"b\":1}"),
    ] {
        assert_eq!(payer.call("paycode", &asked(amount, more)).unwrap(), first, "{amount}{more}");
        payer.call("check", &format!("[\"paycode\",{amount}]")).unwrap();
    }
    for (amount, more) in [
        ("1001", metadata),
        ("\"any\"", metadata),
        ("1000", ""),
        ("1000", ",\"timeout\":60,\"metadata\":{\"a\":[],\"b\":1}"),
        ("1000", ",\"hold\":true,\"metadata\":{\"a\":[],\"b\":1}"),
        ("1000", ",\"overpay\":\"any\",\"metadata\":{\"a\":[],\"b\":1}"),
    ] {
        let error = payer.call("paycode", &asked(amount, more)).unwrap_err();
        assert_eq!(error.code, -32602, "{amount}{more}");
        assert!(error.message.contains("`idempotency_key`"), "{}", error.message);
        let whose = error.facts()["payment_hash"].clone();
        assert_eq!(whose.text(), field(&first, "payment_hash"));
    }
    carol_sends(&mut payer, Paycode::of(&first).whole(1_000));
    let paid = payer.call("paycode", &asked("1000", metadata)).unwrap();
    assert_eq!(field(&paid, "status"), "\"paid\"", "where it stands now");
    assert_eq!(field(&paid, "payment_secret"), field(&first, "payment_secret"));
    assert_eq!(payer.receipts.lock().count(), 1);
}

#[test]
fn what_can_not_be_asked_for_is_refused_and_named() {
    let mut payer = merchant();
    let hex = PREIMAGE.reveal();
    let both = format!("[1,1,\"{hex}\",\"{hex}\"]");
    for (params, said) in [
        ("[]", "missing required parameter: `amount_msat`"),
        ("[0]", "`amount_msat`: expected"),
        ("[\"some\"]", "`amount_msat`: expected"),
        ("[\"any\",0]", "`timeout`: expected"),
        ("{\"amount_msat\":1,\"cltv\":17}", "`cltv`: expected"),
        ("{\"amount_msat\":1,\"cltv\":2017}", "`cltv`: expected"),
        ("{\"amount_msat\":1,\"overpay\":\"twice\"}", "`overpay`: expected"),
        ("{\"amount_msat\":1,\"hold\":1}", "`hold`: expected"),
        ("{\"amount_msat\":1,\"metadata\":[]}", "`metadata`: expected"),
        ("{\"amount_msat\":1,\"idempotency_key\":\"\"}", "`idempotency_key`: expected"),
        ("{\"amount_msat\":1,\"preimage\":\"00\"}", "`preimage`: expected"),
        (both.as_str(), "not both"),
    ] {
        let (code, message) = payer.refused("paycode", params);
        assert_eq!(code, -32602, "{params}");
        assert!(message.contains(said) && !message.contains(&hex), "{params}: {message}");
    }
    assert_eq!(payer.receipts.lock().count(), 0);
}

#[test]
fn as_many_wait_unpaid_as_may_and_expired_ones_count() {
    let mut payer = merchant();
    let now = payer.now;
    payer.driver.command(now, |engine| {
        engine.insert_resource(Policy { unpaid_paycodes_max: 2, ..Policy::default() });
    });
    let short = paycode(&mut payer, "[1000,1]");
    paycode(&mut payer, "{\"amount_msat\":1000,\"idempotency_key\":\"k\"}");
    payer.run_for(5_000);
    let error = payer.call("paycode", "[1000]").unwrap_err();
    assert_eq!((error.code, error.facts()["quota"].text()), (2208, "\"unpaid-paycodes\""));
    assert_eq!(error.facts()["max"], Json::of(&2));
    let check = payer.call("check", "[\"paycode\",1000]").unwrap_err();
    assert_eq!(check.code, 2208);
    let again = payer.call("paycode", "{\"amount_msat\":1000,\"idempotency_key\":\"k\"}");
    let again = Paycode::of(&again.expect("it is there already"));
    let late = carol_sends(&mut payer, short.whole(1_000));
    assert_eq!(told(&payer, late), FailureCode::IncorrectOrUnknownPaymentDetails, "expired");
    carol_sends(&mut payer, again.whole(1_000));
    paycode(&mut payer, "[1000]");
}

#[test]
fn none_is_made_without_a_seed_or_while_nothing_new_is_taken_on() {
    let mut payer = Payer::new(&nets::line());
    let error = payer.call("paycode", "[1000]").unwrap_err();
    assert_eq!((error.code, error.facts()["cause"].text()), (2330, "\"seed\""));
    let mut payer = merchant();
    let made = payer.call("paycode", "{\"amount_msat\":1,\"idempotency_key\":\"k\"}").unwrap();
    let now = payer.now;
    payer.driver.command(now, |engine| {
        engine.insert_resource(Intake { disk_low: true, ..Intake::default() });
    });
    let error = payer.call("paycode", "[1000]").unwrap_err();
    assert_eq!((error.code, error.facts()["cause"].text()), (2330, "\"disk\""));
    let again = payer.call("paycode", "{\"amount_msat\":1,\"idempotency_key\":\"k\"}");
    assert_eq!(again, Ok(made), "it is there already");
}

#[test]
fn only_who_may_make_paycodes_is_told_a_secret() {
    let mut payer = merchant();
    for (scopes, code) in
        [(vec![Scope::Receive], None), (vec![Scope::Read, Scope::Pay], Some(1502))]
    {
        let caller = Caller::with(scopes);
        let call = payer.begin_call_of(&caller, "paycode", "[1000]");
        let answer = payer.finish_call(&call);
        assert_eq!(answer.as_ref().err().map(|error| error.code), code);
        assert!(answer.is_err() || !field(&answer.unwrap(), "payment_secret").is_empty());
    }
}
