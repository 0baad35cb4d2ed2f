//! What planning answers: a plan, or why there is none.

use crate::Exclusion;
use payecs_units::{Blocks, ChannelDirection, Msat, NodeId};
use serde::{Deserialize, Serialize};

/// One channel of a route, with the HTLC that crosses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The channel and which way through it.
    pub short_channel_id_dir: ChannelDirection,
    /// The node that offers the HTLC on this channel.
    pub from: NodeId,
    /// The node that the HTLC is offered to.
    pub to: NodeId,
    /// What this HTLC is worth: what `to` is given, its own fee for the next hop included.
    pub amount_msat: Msat,
    /// When this HTLC expires, in blocks after the height at which it leaves us.
    pub cltv_blocks: Blocks,
}

/// A path for one part, from the payer (the `from` of the first hop) to the payee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// In travelling order; never empty, [`HOPS_MAX`](crate::HOPS_MAX) at most.
    pub hops: Vec<Hop>,
    /// How likely the part arrives, in parts per million.
    pub probability_ppm: u32,
}

impl Route {
    /// What the payee gets: the amount of the last hop; zero where there is no hop.
    #[must_use]
    pub fn amount(&self) -> Msat {
        self.hops.last().map_or(Msat::ZERO, |hop| hop.amount_msat)
    }

    /// What leaves us: the amount of the first hop; zero where there is no hop.
    #[must_use]
    pub fn sent(&self) -> Msat {
        self.hops.first().map_or(Msat::ZERO, |hop| hop.amount_msat)
    }

    /// What the nodes between keep: [`Route::sent`] − [`Route::amount`].
    #[must_use]
    pub fn fee(&self) -> Msat {
        self.sent().saturating_sub(self.amount())
    }

    /// How long the money can be locked up: the expiry of the first hop.
    #[must_use]
    pub fn delay(&self) -> Blocks {
        self.hops.first().map_or(Blocks(0), |hop| hop.cltv_blocks)
    }
}

/// Routes that together deliver the amount asked for, within every limit of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One for each part; never empty.
    pub routes: Vec<Route>,
    /// How likely every part arrives, in parts per million; parts that share a channel are counted
    /// together on it.
    pub probability_ppm: u32,
    /// The knowledge the plan was made with: see `Knowledge::version`.
    pub knowledge_version: u64,
}

impl Plan {
    /// What the payee gets; `None` above 2⁶⁴−1 msat.
    #[must_use]
    pub fn amount(&self) -> Option<Msat> {
        Msat::sum(self.routes.iter().map(Route::amount))
    }

    /// All routing fees; `None` above 2⁶⁴−1 msat.
    #[must_use]
    pub fn fee(&self) -> Option<Msat> {
        Msat::sum(self.routes.iter().map(Route::fee))
    }
}

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPlanReason {
    /// The destination is not in the graph and no usable hint leads to it (code 216).
    Unreachable,
    /// Our own channels together cannot carry the amount (code 215).
    InsufficientFunds,
    /// The channels into the destination together cannot carry the amount (code 220).
    DestinationCapacity,
    /// What the caller excludes leaves too few channels of ours: without that they could carry the
    /// amount (code 205).
    Excluded,
    /// Between us and them no set of routes carries the amount (code 205).
    NoRoute,
    /// There are routes, but each has more hops than fit into the onion beside what its last hop is
    /// told (code 205).
    TooLong,
    /// There are routes, but above the fee budget or the delay limit (code 206).
    TooExpensive,
}

/// Which limit of a direction binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The fee budget of the request.
    FeeBudget,
    /// The delay limit of the request.
    Delay,
    /// `htlc_maximum_msat` or `htlc_minimum_msat` of the direction.
    Htlc,
    /// What was learned from earlier payments.
    Knowledge,
    /// The size of the channel, or for our own what can be spent.
    Capacity,
    /// The number of parts allowed.
    Parts,
    /// The direction is disabled or excluded.
    Excluded,
}

/// A direction that limits the payment, and what it would have to allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The direction.
    pub short_channel_id_dir: ChannelDirection,
    /// What it allows now.
    pub allows_msat: Msat,
    /// Why not more.
    pub limit: Limit,
}

/// Why there is no plan, in facts an operator can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.explain())]
pub struct NoPlan {
    /// The cause.
    pub reason: NoPlanReason,
    /// The most that could go under the same limits; `None` where nothing could.
    pub largest_msat: Option<Msat>,
    /// With [`NoPlanReason::TooExpensive`]: the fee of the cheapest routes found. Where that is
    /// enough, the delay is left as it is, else the fee, else neither.
    pub fee_needed_msat: Option<Msat>,
    /// With [`NoPlanReason::TooExpensive`]: the delay of those routes. A request with limits of at
    /// least this fee and this delay, and nothing else changed, has a plan.
    pub delay_needed_blocks: Option<Blocks>,
    /// Where only the number of parts is in the way: with so many there is a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_needed: Option<u32>,
    /// What of the request's exclusions is in the way: with only the others there is a plan. Empty
    /// where nothing is excluded, or allowing it all would not do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Exclusion>,
    /// The directions that limit, most binding first, 8 at most.
    pub cut: Vec<Binding>,
}

impl NoPlan {
    /// The cause as a sentence with its figures.
    #[must_use]
    pub fn explain(&self) -> String {
        let cause = match self.reason {
            NoPlanReason::Unreachable => {
                "the destination is not in the graph and no route hint leads to it"
            }
            NoPlanReason::InsufficientFunds => "our channels together cannot carry the amount",
            NoPlanReason::Excluded => {
                "what is excluded leaves no channels of ours that can carry the amount"
            }
            NoPlanReason::DestinationCapacity => {
                "the channels into the destination cannot carry the amount"
            }
            NoPlanReason::NoRoute => "no set of routes carries the amount",
            NoPlanReason::TooLong => {
                "the onion has no room for as many hops, with what the payee is to be told"
            }
            NoPlanReason::TooExpensive => "every route found is above the fee or delay limit",
        };
        let mut sentence = cause.to_owned();
        if let Some(fee) = self.fee_needed_msat {
            sentence.extend(["; the cheapest costs ", &fee.to_string()]);
        }
        if let Some(delay) = self.delay_needed_blocks {
            sentence.extend([" and takes up to ", &delay.to_string()]);
        }
        if let Some(parts) = self.parts_needed {
            sentence.extend(["; it could go in ", &parts.to_string(), " parts"]);
        }
        if !self.allow.is_empty() {
            sentence.push_str("; it could go through what is excluded");
        }
        if let Some(largest) = self.largest_msat {
            sentence.extend(["; ", &largest.to_string(), " could go"]);
        }
        sentence
    }
}
