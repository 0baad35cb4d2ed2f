//! What our node tells late, or not at all.

use crate::state::{Event, State};
use ecs_systems::{
    port::{NodeError, NodeEvent, NodeReply},
    units::{BlockHeight, Blocks, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// An event is held back by chance for less than so many times the mean of a message's time.
const HELD_MESSAGES: u64 = 10;

/// What our node holds back, and what it is scripted to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Late {
    /// Until when the next events are held back.
    pub(crate) next: VecDeque<Timestamp>,
    /// Events that are held back, by a number.
    held: BTreeMap<u64, NodeEvent>,
    next_held: u64,
    /// How many answers are lost.
    pub(crate) lost_replies: u32,
    /// The newest blocks that our node doesn't see yet, and when it saw the one before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unseen: Option<(Blocks, Timestamp)>,
}

impl State {
    /// Blocks are found now that our node sees only then.
    pub(crate) fn find_unseen(&mut self, blocks: Blocks, until: Timestamp) {
        let (before, since) = self.ours.late.unseen.unwrap_or((Blocks(0), self.height_at));
        let unseen = before.0.saturating_add(blocks.0);
        self.ours.late.unseen = Some((Blocks(unseen), since));
        for _ in 0..blocks.0 {
            self.find_block();
        }
        self.schedule(until, Event::SeeBlocks);
    }

    /// Our node sees every block.
    pub(crate) fn see_blocks(&mut self) {
        self.ours.late.unseen = None;
        self.view_is_old = true;
    }

    /// The height that our node sees, and since when.
    pub(crate) fn seen_height(&self) -> (BlockHeight, Timestamp) {
        match self.ours.late.unseen {
            None => (self.height, self.height_at),
            Some((blocks, at)) => (BlockHeight(self.height.0.saturating_sub(blocks.0)), at),
        }
    }

    /// Queues an event about a part's end or an HTLC, unless it is held back.
    pub(crate) fn tell_or_hold(&mut self, event: NodeEvent) {
        let Some(until) = self.held_until() else { return self.tell(event) };
        let number = self.ours.late.next_held;
        self.ours.late.next_held += 1;
        self.ours.late.held.insert(number, event);
        self.schedule(until, Event::TellHeld { number });
    }

    fn held_until(&mut self) -> Option<Timestamp> {
        if let Some(until) = self.ours.late.next.pop_front() {
            return Some(until);
        }
        let longest_ms = self.settings.latency_ms.saturating_mul(HELD_MESSAGES);
        let strikes = self.strikes(self.settings.faults.reorder_event_ppm);
        strikes.then(|| self.now.after_ms(1 + self.rng.below(longest_ms)))
    }

    /// The time of an event has come, unless it was told before.
    pub(crate) fn tell_held(&mut self, number: u64) {
        if let Some(event) = self.ours.late.held.remove(&number) {
            self.tell(event);
        }
    }

    /// Tells everything that is held back: what is told next counts on it.
    pub(crate) fn tell_all_held(&mut self) {
        for event in std::mem::take(&mut self.ours.late.held).into_values() {
            self.tell(event);
        }
    }

    /// Whoever is told everything again needs nothing that is held back.
    pub(crate) fn forget_held(&mut self) {
        self.ours.late.held.clear();
    }

    /// An answer as it arrives: by script or chance it is lost.
    pub(crate) fn maybe_lost(
        &mut self,
        reply: Result<NodeReply, NodeError>,
    ) -> Result<NodeReply, NodeError> {
        let scripted = self.ours.late.lost_replies > 0;
        if scripted {
            self.ours.late.lost_replies -= 1;
        }
        if scripted || self.strikes(self.settings.faults.lost_reply_ppm) {
            return Err(NodeError::Transport { message: "the answer was lost".to_owned() });
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Script,
        fixture::{Desk, place},
    };
    use ecs_systems::{
        port::{FailureCode, Node, PartStatus},
        units::{BlockHeight, Blocks, Msat},
    };

    #[test]
    fn blocks_that_our_node_sees_late_are_there_for_the_others() {
        let mut desk = Desk::chain();
        let before = desk.node.view().height;
        let until = desk.now.after_ms(30_000);
        let seen_late = Script::SeeLate { blocks: Blocks(5), until };
        desk.network.script(seen_late, desk.now).unwrap();
        desk.run_ms(1_000);
        assert_eq!(desk.node.view().height, before);
        let ahead = BlockHeight(before.0 + 5);
        assert_eq!(desk.network.height(desk.now), ahead);
        let mut part = desk.part("carol", Msat(10_000_000));
        part.height = before;
        let failure = desk.failure(&part);
        let details = FailureCode::IncorrectOrUnknownPaymentDetails;
        assert_eq!(place(&failure), (details, Some(2)), "it expires too soon for carol");
        assert_eq!(failure.height, Some(ahead));
        desk.run_ms(30_000);
        assert_eq!(desk.node.view().height, ahead);
        let mut part = desk.part("carol", Msat(10_000_000));
        part.height = ahead;
        desk.send(&part);
        desk.run_ms(5_000);
        assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
        desk.network.audit().unwrap();
    }
}
