//! `settlepaycode` and `cancelpaycode`.

use super::{PREIMAGE, Paycode, asked_for, listed, merchant, paycode, status_of};
use crate::{
    books::Audited,
    calls::{field, json},
    harness::Payer,
    receiving::{carol_sends, set_of, status, told},
};
use ecs_systems::{
    policy::Policy,
    port::{FailureCode, Ledger, PartStatus},
    units::{Msat, Preimage},
};
use ledger_store::Account;

/// A paycode that is held whose preimage is ours, or somebody else's.
fn held(payer: &mut Payer, preimage_is_known: bool) -> Paycode {
    let given = if preimage_is_known {
        format!("\"preimage\":\"{}\",\"hold\":true", PREIMAGE.reveal())
    } else {
        format!("\"payment_hash\":\"{}\"", PREIMAGE.hash())
    };
    paycode(payer, &format!("{{\"amount_msat\":1000,{given}}}"))
}

fn settle(payer: &mut Payer) -> Result<String, i32> {
    let answer = payer.call("settlepaycode", &format!("[\"{}\"]", PREIMAGE.reveal()));
    answer.map(|told| field(&told, "status")).map_err(|error| error.code)
}

fn cancel(payer: &mut Payer, paycode: &Paycode) -> Result<String, i32> {
    let answer = payer.call("cancelpaycode", &asked_for(paycode.hash, ""));
    answer.map(|told| field(&told, "status")).map_err(|error| error.code)
}

#[test]
fn what_is_held_is_settled_with_its_preimage_also_after_a_crash() {
    for known in [true, false] {
        for crash in [true, false] {
            let mut payer = merchant();
            let made = held(&mut payer, known);
            assert_eq!(settle(&mut payer), Err(906), "nothing is held");
            let id = carol_sends(&mut payer, made.whole(1_000));
            payer.run_for(600_000);
            assert_eq!(status(&payer, id), PartStatus::InFlight);
            if crash {
                payer.crash();
            }
            assert_eq!(settle(&mut payer), Ok("\"receiving\"".to_owned()));
            payer.run_for(5_000);
            assert!(matches!(status(&payer, id), PartStatus::Paid { preimage: PREIMAGE, .. }));
            assert_eq!(settle(&mut payer), Ok("\"paid\"".to_owned()), "again");
            let paid = listed(&mut payer, &made);
            assert_eq!(field(&paid, "payment_preimage"), format!("\"{}\"", PREIMAGE.reveal()));
            assert_eq!(-payer.books.posted(Account::IncomeInvoice), 1_000);
            assert_eq!(cancel(&mut payer, &made), Err(906), "it is paid");
            payer.assert_books_agree();
        }
    }
}

#[test]
fn what_is_held_is_settled_by_its_hash_where_the_engine_has_the_preimage() {
    let mut payer = merchant();
    let drawn = paycode(&mut payer, "{\"amount_msat\":1000,\"hold\":true}");
    let others = held(&mut payer, false);
    let by_hash = |payer: &mut Payer, hash| {
        let answer = payer.call("settlepaycode", &asked_for(hash, ""));
        answer.map(|told| field(&told, "status")).map_err(|error| error.code)
    };
    assert_eq!(by_hash(&mut payer, drawn.hash), Err(906), "nothing is held");
    let [id, _] = [&drawn, &others].map(|made| carol_sends(&mut payer, made.whole(1_000)));
    payer.crash();
    assert_eq!(by_hash(&mut payer, others.hash), Err(-32602), "its preimage is elsewhere");
    assert_eq!(by_hash(&mut payer, drawn.hash), Ok("\"receiving\"".to_owned()));
    payer.run_for(5_000);
    assert!(matches!(status(&payer, id), PartStatus::Paid { .. }));
    assert_eq!(by_hash(&mut payer, drawn.hash), Ok("\"paid\"".to_owned()), "again");
    assert_eq!(status_of(&mut payer, &others), "held");
    for params in ["[]".to_owned(), both(&drawn)] {
        assert_eq!(payer.refused("settlepaycode", &params).0, -32602, "{params}");
    }
}

fn both(made: &Paycode) -> String {
    format!("[\"{}\",\"{}\"]", PREIMAGE.reveal(), made.hash)
}

#[test]
fn what_waits_gathers_or_is_held_is_cancelled_for_good() {
    for (sent, is) in [(None, "unpaid"), (Some(400), "receiving"), (Some(1_000), "held")] {
        let mut payer = merchant();
        let made = held(&mut payer, false);
        let waiting = payer.begin_call("waitpaycode", &asked_for(made.hash, ""));
        let part = |msat| made.whole(1_000).of_it(Msat(msat));
        let id = sent.map(|msat| carol_sends(&mut payer, part(msat)));
        assert_eq!(status_of(&mut payer, &made), is);
        let cancelled = Ok("\"cancelled\"".to_owned());
        assert_eq!(cancel(&mut payer, &made), cancelled);
        assert_eq!(cancel(&mut payer, &made), cancelled, "again");
        payer.run_for(2_000);
        let code = FailureCode::IncorrectOrUnknownPaymentDetails;
        for id in id.into_iter().chain([carol_sends(&mut payer, made.whole(1_000))]) {
            assert_eq!(told(&payer, id), code, "{is}");
        }
        let error = waiting.answered().expect("an answer").unwrap_err();
        assert_eq!((error.code, error.facts()["status"].text()), (903, "\"cancelled\""));
        assert_eq!(settle(&mut payer), Err(906));
        assert_eq!(payer.books.lock().balance_object().pending_incoming_msat, Msat::ZERO);
        payer.assert_books_agree();
        payer.crash();
        assert_eq!(status_of(&mut payer, &made), "cancelled");
    }
}

