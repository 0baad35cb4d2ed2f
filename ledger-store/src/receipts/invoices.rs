//! The receipts that have an invoice: found by label, counted apart, and in the order of payment.

use super::order::{Order, Places};
use ecs_systems::{
    port::{InvoiceFacts, IssuedInvoice, ReceiptCounts, ReceiptOrder},
    units::PaymentHash,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The places of one invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InvoicePlaces {
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

/// All that are here.
#[derive(Clone, Debug, Default)]
pub(super) struct Invoices {
    labels: BTreeMap<String, PaymentHash>,
    order: Order,
    /// Those that were paid.
    paid: BTreeMap<u64, PaymentHash>,
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

    pub(super) fn of_label(&self, label: &str) -> Option<PaymentHash> {
        self.labels.get(label).copied()
    }

    /// A new one.
    pub(super) fn issue(&mut self, hash: PaymentHash, issued: &IssuedInvoice) -> InvoicePlaces {
        let given = InvoicePlaces { places: self.order.issue(hash), pay_index: None };
        self.labels.insert(issued.label.clone(), hash);
        given
    }

    /// One that was here before.
    pub(super) fn put(&mut self, hash: PaymentHash, issued: &IssuedInvoice, given: InvoicePlaces) {
        self.order.put(hash, given.places);
        self.labels.insert(issued.label.clone(), hash);
        self.paid.extend(given.pay_index.map(|index| (index, hash)));
    }

    /// It has changed; where it is paid now, it gets the next index of a payment.
    pub(super) fn change(&mut self, hash: PaymentHash, given: &mut InvoicePlaces, is_paid: bool) {
        self.order.change(hash, &mut given.places);
        if is_paid && given.pay_index.is_none() {
            self.last_paid = self.last_paid.saturating_add(1);
            given.pay_index = Some(self.last_paid);
            self.paid.insert(self.last_paid, hash);
        }
    }

    /// It is gone, and its label free.
    pub(super) fn remove(&mut self, issued: &IssuedInvoice, given: &InvoicePlaces) {
        self.order.remove(given.places);
        self.order.count_change();
        self.labels.remove(&issued.label);
        if let Some(index) = given.pay_index {
            self.paid.remove(&index);
        }
    }

    /// Those from that place on, in order.
    pub(super) fn from(
        &self,
        order: ReceiptOrder,
        from: u64,
    ) -> impl Iterator<Item = (u64, PaymentHash)> {
        let places = match order {
            ReceiptOrder::InvoicePaid => &self.paid,
            ReceiptOrder::Created
            | ReceiptOrder::InvoiceCreated
            | ReceiptOrder::Updated
            | ReceiptOrder::InvoiceUpdated => self.order.places(order),
        };
        places.range(from..).map(|(place, hash)| (*place, *hash))
    }
}
