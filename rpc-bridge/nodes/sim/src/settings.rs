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
#[serde(default)]
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
    /// For each message of a node but ours to its neighbour: it takes [`Faults::late_ms`] longer.
    pub late_ppm: u32,
    /// How much longer.
    pub late_ms: u64,
    /// For each failure that brings a policy along: it brings another one, as [`crate::Lie`] says.
    pub lying_update_ppm: u32,
    /// For each HTLC that a node is about to forward: the fee of the direction has just changed.
    pub reprice_ppm: u32,
    /// For each HTLC that a node is about to forward: it has just disabled the direction, for
    /// [`Faults::disabled_for`].
    pub disable_ppm: u32,
    /// How long.
    pub disabled_for: Seconds,
    /// How long gossip takes to have what the two above change.
    pub gossip_after: Seconds,
    /// For each HTLC that a node is about to forward, over a channel that is not ours: the channel
    /// was closed just now.
    pub close_ppm: u32,
    /// For each HTLC that reaches a node but ours: the node restarts, which takes
    /// [`Faults::restart_for`]. Every other time it gives back what it had in hand.
    pub restart_ppm: u32,
    /// How long.
    pub restart_for: Seconds,
    /// For each event about a part's end or an HTLC: others overtake it.
    pub reorder_event_ppm: u32,
    /// For each answer of our node to a request: it is lost, though what was asked for is done.
    pub lost_reply_ppm: u32,
    /// For each block: our node restarts.
    pub our_restart_ppm: u32,
}
