//! What payments set aside.

use super::Claim;
use payecs_units::{Msat, PartId, Seconds, ShortChannelId};
use serde::{Deserialize, Serialize};

/// What a part takes from a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHold {
    /// The part.
    #[serde(rename = "partid")]
    pub part_id: PartId,
    /// The channel it leaves through.
    pub short_channel_id: ShortChannelId,
    /// What the payee gets of it.
    pub amount_msat: Msat,
    /// What the route may keep.
    pub fee_msat: Msat,
}

/// What became of what a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// It is set aside: the part is out.
    Held,
    /// It left us: the part arrived.
    Paid,
    /// It was given back: the part failed.
    Void,
}

/// A bound on what is spent within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendLimit {
    /// What to call it in the refusal.
    pub name: String,
    /// Only payments with this label; absent: all.
    pub label: Option<String>,
    /// The time that is looked back over.
    pub window: Seconds,
    /// Most that may be spent or reserved in it, fees included.
    pub max_msat: Msat,
}

/// A payment that has not ended, as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPayment {
    /// What it means to do.
    pub claim: Claim,
    /// Its parts, by number.
    pub parts: Vec<(PartHold, HoldState)>,
}
