//! Our planner keeps the laws of the `Planner` port.

use ecs_systems::{
    planner::{Graph, KnowledgeConfig},
    planner_laws,
};
use payflow_default::planner::OwnPlanner;
use std::sync::Arc;

planner_laws!(|graph: Arc<Graph>| OwnPlanner::new(graph, KnowledgeConfig::default()));
