//! A node that loses what it is told, cannot do what others can, and lies.

use ecs_systems::{
    planner::Graph,
    port::{Node, NodeError, NodeEvent, NodeReply, NodeRequest, NodeView, PartStatus, RequestId},
    units::{Msat, Preimage, ShortChannelId, Timestamp},
};
use node_sim::SimNode;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// What is wrong with the node. All of it can change while an engine is connected.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// So many parts more get lost on their way to the node.
    pub lost_parts: u32,
    /// So many questions about a part more get lost on their way to the node.
    pub lost_questions: u32,
    /// So many parts more that are paid are told with a preimage of another hash.
    pub wrong_preimages: u32,
    /// So many words on HTLCs that came in more get lost on their way to the node.
    pub lost_words: u32,
    /// So many HTLCs more are taken off their channels without a word.
    pub lost_resolutions: u32,
    /// What the node says it spent on each part above the truth.
    pub overspent: Msat,
    /// So many questions about balances more are answered with an error.
    pub failed_balances: u32,
    /// A channel that the node doesn't tell of.
    pub hidden: Option<ShortChannelId>,
    /// Parts from that place of its list to that one, which it doesn't list.
    pub forgotten: Option<(u64, u64)>,
    /// It has not caught up with the chain.
    pub unsynced: bool,
    /// The same part twice may be two HTLCs.
    pub not_idempotent: bool,
    /// How many parts it was asked for.
    pub offers: u32,
    /// How often it was asked about a part.
    pub questions: u32,
    /// How often it was given the preimage of an HTLC that came in.
    pub preimages: u32,
}

/// A handle to it: clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<Trouble>>);

impl Troubles {
    /// A node with that trouble.
    #[must_use]
    pub fn of(trouble: Trouble) -> Self {
        Self(Arc::new(Mutex::new(trouble)))
    }

    /// As it is now.
    #[must_use]
    pub fn read(&self) -> Trouble {
        self.open().clone()
    }

    /// It, to change.
    pub fn open(&self) -> MutexGuard<'_, Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The simulated node behind its troubles.
#[derive(Debug)]
pub struct DifficultNode {
    node: SimNode,
    view: NodeView,
    troubles: Troubles,
    hidden: Option<ShortChannelId>,
}

impl DifficultNode {
    /// That node, with these troubles.
    #[must_use]
    pub fn new(node: SimNode, troubles: Troubles) -> Self {
        let view = node.view().clone();
        let hidden = troubles.read().hidden;
        let mut difficult = Self { node, view, troubles, hidden };
        difficult.look();
        difficult
    }

    fn look(&mut self) {
        let trouble = self.troubles.open();
        self.view.clone_from(self.node.view());
        self.view.synced = !trouble.unsynced;
        self.view.capabilities.idempotent_parts = !trouble.not_idempotent;
        self.view.channels.retain(|channel| Some(channel.short_channel_id) != trouble.hidden);
    }

    fn told(&self, mut event: NodeEvent) -> NodeEvent {
        let mut trouble = self.troubles.open();
        if let NodeEvent::Reply { reply, .. } = &mut event
            && let Ok(NodeReply::Balances { channels, .. }) = reply
        {
            channels.retain(|(channel, _)| Some(*channel) != trouble.hidden);
            if used(&mut trouble.failed_balances) {
                *reply = Err(NodeError::Transport { message: "no balances".to_owned() });
            }
        }
        if let NodeEvent::Reply { reply: Ok(NodeReply::Parts(parts)), .. } = &mut event
            && let Some((from, to)) = trouble.forgotten
        {
            parts.retain(|part| !(from..=to).contains(&part.created_index));
        }
        let NodeEvent::Part { key, status: PartStatus::Paid { preimage, spent_msat } } = event
        else {
            return event;
        };
        let wrong = used(&mut trouble.wrong_preimages);
        let preimage = if wrong { Preimage([0; 32]) } else { preimage };
        let spent_msat = Msat(spent_msat.0.saturating_add(trouble.overspent.0));
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
            } else if let NodeRequest::SettleHtlc { .. } = request {
                trouble.preimages += 1;
                used(&mut trouble.lost_words)
            } else if let NodeRequest::FailHtlc { .. } = request {
                used(&mut trouble.lost_words)
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
        let mut events = self.node.poll(now);
        self.look();
        let hidden = self.troubles.read().hidden;
        if std::mem::replace(&mut self.hidden, hidden) != hidden {
            events.push(NodeEvent::ViewChanged);
        }
        let heard = |event: &NodeEvent| {
            !matches!(event, NodeEvent::HtlcResolved { .. })
                || !used(&mut self.troubles.open().lost_resolutions)
        };
        events.into_iter().filter(heard).map(|event| self.told(event)).collect()
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        self.node.next_event_at()
    }

    fn set_waker(&mut self, waker: Waker) {
        self.node.set_waker(waker);
    }
}
