//! The same where others pay us: each law of receiving, with broken pieces that it notices.

use super::{
    Between, Config, Law, Loses, Says, TooEarly, asks_as_it_is, books, finds,
    shelf::{Bend, Broken, Slip, WHOLE},
};
use ecs_systems::{
    port::{FailureCode, NodeEvent, NodeRequest, OverpayRule, Receipt},
    units::{BlockHeight, Blocks, Msat, Timestamp},
};
use payflow_default::testing::simulator::Around;
use serde_json::Value;
use std::sync::Arc;

/// Whether the auditor says that this law is broken, with a broken piece around the engine.
fn notices(law: Law, around: impl Around + 'static) {
    let around: Arc<dyn Around> = Arc::new(around);
    finds(law, |seed| Config { around: Arc::clone(&around), ..Config::receiving(seed) });
}

/// Receipts that are found otherwise than they were asked for.
fn found(find: fn(Receipt) -> Receipt) -> Broken {
    Broken(Bend { find, ..WHOLE })
}

#[test]
fn what_is_taken_without_its_secret_is_seen() {
    notices(Law::WholeSet, Broken(Bend { shows: |_| true, slip: Some(Slip::Lenient), ..WHOLE }));
}

#[test]
fn what_is_taken_for_another_total_is_seen() {
    let find = |it| Receipt { overpay: OverpayRule::Any, ..it };
    notices(Law::WholeSet, Broken(Bend { find, slip: Some(Slip::Lenient), ..WHOLE }));
}

#[test]
fn what_is_taken_though_it_expires_too_soon_is_seen() {
    notices(Law::WholeSet, found(|it| Receipt { cltv: Blocks(0), ..it }));
}

#[test]
fn what_is_taken_though_nobody_has_decided_is_seen() {
    notices(Law::WholeSet, found(|it| Receipt { hold: false, ..it }));
}

#[test]
fn what_is_taken_after_its_time_is_seen() {
    let find = |it| Receipt { expires_at: Timestamp(u64::MAX), ..it };
    notices(Law::WholeSet, Broken(Bend { find, slip: Some(Slip::Lenient), ..WHOLE }));
}

#[test]
fn a_part_that_is_taken_for_the_whole_is_seen() {
    let larger = |mut event: NodeEvent| {
        if let NodeEvent::Incoming(htlc) = &mut event {
            htlc.amount_msat = htlc.amount_msat.max(htlc.total_msat);
        }
        Some(event)
    };
    notices(Law::WholeSet, Between(asks_as_it_is, larger));
}

#[test]
fn a_node_that_says_that_htlcs_expire_later_has_preimages_leave_too_late() {
    let later = |mut event: NodeEvent| {
        if let NodeEvent::Incoming(htlc) = &mut event {
            htlc.cltv_expiry = BlockHeight(htlc.cltv_expiry.0 + 40);
        }
        Some(event)
    };
    notices(Law::IncomingMargin, Between(asks_as_it_is, later));
}

#[test]
fn a_refusal_in_other_words_is_seen() {
    let frank = |mut request: NodeRequest| {
        if let NodeRequest::FailHtlc { failcode, .. } = &mut request
            && *failcode == FailureCode::IncorrectOrUnknownPaymentDetails
        {
            *failcode = FailureCode::FinalIncorrectHtlcAmount;
        }
        vec![request]
    };
    notices(Law::RefusedAlike, Between(frank, Some));
}

#[test]
fn what_is_wrong_and_waits_with_what_is_right_is_seen() {
    // As it shows no secret, it is refused; with the words of a set that was not whole.
    let slow = |mut request: NodeRequest| {
        if let NodeRequest::FailHtlc { failcode, .. } = &mut request {
            *failcode = FailureCode::MppTimeout;
        }
        vec![request]
    };
    notices(Law::RefusedAlike, Between(slow, Some));
}

#[test]
fn what_waits_for_a_refusal_is_seen() {
    let silent = |request: NodeRequest| {
        let is_refusal = matches!(request, NodeRequest::FailHtlc { .. });
        if is_refusal { Vec::new() } else { vec![request] }
    };
    notices(Law::WordInTime, Between(silent, Some));
}

#[test]
fn a_whole_set_that_is_not_taken_is_seen() {
    notices(Law::TakenIfWhole, Broken(Bend { shows: |_| false, ..WHOLE }));
    notices(Law::TakenIfWhole, found(|it| Receipt { cltv: Blocks(it.cltv.0 + 12), ..it }));
}

#[test]
fn a_paycode_that_is_paid_twice_is_seen() {
    notices(Law::SettledOnce, Broken(Bend { slip: Some(Slip::Again), ..WHOLE }));
}

#[test]
fn a_paycode_that_is_said_to_have_brought_another_amount_is_seen() {
    let more = |amount: Msat| Msat(amount.0 + 1);
    notices(Law::ToldTheTruth, Broken(Bend { settles: more, ..WHOLE }));
}

#[test]
fn a_paycode_whose_end_the_node_never_tells_is_seen() {
    let silent =
        |event: NodeEvent| (!matches!(event, NodeEvent::HtlcResolved { .. })).then_some(event);
    notices(Law::EndsInTime, Between(asks_as_it_is, silent));
}

#[test]
fn a_paycode_that_was_deleted_or_cancelled_and_is_there_is_seen() {
    notices(Law::Durable, Broken(Bend { slip: Some(Slip::Forgets), ..WHOLE }));
    notices(Law::ToldTheTruth, Broken(Bend { slip: Some(Slip::Forgets), ..WHOLE }));
}

#[test]
fn a_paycode_that_is_made_again_under_its_key_is_seen() {
    notices(Law::Durable, Broken(Bend { slip: Some(Slip::Loses), ..WHOLE }));
}

#[test]
fn a_paycode_that_is_unpaid_after_it_was_paid_is_seen() {
    let unpaid = |answer: &mut Value| {
        for code in answer.get_mut("paycodes").and_then(Value::as_array_mut).into_iter().flatten() {
            code["status"] = Value::from("unpaid");
        }
    };
    notices(Law::TheEndIsFinal, Says("listpaycodes", unpaid));
}

#[test]
fn a_preimage_that_leaves_before_its_record_is_seen() {
    notices(Law::RecordedFirst, TooEarly);
}

#[test]
fn a_store_that_loses_its_last_records_forgets_paycodes() {
    notices(Law::Durable, Loses);
}

#[test]
fn income_that_is_booked_with_less_is_seen() {
    let less = |mut event: NodeEvent| {
        if let NodeEvent::Incoming(htlc) = &mut event {
            htlc.amount_msat = htlc.amount_msat.saturating_sub(Msat(1));
        }
        Some(event)
    };
    notices(Law::BooksOfPayments, Between(asks_as_it_is, less));
    notices(Law::BooksOfChannels, books::LessIncome);
}
