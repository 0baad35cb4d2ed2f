//! A node that notes what it takes.

use ecs_systems::{
    planner::Graph,
    port::{Node, NodeEvent, NodeRequest, NodeView, RequestId},
    units::Timestamp,
};
use node_sim::SimNode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

/// Our node of a simulated network. The engine's thread waits for it: what it takes there is not
/// the engine's.
pub(crate) struct Metered {
    node: SimNode,
    meter: Meter,
}

/// How long the node was asked for something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(crate) fn so_far(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn time<R>(&self, work: impl FnOnce() -> R) -> R {
        let begun = Instant::now();
        let done = work();
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
        done
    }
}

impl Metered {
    pub(crate) fn new(node: SimNode, meter: Meter) -> Self {
        Self { node, meter }
    }
}

impl Node for Metered {
    fn view(&self) -> &NodeView {
        self.node.view()
    }

    fn graph(&self) -> Arc<Graph> {
        self.node.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        self.meter.time(|| self.node.submit(id, request, now));
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        self.meter.time(|| self.node.poll(now))
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.meter.time(|| self.node.next_event_at())
    }

    fn set_waker(&mut self, waker: Waker) {
        self.node.set_waker(waker);
    }
}
