//! The laws of idempotency keys.

use super::{
    fixture::{claimed, fail, opening, payment},
    ledger::{must, refuses},
};
use ecs_systems::port::{Claim, Ledger, LedgerEntry, LedgerError};

/// Whatever becomes of the first claim with a key, none of another hash, payee or amount has it.
pub fn an_idempotency_key_belongs_to_one_payment_for_ever<L: Ledger>(open: impl Fn() -> L) {
    let mut books = open();
    let with = |key: &str, claim: Claim| {
        let idempotency_key = Some(key.to_owned());
        LedgerEntry::Claim(Claim { idempotency_key, ..claim })
    };
    let first = claimed(1, 1, 1_000);
    assert_eq!(books.claim_of_key("a"), None);
    must(&mut books, [opening(1, 1_000), with("a", first.clone())]);
    let used = LedgerError::KeyUsed { payment_hash: first.payment.payment_hash };
    let others = [claimed(2, 1, 1_000), claimed(1, 2, 999), claimed(3, 1, 5)];
    for other in others.clone() {
        assert_eq!(refuses(&mut books, with("a", other)), used, "while it is open");
    }
    must(&mut books, [fail(payment(1, 1))]);
    for other in others {
        assert_eq!(refuses(&mut books, with("a", other)), used, "after it failed");
    }
    let kept = books.claim_of_key("a").expect("it was claimed");
    assert!(kept.same_intent(&first) && books.claim_of_key("b").is_none());
    must(&mut books, [with("a", claimed(1, 2, 1_000)), with("b", claimed(2, 1, 1_000))]);
}
