//! What was paid long ago is read again from the ledger, once its index is there.

use crate::{
    journal::{Death, Durable},
    nets,
    place::Place,
};
use ecs_systems::units::Msat;
use node_sim::InvoiceRequest;

const AMOUNT: Msat = Msat(100_000);

/// Pays, and waits until the index has all of it.
fn pay(durable: &mut Durable, invoice: &str) -> crate::harness::Outcome {
    let id = durable.pay(invoice).expect("it lives");
    // Not to the end of the day: the invoices must not expire.
    durable.run_for(5_000).expect("it lives");
    durable.catch_up();
    durable.payer.outcome(id)
}

#[test]
fn what_was_paid_long_ago_is_answered_again_and_waits_for_the_index_alone() {
    for place in [Place::memory, Place::sled] {
        let mut durable = Durable::with_index(&nets::line(), place());
        let invoices = [1, 2, 3].map(|number| {
            let description = format!("order {number}");
            let request = InvoiceRequest { description, ..InvoiceRequest::of(AMOUNT) };
            durable.payer.invoice("carol", request)
        });
        let first = pay(&mut durable, &invoices[0]);
        assert_eq!((&*first.status, first.replayed), ("complete", false));
        // With the next batches the first payment leaves memory.
        pay(&mut durable, &invoices[1]);
        durable.snapshot();
        let sent = durable.payer.submitted_in_all();

        let kept = durable.replace_index(Place::Nowhere);
        durable.die(Death::Kill);
        let refused = pay(&mut durable, &invoices[0]);
        assert_eq!((&*refused.status, refused.code()), ("failed", 2321), "{refused:?}");
        assert_eq!(durable.payer.submitted_in_all(), sent);
        assert_eq!(pay(&mut durable, &invoices[2]).status, "complete", "it needs no past");

        durable.replace_index(kept);
        durable.die(Death::Kill);
        let sent = durable.payer.submitted_in_all();
        let again = pay(&mut durable, &invoices[0]);
        assert!(again.replayed && again.preimage == first.preimage && again.fee == first.fee);
        assert_eq!((again.parts_paid, durable.payer.submitted_in_all()), (first.parts_paid, sent));
        // What was refused or answered again is not what the books have of the hash.
        durable.payer.started.retain(|started| started.invoice != invoices[0]);
        durable.assert_books_agree();
    }
}
