//! A graph from a file in any of the formats that are read.

use crate::json::{self, Kind};
use crate::load::{LoadError, Progress, unpacked};
use crate::read::{End, Ignored, Loaded, read};
use payecs_planner::{Graph, GraphError};
use payecs_units::ShortChannelId;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What a file is written in. Any of them may be packed with zstd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Core Lightning's store.
    GossipStore,
    /// The JSON that Core Lightning's `listchannels` answers.
    ListChannels,
    /// The JSON that LND's `describegraph` answers.
    DescribeGraph,
}

/// Every format with its name.
const FORMATS: [(Format, &str); 3] = [
    (Format::GossipStore, "gossip_store"),
    (Format::ListChannels, "listchannels"),
    (Format::DescribeGraph, "describegraph"),
];

/// What was in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it was written in.
    pub format: Format,
    /// The channels with their policies.
    pub graph: Graph,
    /// What of the file is not in the graph: how many, by why. Nothing that counts zero.
    pub left_out: BTreeMap<&'static str, usize>,
    /// How the reading ended.
    pub end: End,
}

/// Why no graph came from a file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It can't be read, unpacked, or is no store that can be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What it begins with is of no format.
    #[error("the file is neither a gossip_store nor JSON")]
    Unknown,
    /// It is JSON of another kind.
    #[error("the JSON is no object with {expected}")]
    NoGraph {
        /// What was looked for.
        expected: &'static str,
    },
    /// It is no JSON.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// Where, counted from 1.
        line: usize,
        /// The same.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// A field is not what it has to be.
    #[error("{place}: `{field}` {what}")]
    Field {
        /// Which item, and of which channel as far as that is known.
        place: String,
        /// The field.
        field: String,
        /// What is wrong.
        what: String,
    },
    /// A channel that makes no sense beside the others.
    #[error("{place}: {error}")]
    Graph {
        /// Which item.
        place: String,
        /// What is wrong.
        error: GraphError,
    },
    /// Two items say different things of one channel.
    #[error("{place}: {what} of channel {scid} is another one than before")]
    Contradiction {
        /// The later item.
        place: String,
        /// Which channel.
        scid: ShortChannelId,
        /// What differs.
        what: &'static str,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FORMATS.iter().find(|(format, _)| format == self);
        out.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = FORMATS.iter().find(|(_, name)| *name == text);
        known.map(|(format, _)| *format).ok_or_else(|| {
            let names = FORMATS.map(|(_, name)| name).join(", ");
            format!("expected one of {names}")
        })
    }
}

/// Reads a graph from a file of a format, or of the one that its content shows. `tell` hears how
/// much is read.
///
/// # Errors
/// [`ImportError`]; it does not say which file.
pub fn import(
    path: &Path,
    format: Option<Format>,
    tell: &mut dyn FnMut(Progress),
) -> Result<Imported, ImportError> {
    let bytes = unpacked(path, tell)?;
    match format {
        Some(Format::GossipStore) => store(&bytes),
        Some(Format::ListChannels) => json::read(&bytes, Some(Kind::Channels)),
        Some(Format::DescribeGraph) => json::read(&bytes, Some(Kind::Edges)),
        None if is_json(&bytes) => json::read(&bytes, None),
        // The first byte of a store is its version; an empty file says so itself.
        None if bytes.first().is_none_or(|version| !version.is_ascii_graphic()) => store(&bytes),
        None => Err(ImportError::Unknown),
    }
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn store(bytes: &[u8]) -> Result<Imported, ImportError> {
    let Loaded { graph, ignored, end, .. } = read(bytes).map_err(LoadError::from)?;
    Ok(Imported { format: Format::GossipStore, graph, left_out: counted(&ignored), end })
}

/// The causes in words.
fn counted(ignored: &Ignored) -> BTreeMap<&'static str, usize> {
    let Ignored { deleted, closed, unusable, unannounced, outdated, other_chain, other } = *ignored;
    let all = [
        ("records marked as deleted", deleted),
        ("messages of channels closed or announced again since", closed),
        ("announcements that no channel can come from", unusable),
        ("updates of channels that are not announced", unannounced),
        ("updates with a newer one", outdated),
        ("messages of another chain", other_chain),
        ("messages that no graph needs", other),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}
