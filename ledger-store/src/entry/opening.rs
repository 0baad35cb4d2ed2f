//! A channel is ours: it comes from equity.

use super::{Writer, posted};
use crate::chart::Account;
use crate::journal::Transfer;
use ecs_systems::port::LedgerError;
use ecs_systems::units::{Msat, ShortChannelId};

impl Writer<'_> {
    /// `assets:channel:<id>` ← `equity:opening`; a channel opens once. Nothing in it: no posting.
    pub(super) fn opening(
        &mut self,
        channel: ShortChannelId,
        amount: Msat,
    ) -> Result<(), LedgerError> {
        if amount > Msat::ZERO {
            let opening =
                posted("opening", Account::Channel(channel), Account::EquityOpening, amount);
            self.batch.transfer(&Transfer { number: channel.0, ..opening })?;
        }
        Ok(())
    }
}
