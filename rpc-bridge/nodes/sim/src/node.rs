//! Our node of the network, behind the port.

use crate::{input::Input, network::SimNetwork};
use ecs_systems::{
    port::{Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Timestamp,
};
use payecs_planner::Graph;
use std::{
    sync::{Arc, OnceLock},
    task::Waker,
};

/// An engine's connection to our node of a [`SimNetwork`]: see [`SimNetwork::connect`].
///
/// Deterministic: the same calls with the same `now` on the same network give the same events. The
/// virtual clock is `now`; [`Node::next_event_at`] says how far it may jump, blocks included, so it
/// is `None` only on a chain that stands still.
///
/// Two answers that the port leaves open: `SendPart` for a part that was sent before with another
/// amount is answered with a `Reply` that refuses it; and a part sent again after it became final
/// has its outcome told again.
///
/// Where the network is kept on a disk, an event comes once what led to it is durable; the waker is
/// called then. After an error of the log nothing comes any more: see [`SimNetwork::failure`].
#[derive(Debug)]
pub struct SimNode {
    network: SimNetwork,
    generation: u64,
    view: NodeView,
    /// Empty where it has changed since it was last asked for.
    graph: OnceLock<Arc<Graph>>,
}

impl SimNode {
    pub(crate) fn new(network: SimNetwork, generation: u64) -> Self {
        let (view, graph) = {
            let mut state = network.state();
            (state.ours.view.clone(), state.graph())
        };
        Self { network, generation, view, graph: OnceLock::from(graph) }
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
        Arc::clone(self.graph.get_or_init(|| self.network.state().graph()))
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        if self.network.failure().is_some() {
            return;
        }
        let mut change = self.network.begin(now);
        if change.state.ours.generation != self.generation {
            drop(change.keep());
            return;
        }
        change.note(|| Input::of_request(id, &request));
        change.state.serve(id, request);
        let state = change.keep();
        self.view.clone_from(&state.ours.view);
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        let state = self.network.at(now);
        if state.ours.generation != self.generation || self.network.failure().is_some() {
            return Vec::new();
        }
        self.view.clone_from(&state.ours.view);
        let mut change = self.network.go_on(state);
        let events = change.state.take_events(self.network.synced());
        if !events.is_empty() {
            change.note(|| Input::Took(events.len()));
        }
        drop(change.keep());
        if events.iter().any(|event| matches!(event, NodeEvent::GraphChanged(_))) {
            self.graph.take();
        }
        events
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let state = self.network.state();
        if state.ours.generation != self.generation || self.network.failure().is_some() {
            return None;
        }
        let synced = self.network.synced();
        let told = state.ours.outbox.front().filter(|told| told.record <= synced);
        let told = told.map(|told| told.due);
        told.into_iter().chain(state.next_due()).min()
    }

    fn set_waker(&mut self, waker: Waker) {
        self.network.set_waker(waker);
    }
}

#[cfg(test)]
mod tests;
