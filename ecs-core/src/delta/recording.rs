//! What has changed since the last delta.

use super::Change;
use crate::EntityId;

/// So many changes a command of a payment makes.
pub(super) const CHANGES_USUAL: usize = 64;

/// What has changed and was not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(super) changes: Vec<Change>,
    /// Entities whose notes changed.
    pub(super) noted: Vec<EntityId>,
    /// Entities whose list says something else of its last match.
    pub(super) matched: Vec<EntityId>,
}

/// Each once: one that ended and began again stands there twice.
pub(super) fn in_order(mut ids: Vec<EntityId>) -> Vec<EntityId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
