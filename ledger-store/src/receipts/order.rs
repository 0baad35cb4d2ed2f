//! The order in which receipts were issued and changed.

use ecs_systems::{port::ReceiptOrder, units::PaymentHash};
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
    /// The last places that were given.
    last: Places,
}

impl Order {
    /// One where these places are given already.
    pub(crate) fn behind(last: Places) -> Self {
        Self { last, ..Self::default() }
    }

    /// The last places that were given.
    pub(crate) fn last(&self) -> Places {
        self.last
    }

    /// Gives a receipt its first places. To be issued is a change.
    pub(crate) fn issue(&mut self, hash: PaymentHash) -> Places {
        self.last.created = self.last.created.saturating_add(1);
        self.last.updated = self.last.updated.saturating_add(1);
        self.put(hash, self.last);
        self.last
    }

    /// Gives a receipt that changes another place.
    pub(crate) fn change(&mut self, hash: PaymentHash, places: &mut Places) {
        self.updated.remove(&places.updated);
        self.last.updated = self.last.updated.saturating_add(1);
        places.updated = self.last.updated;
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
        let places = match order {
            ReceiptOrder::Created => &self.created,
            ReceiptOrder::Updated => &self.updated,
        };
        places.range(from..).map(|(place, hash)| (*place, *hash))
    }

    /// Counts a change that no receipt is left to show.
    pub(crate) fn count_change(&mut self) {
        self.last.updated = self.last.updated.saturating_add(1);
    }

    /// A receipt is gone.
    pub(crate) fn remove(&mut self, places: Places) {
        self.created.remove(&places.created);
        self.updated.remove(&places.updated);
    }
}
