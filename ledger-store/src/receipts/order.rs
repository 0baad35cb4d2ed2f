//! The order in which receipts were issued and changed.

use crate::sorted::Sorted;
use ecs_systems::port::ReceiptCounts;
use serde::{Deserialize, Serialize};

/// The places of one receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    #[serde(rename = "created_index")]
    pub(crate) created: u64,
    #[serde(rename = "updated_index")]
    pub(crate) updated: u64,
}

/// The receipts by their last change. Places are counted from 1 on and never given again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// [`Places::updated`] of each, and its place on the shelf.
    updated: Sorted<(u64, u64)>,
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

    /// The places of a receipt that is issued now: that is a change too.
    pub(crate) fn next(&mut self) -> Places {
        self.counts.created = self.counts.created.saturating_add(1);
        self.count_change();
        let ReceiptCounts { created, updated, .. } = self.counts;
        Places { created, updated }
    }

    /// Gives a receipt that changes another place.
    pub(crate) fn change(&mut self, on_shelf: u64, places: &mut Places) {
        self.updated.remove((places.updated, on_shelf));
        self.count_change();
        places.updated = self.counts.updated;
        self.updated.insert((places.updated, on_shelf));
    }

    /// Puts a receipt where it is.
    pub(crate) fn put(&mut self, on_shelf: u64, places: Places) {
        self.updated.insert((places.updated, on_shelf));
    }

    /// The receipts from that change on, in order, by their places on the shelf.
    pub(crate) fn from(&self, from: u64) -> impl Iterator<Item = (u64, u64)> {
        self.updated.from((from, 0)).copied()
    }

    /// Counts a change that no receipt is left to show.
    pub(crate) fn count_change(&mut self) {
        self.counts.updated = self.counts.updated.saturating_add(1);
    }

    /// Counts one that was cleaned away by age.
    pub(crate) fn count_cleaned(&mut self, is_paid: bool) {
        let ReceiptCounts { cleaned_paid, cleaned_expired, .. } = &mut self.counts;
        let count = if is_paid { cleaned_paid } else { cleaned_expired };
        *count = count.saturating_add(1);
    }

    /// A receipt is gone.
    pub(crate) fn remove(&mut self, on_shelf: u64, places: Places) {
        self.counts.deleted = self.counts.deleted.saturating_add(1);
        self.updated.remove((places.updated, on_shelf));
    }
}
