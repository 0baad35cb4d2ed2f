//! The graph as one request sees it: our channels in place of the announced ones, route hints
//! added, exclusions marked, knowledge applied.

use crate::cost::Bounds;
use crate::graph::{Policy, number};
use crate::{Exclusion, Graph, HintHop, Knowledge, Limit, LocalChannel, PlanRequest};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// A limit that isn't there.
const BOUNDLESS: Msat = Msat(u64::MAX);

/// One way from a node to the next, with all that limits it.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) direction: ChannelDirection,
    /// What its near end asks for forwarding; nothing where the near end is us.
    pub(crate) fee_base: Msat,
    pub(crate) fee_rate: Ppm,
    pub(crate) cltv_delta: Blocks,
    /// Least and most for one HTLC, as announced.
    pub(crate) min: Msat,
    pub(crate) max: Msat,
    /// The least single HTLC that it refused lately.
    pub(crate) refused: Msat,
    /// Size of the channel; for our own what can be spent (or received, at the end of a circle).
    pub(crate) capacity: Msat,
    pub(crate) bounds: Bounds,
    /// Ours from other plans.
    pub(crate) in_flight: Msat,
    pub(crate) slots: u32,
    /// Edges of one direction (announced and hinted) share what they carry: the same number.
    pub(crate) lane: u32,
    /// Why it may not be used at all.
    pub(crate) blocked: Option<Limit>,
}

/// Everything a search needs, with nodes and edges as numbers.
#[derive(Debug)]
pub(crate) struct Net<'a> {
    graph: &'a Graph,
    pub(crate) request: &'a PlanRequest,
    /// Where routes begin: us, in a circle apart from `goal`.
    pub(crate) start: u32,
    pub(crate) goal: u32,
    pub(crate) nodes_count: u32,
    /// Announced edges by `to`, then our own and hinted ones by `to`.
    pub(crate) edges: Vec<Edge>,
    announced: usize,
    strangers: BTreeMap<u32, NodeId>,
    /// For each announced node the first announced edge into it; one more at the end.
    first: Vec<u32>,
}

impl<'a> Net<'a> {
    pub(crate) fn new(graph: &'a Graph, knowledge: &Knowledge, request: &'a PlanRequest) -> Self {
        let mut maker = Maker::new(graph, knowledge, request);
        let first = maker.announced();
        let announced = maker.edges.len();
        for local in maker.local.clone().into_values() {
            maker.local(local);
        }
        for hint in &request.hints {
            maker.hint(hint);
        }
        let mut edges = maker.edges;
        edges[announced..].sort_by_key(|edge| edge.to);
        Self {
            graph,
            request,
            start: maker.start,
            goal: maker.goal,
            nodes_count: maker.nodes_count,
            edges,
            announced,
            strangers: maker.strangers.into_iter().map(|(id, number)| (number, id)).collect(),
            first,
        }
    }

    pub(crate) fn is_circle(&self) -> bool {
        self.request.source == self.request.destination
    }

    pub(crate) fn edge(&self, edge: u32) -> &Edge {
        &self.edges[edge as usize]
    }

    /// The id of a node; the start of a circle is its end.
    pub(crate) fn node_id(&self, node: u32) -> NodeId {
        let announced = self.graph.nodes().get(node as usize).copied();
        announced.or_else(|| self.strangers.get(&node).copied()).unwrap_or(self.request.source)
    }

    /// Whether the destination is in the graph or has any edge at all.
    pub(crate) fn knows_destination(&self) -> bool {
        self.graph.contains_node(&self.request.destination)
            || self.edges_to(self.goal).next().is_some()
    }

    /// The edges that end at `node`, blocked ones too.
    pub(crate) fn edges_to(&self, node: u32) -> impl Iterator<Item = u32> + use<> {
        let place = node as usize;
        let announced = match self.first.get(place..=place + 1) {
            Some([from, to]) => *from..*to,
            Some(_) | None => 0..0,
        };
        let more = &self.edges[self.announced..];
        let from = self.announced + more.partition_point(|edge| edge.to < node);
        let to = self.announced + more.partition_point(|edge| edge.to <= node);
        announced.chain(number(from)..number(to))
    }
}

