//! The graph as one request sees it: our channels in place of the announced ones, route hints
//! added, exclusions marked, knowledge applied.

mod edge;
mod more;

pub(crate) use edge::{Edge, Way};

use crate::cost::{Bounds, failure_cost};
use crate::graph::{ArcFacts, Toll, number};
use crate::knowledge::Known;
use crate::layer::Lookup;
use crate::{Exclusion, Graph, Knowledge, Limit, LocalChannel, PlanRequest};
use edge::BOUNDLESS;
use more::Maker;
use payecs_units::{ChannelDirection, Msat, NodeId, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

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
        if request.announced_first_hops || !request.layer.channels.is_empty() {
            maker.announced();
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

    /// Most hops of a path.
    pub(crate) fn hops_max(&self) -> usize {
        self.request.hops_allowed()
    }

    /// Whether anything is announced of an arc.
    pub(crate) fn is_edge(&self, arc: u32) -> bool {
        self.ground.has_policy(arc)
    }

    /// Our own number in the graph.
    pub(crate) fn home(&self) -> Option<u32> {
        self.ground.home
    }

    /// Whether what leads into `node` is bound by our channels as we know them.
    pub(crate) fn is_home(&self, node: u32) -> bool {
        self.ground.home == Some(node)
    }

    /// Whether a path ends by the channel that it begins with.
    pub(crate) fn is_there_and_back(&self, edges: &[u32]) -> bool {
        let channel = |edge: &u32| self.edge(*edge).direction.scid;
        edges.len() > 1 && edges.first().map(channel) == edges.last().map(channel)
    }

    /// The edge with a number that [`Net::edges_to`] gave.
    pub(crate) fn edge(&self, edge: u32) -> Edge {
        match edge.checked_sub(self.ground.graph.arcs_count()) {
            None => self.ground.announced(edge),
            Some(place) => self.more[place as usize],
        }
    }

    pub(crate) fn graph(&self) -> &'a Graph {
        self.ground.graph
    }

    /// The nodes that our channels lead to, sorted. `None` where a hinted edge may be a short cut
    /// to an announced node: the graph doesn't know of it.
    pub(crate) fn peers(&self) -> Option<Vec<u32>> {
        let is_announced = |node| (node as usize) < self.ground.graph.nodes_count();
        let (ours, hinted): (Vec<&Edge>, Vec<&Edge>) =
            self.more.iter().partition(|edge| edge.from == self.start);
        if hinted.iter().any(|edge| edge.to != self.goal && is_announced(edge.to)) {
            return None;
        }
        let open = ours.iter().filter(|edge| edge.blocked.is_none() && is_announced(edge.to));
        // They are sorted by the node they lead to.
        let mut peers: Vec<u32> = open.map(|edge| edge.to).collect();
        peers.dedup();
        Some(peers)
    }

    /// What the chance that `amount` fails on an announced arc costs; `None` where it can't pass.
    pub(crate) fn loss(&self, arc: u32, amount: Msat, per_nat: Msat) -> Option<u64> {
        let ArcFacts { direction, capacity, .. } = self.ground.graph.facts(arc);
        let Known { bounds, in_flight, .. } = self.ground.known(*direction, *capacity);
        failure_cost(bounds.neg_ln_micro(in_flight, amount)?, per_nat)
    }

    /// Whether any direction is favoured or disfavoured.
    pub(crate) fn is_biased(&self) -> bool {
        self.ground.layer.is_biased()
    }

    /// How an announced arc is favoured.
    pub(crate) fn bias(&self, arc: u32) -> i8 {
        if self.is_biased() { self.ground.bias(arc, self.graph().arc_ends(arc)) } else { 0 }
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
    fn ways_to(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let announced = self.tolls_to(node).map(|(arc, toll)| (arc, toll.far));
        announced.chain(self.more_to(node))
    }

    /// Our own and hinted edges that end at `node`, each with the node where it begins.
    pub(crate) fn more_to(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let from = self.more.partition_point(|edge| edge.to < node);
        let more = &self.more[from..];
        let more = &more[..more.partition_point(|edge| edge.to == node)];
        let numbers = self.ground.graph.arcs_count() + number(from)..;
        numbers.zip(more.iter().map(|edge| edge.from))
    }

    /// All our own and hinted edges, each with the node where it begins.
    pub(crate) fn more(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let numbers = self.ground.graph.arcs_count()..;
        numbers.zip(self.more.iter().map(|edge| edge.from))
    }

    /// The arcs from `node` that an edge may stand for, each with what is read of it first.
    pub(crate) fn tolls_from(&self, node: u32) -> impl Iterator<Item = (u32, &Toll)> + '_ {
        let Ground { graph, home, .. } = self.ground;
        let known = (node as usize) < graph.nodes_count() && home != Some(node);
        let (goal, is_goal) = (self.goal, node == self.goal);
        let arcs = (known && !is_goal).then(|| graph.arcs_out(node)).into_iter().flatten();
        arcs.filter(move |(_, toll)| home != Some(toll.far) || toll.far == goal)
    }

    /// The arcs into `node` that an edge may stand for, each with what is read of it first.
    pub(crate) fn tolls_to(&self, node: u32) -> impl Iterator<Item = (u32, &Toll)> + '_ {
        let Ground { graph, home, .. } = self.ground;
        let is_home = home == Some(node);
        let known = (node as usize) < graph.nodes_count() && (!is_home || node == self.goal);
        let goal = self.goal;
        let passable = move |toll: &Toll| toll.far != goal && home != Some(toll.far);
        let arcs = known.then(|| graph.tolls_to(node)).into_iter().flatten();
        arcs.filter(move |(_, toll)| passable(toll))
    }

    /// The way over an announced arc between these nodes. `None` where nothing is announced.
    pub(crate) fn way(&self, number: u32, near: u32, far: u32) -> Option<Way> {
        let edge = self.ground.bare(number, near, far)?;
        // What comes home in a circle is bound by the channel as we know it.
        let is_bare = self.ground.home != Some(far);
        let edge = if is_bare { edge } else { self.ground.announced(number) };
        Some(Way { number, edge, is_bare })
    }

    /// The way over one of the edges that [`Net::more_to`] gave.
    pub(crate) fn more_way(&self, number: u32) -> Way {
        Way { number, edge: self.edge(number), is_bare: false }
    }

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
    layer: Lookup,
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
        let layer = Lookup::new(&request.layer);
        Self { graph, knowledge, request, avoid, avoid_nodes, layer, local, home }
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
        let plain = Edge::plain(*direction, (from, to), *capacity);
        let bias = if self.layer.is_biased() { self.bias(arc, (from, to)) } else { 0 };
        Some(Edge { lane: arc, bias, ..plain.under(policy) })
    }

    /// How an arc between these nodes is favoured.
    fn bias(&self, arc: u32, (from, to): (u32, u32)) -> i8 {
        let nodes = self.graph.nodes();
        let ends = (&nodes[from as usize], &nodes[to as usize]);
        self.layer.bias(self.graph.facts(arc).direction, ends)
    }

    /// What is known of a direction of a channel of `capacity`, with what the caller says.
    fn known(&self, direction: ChannelDirection, capacity: Msat) -> Known {
        let known = self.knowledge.of(direction, capacity, self.request.now);
        if self.layer.is_silent() {
            return known;
        }
        let (bounds, passes) = self.layer.narrowed(direction, capacity, known.bounds);
        let above = Msat(passes.0.saturating_add(1));
        let flying = known.in_flight.0.saturating_add(self.layer.reserved(direction).0);
        Known {
            bounds,
            refused: known.refused.map(|refused| refused.max(above)),
            in_flight: Msat(flying),
            disabled: known.disabled,
        }
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

    /// An edge that asks for nothing, with what is known and said of it.
    fn plain(
        &self,
        direction: ChannelDirection,
        ways: (u32, u32),
        ends: (&NodeId, &NodeId),
        capacity: Msat,
    ) -> Edge {
        let bias = self.layer.bias(direction, ends);
        self.learned(Edge { bias, ..Edge::plain(direction, ways, capacity) }, ends)
    }

    /// The edge with what is known of it and excluded.
    fn learned(&self, edge: Edge, (near, far): (&NodeId, &NodeId)) -> Edge {
        let Known { bounds, refused, in_flight, disabled } =
            self.known(edge.direction, edge.capacity);
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
        self.exactly(edge, receivable);
        if local.is_none() {
            edge.blocked = Some(Limit::Excluded);
        }
    }

    /// The liquidity is this, to the msat, our HTLCs in flight already taken off.
    fn exactly(&self, edge: &mut Edge, msat: Msat) {
        edge.capacity = msat;
        edge.bounds = Bounds { lo: msat, hi: msat };
        edge.in_flight = self.layer.reserved(edge.direction);
    }
}
