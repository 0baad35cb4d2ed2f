//! Every reply, and what it comes to.

use super::*;
use crate::fixture::{AMOUNT, PREIMAGE, failure, part, plan_of};
use crate::port::FailureCode;
use ecs_core::ErrorObject;
use payecs_planner::NoPlanReason;
use payecs_units::{Msat, Preimage};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// What a single write attaches, by name without our prefix.
fn attached(writes: &[Write]) -> BTreeMap<String, Json> {
    assert_eq!(writes.len(), 1);
    let own = writes[0].components.iter().map(|(name, json)| {
        let name = name.strip_prefix("lightningd:").unwrap();
        (name.to_owned(), json.clone().unwrap())
    });
    own.collect()
}

fn failing(writes: &[Write]) -> ErrorObject {
    let mut all = attached(writes);
    assert_eq!(all.len(), 1);
    all.remove("failing").unwrap().decode().unwrap()
}

fn node_errors() -> [NodeError; 3] {
    [
        NodeError::Refused { code: -1, message: "no".to_owned() },
        NodeError::Unsupported { what: "decode".to_owned() },
        NodeError::Transport { message: "gone".to_owned() },
    ]
}

#[test]
fn fields_of_a_valid_decode_are_attached_by_name() {
    let reply = json(r#"{"valid":true,"type":"bolt11 invoice","payee":"02ab","x":[1]}"#);
    let all = attached(&decoded(Ok(reply)));
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["invoice:payee", "invoice:type", "invoice:valid", "invoice:x"]);
    assert_eq!(all["invoice:x"], json("[1]"));
}

#[test]
fn bolt_12_fields_are_attached_under_both_names() {
    let reply = json(
        r#"{"valid":true,"invoice_payment_hash":"aa","invoice_amount_msat":5,
        "invoice_node_id":"02","invoice_created_at":100,"invoice_relative_expiry":50}"#,
    );
    let all = attached(&decoded(Ok(reply)));
    for (name, value) in [
        ("payment_hash", "\"aa\""),
        ("invoice_payment_hash", "\"aa\""),
        ("amount_msat", "5"),
        ("payee", "\"02\""),
        ("created_at", "100"),
        ("expiry", "50"),
        ("expires_at", "150"),
    ] {
        assert_eq!(all[&format!("invoice:{name}")], json(value), "{name}");
    }
}

#[test]
fn an_expiry_that_is_not_given_has_the_default_of_bolt_12() {
    for (fields, expires_at) in [
        (r#""invoice_created_at":100"#, Some("7300")),
        (r#""created_at":100,"expiry":1"#, Some("101")),
        (r#""created_at":18446744073709551615,"expiry":9"#, Some("18446744073709551615")),
        (r#""created_at":"soon""#, None),
        (r#""expiry":7"#, None),
    ] {
        let all = attached(&decoded(Ok(json(&format!("{{\"valid\":true,{fields}}}")))));
        let found = all.get("invoice:expires_at");
        assert_eq!(found.map(Json::text), expires_at, "{fields}");
    }
}

#[test]
fn what_the_node_finds_invalid_fails_with_its_warnings() {
    for (reply, message) in [
        (r#"{"valid":false,"warning_a":"one","warning_b":"two"}"#, "one; two"),
        (r#"{"valid":false,"warning_a":7}"#, "Bad invoice: not valid"),
        (r#"{"valid":"true"}"#, "Bad invoice: not valid"),
        ("{}", "Bad invoice: not valid"),
        ("[1]", "Bad invoice: not valid"),
    ] {
        let error = failing(&decoded(Ok(json(reply))));
        assert_eq!((error.code, &*error.message), (-32602, message), "{reply}");
    }
    for error in node_errors() {
        assert_eq!(failing(&decoded(Err(error.clone()))).message, error.to_string());
    }
}

#[test]
fn only_a_yes_of_the_signer_is_a_yes() {
    assert_eq!(attached(&preapproved(Ok(())))["preapproved"], Json::yes());
    for error in node_errors() {
        let refused = failing(&preapproved(Err(error.clone())));
        assert_eq!(refused.code, PREAPPROVAL_DECLINED);
        assert!(refused.message.contains(&error.to_string()));
    }
}

#[test]
fn a_plan_is_attached_and_none_fails() {
    let plan = plan_of(AMOUNT);
    assert_eq!(attached(&planned(Ok(plan.clone())))["plan"], Json::of(&plan));
    let no_plan = NoPlan {
        reason: NoPlanReason::NoRoute,
        largest_msat: None,
        fee_needed_msat: None,
        delay_needed_blocks: None,
        parts_needed: None,
        allow: Vec::new(),
        cut: Vec::new(),
    };
    assert_eq!(failing(&planned(Err(no_plan))).code, 205);
}

#[test]
fn only_a_final_status_ends_a_part() {
    let part = Part(part());
    let paid = PartStatus::Paid { preimage: PREIMAGE, spent_msat: Msat(9) };
    let PartReply::Final(writes) = part_status(&part, paid) else { panic!("it is paid") };
    let all = attached(&writes);
    assert_eq!(all["part:spent"].text(), "\"9msat\"");
    assert_eq!(all["preimage"], Json::of(&PREIMAGE.reveal()));

    let failed = part_status(&part, PartStatus::Failed(failure()));
    let PartReply::Final(writes) = failed else { panic!("it failed") };
    assert_eq!(attached(&writes)["part:failure"], Json::of(&failure()));

    let unnamed = Failure::local(None, FailureCode::TemporaryNodeFailure);
    let failed = part_status(&part, PartStatus::Failed(unnamed.clone()));
    let PartReply::Final(writes) = failed else { panic!("it failed") };
    let erring_channel = Some(part.0.route.hops[0].short_channel_id_dir);
    let named = Failure { erring_channel, ..unnamed };
    assert_eq!(attached(&writes)["part:failure"], Json::of(&named), "there is but one channel");

    for (status, reply) in [
        (PartStatus::InFlight, PartReply::Wait),
        (PartStatus::NeverArrived, PartReply::OfferAgain),
        (PartStatus::Unknown, PartReply::AskAgain),
    ] {
        assert_eq!(part_status(&part, status), reply);
    }
}

#[test]
fn a_preimage_of_another_hash_neither_pays_nor_fails_a_part() {
    let status = PartStatus::Paid { preimage: Preimage([8; 32]), spent_msat: Msat(9) };
    assert_eq!(part_status(&Part(part()), status), PartReply::AskAgain);
}

#[test]
fn a_set_is_claimed_with_what_was_lost_or_refused_where_nothing_left() {
    assert_eq!(attached(&set_claimed(Vec::new())).into_keys().collect::<Vec<_>>(), ["set:claimed"]);
    let lost = vec![crate::fixture::htlc().htlc];
    let all = attached(&set_claimed(lost.clone()));
    assert_eq!(all["set:lost"], Json::of(&lost));
    let withdrawn = Write::here().detach::<SetSettling>().attach(&Refusing(PayeeFailure::DETAILS));
    assert_eq!(set_withdrawn(), [withdrawn]);
}
