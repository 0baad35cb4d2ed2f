//! Records, entries and snapshots as JSON.

use super::{Image, StoreError};
use ecs_core::{Change, Delta, EntityId, Json, Line, Snapshot};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::borrow::Cow;

/// A record of the state log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateRecord<'a> {
    /// How many entries the ledger has before it.
    pub(super) entries: u64,
    pub(super) delta: Cow<'a, Delta>,
}

/// An entry of the ledger log: the lines of one step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// When, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// The payment or set that they are written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entity: Option<EntityId>,
    pub(super) lines: Vec<Line>,
}

impl Entry {
    /// The entries that a command's changes come to, as they are stored.
    pub(super) fn all_of(delta: &Delta) -> Vec<Vec<u8>> {
        let entry = |change: &Change| match change {
            Change::Lines(entity, lines) => {
                let (at_ms, lines) = (delta.inputs.now_ms, lines.clone());
                let entry = Self { at_ms, entity: *entity, lines };
                Some(Json::of(&entry).text().as_bytes().to_vec())
            }
            Change::Component(..)
            | Change::Ended(_)
            | Change::Awaited(_)
            | Change::Over(..)
            | Change::Life(..)
            | Change::Progress(..)
            | Change::Registered(..) => None,
        };
        delta.changes.iter().filter_map(entry).collect()
    }
}

/// A snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// How many entries the ledger has at that point.
    pub(super) entries: u64,
    pub(super) engine: Snapshot,
}

/// A snapshot as text.
pub(super) fn snapshot(image: Image, entries: u64) -> Json {
    Json::of(&State { entries, engine: image.engine })
}

/// Reads what was stored.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Unreadable { what: what(), why: error.to_string() })
}
