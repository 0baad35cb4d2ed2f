//! The graph as one request sees it: our channels in place of the announced ones, route hints
//! added, exclusions marked, knowledge applied.

mod more;

use crate::cost::Bounds;
use crate::graph::{Policy, number};
use crate::knowledge::Known;
use crate::{Exclusion, Graph, Knowledge, Limit, LocalChannel, PlanRequest};
use more::Maker;
use payecs_units::{Blocks, ChannelDirection, Msat, NodeId, Ppm, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// A limit that isn't there.
const BOUNDLESS: Msat = Msat(u64::MAX);

/// One way from a node to the next, with all that limits it.
#[derive(Clone, Copy, Debug)]
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
///
/// An announced edge has the number of its arc in the graph, and is put together when it is asked
/// for: most are not.
#[derive(Debug)]
pub(crate) struct Net<'a> {
    ground: Ground<'a>,
    pub(crate) request: &'a PlanRequest,
    /// Where routes begin: us, in a circle apart from `goal`.
    pub(crate) start: u32,
    pub(crate) goal: u32,
    pub(crate) nodes_count: u32,
    /// Our own edges and hinted ones, by `to`; they are numbered behind the arcs of the graph.
    more: Vec<Edge>,
    strangers: BTreeMap<u32, NodeId>,
}

impl<'a> Net<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        knowledge: &'a Knowledge,
        request: &'a PlanRequest,
    ) -> Self {
        let mut maker = Maker::new(Ground::new(graph, knowledge, request));
        for local in maker.ground.local.clone().into_values() {
            maker.local(local);
        }
        for hint in &request.hints {
            maker.hint(hint);
        }
        let mut more = maker.edges;
        more.sort_by_key(|edge| edge.to);
        Self {
            ground: maker.ground,
            request,
            start: maker.start,
            goal: maker.goal,
            nodes_count: maker.nodes_count,
            more,
            strangers: maker.strangers.into_iter().map(|(id, number)| (number, id)).collect(),
        }
    }

    pub(crate) fn is_circle(&self) -> bool {
        self.request.source == self.request.destination
    }

    /// The edge with a number that [`Net::edges_to`] gave.
    pub(crate) fn edge(&self, edge: u32) -> Edge {
        match edge.checked_sub(self.ground.graph.arcs_count()) {
            None => self.ground.announced(edge),
            Some(place) => self.more[place as usize],
        }
    }

    /// The node where an edge begins.
    pub(crate) fn near(&self, edge: u32) -> u32 {
        let graph = self.ground.graph;
        match edge.checked_sub(graph.arcs_count()) {
            None => graph.arc(graph.arc(edge).twin).to,
            Some(place) => self.more[place as usize].from,
        }
    }

    /// The id of a node; the start of a circle is its end.
    pub(crate) fn node_id(&self, node: u32) -> NodeId {
        let announced = self.ground.graph.nodes().get(node as usize).copied();
        announced.or_else(|| self.strangers.get(&node).copied()).unwrap_or(self.request.source)
    }

    /// Whether the destination is in the graph or has any edge at all.
    pub(crate) fn knows_destination(&self) -> bool {
        self.ground.graph.contains_node(&self.request.destination)
            || self.edges_to(self.goal).next().is_some()
    }

    /// The edges that end at `node`, blocked ones too: every announced direction but those from us,
    /// then our own and hinted ones.
    pub(crate) fn edges_to(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.more.partition_point(|edge| edge.to < node);
        let to = self.more.partition_point(|edge| edge.to <= node);
        let behind = self.ground.graph.arcs_count();
        let more = behind + number(from)..behind + number(to);
        self.ground.announced_to(node, self.goal).chain(more)
    }

    /// Every edge, with its number.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (u32, Edge)> + '_ {
        let numbers = (0..self.nodes_count).flat_map(|node| self.edges_to(node));
        numbers.map(|number| (number, self.edge(number)))
    }
}

