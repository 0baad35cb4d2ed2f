//! What is known of liquidity: looked at, and told by an operator.

mod list;
mod import;
#[cfg(test)]
mod tests;

pub(super) use import::IMPORT_KNOWLEDGE;
pub(super) use list::LIST_KNOWLEDGE;

use crate::{policy::GraphView, refusal::PAY_UNSPECIFIED_ERROR};
use ecs_core::{Engine, ErrorObject, Kind};
use payecs_planner::Graph;
use payecs_units::ChannelDirection;
use std::sync::Arc;

const DIRECTION: Kind = Kind {
    shape: "a direction of a channel: `BxTxO/D`",
    schema: r#"{"type":"string","pattern":"^[0-9]+x[0-9]+x[0-9]+/[01]$"}"#,
    fits: |json| json.decode::<ChannelDirection>().is_ok(),
};

/// The graph that plans are made on.
///
/// # Errors
/// 209: there is none yet.
fn graph(engine: &Engine) -> Result<&Arc<Graph>, ErrorObject> {
    engine.resource::<GraphView>().map(|view| &view.0).ok_or_else(|| {
        ErrorObject::new(PAY_UNSPECIFIED_ERROR, "There is no graph yet: try again later")
    })
}
