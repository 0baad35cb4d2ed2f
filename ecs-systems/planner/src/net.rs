//! The graph as one request sees it: our channels in place of the announced ones, route hints
//! added, exclusions marked, knowledge applied.

mod more;

use crate::ahead::{Ahead, Departure};
use crate::cost::Bounds;
use crate::graph::{ArcFacts, Link, number};
use crate::knowledge::Known;
use crate::{Exclusion, Graph, Knowledge, Limit, LocalChannel, PlanRequest};
use more::Maker;
use payecs_units::{Blocks, ChannelDirection, MicroPercent, Msat, NodeId, Ppm, ShortChannelId};
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

impl Edge {
    /// One that asks for nothing, of which nothing is known.
    fn plain(direction: ChannelDirection, (from, to): (u32, u32), capacity: Msat) -> Self {
        Self {
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
        }
    }
}

/// An edge that a search may go back over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) number: u32,
    pub(crate) edge: Edge,
    /// Whether the edge is as if nothing had been learned of it, and nothing excluded.
    pub(crate) is_bare: bool,
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

    /// What ways from our peers cost at least that carry `amount` or more. Nothing is said where a
    /// hinted edge may be a short cut to an announced node: the graph doesn't know of it.
    pub(crate) fn ahead(&self, amount: Msat, risk: MicroPercent) -> Ahead {
        let graph = self.ground.graph;
        let is_announced = |node| (node as usize) < graph.nodes_count();
        let (ours, hinted): (Vec<&Edge>, Vec<&Edge>) =
            self.more.iter().partition(|edge| edge.from == self.start);
        if hinted.iter().any(|edge| edge.to != self.goal && is_announced(edge.to)) {
            return Ahead::default();
        }
        let open = ours.iter().filter(|edge| edge.blocked.is_none() && is_announced(edge.to));
        // They are sorted by the node they lead to.
        let mut peers: Vec<u32> = open.map(|edge| edge.to).collect();
        peers.dedup();
        graph.ahead(Departure::new(peers, amount, risk))
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
        let behind = self.ground.graph.arcs_count();
        let ways = self.ways_to(node).map(|(number, _)| number);
        ways.filter(move |number| *number >= behind || self.ground.has_policy(*number))
    }

    /// The same with the node where each begins, and arcs that no policy is announced for.
    pub(crate) fn ways_to(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let from = self.more.partition_point(|edge| edge.to < node);
        let more = &self.more[from..];
        let more = &more[..more.partition_point(|edge| edge.to == node)];
        let numbers = self.ground.graph.arcs_count() + number(from)..;
        let announced = self.ground.announced_to(node, self.goal);
        announced.chain(numbers.zip(more.iter().map(|edge| edge.from)))
    }

    /// The way of a number that [`Net::ways_to`] gave for the node `far`. `None` where nothing is
    /// announced.
    pub(crate) fn way(&self, number: u32, near: u32, far: u32) -> Option<Way> {
        let Some(place) = number.checked_sub(self.ground.graph.arcs_count()) else {
            let edge = self.ground.bare(number, near, far)?;
            // What comes home in a circle is bound by the channel as we know it.
            let is_bare = self.ground.home != Some(far);
            let edge = if is_bare { edge } else { self.ground.announced(number) };
            return Some(Way { number, edge, is_bare });
        };
        Some(Way { number, edge: self.more[place as usize], is_bare: false })
    }

    /// Every edge, with its number.
    /// Whether the caller left out one of our channels that could be used: it, or the peer, is
    /// excluded, or another channel must be the first, or another node the last on the way.
    pub(crate) fn is_left_out(&self, ours: &Edge) -> bool {
        let Ground { local, request, .. } = &self.ground;
        let Some(local) = local.get(&ours.direction.scid).filter(|local| local.usable) else {
            return false;
        };
        let is_payee = local.peer == request.destination;
        let is_excluded = |what| request.exclude.contains(&what);
        request.first_hop.is_some_and(|only| only != local.short_channel_id)
            || (is_payee && request.last_hop.is_some_and(|only| only != request.source))
            || is_excluded(Exclusion::Channel(ours.direction))
            || (!is_payee && is_excluded(Exclusion::Node(local.peer)))
    }

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

    /// The arcs into a node that an edge may stand for, each with the node where it begins.
    fn announced_to(&self, to: u32, goal: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let home = self.home == Some(to);
        let known = (to as usize) < self.graph.nodes_count() && (!home || to == goal);
        let out = if known { self.graph.links_from(to) } else { &[] };
        let passable = move |out: &&Link| out.to != goal && self.home != Some(out.to);
        out.iter().filter(passable).map(|out| (out.twin, out.to))
    }

    fn has_policy(&self, arc: u32) -> bool {
        self.graph.facts(arc).policy.is_some()
    }

    /// The edge of an arc.
    fn announced(&self, arc: u32) -> Edge {
        let (from, to) = self.graph.arc_ends(arc);
        let edge = self.bare(arc, from, to).expect("only arcs with a policy are edges");
        let nodes = self.graph.nodes();
        let mut edge = self.learned(edge, (&nodes[from as usize], &nodes[to as usize]));
        if self.home == Some(to) {
            self.bound_by_receivable(&mut edge);
        }
        edge
    }

    /// The edge of an arc between these nodes as if nothing had been learned and nothing excluded;
    /// `None` where no policy is announced.
    fn bare(&self, arc: u32, from: u32, to: u32) -> Option<Edge> {
        let ArcFacts { direction, capacity, policy } = self.graph.facts(arc);
        let policy = policy.as_ref()?;
        Some(Edge {
            fee_base: policy.fee_base_msat,
            fee_rate: policy.fee_rate,
            cltv_delta: policy.cltv_delta,
            min: policy.htlc_minimum_msat,
            max: policy.htlc_maximum_msat,
            lane: arc,
            blocked: (!policy.enabled).then_some(Limit::Excluded),
            ..Edge::plain(*direction, (from, to), *capacity)
        })
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

    /// An edge that asks for nothing, with what is known of it.
    fn plain(
        &self,
        direction: ChannelDirection,
        ways: (u32, u32),
        ends: (&NodeId, &NodeId),
        capacity: Msat,
    ) -> Edge {
        self.learned(Edge::plain(direction, ways, capacity), ends)
    }

    /// The edge with what is known of it and excluded.
    fn learned(&self, edge: Edge, (near, far): (&NodeId, &NodeId)) -> Edge {
        let Known { bounds, refused, in_flight, disabled } =
            self.knowledge.of(edge.direction, edge.capacity, self.request.now);
        let blocked = || self.blocked(edge.direction, disabled, near, far);
        Edge {
            bounds,
            refused: refused.unwrap_or(BOUNDLESS),
            in_flight,
            blocked: edge.blocked.or_else(blocked),
            ..edge
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
