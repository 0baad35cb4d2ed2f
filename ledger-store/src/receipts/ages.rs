//! What is over, by when it ended, and how it is cleaned away.

use super::{
    MemoryReceipts,
    made::{Held, Outcome},
};
use ecs_systems::{
    port::{Over, OverKind, Receipts as _},
    units::{PaymentHash, Timestamp},
};

/// How a receipt is over: with an invoice or without, paid or not.
#[derive(Clone, Copy)]
struct How {
    has_invoice: bool,
    is_paid: bool,
}

impl How {
    fn of(held: &Held) -> Self {
        let is_paid = matches!(held.outcome, Outcome::Paid { .. });
        Self { has_invoice: held.made.invoice().is_some(), is_paid }
    }
}

impl MemoryReceipts {
    /// The receipts that are over, of all lines, oldest first. Each line is looked at only as far
    /// as it is told.
    pub(super) fn over_from(
        &self,
        after: Option<(Timestamp, u64)>,
        until: Timestamp,
    ) -> impl Iterator<Item = Over> + '_ {
        let after = after.map(|(at, place)| (at.0, place));
        let lines = [&self.unpaid, &self.expired, &self.ended, &self.ended_invoices];
        let mut lines = lines.map(|line| {
            let from = line.from(after.unwrap_or_default()).copied();
            from.skip_while(move |place| after == Some(*place)).peekable()
        });
        let merged = std::iter::from_fn(move || {
            let firsts = lines.iter_mut().filter_map(|line| Some((*line.peek()?, line)));
            let (place, line) = firsts.min_by_key(|(place, _)| *place)?;
            line.next();
            Some(place)
        });
        let told = merged.take_while(move |(at_ms, _)| *at_ms <= until.0);
        told.filter_map(|(at_ms, created_index)| {
            let held = self.shelf.at(created_index)?;
            let How { has_invoice, is_paid } = How::of(held);
            let (at, kind) = (Timestamp(at_ms), OverKind::of(has_invoice, is_paid));
            Some(Over { at, created_index, payment_hash: held.made.hash, kind })
        })
    }

    /// Takes a receipt away, and counts that it was cleaned away.
    pub(super) fn clean_away(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        let held = self.shelf.get(payment_hash);
        let how = held.map(|held| How::of(held));
        let how = how.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        self.delete(payment_hash, false)?;
        self.order.count_cleaned(how.is_paid);
        if how.has_invoice {
            self.invoices.count_cleaned(how.is_paid);
        }
        Ok(())
    }
}
