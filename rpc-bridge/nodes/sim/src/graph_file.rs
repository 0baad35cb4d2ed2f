//! The graph that a network on a disk was made over: kept once, in a file beside its logs.

use crate::open::OpenError;
use ecs_systems::units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use payecs_journal::{Disk, DiskError, Open};
use payecs_planner::{Graph, GraphBuilder, Policy};
use sha2::{Digest, Sha256};

/// Where it is.
const DIR: &str = "graph";
/// The file in there.
const FILE: &str = "graph/made-over";
/// What the file begins with.
const MAGIC: &[u8; 8] = b"payecsG1";
/// Bytes written at once.
const PIECE_BYTES: usize = 1 << 20;
/// Bits of a policy's flags.
const KNOWN: u8 = 1;
const ENABLED: u8 = 2;

/// SHA256 of a graph as it is kept, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A graph as bytes, the same for the same graph: the nodes, then each channel with its policies;
/// numbers in little endian.
pub(crate) fn encode(graph: &Graph) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let count = |count: usize| u32::try_from(count).expect("a graph counts in 32 bits");
    out.extend(count(graph.nodes_count()).to_le_bytes());
    graph.nodes().iter().for_each(|node| out.extend(node.0));
    out.extend(count(graph.channels_count()).to_le_bytes());
    let place = |node: NodeId| graph.nodes().binary_search(&node).expect("an end is a node");
    for channel in graph.channels() {
        let scid = channel.short_channel_id;
        out.extend(scid.0.to_le_bytes());
        for node in [channel.node_a, channel.node_b] {
            out.extend(count(place(node)).to_le_bytes());
        }
        out.extend(channel.capacity.0.to_le_bytes());
        for direction in [Direction::Zero, Direction::One] {
            encode_policy(&mut out, graph.policy(ChannelDirection { scid, direction }));
        }
    }
    out
}

fn encode_policy(out: &mut Vec<u8>, policy: Option<&Policy>) {
    let Some(policy) = policy else { return out.push(0) };
    out.push(KNOWN | if policy.enabled { ENABLED } else { 0 });
    out.extend(policy.fee_base_msat.0.to_le_bytes());
    out.extend(policy.fee_rate.0.to_le_bytes());
    out.extend(policy.cltv_delta.0.to_le_bytes());
    out.extend(policy.htlc_minimum_msat.0.to_le_bytes());
    out.extend(policy.htlc_maximum_msat.0.to_le_bytes());
}

/// The graph of these bytes; `None` if they are not one.
fn decode(bytes: &[u8]) -> Option<Graph> {
    let mut bytes = Bytes(bytes.strip_prefix(MAGIC)?);
    let mut nodes = Vec::new();
    for _ in 0..bytes.u32()? {
        nodes.push(NodeId(bytes.take()?));
    }
    let mut graph = GraphBuilder::new();
    for _ in 0..bytes.u32()? {
        let scid = ShortChannelId(bytes.u64()?);
        let mut node = || nodes.get(usize::try_from(bytes.u32()?).ok()?).copied();
        let (a, b) = (node()?, node()?);
        graph.add_channel(scid, a, b, Msat(bytes.u64()?)).ok()?;
        for direction in [Direction::Zero, Direction::One] {
            let [flags] = bytes.take()?;
            if flags & KNOWN != 0 {
                let policy = bytes.policy(flags)?;
                graph.set_policy(ChannelDirection { scid, direction }, policy).ok()?;
            }
        }
    }
    bytes.0.is_empty().then(|| graph.build())
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn policy(&mut self, flags: u8) -> Option<Policy> {
        Some(Policy {
            enabled: flags & ENABLED != 0,
            fee_base_msat: Msat(self.u64()?),
            fee_rate: Ppm(self.u32()?),
            cltv_delta: Blocks(self.u32()?),
            htlc_minimum_msat: Msat(self.u64()?),
            htlc_maximum_msat: Msat(self.u64()?),
        })
    }
}

/// Keeps a graph, in place of one that a crash has left before a log named it.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn keep(disk: &dyn Disk, bytes: &[u8]) -> Result<(), OpenError> {
    keep_bytes(disk, bytes).map_err(|error| OpenError::Journal(error.into()))
}

fn keep_bytes(disk: &dyn Disk, bytes: &[u8]) -> Result<(), DiskError> {
    disk.make_dir(DIR)?;
    for left in disk.list(DIR)? {
        disk.remove(&format!("{DIR}/{left}"))?;
    }
    let mut file = disk.open(FILE, Open::New)?;
    let mut offset = 0;
    for piece in bytes.chunks(PIECE_BYTES) {
        file.write_at(offset, piece)?;
        offset += piece.len() as u64;
    }
    file.sync()?;
    disk.sync_dir(DIR)
}

/// The graph that was kept.
///
/// # Errors
/// [`OpenError::Unreadable`] if it is not the one with that digest; when the disk refuses.
pub(crate) fn read(disk: &dyn Disk, expected: &str) -> Result<Graph, OpenError> {
    let bytes = read_bytes(disk).map_err(|error| OpenError::Journal(error.into()))?;
    let found = (digest(&bytes) == expected).then(|| decode(&bytes)).flatten();
    found.ok_or_else(|| OpenError::Unreadable {
        what: FILE.to_owned(),
        why: "it is not the graph that the network was made over".to_owned(),
    })
}

fn read_bytes(disk: &dyn Disk) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(FILE, Open::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len_bytes()?).unwrap_or(usize::MAX)];
    let mut at = 0;
    while at < bytes.len() {
        let read = file.read_at(at as u64, &mut bytes[at..])?;
        if read == 0 {
            bytes.truncate(at);
        }
        at += read;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use payecs_journal::MemoryDisk;
    use payecs_planner::{GraphShape, generate};

    fn graph() -> Graph {
        let graph = generate(&GraphShape { nodes: 40, ..GraphShape::default() });
        let mut builder = graph.to_builder();
        let (scid, a, b) = (ShortChannelId(u64::MAX), NodeId([2; 33]), NodeId([3; 33]));
        builder.add_channel(scid, a, b, Msat(7)).unwrap();
        builder.build()
    }

    #[test]
    fn a_graph_is_read_back_as_it_was_with_what_nobody_announced() {
        let (disk, bytes) = (MemoryDisk::new(), encode(&graph()));
        keep(&disk, b"left by a crash").unwrap();
        keep(&disk, &bytes).unwrap();
        disk.power_loss(1);
        assert_eq!(read(&disk, &digest(&bytes)).unwrap(), graph());
        let other = read(&disk, &digest(b"another"));
        assert!(matches!(other, Err(OpenError::Unreadable { .. })));
    }

    #[test]
    fn no_other_bytes_are_a_graph() {
        let bytes = encode(&graph());
        for cut in [0, 3, 8, 12, 40, bytes.len() - 1] {
            assert_eq!(decode(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(decode(&[bytes.as_slice(), &[0]].concat()), None);
    }
}
