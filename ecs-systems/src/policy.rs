//! What an operator allows.

use crate::port::SpendLimit;
use bevy_ecs::resource::Resource;
use payecs_planner::Graph;
use payecs_units::{Msat, Seconds};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What an operator allows. Systems read it.
#[derive(Resource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Most that one payment may spend, fees included; more is refused.
    pub payment_max_msat: Option<Msat>,
    /// Above this an operator is asked.
    pub ask_above_msat: Option<Msat>,
    /// How long an operator has to answer.
    pub approval_timeout: Seconds,
    /// Bounds on what is spent within a time.
    pub limits: Vec<SpendLimit>,
    /// Most rounds of planning for one payment.
    pub rounds_max: u32,
}

impl Default for Policy {
    /// No limits; ten minutes for an operator; 100 rounds.
    fn default() -> Self {
        Self {
            payment_max_msat: None,
            ask_above_msat: None,
            approval_timeout: Seconds(600),
            limits: Vec::new(),
            rounds_max: 100,
        }
    }
}

/// The graph that plans are checked against. The driver replaces it.
#[derive(Resource, Clone, Debug)]
pub struct GraphView(pub Arc<Graph>);
