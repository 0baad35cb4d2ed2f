//! Row 22.

use super::*;
use crate::{
    components::{InvoicePaymentSecret, MainPayment},
    fixture::{
        self, AMOUNT, BUDGET, Bench, HASH_TEXT, PAYEE, PREIMAGE, Ran, SECRET, here, made_up,
    },
};
use ecs_core::{EntityId, Json, Write};
use payecs_units::{Msat, PaymentHash};

fn draft() -> Write {
    here()
        .attach(&Systems::listing(flow::money_systems()))
        .attach(&MainPayment(Json::yes()))
        .attach(&PayHash(PREIMAGE.hash()))
        .attach(&Destination(PAYEE))
        .attach(&Amount(AMOUNT))
        .attach(&crate::components::FeeBudget(BUDGET))
        .attach(&InvoicePaymentSecret(SECRET))
}

fn ran(mut bench: Bench, write: Write) -> (Bench, Ran) {
    let ran = bench.run(&CLAIM_HASH, write);
    assert!(ran.matched);
    (bench, ran)
}

#[test]
fn a_free_hash_is_claimed_in_books_and_component_alike() {
    let (bench, ran) = ran(Bench::new(), draft());
    assert_eq!(ran.names(), ["claim", "status"]);
    assert_eq!(ran.attached("status"), Some("\"deciding\""));
    let Claimed(facts) = bench.app.get::<Claimed>(fixture::payment()).unwrap();
    assert_eq!(ran.entries, [LedgerEntry::Claim(facts.claim.clone())]);
    assert_eq!(facts.payment_hash().to_string(), HASH_TEXT);
    assert_eq!((facts.claim.destination, facts.claim.amount_msat), (PAYEE, AMOUNT));
    assert_eq!(facts.payment_secret, Some(SECRET));
    assert!(facts.group_id().0 < 1 << 63);
    assert!(bench.app.is_frozen(fixture::payment()), "nothing of it changes from now on");
}

#[test]
fn while_nothing_new_is_taken_on_no_hash_is_claimed_and_what_was_paid_is_answered() {
    for intake in fixture::closed() {
        let (_, refused) = ran(Bench::new().intake(intake), draft());
        assert_eq!((refused.code(), refused.names()), (Some(2330), vec!["failing"]));
        assert!(refused.entries.is_empty(), "{intake:?}");
        let cause = if intake.reconciling { "reconciling" } else { "disk" };
        let failing = refused.attached("failing").unwrap();
        assert!(failing.contains(cause), "{intake:?}");
        assert_eq!(failing.contains("\"parts_read\":0"), intake.reconciling, "{failing}");
        let bench = Bench::new().intake(intake).claimed(first_claim(), complete());
        let (_, answered) = ran(bench, draft());
        assert!(answered.names().contains(&"replayed"), "{intake:?}");
    }
}

fn keyed() -> Write {
    draft().attach(&IdempotencyKey(Json::of("k")))
}

fn complete() -> ClaimState {
    ClaimState::Complete { preimage: PREIMAGE, fee_msat: Msat(7) }
}

/// The claim of the payment that the key was first used for.
fn first_claim() -> Claim {
    let (_, first) = ran(Bench::new(), keyed());
    let [LedgerEntry::Claim(claim)] = &*first.entries else { panic!("{:?}", first.entries) };
    claim.clone()
}

#[test]
fn a_key_and_the_hash_of_its_request_go_into_the_books() {
    let claim = first_claim();
    assert_eq!((claim.idempotency_key.as_deref(), claim.request.is_some()), (Some("k"), true));
    let (_, without) = ran(Bench::new(), draft());
    let [LedgerEntry::Claim(claim)] = &*without.entries else { panic!("{:?}", without.entries) };
    assert_eq!((&claim.idempotency_key, claim.request), (&None, None));
}

#[test]
fn a_key_with_another_request_is_refused_whatever_became_of_the_first() {
    let other = payecs_units::RequestHash([1; 32]);
    let of_old = Claim { request: None, destination: made_up(0x44), ..first_claim() };
    for earlier in [Claim { request: Some(other), ..first_claim() }, of_old] {
        for state in [ClaimState::Open, complete(), ClaimState::Failed] {
            let (_, ran) = ran(Bench::new().claimed(earlier.clone(), state), keyed());
            assert_eq!((ran.code(), ran.names()), (Some(201), vec!["failing"]));
            assert!(ran.message().contains("`k`"), "{}", ran.message());
            let told = ran.facts().fields().unwrap();
            assert_eq!(told["idempotency_key"], Json::of("k"));
            assert!(told["payment_hash"].text().contains(HASH_TEXT));
        }
    }
}

#[test]
fn a_key_whose_payment_runs_waits_for_it_as_a_draft() {
    let entity = EntityId::new(99).unwrap();
    for request in [first_claim().request, None] {
        let earlier = Claim { entity, request, ..first_claim() };
        let (bench, ran) = ran(Bench::new().claimed(earlier, ClaimState::Open), keyed());
        assert_eq!(ran.names(), ["join", "same-as"]);
        assert_eq!(ran.attached("same-as"), Some("99"));
        let join = Json::parse(ran.attached("join").unwrap()).unwrap();
        assert_eq!(join.decode::<Join>().unwrap().entities, [entity].into());
        assert!(ran.entries.is_empty() && !bench.app.is_frozen(fixture::payment()));
    }
}

