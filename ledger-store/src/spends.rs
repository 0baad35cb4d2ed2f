//! What was spent lately, for the limits.

use crate::limit::Spend;
use ecs_systems::units::{Seconds, Timestamp};
use std::sync::Arc;

/// Longest window of a limit: spends are kept that long. A limit with a longer one is refused.
pub const LIMIT_WINDOW_MAX: Seconds = Seconds(31 * 86_400);

/// How many spends stay or go together.
const PER_CHUNK: usize = 256;

/// Spends in the order in which they were booked. Full chunks are shared between clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spends {
    full: Vec<Arc<Chunk>>,
    filling: Vec<Spend>,
}

#[derive(Debug)]
struct Chunk {
    spends: Vec<Spend>,
    /// When the last of them happened.
    last: Timestamp,
}

impl Spends {
    /// Adds one.
    pub(crate) fn add(&mut self, spend: Spend) {
        self.filling.push(spend);
        if self.filling.len() == PER_CHUNK {
            let spends = std::mem::take(&mut self.filling);
            let last = spends.iter().map(|spend| spend.at).max().unwrap_or_default();
            self.full.push(Arc::new(Chunk { spends, last }));
        }
    }

    /// Lets go of what no window that ends at `now` or later holds.
    pub(crate) fn prune(&mut self, now: Timestamp) {
        self.full.retain(|chunk| chunk.last.after(LIMIT_WINDOW_MAX) > now);
    }

    /// Those at `since` or later.
    pub(crate) fn since(&self, since: Timestamp) -> impl Iterator<Item = &Spend> {
        let full = self.full.iter().filter(move |chunk| chunk.last >= since);
        let all = full.flat_map(|chunk| &chunk.spends).chain(&self.filling);
        all.filter(move |spend| spend.at >= since)
    }
}