struct Maker<'a> {
    graph: &'a Graph,
    knowledge: &'a Knowledge,
    request: &'a PlanRequest,
    avoid: BTreeSet<ChannelDirection>,
    avoid_nodes: BTreeMap<NodeId, Limit>,
    /// Ours; of two entries for one channel the later counts.
    local: BTreeMap<ShortChannelId, &'a LocalChannel>,
    /// Nodes outside the graph.
    strangers: BTreeMap<NodeId, u32>,
    lanes: BTreeMap<ChannelDirection, u32>,
    nodes_count: u32,
    start: u32,
    goal: u32,
    edges: Vec<Edge>,
}

impl<'a> Maker<'a> {
    fn new(graph: &'a Graph, knowledge: &'a Knowledge, request: &'a PlanRequest) -> Self {
        let disabled = knowledge.disabled_nodes(request.now).map(|node| (node, Limit::Knowledge));
        let mut avoid_nodes: BTreeMap<_, _> = disabled.collect();
        let mut avoid = BTreeSet::new();
        for exclusion in &request.exclude {
            match exclusion {
                Exclusion::Node(node) => {
                    avoid_nodes.insert(*node, Limit::Excluded);
                }
                Exclusion::Channel(direction) => {
                    avoid.insert(*direction);
                }
            }
        }
        avoid_nodes.remove(&request.source);
        avoid_nodes.remove(&request.destination);
        let mut maker = Self {
            graph,
            knowledge,
            request,
            avoid,
            avoid_nodes,
            local: request.local.iter().map(|local| (local.short_channel_id, local)).collect(),
            strangers: BTreeMap::new(),
            lanes: BTreeMap::new(),
            nodes_count: number(graph.nodes_count()),
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
        self.graph.node_index(node).or_else(|| self.strangers.get(node).copied())
    }

    fn lane(&mut self, direction: ChannelDirection) -> u32 {
        let next = self.graph.arcs_count() + number(self.lanes.len());
        let known = self.graph.arc_index(direction);
        known.unwrap_or_else(|| *self.lanes.entry(direction).or_insert(next))
    }

    fn blocked(&self, way: ChannelDirection, from: &NodeId, to: &NodeId) -> Option<Limit> {
        if self.avoid.contains(&way) {
            return Some(Limit::Excluded);
        }
        if *to == self.request.destination
            && self.request.last_hop.is_some_and(|node| node != *from)
        {
            return Some(Limit::Excluded);
        }
        let node = |node| self.avoid_nodes.get(node).copied();
        let disabled = || self.knowledge.is_disabled(way, self.request.now);
        node(from).or_else(|| node(to)).or_else(|| disabled().then_some(Limit::Knowledge))
    }

    /// Adds every announced direction but those from us, by the node they lead to; answers where
    /// the edges into each node begin.
    fn announced(&mut self) -> Vec<u32> {
        let graph = self.graph;
        let mut first = Vec::with_capacity(graph.nodes_count() + 1);
        self.edges.reserve(graph.arcs_count() as usize);
        for to in 0..number(graph.nodes_count()) {
            first.push(number(self.edges.len()));
            let home = graph.nodes()[to as usize] == self.request.source;
            if home && to != self.goal {
                continue;
            }
            for out in graph.arcs_from(to) {
                let view = graph.arc(out);
                let (from, lane) = (view.to, view.twin);
                let back = graph.arc(lane);
                let near = &graph.nodes()[from as usize];
                let Some(policy) = back.policy else { continue };
                if *near == self.request.source || from == self.goal {
                    continue;
                }
                let mut edge = self.forwarding(back.direction, from, to, policy, back.capacity);
                edge.lane = lane;
                if home {
                    self.bound_by_receivable(&mut edge);
                }
                self.edges.push(edge);
            }
        }
        first.push(number(self.edges.len()));
        first
    }

    fn forwarding(
        &self,
        direction: ChannelDirection,
        from: u32,
        to: u32,
        policy: &Policy,
        capacity: Msat,
    ) -> Edge {
        let nodes = self.graph.nodes();
        let blocked = self.blocked(direction, &nodes[from as usize], &nodes[to as usize]);
        let excluded = (!policy.enabled).then_some(Limit::Excluded);
        Edge {
            fee_base: policy.fee_base_msat,
            fee_rate: policy.fee_rate,
            cltv_delta: policy.cltv_delta,
            min: policy.htlc_minimum_msat,
            max: policy.htlc_maximum_msat,
            blocked: excluded.or(blocked),
            ..self.plain(direction, from, to, capacity)
        }
    }

    /// An edge that asks for nothing, with what is known of it.
    fn plain(&self, direction: ChannelDirection, from: u32, to: u32, capacity: Msat) -> Edge {
        let mut edge = Edge {
            from,
            to,
            direction,
            fee_base: Msat::ZERO,
            fee_rate: Ppm(0),
            cltv_delta: Blocks(0),
            min: Msat::ZERO,
            max: BOUNDLESS,
            refused: BOUNDLESS,
            capacity,
            bounds: Bounds { lo: Msat::ZERO, hi: capacity },
            in_flight: Msat::ZERO,
            slots: u32::MAX,
            lane: 0,
            blocked: None,
        };
        if !self.knowledge.is_blank() {
            let now = self.request.now;
            edge.bounds = self.knowledge.bounds(direction, capacity, now);
            edge.refused = self.knowledge.refused_from(direction, now).unwrap_or(BOUNDLESS);
            edge.in_flight = self.knowledge.in_flight(direction);
        }
        edge
    }

    /// The last hop of a circle is one of our channels: what it takes is known exactly.
    fn bound_by_receivable(&self, edge: &mut Edge) {
        let local = self.local.get(&edge.direction.scid).filter(|local| local.usable);
        let receivable = local.map_or(Msat::ZERO, |local| local.receivable_msat);
        exactly(edge, receivable);
        if local.is_none() {
            edge.blocked = Some(Limit::Excluded);
        }
    }

    /// Adds one of our channels as a first hop.
    fn local(&mut self, local: &LocalChannel) {
        let (source, peer) = (self.request.source, local.peer);
        if peer == source {
            return;
        }
        let direction = ChannelDirection {
            scid: local.short_channel_id,
            direction: Direction::between(&source, &peer),
        };
        let to = self.intern(peer);
        let lane = self.lane(direction);
        let wrong = self.request.first_hop.is_some_and(|only| only != local.short_channel_id);
        let off = (wrong || !local.usable).then_some(Limit::Excluded);
        let blocked = off.or(self.blocked(direction, &source, &peer));
        let mut edge = Edge {
            min: local.htlc_minimum_msat,
            max: local.htlc_maximum_msat,
            slots: local.free_slots,
            lane,
            blocked,
            ..self.plain(direction, self.start, to, local.spendable_msat)
        };
        exactly(&mut edge, local.spendable_msat);
        self.edges.push(edge);
    }

    /// Adds the hops of a hint; none where the node it starts from is unknown.
    fn hint(&mut self, hint: &[HintHop]) {
        let Some(start) = hint.first() else { return };
        if self.known(&start.pubkey).is_none() {
            return;
        }
        for (place, hop) in hint.iter().enumerate() {
            let far = hint.get(place + 1).map_or(self.request.destination, |next| next.pubkey);
            if hop.pubkey != far && hop.pubkey != self.request.source {
                self.hinted(hop, far);
            }
        }
    }

    fn hinted(&mut self, hop: &HintHop, far: NodeId) {
        let (from, to) = (self.intern(hop.pubkey), self.intern(far));
        let scid = hop.short_channel_id;
        let direction = ChannelDirection { scid, direction: Direction::between(&hop.pubkey, &far) };
        let capacity = self.graph.capacity(scid).unwrap_or(BOUNDLESS);
        let lane = self.lane(direction);
        let mut edge = Edge {
            fee_base: hop.fee_base_msat,
            fee_rate: hop.fee_proportional_millionths,
            cltv_delta: hop.cltv_expiry_delta,
            lane,
            blocked: self.blocked(direction, &hop.pubkey, &far),
            ..self.plain(direction, from, to, capacity)
        };
        if far == self.request.source && self.local.contains_key(&scid) {
            self.bound_by_receivable(&mut edge);
        }
        self.edges.push(edge);
    }
}

/// The liquidity is this, to the msat, our HTLCs in flight already taken off.
fn exactly(edge: &mut Edge, msat: Msat) {
    edge.capacity = msat;
    edge.bounds = Bounds { lo: msat, hi: msat };
    edge.in_flight = Msat::ZERO;
}
