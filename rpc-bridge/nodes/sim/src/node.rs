//! Our node of the network, behind the port.

use crate::network::SimNetwork;
use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Timestamp,
};
use payecs_planner::Graph;
use std::{sync::Arc, task::Waker};

/// An engine's connection to our node of a [`SimNetwork`]: see [`SimNetwork::connect`].
///
/// Deterministic: the same calls with the same `now` on the same network give the same events. The
/// virtual clock is `now`; [`Node::next_event_at`] says how far it may jump, blocks included, so it
/// is `None` only on a chain that stands still.
///
/// Two answers that the port leaves open: `SendPart` for a part that was sent before with another
/// amount is answered with a `Reply` that refuses it; and a part sent again after it became final
/// has its outcome told again.
#[derive(Debug)]
pub struct SimNode {
    network: SimNetwork,
    generation: u64,
    view: NodeView,
    graph: Arc<Graph>,
}

impl SimNode {
    pub(crate) fn new(network: SimNetwork, generation: u64) -> Self {
        let (view, graph) = {
            let state = network.state();
            (state.ours.view.clone(), state.ours.graph.clone())
        };
        Self { network, generation, view, graph }
    }

    /// The network behind the node.
    #[must_use]
    pub fn network(&self) -> &SimNetwork {
        &self.network
    }
}

impl Node for SimNode {
    fn view(&self) -> &NodeView {
        &self.view
    }

    fn graph(&self) -> Arc<Graph> {
        Arc::clone(&self.graph)
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        let mut state = self.network.at(now);
        if state.ours.generation != self.generation {
            return;
        }
        state.serve(id, request);
        state.refresh_view();
        self.view.clone_from(&state.ours.view);
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        let mut state = self.network.at(now);
        if state.ours.generation != self.generation {
            return Vec::new();
        }
        self.view.clone_from(&state.ours.view);
        self.graph = Arc::clone(&state.ours.graph);
        state.take_events()
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let state = self.network.state();
        if state.ours.generation != self.generation {
            return None;
        }
        let told = state.ours.outbox.front().map(|(due, _)| *due);
        told.into_iter().chain(state.next_due()).min()
    }

    fn set_waker(&mut self, _waker: Waker) {}
}

#[cfg(test)]
mod tests;
