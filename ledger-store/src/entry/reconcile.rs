//! What is booked after a backup was restored.

use super::{Writer, posted};
use crate::chart::Account;
use crate::journal::{Transfer, broken};
use ecs_systems::port::LedgerError;
use ecs_systems::units::{Msat, ShortChannelId};

impl Writer<'_> {
    /// `assets:channel:<id>` ← `equity:reconciled`, or the other way round.
    pub(super) fn adjust(
        &mut self,
        channel: ShortChannelId,
        amount: Msat,
        more: bool,
    ) -> Result<(), LedgerError> {
        if !self.state.is_none_or(|state| state.openings.contains_key(&channel)) {
            return Err(broken(format!("channel {channel} was never opened")));
        }
        let (ours, equity) = (Account::Channel(channel), Account::EquityReconciled);
        let (debit, credit) = if more { (ours, equity) } else { (equity, ours) };
        let adjust = posted("adjust", debit, credit, amount);
        self.batch.transfer(&Transfer { number: self.batch.number(), ..adjust })?;
        Ok(())
    }
}
