//! Records, entries and snapshots as JSON.

use super::{Image, StoreError};
use ecs_core::{Change, Delta, EntityId, Json, Line, Snapshot};
use ecs_systems::{
    port::{LedgerEntry, PastEntry},
    units::Timestamp,
};
use payecs_journal::LedgerMark;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, io};

/// A record of the state log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateRecord<'a> {
    /// How many entries the ledger has before it.
    pub(super) entries: u64,
    pub(super) delta: Cow<'a, Delta>,
}

/// An entry of the ledger log: the lines of one step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry<'a> {
    /// When, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// The payment or set that they are written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entity: Option<EntityId>,
    pub(super) lines: Cow<'a, [Line]>,
}

impl Entry<'_> {
    /// The entries that a command's changes come to, as they are stored.
    pub(super) fn all_of(delta: &Delta) -> Vec<Vec<u8>> {
        let entry = |change: &Change| match change {
            Change::Lines(entity, lines) => {
                let (at_ms, lines) = (delta.inputs.now_ms, Cow::Borrowed(lines.as_slice()));
                let entry = Entry { at_ms, entity: *entity, lines };
                Some(serde_json::to_vec(&entry).expect("our lines have string keys"))
            }
            Change::Component(..)
            | Change::Value(..)
            | Change::Shared(..)
            | Change::Ended(_)
            | Change::Awaited(_)
            | Change::Over(..)
            | Change::Life(..)
            | Change::Given(..)
            | Change::Progress(..)
            | Change::Registered(..)
            | Change::Unregistered(..)
            | Change::Listed(_)
            | Change::Noted(..)
            | Change::Beside(..) => None,
        };
        delta.changes.iter().filter_map(entry).collect()
    }
}

/// The shape of snapshots that this program writes.
const SNAPSHOT_VERSION: u64 = 4;
/// The oldest that it reads: it has no receipts, and shares no values.
const SNAPSHOT_VERSION_MIN: u64 = 2;

/// A snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    /// How many entries the ledger has at that point.
    pub(super) entries: u64,
    /// What the ledger has durably at that point, as text.
    #[serde(default)]
    mark: Option<String>,
    pub(super) engine: Snapshot,
    /// What the books are restored from; `None`: the engine had none.
    pub(super) books: Option<Json>,
    /// What the receipts are restored from; absent: the engine had none.
    #[serde(default)]
    pub(super) receipts: Option<Json>,
    /// What the planner had learned, which may be lost; absent: nothing.
    #[serde(default)]
    pub(super) knowledge: Option<Json>,
}

impl State {
    /// The ledger's mark, where there is one of this moment in words that this program reads.
    pub(super) fn mark(&self) -> Option<LedgerMark> {
        let mark: LedgerMark = self.mark.as_ref()?.parse().ok()?;
        (mark.head.count == self.entries).then_some(mark)
    }
}

/// What is read of a snapshot first. One without it is of the first version.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    version: Option<u64>,
}

/// Writes a snapshot as text: its version and a [`State`]. Receipts, of which there may be many,
/// are written one by one.
///
/// # Errors
/// What `to` refuses.
pub(super) fn write_snapshot(
    mut to: impl io::Write,
    image: Image,
    entries: u64,
    mark: LedgerMark,
) -> io::Result<()> {
    let Image { engine, books, receipts, knowledge } = image;
    write!(to, r#"{{"version":{SNAPSHOT_VERSION},"entries":{entries},"mark":"{mark}""#)?;
    to.write_all(br#","engine":"#)?;
    serde_json::to_writer(&mut to, &engine.snapshot())?;
    to.write_all(br#","books":"#)?;
    serde_json::to_writer(&mut to, &books.map(|books| books.json()))?;
    for (name, part) in [("receipts", receipts), ("knowledge", knowledge)] {
        if let Some(part) = part {
            write!(to, r#","{name}":"#)?;
            part.write(&mut to)?;
        }
    }
    to.write_all(b"}")
}

/// Reads a snapshot.
pub(super) fn read_snapshot(bytes: &[u8]) -> Result<State, StoreError> {
    let what = || "the snapshot".to_owned();
    let version = read::<Version>(bytes, what)?.version.unwrap_or(1);
    if !(SNAPSHOT_VERSION_MIN..=SNAPSHOT_VERSION).contains(&version) {
        let why = format!("its version is {version}, this program reads {SNAPSHOT_VERSION}");
        return Err(StoreError::Unreadable { what: what(), why });
    }
    read(bytes, what)
}

/// The image of the books in a snapshot, for [`audit`](crate::audit), and how many entries the
/// ledger had then.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub fn read_books(snapshot: &[u8]) -> Result<(u64, Option<Json>), StoreError> {
    read_snapshot(snapshot).map(|state| (state.entries, state.books))
}

/// Reads an entry of the ledger log, as [`super::Store`] wrote it. Its lines are those for the
/// books.
///
/// # Errors
/// [`StoreError::Unreadable`], with its index.
pub fn read_entry(index: u64, payload: &[u8]) -> Result<PastEntry, StoreError> {
    let what = || format!("entry {index} of the ledger");
    let Entry { at_ms, entity, lines } = read(payload, what)?;
    let lines = lines.iter().filter(|line| line.system.starts_with("ledger:"));
    let lines: Result<Vec<LedgerEntry>, _> = lines.map(|line| line.body.decode()).collect();
    let lines =
        lines.map_err(|error| StoreError::Unreadable { what: what(), why: error.to_string() })?;
    Ok(PastEntry { index, at: Timestamp(at_ms), entity, lines })
}

/// Reads what was stored.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StoreError::Unreadable { what: what(), why: error.to_string() })
}
