//! How far the ends of payments, and the receipts that are paid, have come.

use bevy_ecs::prelude::Resource;

/// Up to which entry of the ledger payments may have ended or receipts been paid, counted from 1.
/// It is not part of the state: an engine that starts takes every entry of before for such a one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Resource)]
pub struct Ends(Option<u64>);

impl Ends {
    /// Takes the next entry, behind so many others.
    pub(crate) fn note(&mut self, before: u64, is_end: bool) {
        if is_end {
            self.0 = Some(before.saturating_add(1));
        } else {
            self.0.get_or_insert(before);
        }
    }

    /// The number of the last entry that may have, of a ledger of so many.
    #[must_use]
    pub fn cursor(self, entries: u64) -> u64 {
        self.0.unwrap_or(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_behind_the_cursor_ends_a_payment() {
        let mut ends = Ends::default();
        assert_eq!(ends.cursor(7), 7, "what was written before the start is not known");
        ends.note(7, false);
        assert_eq!(ends.cursor(8), 7);
        ends.note(8, true);
        ends.note(9, false);
        assert_eq!(ends.cursor(10), 9);
    }
}