#[test]
fn nothing_is_settled_or_cancelled_that_is_unknown_or_not_held() {
    let mut payer = merchant();
    let other = Preimage([9; 32]);
    let unknown = format!("[\"{}\"]", other.reveal());
    let (code, message) = payer.refused("settlepaycode", &unknown);
    assert!(code == 905 && !message.contains(&other.reveal()), "{message}");
    assert_eq!(payer.refused("cancelpaycode", &asked_for(other.hash(), "")).0, 905);
    let made = held(&mut payer, false);
    carol_sends(&mut payer, made.whole(1_000).of_it(Msat(400)));
    let error = payer.call("settlepaycode", &format!("[\"{}\"]", PREIMAGE.reveal())).unwrap_err();
    assert_eq!((error.code, error.facts()["current_status"].text()), (906, "\"receiving\""));
    carol_sends(&mut payer, made.whole(1_000).of_it(Msat(600)));
    assert_eq!(status_of(&mut payer, &made), "held", "the preimage was not kept");
}

#[test]
fn a_set_that_was_given_back_stays_so_when_its_hold_is_detached() {
    let mut payer = merchant();
    let made = held(&mut payer, true);
    carol_sends(&mut payer, made.whole(1_000));
    assert_eq!(status_of(&mut payer, &made), "held");
    let set = set_of(&payer);
    payer.run_for(24 * 600_000);
    assert_eq!(status_of(&mut payer, &made), "unpaid", "its last blocks have begun");
    let release =
        format!(r#"{{"entity":{set},"writes":[{{"entity":{set},"lightningd:hold":null}}]}}"#);
    assert_eq!(payer.refused("payecs_advance", &release).0, 2200);
    assert_eq!(status_of(&mut payer, &made), "unpaid");
    let again = carol_sends(&mut payer, made.whole(1_000));
    assert_eq!((status_of(&mut payer, &made), settle(&mut payer)), receiving());
    payer.run_for(5_000);
    assert!(matches!(status(&payer, again), PartStatus::Paid { preimage: PREIMAGE, .. }));
    payer.assert_books_agree();
}

/// Held, and then taken.
fn receiving() -> (String, Result<String, i32>) {
    ("held".to_owned(), Ok("\"receiving\"".to_owned()))
}

#[test]
fn no_more_is_held_than_may_be_of_a_channel_and_in_all_and_what_is_held_is_told() {
    for (in_all, of_channel, most) in [(3, 9, 3), (9, 2, 2), (9, 9, 4_u64)] {
        let mut payer = merchant();
        let now = payer.now;
        payer.driver.command(now, |engine| {
            let mut policy = engine.resource_mut::<Policy>().expect("there is one");
            policy.held_htlcs_max = in_all;
            policy.held_htlcs_per_channel_max = of_channel;
        });
        let mut ids = Vec::new();
        for _ in 0..4 {
            let made = paycode(&mut payer, r#"{"amount_msat":100000,"hold":true}"#);
            let part = made.whole(100_000);
            ids.push((carol_sends(&mut payer, part), made));
            payer.run_for(2_000);
        }
        let answer = payer.call("payecs_listholds", "[]").expect("what is held");
        let figures = ["htlcs", "amount_msat", "htlcs_max"].map(|name| field(&answer, name));
        assert_eq!(figures, [most, most * 100_000, in_all].map(|it| it.to_string()), "{answer}");
        let channels = json(&field(&answer, "channels")).items().expect("an array");
        assert_eq!(channels.len(), 1, "all came the same way: {answer}");
        assert_eq!(field(&channels[0], "htlcs"), most.to_string());
        assert_eq!(field(&channels[0], "until_height"), field(&answer, "until_height"));
        for (at, (id, made)) in ids.iter().enumerate() {
            let is_held = u64::try_from(at).unwrap() < most;
            let status = if is_held { "held" } else { "unpaid" };
            assert_eq!(status_of(&mut payer, made), status, "{at}");
            if !is_held {
                assert_eq!(told(&payer, *id), FailureCode::MppTimeout);
            }
        }
        // Once one is decided there is room for another.
        let named = format!(r#"{{"payment_hash":"{}"}}"#, ids[0].1.hash);
        payer.call("cancelpaycode", &named).expect("it is given back");
        payer.run_for(2_000);
        let made = paycode(&mut payer, r#"{"amount_msat":100000,"hold":true}"#);
        let part = made.whole(100_000);
        carol_sends(&mut payer, part);
        payer.run_for(2_000);
        assert_eq!(status_of(&mut payer, &made), "held");
        for made in ids.iter().map(|(_, made)| made).chain([&made]) {
            let named = format!(r#"{{"payment_hash":"{}"}}"#, made.hash);
            payer.call("cancelpaycode", &named).expect("it is given back");
        }
        payer.run_for(2_000);
        payer.assert_books_agree();
    }
}
