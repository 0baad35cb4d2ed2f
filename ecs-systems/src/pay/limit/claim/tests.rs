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
fn an_idempotency_key_goes_into_the_books_and_belongs_to_one_payment() {
    let keyed = || draft().attach(&IdempotencyKey(Json::of("k")));
    let (_, first) = ran(Bench::new(), keyed());
    let [LedgerEntry::Claim(claim)] = &*first.entries else { panic!("{:?}", first.entries) };
    assert_eq!(claim.idempotency_key.as_deref(), Some("k"));
    let complete = ClaimState::Complete { preimage: PREIMAGE, fee_msat: Msat(7) };
    let elsewhere = Claim { destination: made_up(0x44), ..claim.clone() };
    for (earlier, state, code) in [
        (claim, ClaimState::Failed, None),
        (claim, complete.clone(), None),
        (&elsewhere, ClaimState::Failed, Some(201)),
        (&elsewhere, complete, Some(201)),
    ] {
        let (_, ran) = ran(Bench::new().claimed(earlier.clone(), state), keyed());
        assert_eq!(ran.code(), code, "{}", ran.message());
        let told = code.is_some().then(|| ran.facts().fields().unwrap());
        assert!(told.is_none_or(|told| told["payment_hash"].text().contains(HASH_TEXT)));
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
    let complete = ClaimState::Complete { preimage: PREIMAGE, fee_msat: Msat(7) };
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
    let complete = ClaimState::Complete { preimage: PREIMAGE, fee_msat: Msat(7) };
    let (_, ran) = ran(Bench::new().claimed(fixture::claim().claim, complete), draft());
    assert_eq!(ran.names(), ["fee", "preimage", "replayed"]);
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
