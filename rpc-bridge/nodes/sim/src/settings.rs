//! What every simulated network is told about time, chain, signer and faults.

use ecs_systems::{
    port::Network,
    units::{BlockHeight, Blocks, Msat, Seconds},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules of the world, the same for generated and for hand-made networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The chain: decides the currency of invoices. Default: regtest.
    pub network: Network,
    /// Mean time of one message from a node to its neighbour; each draw lies between half of it
    /// and three halves. Default: 100 ms.
    pub latency_ms: u64,
    /// How long our node takes to tell us something. Default: 0, so that it is there at once.
    pub answer_ms: u64,
    /// The height of the chain when the clock is first read. Default: 800 000.
    pub height: BlockHeight,
    /// Time between blocks; zero for a chain that stands still. Default: 600 s.
    pub block_interval: Seconds,
    /// How long a payee waits for the other parts of a set. Default: 60 s (BOLT 4).
    pub mpp_timeout: Seconds,
    /// Longest expiry that any node accepts, in blocks. Default: 2016.
    pub delay_max: Blocks,
    /// Blocks that an outgoing HTLC must have left, or `expiry_too_soon`. Default: 2.
    pub expiry_margin: Blocks,
    /// HTLCs below this have no output of their own. Default: 546 sat.
    pub dust_limit_msat: Msat,
    /// Most that one channel may have in such HTLCs. Default: 500 000 sat.
    pub dust_exposure_max_msat: Msat,
    /// The signer of our node. Default: none.
    pub signer: Signer,
    /// What our node decodes besides BOLT 11, as text and the JSON it answers. Empty (the default):
    /// it cannot decode at all.
    pub decodes: BTreeMap<String, String>,
    /// What goes wrong by chance. Default: nothing.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            network: Network::Regtest,
            latency_ms: 100,
            answer_ms: 0,
            height: BlockHeight(800_000),
            block_interval: Seconds(600),
            mpp_timeout: Seconds(60),
            delay_max: Blocks(2_016),
            expiry_margin: Blocks(2),
            dust_limit_msat: Msat(546_000),
            dust_exposure_max_msat: Msat(500_000_000),
            signer: Signer::None,
            decodes: BTreeMap::new(),
            faults: Faults::default(),
        }
    }
}

/// Who is asked before our node pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signer {
    /// Nobody: the node has no such call.
    #[default]
    None,
    /// One that approves of amounts up to this.
    UpTo(Msat),
}

/// What goes wrong by chance, each with its probability in parts per million. All zero by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// For each node that forwards: `temporary_node_failure`.
    pub temporary_node_failure_ppm: u32,
    /// For each node but ours that an HTLC reaches: it keeps the HTLC for [`Faults::stuck_for`].
    pub stuck_ppm: u32,
    /// How long.
    pub stuck_for: Seconds,
    /// For each part that becomes final: nobody says so until the part is asked for, or until our
    /// node restarts.
    pub lost_outcome_ppm: u32,
    /// For each event about a part or an HTLC: it comes twice.
    pub duplicate_event_ppm: u32,
    /// For each failure on its way back: it arrives unreadable.
    pub unreadable_ppm: u32,
    /// For each announced direction, when the network is made: the node asks for more than it
    /// announced.
    pub stale_gossip_ppm: u32,
    /// For each node but us, when the network is made: it is offline.
    pub offline_ppm: u32,
}
