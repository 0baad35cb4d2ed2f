//! Payments that ended of late, as the lines they follow from.

use crate::dossier::Dossier;
use ecs_core::Json;
use ecs_systems::port::PastEntry;
use ecs_systems::units::PaymentHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A dossier that is over, folded up.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Late {
    pub(crate) payment_hash: PaymentHash,
    /// Its idempotency keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<String>,
    /// The entry that changed it last.
    last: u64,
    /// Its entries.
    lines: Json,
}

impl fmt::Debug for Late {
    /// Without its lines: there are preimages among them.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Late");
        shown.field("payment_hash", &self.payment_hash).field("last", &self.last);
        shown.finish_non_exhaustive()
    }
}

impl Late {
    pub(crate) fn of(payment_hash: PaymentHash, dossier: &Dossier) -> Self {
        Self {
            payment_hash,
            keys: dossier.keys.keys().cloned().collect(),
            last: dossier.lines.last().map_or(0, |entry| entry.index),
            lines: Json::of(&dossier.lines),
        }
    }

    /// Its entries.
    ///
    /// # Errors
    /// They are no entries: the image they were restored from is damaged.
    pub(crate) fn lines(&self) -> Result<Vec<PastEntry>, String> {
        self.lines.decode().map_err(|error| format!("lines of {}: {error}", self.payment_hash))
    }
}

/// Folded dossiers by the time when they were folded. Those too many go, once the history has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct LateOnes {
    by_hash: BTreeMap<PaymentHash, u64>,
    by_age: BTreeMap<u64, Arc<Late>>,
    next: u64,
}

impl LateOnes {
    pub(crate) fn get(&self, hash: &PaymentHash) -> Option<&Late> {
        self.by_age.get(self.by_hash.get(hash)?).map(|late| &**late)
    }

    /// Adds one as the newest, in place of what is there of its hash.
    pub(crate) fn put(&mut self, late: Arc<Late>) {
        let hash = late.payment_hash;
        self.remove(&hash);
        self.by_hash.insert(hash, self.next);
        self.by_age.insert(self.next, late);
        self.next = self.next.saturating_add(1);
    }

    pub(crate) fn remove(&mut self, hash: &PaymentHash) -> Option<Arc<Late>> {
        self.by_age.remove(&self.by_hash.remove(hash)?)
    }

    /// Takes out the oldest where there are more than `most`, and a history that answers for the
    /// first `known` entries has all of it.
    pub(crate) fn pop_cold(&mut self, most: usize, known: u64) -> Option<Arc<Late>> {
        let (_, oldest) = self.by_age.first_key_value().filter(|_| self.by_age.len() > most)?;
        let hash = Some(oldest.payment_hash).filter(|_| oldest.last < known)?;
        self.remove(&hash)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Late>> {
        self.by_age.values()
    }
}
