//! A node whose requests and events are changed on their way.

use ecs_systems::{
    planner::Graph,
    port::{Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Timestamp,
};
use std::{sync::Arc, task::Waker};

pub(crate) struct Bent {
    pub(crate) node: Box<dyn Node>,
    pub(crate) asks: fn(NodeRequest) -> Vec<NodeRequest>,
    pub(crate) tells: fn(NodeEvent) -> Option<NodeEvent>,
}

impl Node for Bent {
    fn view(&self) -> &NodeView {
        self.node.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.node.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        for request in (self.asks)(request) {
            self.node.submit(id, request, now);
        }
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        self.node.poll(now).into_iter().filter_map(self.tells).collect()
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.node.next_event_at()
    }

    fn set_waker(&mut self, waker: Waker) {
        self.node.set_waker(waker);
    }
}
