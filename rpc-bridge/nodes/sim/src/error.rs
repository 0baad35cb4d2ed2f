//! What can be wrong with a network, or with what it is asked to do.

use ecs_systems::units::{Msat, NodeId, ShortChannelId};
use payecs_planner::GraphError;

/// A network that cannot be built, or a wish it cannot fulfil. No money has moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// Too few or too many nodes.
    #[error("a simulated network has {min} to {max} nodes, not {count}")]
    NodeCount {
        /// How many were asked for.
        count: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Two nodes of the same name.
    #[error("there are two nodes named {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// No node of that name.
    #[error("there is no node named {name}")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// No node of that id.
    #[error("there is no node {node}")]
    UnknownNode {
        /// The id.
        node: NodeId,
    },
    /// No channel of that id, or none that is open.
    #[error("there is no channel {scid}")]
    UnknownChannel {
        /// The id.
        scid: ShortChannelId,
    },
    /// A setting for a channel came before any channel.
    #[error("no channel was added yet that could be changed")]
    NoChannelYet,
    /// Nobody was said to be us.
    #[error("no node was named as ours")]
    NobodyIsUs,
    /// A balance that does not fit into its channel.
    #[error("a balance of {balance} does not fit into a channel of {capacity}")]
    BalanceAboveCapacity {
        /// The balance.
        balance: Msat,
        /// The size of the channel.
        capacity: Msat,
    },
    /// The channels do not make a graph.
    #[error("the channels do not make a graph: {0}")]
    Graph(#[from] GraphError),
    /// An invoice could not be made or read.
    #[error("no invoice: {message}")]
    Invoice {
        /// What is wrong with it.
        message: String,
    },
    /// Our own node's invoices are made by asking it to sign, not by the network.
    #[error("the network makes no invoices and no faults for our own node")]
    OurOwnNode,
    /// The network is kept on a disk, and its log has failed: see `SimNetwork::failure`. Nothing
    /// was done that anybody will hear of.
    #[error("the network's log has failed: {message}")]
    Log {
        /// What the log says.
        message: String,
    },
    /// No way through the network as it is now.
    #[error("no route of {amount} from {from} to {to}")]
    NoRoute {
        /// Where it begins.
        from: NodeId,
        /// Where it ends.
        to: NodeId,
        /// What was to arrive.
        amount: Msat,
    },
}
