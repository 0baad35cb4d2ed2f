//! The guard rules of Core Lightning's `sendpay`, row by row: what exists of a hash decides over
//! what may be added to it. Rows on whole payments drive the flow; rows on single parts, which
//! nobody outside can name here, ask the books.

use crate::{
    answers::part_out,
    books::Audited,
    harness::{DAY_MS, Payer},
    invoices::hash_of,
    nets,
};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Amount, Destination, Part, Partial, PartsOpen, PayHash},
    port::{Ledger, LedgerEntry, PartHold, PaymentRef},
    units::{Msat, PartId},
};
use node_sim::{InvoiceRequest, Script};

const AMOUNT: Msat = Msat(100_000_000);

fn with(amount: Msat) -> Write {
    Write::here().attach(&Amount(amount))
}

/// A payment of which the only part is out for long, its name in the books, and that part.
fn pending(payer: &mut Payer) -> (EntityId, PaymentRef, PartHold) {
    let (node, until) = (payer.node("bob"), payer.now.after_ms(DAY_MS / 2));
    payer.script(Script::KeepNext { node, until });
    let (id, _) = part_out(payer);
    let payment = payer.reference(id).expect("a claimed hash");
    let hold = payer.books.hold(&payment, PartId(1));
    (id, payment, hold)
}

/// What the books say to parts of a payment.
fn asked(payer: &Payer, payment: PaymentRef, parts: &[PartHold]) -> Result<(), String> {
    let dispatch = LedgerEntry::Dispatch { payment, parts: parts.to_vec() };
    payer.books.check(&[dispatch], None, payer.now).map_err(|error| error.to_string())
}

fn assert_refused(said: &Result<(), String>, why: &str) {
    assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{why}: {said:?}");
}

#[test]
fn complete_same_part_same_amount_and_destination_returns_the_old_success() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    let first = payer.pay(&invoice, with(AMOUNT));
    let sent = payer.submitted_in_all();
    let again = payer.pay(&invoice, with(AMOUNT));
    assert_eq!(again, crate::harness::Outcome { replayed: true, ..first });
    assert_eq!(payer.submitted_in_all(), sent);
}

#[test]
fn complete_same_part_other_amount_or_destination_is_201() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let invoice = payer.invoice("carol", InvoiceRequest::any());
    payer.pay(&invoice, with(AMOUNT));
    let hash = PayHash(hash_of(&invoice));
    let other = payer.node("dave");
    payer.assert_refused(&invoice, with(Msat(AMOUNT.0 + 1)), 201);
    let to = |node| Write::here().attach(&Amount(AMOUNT)).attach(&hash).attach(&Destination(node));
    let id = payer.driver.start_payment(payer.now, to(other)).expect("Components that fit");
    let refused = payer.finish(id);
    assert_eq!((refused.code(), refused.fact("used_msat")), (201, AMOUNT.0.to_string()));
    let carol = payer.node("carol");
    let id = payer.driver.start_payment(payer.now, to(carol)).expect("Components that fit");
    assert!(payer.finish(id).replayed, "the same without its invoice");
}

#[test]
fn complete_another_part_is_201() {
    let mut payer = Payer::new(&nets::line());
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    let whole = payer.finish(id);
    payer.assert_paid(&whole, Msat(2_000));
    let part = Write::here().attach(&Partial(Msat(AMOUNT.0 / 2)));
    payer.assert_refused(&invoice, part, 201);
    let payment = payer.reference(id).expect("a claimed hash");
    let hold = payer.books.hold(&payment, PartId(1));
    let second = PartHold { part_id: PartId(2), ..hold };
    assert_refused(&asked(&payer, payment, &[second]), "is complete already");
}

#[test]
fn pending_of_another_group_is_200() {
    let mut payer = Payer::new(&nets::line());
    let (first, payment, _) = pending(&mut payer);
    let invoice = payer.started[0].invoice.clone();
    let second = payer.pay_plainly(&invoice);
    assert_eq!((second.code(), second.fact("entity")), (200, first.to_string()));
    payer.crash();
    assert_eq!(payer.pay_plainly(&invoice).code(), 200);
    assert_eq!(payer.submitted(payment.payment_hash).len(), 1);
}

#[test]
fn pending_part_zero_is_never_mixed_with_others() {
    let mut payer = Payer::new(&nets::line());
    let (_, payment, hold) = pending(&mut payer);
    let zero = PartHold { part_id: PartId(0), amount_msat: Msat(1), fee_msat: Msat(0), ..hold };
    assert_refused(&asked(&payer, payment, &[zero]), "numbered from 1");
    assert!(payer.submitted(payment.payment_hash).iter().all(|(_, part, _)| part.0 > 0));
}

#[test]
fn pending_same_part_is_the_part_in_progress_or_refused_where_it_differs() {
    let mut payer = Payer::new(&nets::line());
    let (_, payment, hold) = pending(&mut payer);
    assert_eq!(asked(&payer, payment, &[hold]), Ok(()), "the same again is that one");
    let other = PartHold { amount_msat: Msat(hold.amount_msat.0 - 1), ..hold };
    assert_refused(&asked(&payer, payment, &[other]), "exists_with_different_parts");
}

#[test]
fn pending_parts_of_one_payment_say_one_total() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let request = InvoiceRequest { basic_mpp: true, ..InvoiceRequest::any() };
    let invoice = payer.invoice("carol", request);
    let total = Msat(nets::HALF.0 / 10 * 15);
    let share = Msat(nets::HALF.0 / 10 * 14);
    let id = payer.start(&invoice, with(total).attach(&Partial(share)));
    while payer.submitted(hash_of(&invoice)).len() < 2 {
        payer.run_for(10);
    }
    let engine = payer.driver.engine();
    let PartsOpen(open) = engine.get(id).expect("parts are out");
    assert!(open.len() >= 2, "{open:?}");
    for part in open {
        assert_eq!(engine.get::<Part>(part.entity).map(|part| part.0.total_msat), Some(total));
    }
    let other = with(Msat(total.0 + 1)).attach(&Partial(share));
    assert_eq!(payer.pay(&invoice, other).code(), 200, "it is another group's");
}

#[test]
fn a_part_number_is_used_once_whatever_became_of_it() {
    let mut payer = Payer::new(&nets::diamond(Msat(1_000)));
    let (id, invoice) = part_out(&mut payer);
    while payer.submitted(hash_of(&invoice)).len() < 2 {
        payer.run_for(10);
    }
    let payment = payer.reference(id).expect("a claimed hash");
    let failed = payer.books.hold(&payment, PartId(1));
    let again = PartHold { amount_msat: Msat(1), fee_msat: Msat(0), ..failed };
    let next = PartHold { part_id: PartId(3), amount_msat: Msat(1), ..again };
    assert_refused(&asked(&payer, payment, &[next, again]), "was dispatched before");
    assert_refused(&asked(&payer, payment, &[again]), "exists_with_different_parts");
}

#[test]
fn pending_that_sum_to_the_total_take_no_more() {
    let mut payer = Payer::new(&nets::line());
    let (id, payment, hold) = pending(&mut payer);
    let engine = payer.driver.engine();
    assert!(engine.get::<ecs_systems::components::Remaining>(id).is_none());
    let more = PartHold { part_id: PartId(2), ..hold };
    assert_refused(&asked(&payer, payment, &[more]), "exceed the rest");
    let postings = payer.books.all().len();
    payer.run_for(60_000);
    assert_eq!(payer.submitted(payment.payment_hash).len(), 1);
    assert_eq!(payer.books.all().len(), postings);
}
