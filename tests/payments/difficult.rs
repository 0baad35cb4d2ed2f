//! A node that loses what it is told, cannot do what others can, and lies.

use ecs_systems::{
    planner::Graph,
    port::{Node, NodeEvent, NodeRequest, NodeView, PartStatus, RequestId},
    units::{Msat, Preimage, Timestamp},
};
use node_sim::SimNode;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// What is wrong with the node. All of it can change while an engine is connected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// So many parts more get lost on their way to the node.
    pub(crate) lost_parts: u32,
    /// So many questions about a part more get lost on their way to the node.
    pub(crate) lost_questions: u32,
    /// So many parts more that are paid are told with a preimage of another hash.
    pub(crate) wrong_preimages: u32,
    /// What the node says it spent on each part above the truth.
    pub(crate) overspent: Msat,
    /// It has not caught up with the chain.
    pub(crate) unsynced: bool,
    /// The same part twice may be two HTLCs.
    pub(crate) not_idempotent: bool,
    /// How many parts it was asked for.
    pub(crate) offers: u32,
    /// How often it was asked about a part.
    pub(crate) questions: u32,
}

/// A handle to it: clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<Trouble>>);

impl Troubles {
    /// As it is now.
    pub(crate) fn read(&self) -> Trouble {
        self.open().clone()
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The simulated node behind its troubles.
pub(crate) struct DifficultNode {
    node: SimNode,
    view: NodeView,
    troubles: Troubles,
}

impl DifficultNode {
    pub(crate) fn new(node: SimNode, troubles: Troubles) -> Self {
        let view = node.view().clone();
        let mut difficult = Self { node, view, troubles };
        difficult.look();
        difficult
    }

    fn look(&mut self) {
        let trouble = self.troubles.open();
        self.view.clone_from(self.node.view());
        self.view.synced = !trouble.unsynced;
        self.view.capabilities.idempotent_parts = !trouble.not_idempotent;
    }

    fn told(&self, event: NodeEvent) -> NodeEvent {
        let NodeEvent::Part { key, status: PartStatus::Paid { preimage, spent_msat } } = event
        else {
            return event;
        };
        let mut trouble = self.troubles.open();
        let wrong = used(&mut trouble.wrong_preimages);
        let preimage = if wrong { Preimage([0; 32]) } else { preimage };
        let spent_msat = Msat(spent_msat.0 + trouble.overspent.0);
        NodeEvent::Part { key, status: PartStatus::Paid { preimage, spent_msat } }
    }
}

/// Uses up one, if one is left.
fn used(left: &mut u32) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

impl Node for DifficultNode {
    fn view(&self) -> &NodeView {
        &self.view
    }

    fn graph(&self) -> Arc<Graph> {
        self.node.graph()
    }

    fn submit(&mut self, id: RequestId, request: NodeRequest, now: Timestamp) {
        let lost = {
            let mut trouble = self.troubles.open();
            if let NodeRequest::SendPart(_) = request {
                trouble.offers += 1;
                used(&mut trouble.lost_parts)
            } else if let NodeRequest::AskPart(_) = request {
                trouble.questions += 1;
                used(&mut trouble.lost_questions)
            } else {
                false
            }
        };
        if !lost {
            self.node.submit(id, request, now);
        }
        self.look();
    }

    fn poll(&mut self, now: Timestamp) -> Vec<NodeEvent> {
        let events = self.node.poll(now);
        self.look();
        events.into_iter().map(|event| self.told(event)).collect()
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.node.next_event_at()
    }

    fn set_waker(&mut self, waker: Waker) {
        self.node.set_waker(waker);
    }
}
