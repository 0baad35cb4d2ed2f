//! Receipts with an invoice.

use super::*;
use crate::receipts::ENDED_INVOICES_MAX;
use ecs_systems::port::{IssuedInvoice, ReceiptCounts, ReceiptOrder};

/// A receipt with that preimage, with an invoice of that label or without.
pub(super) fn labelled(number: u8, label: Option<&str>) -> IssuedReceipt {
    let made = NewReceipt { preimage: preimage(number), ..receipt() };
    let invoice = label.map(|label| {
        let (label, description) = (label.to_owned(), Some("tea".to_owned()));
        Arc::new(IssuedInvoice { label, description, bolt11: "lnbc1secret".to_owned() })
    });
    IssuedReceipt { invoice, ..issued(&made) }
}

/// A bare one between two with an invoice.
pub(super) fn three() -> MemoryReceipts {
    let mut receipts = open_issued(&[]);
    for (number, label) in [(1, Some("a")), (2, None), (3, Some("b"))] {
        receipts.issue(&labelled(number, label), Timestamp(0)).unwrap();
    }
    through_image(&receipts)
}

/// The places of an invoice: created, updated, paid.
fn places(receipts: &MemoryReceipts, label: &str) -> (u64, u64, Option<u64>) {
    let facts = receipts.facts(&receipts.of_label(label).unwrap()).unwrap();
    let invoice = facts.invoice.unwrap();
    (invoice.created_index, invoice.updated_index, invoice.pay_index)
}

#[test]
fn invoices_are_counted_apart_and_indexes_of_payment_have_no_gap() {
    let mut receipts = three();
    assert_eq!([places(&receipts, "a"), places(&receipts, "b")], [(1, 1, None), (2, 2, None)]);
    for (number, at) in [(3, 5), (2, 6), (1, 7)] {
        let hash = preimage(number).hash();
        receipts.release(&hash).unwrap();
        receipts.settle(&hash, Msat(100), Timestamp(at)).unwrap();
        receipts = through_image(&receipts);
        receipts.settle(&hash, Msat(100), Timestamp(at)).unwrap();
    }
    let paid = [places(&receipts, "a"), places(&receipts, "b")];
    assert_eq!(paid, [(1, 6, Some(2)), (2, 4, Some(1))]);
    let [a, b] = [1, 3].map(|number| preimage(number).hash());
    assert_eq!(receipts.in_order(ReceiptOrder::InvoicePaid, 0, 9), [(1, b), (2, a)]);
    assert_eq!(receipts.in_order(ReceiptOrder::InvoicePaid, 2, 9), [(2, a)]);
    assert_eq!(receipts.in_order(ReceiptOrder::InvoiceCreated, 0, 1), [(1, a)]);
    assert_eq!(receipts.in_order(ReceiptOrder::InvoiceUpdated, 5, 9), [(6, a)]);
    let counts = ReceiptCounts { created: 2, updated: 6, ..ReceiptCounts::default() };
    assert_eq!((receipts.counts(true), receipts.counts(false).created), (counts, 3));
}

#[test]
fn a_label_is_given_once_and_free_again_when_its_invoice_is_gone() {
    let mut receipts = three();
    let again = labelled(4, Some("a"));
    let taken = AddReceiptError::LabelTaken { label: "a".to_owned() };
    assert_eq!(receipts.check(&again), Err(taken));
    receipts.delete(&preimage(1).hash(), false).unwrap();
    let mut receipts = through_image(&receipts);
    assert_eq!(receipts.of_label("a"), None);
    assert_eq!((receipts.counts(true).deleted, receipts.counts(false).deleted), (1, 1));
    receipts.issue(&again, Timestamp(0)).unwrap();
    assert_eq!(places(&receipts, "a"), (3, 4, None), "to be deleted is a change");
}

#[test]
fn a_description_is_forgotten_once_and_is_no_other_change() {
    let mut receipts = three();
    let [hash, bare] = [1, 2].map(|number| preimage(number).hash());
    receipts.undescribe(&hash).unwrap();
    let mut receipts = through_image(&receipts);
    let invoice = receipts.facts(&hash).unwrap().invoice.unwrap();
    assert_eq!((invoice.issued.description.as_deref(), invoice.updated_index), (None, 3));
    assert!(receipts.undescribe(&hash).unwrap_err().contains("has no description"));
    assert!(receipts.undescribe(&bare).unwrap_err().contains("no invoice"));
    let shown = format!("{invoice:?}");
    assert!(shown.contains("\"a\"") && !shown.contains("lnbc"), "{shown}");
}

#[test]
fn paid_invoices_stay_longer_than_bare_receipts_and_go_in_the_order_of_payment() {
    let template = labelled(1, Some(""));
    let most = ENDED_INVOICES_MAX as u64;
    let mut receipts = open_issued(&[]);
    for number in 0..=most {
        let mut issued = template.clone();
        issued.payment_hash.0[..8].copy_from_slice(&number.to_be_bytes());
        if let Some(invoice) = &mut issued.invoice {
            Arc::make_mut(invoice).label = number.to_string();
        }
        receipts.issue(&issued, Timestamp(0)).unwrap();
        receipts.settle(&issued.payment_hash, Msat(100), Timestamp(number)).unwrap();
    }
    assert_eq!(receipts.count(), ENDED_INVOICES_MAX);
    let first = receipts.in_order(ReceiptOrder::InvoicePaid, 0, 1);
    assert_eq!((first[0].0, receipts.of_label("0")), (2, None));
    assert_eq!(receipts.counts(true).deleted, 1);
}
