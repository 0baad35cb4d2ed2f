//! What callers say of channels and nodes under a name, for the plans that name it.

use super::kinds::values;
use ecs_core::ComponentSpec;
use payecs_planner::TermsChange;
use payecs_units::{ChannelDirection, Msat, NodeId, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};

/// One layer: a name, and the facts under it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Its name.
    pub layer: String,
    /// Whether it outlives a restart.
    pub persistent: bool,
    /// Nodes that no route goes through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled_nodes: Vec<NodeId>,
    /// Channels that are not announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub created_channels: Vec<CreatedChannel>,
    /// What holds for directions in place of what is announced: one entry for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_updates: Vec<ChannelUpdate>,
    /// What was found out of liquidity, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub informed: Vec<InformedChannel>,
    /// How directions are favoured: one entry for each, none of 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub biases: Vec<ChannelBias>,
    /// How all directions of nodes are favoured: the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_biases: Vec<BiasedNode>,
}

impl LayerFacts {
    /// How many facts there are under the name.
    #[must_use]
    pub fn facts_count(&self) -> usize {
        self.disabled_nodes.len()
            + self.created_channels.len()
            + self.channel_updates.len()
            + self.informed.len()
            + self.biases.len()
            + self.node_biases.len()
    }
}

/// A channel that is not announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedChannel {
    /// One end: the one of the lesser id.
    pub source: NodeId,
    /// The other end.
    pub destination: NodeId,
    /// Its id.
    pub short_channel_id: ShortChannelId,
    /// Its size.
    pub capacity_msat: Msat,
}

/// Other terms of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelUpdate {
    /// Of which one.
    pub short_channel_id_dir: ChannelDirection,
    /// What holds.
    #[serde(flatten)]
    pub terms: TermsChange,
}

/// Something that was found out of the liquidity of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformedChannel {
    /// Of which one.
    pub short_channel_id_dir: ChannelDirection,
    /// When, in seconds since 1970 UTC.
    pub timestamp: u64,
    /// What.
    #[serde(flatten)]
    pub said: Said,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It could pass this much.
    #[serde(rename = "minimum_msat")]
    Minimum(Msat),
    /// It could pass no more than this.
    #[serde(rename = "maximum_msat")]
    Maximum(Msat),
    /// It passed this much, which is at the other end now.
    #[serde(rename = "amount_msat")]
    Succeeded(Msat),
}

/// How a direction is favoured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBias {
    /// Which one.
    pub short_channel_id_dir: ChannelDirection,
    /// From −100 to 100.
    pub bias: i8,
    /// A word for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was set, in seconds since 1970 UTC.
    pub timestamp: u64,
}

/// How all directions of a node are favoured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BiasedNode {
    /// Which one.
    pub node: NodeId,
    /// Of directions that end at it, from −100 to 100.
    pub in_bias: i8,
    /// Of directions that start from it.
    pub out_bias: i8,
    /// A word for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When one of them was set, in seconds since 1970 UTC.
    pub timestamp: u64,
}

/// What somebody says is on its way over a direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// Which one.
    pub short_channel_id_dir: ChannelDirection,
    /// How much.
    pub amount_msat: Msat,
    /// The layer that it counts with alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

values! {
    /// What callers say under a name.
    NamedLayer(LayerFacts) = ComponentSpec::engine("lightningd:layer", "an object",
        "What callers say of channels and nodes under a name (`layer`), for `getroutes` that name \
         it. It stands alone on an Entity until it is removed; where it isn't `persistent`, until \
         the next restart.");
    /// What callers say is on its way.
    Reservations(Vec<Reserved>) = ComponentSpec::engine("lightningd:layer:reserved",
        "an array of objects",
        "What callers say is on its way over directions, for every `getroutes`. It stands alone on \
         an Entity while there is something, until the next restart.");
}
