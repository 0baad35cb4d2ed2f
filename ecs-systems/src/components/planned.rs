//! `lightningd:plan`: the longest value of a payment, written once.

use bevy_ecs::component::Component;
use ecs_core::{ComponentSpec, Json, Shape, WireComponent};
use payecs_planner::Plan;
use std::sync::Arc;

/// Row P1. With its text: whoever has it gives it on as it is.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub struct Planned {
    plan: Arc<Plan>,
    text: Json,
}

impl Planned {
    /// The Component of a plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { text: Json::of(&plan), plan: Arc::new(plan) }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl WireComponent for Planned {
    const SPEC: ComponentSpec = ComponentSpec::engine(
        "lightningd:plan",
        "an object",
        "Routes with amounts, fees, expiries and probability.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self::new(json.decode()?))
    }

    fn to_json(&self) -> Json {
        self.text.clone()
    }
}
