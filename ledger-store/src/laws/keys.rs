//! The laws of idempotency keys.

use super::{
    fixture::{claimed, fail, opening, payment, prove},
    ledger::{must, refuses},
};
use ecs_core::ErrorObject;
use ecs_systems::port::{Claim, ClaimState, Ledger, LedgerEntry, LedgerError};
use ecs_systems::units::RequestHash;

/// Whatever becomes of the first claim with a key, none of another hash, payee or amount has it.
pub fn an_idempotency_key_belongs_to_one_payment_for_ever<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    let with = |key: &str, claim: Claim| {
        let idempotency_key = Some(key.to_owned());
        LedgerEntry::Claim(Claim { idempotency_key, ..claim })
    };
    let first = claimed(1, 1, 1_000);
    assert_eq!(books.claim_of_key("a"), Ok(None));
    must(&mut books, [opening(1, 1_000), with("a", first.clone())]);
    let payment_hash = first.payment.payment_hash;
    let used = LedgerError::KeyUsed { idempotency_key: "a".to_owned(), payment_hash };
    let others = [claimed(2, 1, 1_000), claimed(1, 2, 999), claimed(3, 1, 5)];
    for other in others.clone() {
        assert_eq!(refuses(&mut books, with("a", other)), used, "while it is open");
    }
    must(&mut books, [fail(payment(1, 1))]);
    for other in others {
        assert_eq!(refuses(&mut books, with("a", other)), used, "after it failed");
    }
    let (kept, state) = books.claim_of_key("a").expect("told").expect("it was claimed");
    assert_eq!(state, ClaimState::Failed);
    assert!(kept.same_intent(&first) && books.claim_of_key("b") == Ok(None));
    must(&mut books, [with("a", claimed(1, 2, 1_000)), with("b", claimed(2, 1, 1_000))]);
}

/// A key belongs to the request that it was first claimed with, though another pays the same; how
/// a payment ended is known for ever.
pub fn an_idempotency_key_belongs_to_one_request_and_its_end_is_kept<L: Ledger>(
    open: impl Fn() -> L,
) {
    let mut books = open();
    let with = |request: u8, claim: Claim| {
        let (key, request) = ("a".to_owned(), Some(RequestHash([request; 32])));
        LedgerEntry::Claim(Claim { idempotency_key: Some(key), request, ..claim })
    };
    let first = payment(1, 1);
    must(&mut books, [opening(1, 1_000), with(1, claimed(1, 1, 1_000))]);
    assert_eq!(books.end_of(&first), Ok(None));
    let answer = Some(ErrorObject::new(210, "time is up").with_data(&[0.5]));
    let end = LedgerEntry::Fail { payment: first, answer };
    must(&mut books, [end.clone()]);
    assert_eq!(books.end_of(&first), Ok(Some(end)));
    assert_eq!(books.end_of(&payment(2, 1)), Ok(None));
    let used =
        LedgerError::KeyUsed { idempotency_key: "a".to_owned(), payment_hash: first.payment_hash };
    assert_eq!(refuses(&mut books, with(2, claimed(1, 2, 1_000))), used);
    must(&mut books, [with(1, claimed(2, 1, 5))]);
    let key_is_of = |books: &L| {
        let (claim, state) = books.claim_of_key("a").expect("told").expect("it was claimed");
        (claim.payment, state)
    };
    assert_eq!(key_is_of(&books), (payment(2, 1), ClaimState::Open));
    must(&mut books, [fail(payment(2, 1)), prove(1, 1)]);
    assert_eq!(key_is_of(&books), (payment(2, 1), ClaimState::Failed));
}
