//! What is not announced: our own channels and hinted ones.

use super::edge::BOUNDLESS;
use super::{Edge, Ground};
use crate::graph::number;
use crate::{HintHop, Limit, LocalChannel};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// Adds what is not announced.
pub(super) struct Maker<'a> {
    pub(super) ground: Ground<'a>,
    /// Nodes outside the graph.
    pub(super) strangers: BTreeMap<NodeId, u32>,
    lanes: BTreeMap<ChannelDirection, u32>,
    /// Between whom hinted channels are.
    hinted: BTreeMap<ShortChannelId, BTreeSet<NodeId>>,
    pub(super) nodes_count: u32,
    pub(super) start: u32,
    pub(super) goal: u32,
    pub(super) edges: Vec<Edge>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(ground: Ground<'a>) -> Self {
        let (request, nodes_count) = (ground.request, number(ground.graph.nodes_count()));
        let mut maker = Self {
            ground,
            strangers: BTreeMap::new(),
            lanes: BTreeMap::new(),
            hinted: BTreeMap::new(),
            nodes_count,
            start: 0,
            goal: 0,
            edges: Vec::new(),
        };
        maker.goal = maker.intern(request.destination);
        maker.start = maker.intern(request.source);
        if request.source == request.destination {
            maker.start = maker.nodes_count;
            maker.nodes_count += 1;
        }
        maker
    }

    fn intern(&mut self, node: NodeId) -> u32 {
        if let Some(known) = self.known(&node) {
            return known;
        }
        self.strangers.insert(node, self.nodes_count);
        self.nodes_count += 1;
        self.nodes_count - 1
    }

    fn known(&self, node: &NodeId) -> Option<u32> {
        self.ground.graph.node_index(node).or_else(|| self.strangers.get(node).copied())
    }

    fn lane(&mut self, direction: ChannelDirection) -> u32 {
        let next = self.ground.graph.arcs_count() + number(self.lanes.len());
        let known = self.ground.graph.arc_index(direction);
        known.unwrap_or_else(|| *self.lanes.entry(direction).or_insert(next))
    }

    /// Adds one of our channels as a first hop.
    pub(super) fn local(&mut self, local: &LocalChannel) {
        let request = self.ground.request;
        let (source, peer) = (request.source, local.peer);
        if peer == source {
            return;
        }
        let direction = ChannelDirection {
            scid: local.short_channel_id,
            direction: Direction::between(&source, &peer),
        };
        let to = self.intern(peer);
        let lane = self.lane(direction);
        let wrong = request.first_hop.is_some_and(|only| only != local.short_channel_id);
        let off = (wrong || !local.usable).then_some(Limit::Excluded);
        let (ways, ends) = ((self.start, to), (&source, &peer));
        let edge = self.ground.plain(direction, ways, ends, local.spendable_msat);
        let mut edge = Edge {
            min: local.htlc_minimum_msat,
            max: local.htlc_maximum_msat,
            slots: local.free_slots,
            lane,
            blocked: off.or(edge.blocked),
            ..edge
        };
        self.ground.exactly(&mut edge, local.spendable_msat);
        self.edges.push(edge);
    }

    /// Adds the channels that the source announces as first hops, where it is asked for, and those
    /// that the caller says there are.
    pub(super) fn announced(&mut self) {
        let ground = &self.ground;
        let Some(home) = ground.home else { return };
        for (arc, toll) in ground.graph.arcs_out(home) {
            let scid = ground.graph.facts(arc).direction.scid;
            let is_said = || ground.request.layer.channel(scid).is_some();
            let is_meant = ground.request.announced_first_hops || is_said();
            if !is_meant || ground.local.contains_key(&scid) {
                continue;
            }
            if let Some(edge) = ground.bare(arc, home, toll.far) {
                let nodes = ground.graph.nodes();
                let ends = (&ground.request.source, &nodes[toll.far as usize]);
                let (fee_base, fee_rate, cltv_delta) = (Msat::ZERO, Ppm(0), Blocks(0));
                let only = ground.request.first_hop;
                let wrong = only.is_some_and(|only| only != edge.direction.scid);
                let edge = ground.learned(edge, ends);
                let blocked = wrong.then_some(Limit::Excluded).or(edge.blocked);
                let from = self.start;
                self.edges.push(Edge { from, fee_base, fee_rate, cltv_delta, blocked, ..edge });
            }
        }
    }

    /// Between whom a channel is, as far as that is known.
    fn ends(&self, scid: ShortChannelId) -> Option<BTreeSet<NodeId>> {
        let ours = || {
            let local = self.ground.local.get(&scid)?;
            Some(BTreeSet::from([self.ground.request.source, local.peer]))
        };
        let announced = || {
            let channel = self.ground.graph.channel(scid)?;
            Some(BTreeSet::from([channel.node_a, channel.node_b]))
        };
        ours().or_else(announced).or_else(|| self.hinted.get(&scid).cloned())
    }

    /// Adds the hops of a hint; none where the node it starts from is unknown.
    pub(super) fn hint(&mut self, hint: &[HintHop]) {
        let request = self.ground.request;
        let Some(start) = hint.first() else { return };
        if self.known(&start.pubkey).is_none() {
            return;
        }
        for (place, hop) in hint.iter().enumerate() {
            let far = hint.get(place + 1).map_or(request.destination, |next| next.pubkey);
            if hop.pubkey != far && hop.pubkey != request.source {
                self.hinted(hop, far);
            }
        }
    }

    /// Adds a hinted channel; not one that is known to lead elsewhere.
    fn hinted(&mut self, hop: &HintHop, far: NodeId) {
        let scid = hop.short_channel_id;
        let ends = BTreeSet::from([hop.pubkey, far]);
        if self.ends(scid).is_some_and(|known| known != ends) {
            return;
        }
        self.hinted.insert(scid, ends);
        let ways = (self.intern(hop.pubkey), self.intern(far));
        let direction = ChannelDirection { scid, direction: Direction::between(&hop.pubkey, &far) };
        let lane = self.lane(direction);
        let ground = &self.ground;
        let capacity = ground.graph.capacity(scid).unwrap_or(BOUNDLESS);
        let plain = ground.plain(direction, ways, (&hop.pubkey, &far), capacity);
        let mut edge = match ground.request.told(direction) {
            Some(policy) => Edge { lane, ..plain.under(policy) },
            None => Edge {
                fee_base: hop.fee_base_msat,
                fee_rate: hop.fee_proportional_millionths,
                cltv_delta: hop.cltv_expiry_delta,
                lane,
                ..plain
            },
        };
        if far == ground.request.source && ground.local.contains_key(&scid) {
            ground.bound_by_receivable(&mut edge);
        }
        self.edges.push(edge);
    }
}
