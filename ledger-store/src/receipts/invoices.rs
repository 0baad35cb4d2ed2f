//! The receipts that have an invoice: found by label, counted apart, and in the order of payment.

use super::order::{Order, Places};
use crate::sorted::Sorted;
use ecs_systems::port::{InvoiceFacts, IssuedInvoice, ReceiptCounts, ReceiptOrder};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The places of one invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvoicePlaces {
    #[serde(flatten)]
    pub(super) places: Places,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pay_index: Option<u64>,
}

impl InvoicePlaces {
    pub(super) fn facts(&self, issued: &Arc<IssuedInvoice>) -> InvoiceFacts {
        InvoiceFacts {
            issued: Arc::clone(issued),
            created_index: self.places.created,
            updated_index: self.places.updated,
            pay_index: self.pay_index,
        }
    }
}

/// What was counted of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    #[serde(flatten)]
    counts: ReceiptCounts,
    pay_index: u64,
}

/// All that are here, by the places that their receipts have on the shelf.
#[derive(Clone, Debug, Default)]
pub(super) struct Invoices {
    labels: BTreeMap<String, u64>,
    created: Sorted<(u64, u64)>,
    order: Order,
    /// Those that were paid.
    paid: Sorted<(u64, u64)>,
    /// The last index of a payment that was given.
    last_paid: u64,
}

impl Invoices {
    /// None are here, and so much was counted already.
    pub(super) fn behind(counted: Counted) -> Self {
        let order = Order::behind(counted.counts);
        Self { order, last_paid: counted.pay_index, ..Self::default() }
    }

    pub(super) fn counted(&self) -> Counted {
        Counted { counts: self.order.counts(), pay_index: self.last_paid }
    }

    pub(super) fn counts(&self) -> ReceiptCounts {
        self.order.counts()
    }

    pub(super) fn of_label(&self, label: &str) -> Option<u64> {
        self.labels.get(label).copied()
    }

    /// A new one.
    pub(super) fn issue(&mut self, on_shelf: u64, issued: &IssuedInvoice) -> InvoicePlaces {
        let given = InvoicePlaces { places: self.order.next(), pay_index: None };
        self.put(on_shelf, issued, given);
        given
    }

    /// One that was here before.
    pub(super) fn put(&mut self, on_shelf: u64, issued: &IssuedInvoice, given: InvoicePlaces) {
        self.created.insert((given.places.created, on_shelf));
        self.order.put(on_shelf, given.places);
        self.labels.insert(issued.label.clone(), on_shelf);
        if let Some(index) = given.pay_index {
            self.paid.insert((index, on_shelf));
        }
    }

    /// It has changed; where it is paid now, it gets the next index of a payment.
    pub(super) fn change(&mut self, on_shelf: u64, given: &mut InvoicePlaces, is_paid: bool) {
        self.order.change(on_shelf, &mut given.places);
        if is_paid && given.pay_index.is_none() {
            self.last_paid = self.last_paid.saturating_add(1);
            given.pay_index = Some(self.last_paid);
            self.paid.insert((self.last_paid, on_shelf));
        }
    }

    /// It is gone, and its label free.
    pub(super) fn remove(&mut self, on_shelf: u64, issued: &IssuedInvoice, given: &InvoicePlaces) {
        self.created.remove((given.places.created, on_shelf));
        self.order.remove(on_shelf, given.places);
        self.order.count_change();
        self.labels.remove(&issued.label);
        if let Some(index) = given.pay_index {
            self.paid.remove((index, on_shelf));
        }
    }

    /// Counts one that was cleaned away by age.
    pub(super) fn count_cleaned(&mut self, is_paid: bool) {
        self.order.count_cleaned(is_paid);
    }

    /// At most so many from that place on, in order; those of receipts are elsewhere.
    pub(super) fn from(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, u64)> {
        let of = |places: &Sorted<(u64, u64)>| places.from((from, 0)).take(most).copied().collect();
        match order {
            ReceiptOrder::InvoicePaid => of(&self.paid),
            ReceiptOrder::Created | ReceiptOrder::InvoiceCreated => of(&self.created),
            ReceiptOrder::Updated | ReceiptOrder::InvoiceUpdated => {
                self.order.from(from).take(most).collect()
            }
        }
    }
}
