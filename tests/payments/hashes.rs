//! One hash, one payment: what happens to the second that means the same, or something else.

use crate::{books::Audited, harness::Payer, invoices::hash_of, nets};
use ecs_core::Json;
use ecs_core::Write;
use ecs_systems::{
    components::{Amount, IdempotencyKey},
    units::Msat,
};
use node_sim::{InvoiceRequest, Script};

#[test]
fn what_was_paid_is_answered_again_and_neither_sent_nor_posted_twice() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let first = payer.pay_plainly(&invoice);
    let (postings, sent) = (payer.books.all(), payer.submitted_in_all());
    for _ in 0..3 {
        let again = payer.pay_plainly(&invoice);
        assert!(again.replayed && !first.replayed);
        assert_eq!(
            (&again.status, again.preimage, again.fee),
            (&first.status, first.preimage, first.fee)
        );
    }
    assert_eq!(payer.books.all(), postings);
    assert_eq!(payer.submitted_in_all(), sent);
    payer.assert_books_agree();
}

#[test]
fn a_hash_is_paid_by_one_payment_at_a_time() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let first = payer.start(&invoice, Write::here());
    let second = payer.pay_plainly(&invoice);
    assert_eq!((second.status.as_str(), second.code()), ("failed", 200), "{second:?}");
    assert_eq!(second.fact("entity"), ecs_core::Json::of(&first).text());
    let first = payer.finish(first);
    payer.assert_paid(&first, Msat(1_001));
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
}

#[test]
fn a_hash_is_paid_with_one_amount() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    let with = |amount| Write::here().attach(&Amount(Msat(amount)));
    let first = payer.start(&invoice, with(50_000));
    let other = payer.pay(&invoice, with(60_000));
    assert_eq!((other.code(), other.fact("used_msat")), (201, "50000".to_owned()), "{other:?}");
    let first = payer.finish(first);
    payer.assert_paid(&first, Msat(1_000));
    let later = payer.pay(&invoice, with(60_000));
    assert_eq!((later.status.as_str(), later.code()), ("failed", 201), "{later:?}");
    assert!(payer.pay(&invoice, with(50_000)).replayed);
    assert_eq!(payer.submitted(hash_of(&invoice)).len(), 1);
    payer.assert_books_agree();
}

#[test]
fn a_hash_whose_payment_failed_may_be_paid_again() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let bob = payer.node("bob");
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(5_000) });
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    let with = |amount| Write::here().attach(&Amount(Msat(amount)));
    let first = payer.start(&invoice, with(50_000));
    payer.tell(first, Write::here().attach(&ecs_systems::components::Cancel));
    assert_eq!(payer.finish(first).code(), 210);
    let outcome = payer.pay(&invoice, with(60_000));
    payer.assert_paid(&outcome, Msat(1_000));
    assert_eq!(payer.truth_of(&invoice).received_in_all(), Msat(60_000));
}

#[test]
fn a_hundred_payments_at_once_are_all_paid_and_booked() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let invoices: Vec<String> =
        (1..=100).map(|n| payer.invoice("carol", InvoiceRequest::of(Msat(n * 10_000)))).collect();
    let ids: Vec<_> = invoices.iter().map(|it| payer.start(it, Write::here())).collect();
    for id in ids {
        assert_eq!(payer.finish(id).status, "complete", "{}", payer.story(id));
    }
    payer.assert_books_agree();
}

#[test]
fn one_idempotency_key_never_pays_twice_and_a_crash_does_not_free_it() {
    let mut payer = Payer::new(&nets::line());
    let keyed = || Write::here().attach(&IdempotencyKey(Json::of("order 7")));
    let [first, second] =
        [(); 2].map(|()| payer.invoice("carol", InvoiceRequest::of(Msat(100_000))));
    let paid = payer.pay(&first, keyed());
    payer.assert_paid(&paid, Msat(1_001));
    payer.crash();
    let (postings, sent) = (payer.books.all(), payer.submitted_in_all());
    let other = payer.pay(&second, keyed());
    assert_eq!((other.status.as_str(), other.code()), ("failed", 201), "{other:?}");
    assert_eq!(other.fact("payment_hash"), Json::of(&hash_of(&first)).text());
    let again = payer.pay(&first, keyed());
    assert!(again.replayed && again.preimage == paid.preimage, "{again:?}");
    assert_eq!((payer.books.all(), payer.submitted_in_all()), (postings, sent));
    payer.assert_books_agree();
}
