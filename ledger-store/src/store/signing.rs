//! Signed checkpoints: proof, kept elsewhere, that the ledger was not written anew since.

use super::{Store, StoreError};
use payecs_journal::{Disk, Sign, checkpoints};
use std::fmt;

/// File of the key that signs, on the disk of the store: see [`payecs_journal::SchnorrKey::open`].
pub const CHECKPOINT_KEY: &str = "ledger/key";

/// While records come, so long is between two checkpoints, in milliseconds of the engine's time.
const EVERY_MS: u64 = 60 * 60 * 1_000;

/// Who signs, and what the last checkpoint stands for.
pub(super) struct Signing {
    signer: Box<dyn Sign + Send>,
    entries: u64,
    at_ms: u64,
}

impl fmt::Debug for Signing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signer, entries, at_ms } = self;
        let key = signer.key_id();
        out.debug_struct("Signing")
            .field("key", &key)
            .field("entries", entries)
            .field("at_ms", at_ms)
            .finish()
    }
}

impl Store {
    /// Has the ledger signed from now on: an hour after the last checkpoint at the earliest, while
    /// records come, and when the store is closed. `disk` is the one that the store is on.
    ///
    /// # Errors
    /// The checkpoints there are can't be read.
    pub fn sign_with(
        &mut self,
        disk: &dyn Disk,
        signer: Box<dyn Sign + Send>,
    ) -> Result<(), StoreError> {
        let last = checkpoints(disk)?.pop();
        let entries = last.as_ref().map_or(0, |last| last.head.count);
        let at_ms = last.map_or(0, |last| last.at_seconds.saturating_mul(1_000));
        self.signing = Some(Signing { signer, entries, at_ms });
        Ok(())
    }

    /// Signs what the ledger holds where that is due.
    pub(super) fn checkpoint_if_due(&mut self) -> Result<(), StoreError> {
        let due = |it: &Signing| self.now_ms.saturating_sub(it.at_ms) >= EVERY_MS;
        if self.signing.as_ref().is_some_and(due) { self.checkpoint() } else { Ok(()) }
    }

    /// Signs what the ledger holds, unless that is signed. A full disk is no error: the ledger
    /// holds without it, and the next one vouches for more.
    pub(super) fn checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(signing) = &mut self.signing else { return Ok(()) };
        if self.ledger.head().count <= signing.entries {
            return Ok(());
        }
        signing.at_ms = self.now_ms;
        match self
            .ledger
            .checkpoint(&*signing.signer, self.now_ms / 1_000)
            .map_err(StoreError::from)
        {
            Ok(checkpoint) => signing.entries = checkpoint.head.count,
            Err(error) if error.is_full() => {
                tracing::warn!(target: "payflow::journal", %error, "no room for a checkpoint");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
