//! `delpaycode`.

use super::{PREIMAGE, asked_for, merchant, paycode, status_of};
use crate::{
    calls::field,
    receiving::{carol_sends, status, told},
};
use ecs_systems::{
    port::{FailureCode, PartStatus},
    units::Msat,
};

#[test]
fn what_has_the_status_that_was_named_is_deleted_and_nothing_else() {
    for (timeout, pays, is, others) in [
        (600, false, "unpaid", ["expired", "paid", "cancelled", "held"]),
        (1, false, "expired", ["unpaid", "paid", "cancelled", "receiving"]),
        (600, true, "paid", ["expired", "unpaid", "cancelled", "held"]),
    ] {
        let mut payer = merchant();
        let made = paycode(&mut payer, &format!("[1000,{timeout}]"));
        if pays {
            carol_sends(&mut payer, made.whole(1_000));
        }
        payer.run_for(2_000);
        for other in others {
            let params = asked_for(made.hash, &format!(",\"status\":\"{other}\""));
            let error = payer.call("delpaycode", &params).unwrap_err();
            assert_eq!(error.code, 906);
            let facts = error.facts();
            assert_eq!(facts["current_status"].as_str().unwrap(), is);
            assert_eq!(facts["expected_status"].as_str().unwrap(), other);
        }
        let params = asked_for(made.hash, &format!(",\"status\":\"{is}\""));
        let deleted = payer.call("delpaycode", &params).unwrap();
        assert_eq!(field(&deleted, "status"), format!("\"{is}\""));
        assert_eq!(payer.refused("delpaycode", &params).0, 905, "it is gone");
        assert_eq!(payer.receipts.lock().count(), 0);
        let late = carol_sends(&mut payer, made.whole(1_000));
        assert_eq!(told(&payer, late), FailureCode::IncorrectOrUnknownPaymentDetails);
        payer.assert_books_agree();
    }
}

#[test]
fn deletion_during_receiving() {
    for (hold, is, sent) in [(false, "receiving", 500), (true, "held", 1_000)] {
        let mut payer = merchant();
        let made = paycode(&mut payer, &format!("{{\"amount_msat\":1000,\"hold\":{hold}}}"));
        carol_sends(&mut payer, made.whole(1_000).of_it(Msat(sent)));
        for named in ["unpaid", "receiving", "held"] {
            let params = asked_for(made.hash, &format!(",\"status\":\"{named}\""));
            let error = payer.call("delpaycode", &params).unwrap_err();
            assert_eq!(
                (error.code, error.facts()["current_status"].as_str().unwrap().as_ref()),
                (906, is)
            );
        }
        assert_eq!(status_of(&mut payer, &made), is, "nothing has changed");
        if !hold {
            let rest = carol_sends(&mut payer, made.whole(1_000).of_it(Msat(500)));
            assert!(matches!(status(&payer, rest), PartStatus::Paid { .. }));
        }
    }
}

#[test]
fn who_waits_is_told_at_once_that_it_is_gone() {
    let mut payer = merchant();
    let made = paycode(&mut payer, "[1000]");
    let waiting = payer.begin_call("waitpaycode", &asked_for(made.hash, ""));
    payer.call("delpaycode", &asked_for(made.hash, ",\"status\":\"unpaid\"")).unwrap();
    payer.run_for(0);
    assert_eq!(waiting.answered().expect("an answer").unwrap_err().code, 905);
}

#[test]
fn a_hash_that_was_deleted_is_free_only_without_a_tombstone_and_unpaid() {
    for (pays, keep, free) in [
        (false, None, false),
        (false, Some(true), false),
        (false, Some(false), true),
        (true, Some(false), false),
    ] {
        let mut payer = merchant();
        let params = format!(
            "{{\"amount_msat\":1000,\"idempotency_key\":\"k\",\"preimage\":\"{}\"}}",
            PREIMAGE.reveal()
        );
        let made = paycode(&mut payer, &params);
        if pays {
            carol_sends(&mut payer, made.whole(1_000));
        }
        let is = if pays { "paid" } else { "unpaid" };
        let keep = keep.map(|keep| format!(",\"keep_tombstone\":{keep}")).unwrap_or_default();
        let asked = asked_for(made.hash, &format!(",\"status\":\"{is}\"{keep}"));
        payer.call("delpaycode", &asked).unwrap();
        let again = payer.call("paycode", &params).map_err(|error| error.code);
        assert_eq!(again.as_ref().err(), (!free).then_some(&901), "{pays} {keep}");
        let other = "{\"amount_msat\":1000,\"idempotency_key\":\"k2\"}";
        payer.call("paycode", other).expect("another hash");
    }
}
