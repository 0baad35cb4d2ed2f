//! `waitpaycode`.

use super::{Paycode, asked_for, merchant, paycode};
use crate::{
    calls::{Call, field},
    harness::Payer,
    receiving::carol_sends,
};
use ecs_core::ErrorObject;
use ecs_systems::units::{Msat, Preimage};

fn wait(payer: &mut Payer, paycode: &Paycode, more: &str) -> Call {
    payer.begin_call("waitpaycode", &asked_for(paycode.hash, more))
}

/// Where the paycode stands that a call is answered with; empty while it is not.
fn answered(call: &Call) -> String {
    call.answered().map(|answer| field(&answer.expect("a paycode"), "status")).unwrap_or_default()
}

fn error(call: &Call) -> ErrorObject {
    call.answered().expect("an answer").expect_err("an error")
}

#[test]
fn everybody_who_waits_is_told_once_it_is_paid_and_not_before() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[100000]");
    let waiting: Vec<Call> =
        ["", ",\"until\":\"held\"", ",\"until\":\"final\"", ",\"timeout\":600"]
            .map(|more| wait(&mut payer, &made, more))
            .into();
    carol_sends(&mut payer, made.whole(100_000).of_it(Msat(60_000)));
    assert!(waiting.iter().all(|call| call.answered().is_none()), "not all is there");
    let other = paycode(&mut payer, "[1000]");
    carol_sends(&mut payer, other.whole(1_000));
    assert!(waiting.iter().all(|call| call.answered().is_none()), "another was paid");
    carol_sends(&mut payer, made.whole(100_000).of_it(Msat(40_000)));
    for call in &waiting {
        assert_eq!(answered(call), "\"paid\"");
    }
    let again = wait(&mut payer, &made, ",\"timeout\":0");
    assert_eq!(answered(&again), "\"paid\"", "it is paid already");
    assert_eq!(payer.driver.waiters(), 0);
}

#[test]
fn who_waits_for_a_hold_is_told_of_it() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "{\"amount_msat\":1000,\"hold\":true}");
    let held = wait(&mut payer, &made, ",\"until\":\"held\"");
    let paid = wait(&mut payer, &made, "");
    carol_sends(&mut payer, made.whole(1_000));
    assert_eq!((answered(&held), answered(&paid)), ("\"held\"".to_owned(), String::new()));
}

#[test]
fn who_waits_is_told_of_the_expiry_at_that_moment() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[1000,60]");
    let ends = payer.now.after_ms(60_000);
    let [paid, held, last] = ["", ",\"until\":\"held\"", ",\"until\":\"final\",\"timeout\":90"]
        .map(|more| wait(&mut payer, &made, more));
    payer.run_for(59_999);
    assert!(paid.answered().is_none() && payer.driver.next_at() == Some(ends));
    payer.run_for(1);
    for call in [paid, held] {
        let error = error(&call);
        assert_eq!(error.code, 903);
        assert_eq!(error.facts()["status"].text(), "\"expired\"");
    }
    assert_eq!(answered(&last), "\"expired\"");
    let late = wait(&mut payer, &made, "");
    assert_eq!(error(&late).code, 903, "at once");
}

#[test]
fn one_that_expires_while_a_set_is_there_is_waited_for_on() {
    for comes in [true, false] {
        let mut payer = merchant();
        let made = paycode(&mut payer, "[100000,20]");
        let waiting = wait(&mut payer, &made, "");
        payer.run_for(10_000);
        carol_sends(&mut payer, made.whole(100_000).of_it(Msat(60_000)));
        payer.run_for(10_000);
        assert_eq!(waiting.answered(), None, "its set began in time");
        if comes {
            carol_sends(&mut payer, made.whole(100_000).of_it(Msat(40_000)));
            assert_eq!(answered(&waiting), "\"paid\"");
        } else {
            payer.run_for(61_000);
            assert_eq!(error(&waiting).code, 903, "its set was given back");
        }
    }
}

#[test]
fn who_waits_in_vain_is_told_904_and_of_what_is_unknown_905() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[1000]");
    assert_eq!(error(&wait(&mut payer, &made, ",\"timeout\":0")).code, 904);
    let call = wait(&mut payer, &made, ",\"timeout\":5");
    payer.run_for(4_999);
    assert_eq!(call.answered(), None);
    payer.run_for(1);
    assert_eq!(error(&call).code, 904);
    let unknown = asked_for(Preimage([9; 32]).hash(), "");
    assert_eq!(payer.refused("waitpaycode", &unknown).0, 905);
    let misshapen = asked_for(made.hash, ",\"until\":\"soon\"");
    assert_eq!(payer.refused("waitpaycode", &misshapen).0, -32602);
}
