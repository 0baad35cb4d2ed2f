//! What our node says, and when: events, its view, restarts.

use crate::{
    channel::{Channel, Side},
    ours::{Told, Word},
    settings::{Settings, Signer},
    state::{SimPeer, State},
    truth::Fact,
};
use ecs_systems::{
    port::{Capabilities, IncomingHtlc, NodeError, NodeEvent, NodeView, PartKey, PartStatus},
    units::{BlockHeight, Msat, NodeId, Timestamp},
};
use payecs_planner::{Graph, GraphDelta, HintHop, LocalChannel};
use std::sync::Arc;

impl State {
    /// Queues an event; it is there after the time our node takes, and after all earlier ones.
    pub(crate) fn tell(&mut self, event: NodeEvent) {
        let late = self.rng.below(self.settings.answer_ms.saturating_mul(2).saturating_add(1));
        let earliest = self.ours.outbox.back().map_or(self.now, |told| told.due);
        let due = self.now.after_ms(late).max(earliest);
        self.ours.outbox.push_back(Told { due, record: self.record, event });
    }

    /// [`State::tell`], and by chance once more.
    pub(crate) fn tell_maybe_twice(&mut self, event: &NodeEvent) {
        self.tell_or_hold(event.clone());
        if self.rng.chance(self.settings.faults.duplicate_event_ppm) {
            self.tell_or_hold(event.clone());
        }
    }

    /// A channel is not what it was.
    pub(crate) fn touch(&mut self, channel: usize) {
        let us = self.ours.node;
        self.view_is_old |= self.channels[channel].sides.iter().any(|side| side.node == us);
    }

    /// Announces our view if it isn't what it was; whether it isn't.
    pub(crate) fn refresh_view(&mut self) -> bool {
        if !std::mem::take(&mut self.view_is_old) {
            return false;
        }
        let (node, peers) = (self.ours.node, &self.peers);
        let at = self.seen_height();
        let view = view_of(&self.settings, node, peers, &self.channels, at);
        let changed = view != self.ours.view;
        if changed {
            self.ours.view = view;
            self.tell(NodeEvent::ViewChanged);
        }
        changed
    }

    /// Says what gossip brings.
    pub(crate) fn gossip(&mut self, delta: GraphDelta) {
        self.ours.graph = None;
        self.tell(NodeEvent::GraphChanged(vec![delta]));
    }

    /// What gossip says by now.
    pub(crate) fn graph(&mut self) -> Arc<Graph> {
        if self.ours.graph.is_none() {
            self.ours.graph = Some(Arc::new(self.announced()));
        }
        Arc::clone(self.ours.graph.as_ref().expect("it was made a moment ago"))
    }

    /// Our node restarts: answers under way are lost, its HTLCs stay.
    pub(crate) fn restart(&mut self) {
        for Told { event, .. } in &mut self.ours.outbox {
            if let NodeEvent::Reply { reply, .. } = event {
                let message = "the node restarted".to_owned();
                *reply = Err(NodeError::Transport { message });
            }
        }
        self.announce_again();
    }

    /// A new engine connects; what the old one was to be told is gone with it.
    pub(crate) fn connect(&mut self) -> u64 {
        self.ours.generation += 1;
        if self.ours.generation > 1 {
            self.ours.outbox.clear();
            self.forget_held();
            self.announce_again();
        }
        self.ours.generation
    }

    /// Outcomes that nobody has heard, and HTLCs that wait for our word, are told again.
    fn announce_again(&mut self) {
        self.record(Fact::Restarted);
        self.tell_all_held();
        self.ours.outbox.retain(|told| !is_told_again(&told.event));
        for (key, status) in self.untold() {
            self.tell(NodeEvent::Part { key, status });
        }
        self.replay_incoming();
    }

    /// Parts that are final without anybody having heard it.
    fn untold(&self) -> Vec<(PartKey, PartStatus)> {
        let parts = self.ours.order.values().map(|key| (key, &self.ours.parts[key]));
        parts
            .filter(|(_, part)| !part.told && part.record.status != PartStatus::InFlight)
            .map(|(key, part)| (*key, part.record.status.clone()))
            .collect()
    }

    /// Offers every HTLC that waits for our word once more.
    pub(crate) fn replay_incoming(&mut self) {
        let waiting = self.ours.incoming.values().filter(|offered| offered.word == Word::Awaited);
        let waiting: Vec<IncomingHtlc> = waiting
            .map(|offered| IncomingHtlc { replayed: true, ..offered.htlc.clone() })
            .collect();
        for htlc in waiting {
            self.tell(NodeEvent::Incoming(htlc));
        }
    }
}

/// Whether a restart brings this up again anyway.
fn is_told_again(event: &NodeEvent) -> bool {
    let is_final =
        |status: &PartStatus| matches!(status, PartStatus::Paid { .. } | PartStatus::Failed(_));
    match event {
        NodeEvent::Incoming(_) => true,
        NodeEvent::Part { status, .. } => is_final(status),
        NodeEvent::Reply { .. }
        | NodeEvent::HtlcResolved { .. }
        | NodeEvent::ViewChanged
        | NodeEvent::GraphChanged(_) => false,
    }
}

/// Our node as it is, at a height seen at a moment.
pub(crate) fn view_of(
    settings: &Settings,
    node: usize,
    peers: &[SimPeer],
    channels: &[Channel],
    (height, height_at): (BlockHeight, Timestamp),
) -> NodeView {
    let ours = peers[node].channels.iter().map(|index| &channels[*index]);
    let local = ours.map(|channel| {
        let side = usize::from(channel.sides[1].node == node);
        local_channel(settings, channel, side, &peers[channel.sides[1 - side].node])
    });
    let hidden = peers[node].channels.iter().map(|index| &channels[*index]);
    let hidden = hidden.filter(|channel| !channel.announced && !channel.closed);
    let ways_in = hidden.map(|channel| {
        let theirs = usize::from(channel.sides[0].node == node);
        let Side { node: peer, policy, .. } = &channel.sides[theirs];
        HintHop {
            pubkey: peers[*peer].key.id,
            short_channel_id: channel.scid,
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_rate,
            cltv_expiry_delta: policy.cltv_delta,
        }
    });
    NodeView {
        identity: peers[node].key.id,
        network: settings.network,
        height,
        height_at,
        synced: true,
        capabilities: Capabilities {
            amountless: true,
            hold: true,
            keysend: false,
            mpp: true,
            preapprove: settings.signer != Signer::None,
            decode: !settings.decodes.is_empty(),
            idempotent_parts: true,
        },
        delay_max: settings.delay_max,
        channels: local.collect(),
        ways_in: ways_in.collect(),
    }
}

fn local_channel(
    settings: &Settings,
    channel: &Channel,
    side: usize,
    peer: &SimPeer,
) -> LocalChannel {
    let policy = &channel.sides[side].policy;
    let usable = !channel.closed && policy.enabled && peer.tricks.offline.is_none();
    let if_open = |amount: Msat| if channel.closed { Msat::ZERO } else { amount };
    let peer_id: NodeId = peer.key.id;
    LocalChannel {
        short_channel_id: channel.scid,
        peer: peer_id,
        spendable_msat: if_open(channel.spendable(side)),
        receivable_msat: if_open(channel.spendable(1 - side)),
        htlc_minimum_msat: policy.htlc_minimum_msat,
        htlc_maximum_msat: policy.htlc_maximum_msat,
        free_slots: channel.free_slots(side),
        dust_room_msat: settings.dust_exposure_max_msat.saturating_sub(channel.dust),
        usable,
    }
}
