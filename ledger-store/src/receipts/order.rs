//! The order in which receipts were issued and changed.

use ecs_systems::{
    port::{ReceiptCounts, ReceiptOrder},
    units::PaymentHash,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The places of one receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    #[serde(rename = "created_index")]
    pub(crate) created: u64,
    #[serde(rename = "updated_index")]
    pub(crate) updated: u64,
}

/// The receipts by their places, which are counted from 1 on and never given again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    created: BTreeMap<u64, PaymentHash>,
    updated: BTreeMap<u64, PaymentHash>,
    /// The last places that were given, and how many are gone.
    counts: ReceiptCounts,
}

impl Order {
    /// One where so much was counted already.
    pub(crate) fn behind(counts: ReceiptCounts) -> Self {
        Self { counts, ..Self::default() }
    }

    /// The last places that were given, and how many are gone.
    pub(crate) fn counts(&self) -> ReceiptCounts {
        self.counts
    }

    /// Gives a receipt its first places. To be issued is a change.
    pub(crate) fn issue(&mut self, hash: PaymentHash) -> Places {
        self.counts.created = self.counts.created.saturating_add(1);
        self.count_change();
        let ReceiptCounts { created, updated, .. } = self.counts;
        let places = Places { created, updated };
        self.put(hash, places);
        places
    }

    /// Gives a receipt that changes another place.
    pub(crate) fn change(&mut self, hash: PaymentHash, places: &mut Places) {
        self.updated.remove(&places.updated);
        self.count_change();
        places.updated = self.counts.updated;
        self.updated.insert(places.updated, hash);
    }

    /// Puts a receipt where it was.
    pub(crate) fn put(&mut self, hash: PaymentHash, places: Places) {
        self.created.insert(places.created, hash);
        self.updated.insert(places.updated, hash);
    }

    /// The receipts from that place on, in order.
    pub(crate) fn from(
        &self,
        order: ReceiptOrder,
        from: u64,
    ) -> impl Iterator<Item = (u64, PaymentHash)> {
        self.places(order).range(from..).map(|(place, hash)| (*place, *hash))
    }

    /// All of them in that order; those of payments are elsewhere.
    pub(crate) fn places(&self, order: ReceiptOrder) -> &BTreeMap<u64, PaymentHash> {
        match order {
            ReceiptOrder::Created | ReceiptOrder::InvoiceCreated => &self.created,
            ReceiptOrder::Updated | ReceiptOrder::InvoiceUpdated | ReceiptOrder::InvoicePaid => {
                &self.updated
            }
        }
    }

    /// Counts a change that no receipt is left to show.
    pub(crate) fn count_change(&mut self) {
        self.counts.updated = self.counts.updated.saturating_add(1);
    }

    /// A receipt is gone.
    pub(crate) fn remove(&mut self, places: Places) {
        self.counts.deleted = self.counts.deleted.saturating_add(1);
        self.created.remove(&places.created);
        self.updated.remove(&places.updated);
    }
}