/// What is announced and known, as one request sees it.
#[derive(Debug)]
struct Ground<'a> {
    graph: &'a Graph,
    knowledge: &'a Knowledge,
    request: &'a PlanRequest,
    avoid: BTreeSet<ChannelDirection>,
    avoid_nodes: BTreeMap<NodeId, Limit>,
    /// Ours; of two entries for one channel the later counts.
    local: BTreeMap<ShortChannelId, &'a LocalChannel>,
    /// Our own number in the graph.
    home: Option<u32>,
}

impl<'a> Ground<'a> {
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
        let local = request.local.iter().map(|local| (local.short_channel_id, local)).collect();
        let home = graph.node_index(&request.source);
        Self { graph, knowledge, request, avoid, avoid_nodes, local, home }
    }

    /// The arcs into a node that an edge stands for.
    fn announced_to(&self, to: u32, goal: u32) -> impl Iterator<Item = u32> + '_ {
        let home = self.home == Some(to);
        let known = (to as usize) < self.graph.nodes_count() && (!home || to == goal);
        let out = if known { self.graph.arcs_from(to) } else { 0..0 };
        out.filter_map(move |out| {
            let out = self.graph.arc(out);
            let passable = out.to != goal && self.home != Some(out.to);
            (passable && self.graph.arc(out.twin).policy.is_some()).then_some(out.twin)
        })
    }

    /// The edge of an arc.
    fn announced(&self, arc: u32) -> Edge {
        let view = self.graph.arc(arc);
        let policy = view.policy.expect("only arcs with a policy are edges");
        let (from, to) = (self.graph.arc(view.twin).to, view.to);
        let mut edge = self.forwarding(view.direction, from, to, policy, view.capacity);
        edge.lane = arc;
        if self.home == Some(to) {
            self.bound_by_receivable(&mut edge);
        }
        edge
    }

    fn blocked(
        &self,
        way: ChannelDirection,
        disabled: bool,
        from: &NodeId,
        to: &NodeId,
    ) -> Option<Limit> {
        if self.avoid.contains(&way) {
            return Some(Limit::Excluded);
        }
        if let Some(only) = &self.request.last_hop
            && *to == self.request.destination
            && only != from
        {
            return Some(Limit::Excluded);
        }
        let node = |node| self.avoid_nodes.get(node).copied();
        node(from).or_else(|| node(to)).or_else(|| disabled.then_some(Limit::Knowledge))
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
        let ends = (&nodes[from as usize], &nodes[to as usize]);
        let edge = self.plain(direction, (from, to), ends, capacity);
        let excluded = (!policy.enabled).then_some(Limit::Excluded);
        Edge {
            fee_base: policy.fee_base_msat,
            fee_rate: policy.fee_rate,
            cltv_delta: policy.cltv_delta,
            min: policy.htlc_minimum_msat,
            max: policy.htlc_maximum_msat,
            blocked: excluded.or(edge.blocked),
            ..edge
        }
    }

    /// An edge that asks for nothing, with what is known of it.
    fn plain(
        &self,
        direction: ChannelDirection,
        (from, to): (u32, u32),
        (near, far): (&NodeId, &NodeId),
        capacity: Msat,
    ) -> Edge {
        let Known { bounds, refused, in_flight, disabled } =
            self.knowledge.of(direction, capacity, self.request.now);
        Edge {
            from,
            to,
            direction,
            fee_base: Msat::ZERO,
            fee_rate: Ppm(0),
            cltv_delta: Blocks(0),
            min: Msat::ZERO,
            max: BOUNDLESS,
            refused: refused.unwrap_or(BOUNDLESS),
            capacity,
            bounds,
            in_flight,
            slots: u32::MAX,
            lane: 0,
            blocked: self.blocked(direction, disabled, near, far),
        }
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
}

/// The liquidity is this, to the msat, our HTLCs in flight already taken off.
fn exactly(edge: &mut Edge, msat: Msat) {
    edge.capacity = msat;
    edge.bounds = Bounds { lo: msat, hi: msat };
    edge.in_flight = Msat::ZERO;
}