#[test]
fn a_key_whose_payment_ended_is_answered_as_that_was() {
    let payment = first_claim().payment;
    let told = Refusal::new(205, "no route").with_data(&serde_json::json!({ "final": true }));
    let fail = LedgerEntry::Fail { payment, answer: Some(told.clone()) };
    let old = LedgerEntry::Fail { payment, answer: None };
    for (end, code) in [(Some(fail), 205), (Some(old), 209), (None, 209)] {
        let bench = Bench::new().claimed(first_claim(), ClaimState::Failed);
        bench.notebook.0.lock().unwrap().end = end;
        let (_, ran) = ran(bench, keyed().attach(&SameAs(fixture::child())));
        assert_eq!(ran.names(), ["failing", "replayed", "same-as"]);
        let failing = Json::parse(ran.attached("failing").unwrap()).unwrap();
        let failing: Refusal = failing.decode().unwrap();
        assert_eq!(failing.code, code);
        assert!(code != 205 || failing == told, "word for word: {failing:?}");
        assert!(ran.detached("same-as") && ran.entries.is_empty());
    }
    for count in [0, 3] {
        let bench = Bench::new().claimed(first_claim(), complete());
        bench.notebook.0.lock().unwrap().end = Some(LedgerEntry::Complete {
            payment,
            preimage: PREIMAGE,
            fee_msat: Msat(7),
            successful_parts: count,
            failed_parts: 0,
            amount_msat: None,
        });
        let (_, ran) = ran(bench, keyed());
        assert_eq!(ran.attached("fee"), Some("\"7msat\""));
        assert_eq!(ran.attached("parts:paid").is_some(), count > 0);
        let count = format!("\"count\":{count}");
        assert!(ran.attached("parts:paid").is_none_or(|parts| parts.contains(&count)));
        assert!(ran.entries.is_empty());
    }
}

#[test]
fn what_the_books_say_decides_over_an_earlier_claim() {
    let other = EntityId::new(99).unwrap();
    let earlier = |amount, destination| {
        let claim = fixture::claim().claim;
        Claim { entity: other, amount_msat: amount, destination, ..claim }
    };
    let (same, more) = (earlier(AMOUNT, PAYEE), earlier(Msat(AMOUNT.0 + 1), PAYEE));
    let elsewhere = earlier(AMOUNT, made_up(0x44));
    let complete = complete();
    for (claim, state, code) in [
        (&same, ClaimState::Open, Some(200)),
        (&more, ClaimState::Open, Some(201)),
        (&elsewhere, ClaimState::Open, Some(201)),
        (&more, complete.clone(), Some(201)),
        (&elsewhere, complete.clone(), Some(201)),
        (&same, ClaimState::Failed, None),
        (&more, ClaimState::Failed, None),
        (&elsewhere, ClaimState::Failed, None),
    ] {
        let (_, ran) = ran(Bench::new().claimed(claim.clone(), state), draft());
        assert_eq!(ran.code(), code, "{}", ran.message());
        assert_eq!(ran.entries.len(), usize::from(code.is_none()));
        match code {
            Some(200) => assert_eq!(ran.facts().text(), r#"{"entity":99}"#),
            Some(_) => assert!(ran.facts().fields().unwrap().contains_key("used_msat")),
            None => assert!(ran.attached("claim").is_some()),
        }
    }
}

#[test]
fn what_was_paid_before_is_answered_again_without_a_claim() {
    let (_, ran) = ran(Bench::new().claimed(fixture::claim().claim, complete()), draft());
    assert_eq!(ran.names(), ["fee", "ledger", "preimage", "replayed"]);
    assert_eq!(ran.attached("fee"), Some("\"7msat\""));
    assert!(ran.entries.is_empty());
}

#[test]
fn a_claim_on_another_hash_is_no_obstacle() {
    let mut claim = fixture::claim().claim;
    claim.payment.payment_hash = PaymentHash([1; 32]);
    let (_, ran) = ran(Bench::new().claimed(claim, ClaimState::Open), draft());
    assert_eq!(ran.code(), None);
}

#[test]
fn a_list_without_one_of_the_money_systems_claims_nothing() {
    for missing in flow::money_systems().filter(|name| *name != CLAIM_HASH.name) {
        let list = Systems::listing(flow::money_systems().filter(|name| *name != missing));
        let (_, ran) = ran(Bench::new(), draft().attach(&list));
        assert_eq!(ran.code(), Some(-32602));
        assert!(ran.message().contains(missing), "{}", ran.message());
        assert!(ran.entries.is_empty());
    }
    let more = Systems::listing(flow::money_systems().chain(["acme:before"]));
    assert_eq!(ran(Bench::new(), draft().attach(&more)).1.code(), None, "others may be added");
}

#[test]
fn books_that_refuse_leave_the_payment_a_draft() {
    let error = LedgerError::Invariant { what: "sums differ".to_owned() };
    let (bench, ran) = ran(Bench::new().refusing(error), draft());
    assert_eq!((ran.code(), ran.names()), (Some(2320), vec!["failing"]));
    assert!(!bench.app.is_frozen(fixture::payment()));
}

#[test]
fn a_hash_or_key_that_the_history_cannot_tell_about_yet_is_not_claimed() {
    let error = LedgerError::HistoryOpening { done: 7, of: 9 };
    for draft in [draft(), draft().attach(&IdempotencyKey(Json::of("k")))] {
        let (bench, ran) = ran(Bench::new().refusing(error.clone()), draft);
        assert_eq!((ran.code(), ran.facts().text()), (Some(2321), r#"{"done":7,"of":9}"#));
        assert!(ran.entries.is_empty() && !bench.app.is_frozen(fixture::payment()));
    }
}
