//! What is counted as it is attached and detached, so that nobody has to look through the state.

use crate::life::Life;
use std::{collections::BTreeMap, sync::Arc};

/// What all Entities hold, and those of each token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    bytes: u64,
    by_token: BTreeMap<Arc<str>, Share>,
}

/// What the Entities hold that one token made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    entities: u64,
    bytes: u64,
}

impl Held {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many Entities a token made, and their bytes.
    pub(super) fn of(&self, token: &str) -> (u64, u64) {
        let share = self.by_token.get(token).copied().unwrap_or_default();
        (share.entities, share.bytes)
    }

    /// A value of an Entity has another text, or none any more.
    pub(crate) fn weigh(&mut self, life: &mut Life, before: Option<usize>, after: Option<usize>) {
        let [before, after] = [before, after].map(|bytes| bytes.unwrap_or_default() as u64);
        life.bytes = moved(life.bytes, before, after);
        self.bytes = moved(self.bytes, before, after);
        if let Some(maker) = &life.maker
            && let Some(share) = self.by_token.get_mut(maker)
        {
            share.bytes = moved(share.bytes, before, after);
        }
    }

    /// An Entity is another token's.
    pub(crate) fn give(&mut self, life: &mut Life, maker: Option<Arc<str>>) {
        if life.maker == maker {
            return;
        }
        self.leave(life);
        if let Some(maker) = &maker {
            let share = self.by_token.entry(Arc::clone(maker)).or_default();
            share.entities += 1;
            share.bytes += life.bytes;
        }
        life.maker = maker;
    }

    /// An Entity is gone.
    pub(crate) fn forget(&mut self, life: &Life) {
        self.bytes = moved(self.bytes, life.bytes, 0);
        self.leave(life);
    }

    fn leave(&mut self, life: &Life) {
        let Some(maker) = &life.maker else { return };
        let Some(share) = self.by_token.get_mut(maker) else { return };
        share.entities -= 1;
        share.bytes = moved(share.bytes, life.bytes, 0);
        if share.entities == 0 {
            self.by_token.remove(maker);
        }
    }
}

/// # Panics
/// If more is taken away than was counted.
fn moved(held: u64, before: u64, after: u64) -> u64 {
    held.checked_sub(before).expect("it was counted when it was attached") + after
}
