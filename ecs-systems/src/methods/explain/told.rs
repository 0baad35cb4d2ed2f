//! What is said of a payment, as data.

use ecs_core::{EntityId, ErrorObject, Json};
use payecs_planner::{Binding, Limit};
use payecs_units::{BlockHeight, ChannelDirection, Msat, NodeId, PartId, Timestamp};
use serde::Serialize;

use crate::errors::explained;

/// Why a payment is where it is.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Told {
    pub(super) status: &'static str,
    pub(super) why: String,
    #[serde(flatten)]
    pub(super) error: Option<Named>,
    pub(super) waits_for: Vec<Wait>,
    pub(super) changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) largest_msat: Option<Msat>,
    pub(super) limits: Vec<Limited>,
    pub(super) attempts: Attempts,
    pub(super) known_by: &'static str,
}

/// An error with what is known of its code.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Named {
    code: i32,
    name: &'static str,
    meaning: &'static str,
    next: &'static str,
    /// Whether nothing of the payment can be paid any more, where that was said.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    is_final: Option<Json>,
}

/// Something that is waited for.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Wait {
    pub(super) what: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entities: Vec<EntityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until_height: Option<BlockHeight>,
    pub(super) words: String,
}

/// A change of the request with which it would have gone, or would have got further.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    #[serde(flatten)]
    pub(super) set: Setting,
    /// What must be so beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) with: Vec<Setting>,
    /// Whether the planner found routes with this change, and nothing else changed.
    pub(super) promised: bool,
    pub(super) words: String,
}

/// A field of the request, as it was and as it should be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setting {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'static str>,
    from: Json,
    to: Json,
}

/// A direction that limits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Limited {
    short_channel_id_dir: ChannelDirection,
    allows_msat: Msat,
    limit: Limit,
    words: &'static str,
}

/// What was tried.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Attempts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rounds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rounds_max: Option<u32>,
    pub(super) parts_failed: u64,
    pub(super) parts: Vec<Tried>,
}

/// A part that failed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tried {
    pub(super) entity: EntityId,
    #[serde(rename = "partid")]
    pub(super) part_id: PartId,
    pub(super) amount_msat: Msat,
    pub(super) fee_msat: Msat,
    pub(super) failcode: u16,
    pub(super) failure: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) erring_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) erring_node: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) short_channel_id_dir: Option<ChannelDirection>,
}

impl Named {
    pub(super) fn of(error: &ErrorObject) -> Self {
        let known = explained(error.code);
        Self {
            code: error.code,
            name: known.name,
            meaning: known.meaning,
            next: known.next,
            is_final: error.facts().remove("final"),
        }
    }
}

impl Setting {
    /// Of a Component, called as `pay` calls it.
    pub(super) fn of(
        what: &'static str,
        component: &'static str,
        (from, to): (Json, Json),
    ) -> Self {
        Self { what, component: Some(component), from, to }
    }

    /// The moment of asking.
    pub(super) fn time(from: Json, to: Json) -> Self {
        Self { what: "time", component: None, from, to }
    }
}

impl Change {
    pub(super) fn hoped(set: Setting, words: String) -> Self {
        Self { set, with: Vec::new(), promised: false, words }
    }
}

impl From<&Binding> for Limited {
    fn from(binding: &Binding) -> Self {
        let words = match binding.limit {
            Limit::FeeBudget => "its fee takes most of what the routes cost",
            Limit::Delay => "its delay takes most of what the routes take",
            Limit::Htlc => "it forwards no larger, or no smaller, HTLC",
            Limit::Knowledge => "earlier payments showed that it has no more now",
            Limit::Capacity => "it is no larger, or has no more that we can spend",
            Limit::Parts => "more would go over it in more parts",
            Limit::Excluded => "it is disabled or excluded",
        };
        Self {
            short_channel_id_dir: binding.short_channel_id_dir,
            allows_msat: binding.allows_msat,
            limit: binding.limit,
            words,
        }
    }
}

/// A message as a sentence.
pub(super) fn sentence(message: &str) -> String {
    let end = if message.ends_with('.') { "" } else { "." };
    format!("{message}{end}")
}
