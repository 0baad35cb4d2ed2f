//! What is known of our own node at the moment.

use super::Books;
use bevy_ecs::prelude::Resource;
use payecs_planner::{HintHop, LocalChannel};
use payecs_units::{BlockHeight, Blocks, Msat, NodeId, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};

/// The chain a node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Bitcoin's main network.
    Bitcoin,
    /// Testnet, versions 3 and 4.
    Testnet,
    /// Signet.
    Signet,
    /// A private chain for tests.
    Regtest,
}

impl Network {
    /// The prefix of its invoices after `ln` (BIP 173; BOLT 11): `bc`, `tb`, `tbs`, `bcrt`.
    #[must_use]
    pub fn currency(self) -> &'static str {
        match self {
            Self::Bitcoin => "bc",
            Self::Testnet => "tb",
            Self::Signet => "tbs",
            Self::Regtest => "bcrt",
        }
    }
}

/// What a node is able to do; what it isn't, the flow refuses before it claims the hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer to a question of its own")]
pub struct Capabilities {
    /// Pays invoices without an amount.
    pub amountless: bool,
    /// Holds incoming HTLCs until told.
    pub hold: bool,
    /// Sends without an invoice.
    pub keysend: bool,
    /// Sends several parts for one hash.
    pub mpp: bool,
    /// Has a signer that may veto a payment.
    pub preapprove: bool,
    /// Decodes what is not BOLT 11.
    pub decode: bool,
    /// Sending the same (hash, group, part, amount) twice is one HTLC.
    pub idempotent_parts: bool,
}

/// Our node as of its last word. Systems read it; the driver replaces it.
#[derive(Resource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Our node id.
    pub identity: NodeId,
    /// The chain.
    pub network: Network,
    /// The last block it has seen.
    pub height: BlockHeight,
    /// When it saw that block.
    pub height_at: Timestamp,
    /// Whether it has caught up with chain and gossip. Nothing is planned while it hasn't.
    pub synced: bool,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Longest expiry it gives an HTLC, in blocks (Core Lightning `max-locktime-blocks`: 2016).
    pub delay_max: Blocks,
    /// Our channels.
    pub channels: Vec<LocalChannel>,
    /// Of our channels that aren't announced: on which terms their peers forward to us. An invoice
    /// tells payers of them.
    pub ways_in: Vec<HintHop>,
}

impl NodeView {
    /// Those of our channels that are `wanted`, with no more to spend than the books have there:
    /// the node's word may be older than the parts that other payments have just taken.
    pub fn channels_in(
        &self,
        books: &Books,
        wanted: impl Fn(ShortChannelId) -> bool,
    ) -> Vec<LocalChannel> {
        let channels = self.channels.iter().filter(|channel| wanted(channel.short_channel_id));
        let booked = |channel: &LocalChannel| -> Msat {
            channel.spendable_msat.min(books.0.channel_available(channel.short_channel_id))
        };
        channels
            .map(|channel| LocalChannel { spendable_msat: booked(channel), ..channel.clone() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Notebook, node};

    #[test]
    fn no_more_can_be_spent_than_the_books_have() {
        let notebook = Notebook::default();
        let books = Books(Box::new(notebook.clone()));
        let said = node().channels[0].spendable_msat;
        for (books_have, spendable) in [(None, said), (Some(Msat(7)), Msat(7))] {
            notebook.0.lock().unwrap().channel_has = books_have;
            let channels = node().channels_in(&books, |_| true);
            assert_eq!(channels[0].spendable_msat, spendable);
        }
        let other = |channel| channel != node().channels[0].short_channel_id;
        assert!(node().channels_in(&books, other).is_empty(), "it is not wanted");
    }

    #[test]
    fn networks_have_the_prefixes_of_bolt_11_and_the_names_of_core_lightning() {
        for (network, currency, name) in [
            (Network::Bitcoin, "bc", "\"bitcoin\""),
            (Network::Testnet, "tb", "\"testnet\""),
            (Network::Signet, "tbs", "\"signet\""),
            (Network::Regtest, "bcrt", "\"regtest\""),
        ] {
            assert_eq!(network.currency(), currency);
            assert_eq!(serde_json::to_string(&network).unwrap(), name);
        }
    }
}
