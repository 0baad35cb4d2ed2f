//! A flow of least cost: the amount in equal units, each along the path that costs least beside
//! those before it.
//!
//! What an edge asks for a unit grows with the units on it, since the chance that they pass shrinks
//! (a convex cost). Successive shortest paths are the cheapest flow then, unit by unit, so long as
//! a path may also take back units that others brought: the edge is gone over the other way, for
//! what its last unit cost. Potentials keep every step of a search from costing less than nothing,
//! and lead it. They begin with the distances from us by fee and delay alone, which are soon found
//! and never more than with the chance to fail; each search leaves them better.
//!
//! Ahuja, Magnanti & Orlin, *Network Flows*, chapters 9 and 14; Pickhardt & Richter,
//! arXiv:2107.05322.
//!
//! Fees are those of one unit, whatever is charged on them further on; limits of delay, hops, slots
//! and smallest HTLCs are not looked at where they bind paths. Whoever uses the paths prices them.

#[cfg(test)]
mod tests;

use crate::cost::{biased, delay_cost, loss_cost};
use crate::graph::Toll;
use crate::net::{Edge, Net};
use crate::weights::Weights;
use payecs_units::Msat;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// No edge.
const NONE: u32 = u32::MAX;
/// Not asked for yet; a cost that is too high.
const UNKNOWN: u64 = u64::MAX;
const TOO_MUCH: u64 = u64::MAX - 1;
/// A unit over one edge never costs more: what does isn't used. Sums of 2²⁰ fit into 64 bits.
const COST_MAX: u64 = 1 << 42;

/// Units on an edge.
#[derive(Clone, Copy, Debug)]
struct Carried {
    from: u32,
    to: u32,
    units: u32,
}

/// How a search came to a node.
#[derive(Clone, Copy, Debug)]
struct Step {
    edge: u32,
    /// Whether it goes over the edge the other way, and takes a unit back.
    back: bool,
    /// The node that it came from, nearer to the destination.
    next: u32,
}

const NO_STEP: Step = Step { edge: NONE, back: false, next: NONE };

/// A flow that grows by units.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    net: &'a Net<'a>,
    weights: Weights,
    unit: Msat,
    units: u32,
    /// No other unit finds a way.
    is_stuck: bool,
    carried: BTreeMap<u32, Carried>,
    /// What each direction carries.
    lanes: BTreeMap<u32, Msat>,
    /// Whether units leave the node.
    is_used: Vec<bool>,
    /// What ways from us to a node cost at least, beside what flows.
    potentials: Vec<u64>,
    /// What a first unit costs on each announced arc; [`UNKNOWN`] where nobody asked.
    first: Vec<u64>,
    distance: Vec<u64>,
    steps: Vec<Step>,
    /// Nodes that a search came to.
    touched: Vec<u32>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl<'a> Flow<'a> {
    /// Nothing flows yet.
    pub(crate) fn new(net: &'a Net<'a>, weights: Weights, unit: Msat) -> Self {
        let nodes = net.nodes_count as usize;
        let mut flow = Self {
            net,
            weights,
            unit,
            units: 0,
            is_stuck: false,
            carried: BTreeMap::new(),
            lanes: BTreeMap::new(),
            is_used: vec![false; nodes],
            potentials: vec![0; nodes],
            first: vec![UNKNOWN; net.graph().arcs_count() as usize],
            distance: vec![u64::MAX; nodes],
            steps: vec![NO_STEP; nodes],
            touched: Vec::new(),
            heap: BinaryHeap::new(),
        };
        flow.scout();
        flow
    }

    /// Goes out from us as far as the destination is, for the first potentials: what each node is
    /// away at least, the chance to fail not counted, and no more than the destination.
    fn scout(&mut self) {
        let net = self.net;
        let mut more: Vec<(u32, u32)> = net.more().map(|(number, from)| (from, number)).collect();
        more.sort_unstable();
        let delay_rate = self.weights.delay_rate_q32(self.unit);
        self.reach(net.start, 0, NO_STEP);
        let mut whole = u64::MAX;
        while let Some(Reverse((distance, node))) = self.heap.pop() {
            if distance > self.distance[node as usize] {
                continue;
            }
            if node == net.goal {
                whole = distance;
                break;
            }
            for (number, toll) in net.tolls_from(node) {
                let least = self.least(number, toll, delay_rate);
                let Some(least) = least.filter(|least| *least <= COST_MAX) else { continue };
                let is_open = toll.is_open_for(self.unit) || net.is_home(toll.far);
                let is_better = distance + least < self.distance[toll.far as usize];
                if is_open && is_better && net.is_edge(number) {
                    self.reach(toll.far, distance + least, NO_STEP);
                }
            }
            let from = more.partition_point(|(from, _)| *from < node);
            for (_, number) in more[from..].iter().take_while(|(from, _)| *from == node) {
                if let Some(cost) = self.cost_of(*number, node) {
                    self.reach(net.edge(*number).to, distance + cost, NO_STEP);
                }
            }
        }
        if whole == u64::MAX {
            self.is_stuck = true;
            return;
        }
        self.potentials.fill(whole);
        for node in &self.touched {
            self.potentials[*node as usize] = whole.min(self.distance[*node as usize]);
        }
    }

    /// The cost of a unit more on the edge of this number, which begins at `from`.
    fn cost_of(&mut self, number: u32, from: u32) -> Option<u64> {
        let known =
            self.first.get(number as usize).copied().filter(|_| !self.is_used[from as usize]);
        if let Some(known) = known.filter(|known| *known != UNKNOWN) {
            return (known <= COST_MAX).then_some(known);
        }
        let edge = self.net.edge(number);
        let flying = if self.is_used[from as usize] { self.on(edge.lane) } else { Msat::ZERO };
        let cost = self.cost(&edge, flying);
        if let Some(first) = self.first.get_mut(number as usize).filter(|_| flying == Msat::ZERO) {
            *first = cost.unwrap_or(TOO_MUCH);
        }
        cost
    }

    /// Sends units until there are so many, or no other finds a way; how many there are.
    pub(crate) fn send(&mut self, units: u32) -> u32 {
        while self.units < units && !self.is_stuck {
            if self.search() {
                self.augment();
                self.settle();
            } else {
                self.is_stuck = true;
            }
        }
        self.units
    }

    /// The cost of a unit more on an edge that carries `flying`; `None` where it doesn't fit.
    fn cost(&self, edge: &Edge, flying: Msat) -> Option<u64> {
        let unit = self.unit;
        let fits = edge.min <= unit && unit <= edge.max && unit < edge.refused && edge.slots > 0;
        if edge.blocked.is_some() || !fits {
            return None;
        }
        let fee = unit.forwarding_fee(edge.fee_base, edge.fee_rate)?.0;
        let waiting = delay_cost(unit, edge.cltv_delta, self.weights.risk())?;
        let more = self.loss(edge, flying.checked_add(unit)?)?;
        let before = if flying == Msat::ZERO { 0 } else { self.loss(edge, flying)? };
        let cost = fee.checked_add(waiting)?.checked_add(more.saturating_sub(before))?;
        let bias = self.weights.bias(edge);
        (cost <= COST_MAX).then(|| biased(bias, cost).min(COST_MAX))
    }

    /// What a unit costs at least on an announced arc.
    fn least(&self, arc: u32, toll: &Toll, delay_rate: u64) -> Option<u64> {
        let least = toll.least(self.unit, delay_rate)?;
        let is_biased = self.weights.counts_biases(self.net);
        Some(if is_biased { biased(self.net.bias(arc), least).min(COST_MAX) } else { least })
    }

    fn loss(&self, edge: &Edge, carried: Msat) -> Option<u64> {
        let (whole, per_nat) = (self.net.request.amount_msat, self.weights.per_nat());
        if per_nat == Msat::ZERO {
            let there = edge.in_flight.checked_add(carried)?;
            return (there <= edge.bounds.hi).then_some(0);
        }
        loss_cost(edge.bounds, edge.in_flight, carried, whole, per_nat)
    }

    fn on(&self, lane: u32) -> Msat {
        self.lanes.get(&lane).copied().unwrap_or(Msat::ZERO)
    }

    fn potential(&self, node: u32) -> u64 {
        self.potentials[node as usize]
    }

    /// The shortest path back from the destination; whether there is one. Each node is looked at
    /// once: a step that rounding makes cheaper than nothing costs nothing, since a search could
    /// otherwise go in circles for ever smaller sums.
    fn search(&mut self) -> bool {
        let mut looked_at = 0;
        for node in self.touched.drain(..) {
            self.distance[node as usize] = u64::MAX;
            self.steps[node as usize] = NO_STEP;
        }
        self.heap.clear();
        self.reach(self.net.goal, 0, NO_STEP);
        while let Some(Reverse((distance, node))) = self.heap.pop() {
            if distance > self.distance[node as usize] {
                continue;
            }
            if node == self.net.start {
                return true;
            }
            looked_at += 1;
            debug_assert!(looked_at <= self.net.nodes_count, "a node is looked at again");
            let potential = self.potential(node);
            self.go_back(node, distance, potential);
            if self.is_used[node as usize] {
                self.take_back(node, distance, potential);
            }
        }
        false
    }

    fn reach(&mut self, node: u32, distance: u64, step: Step) {
        let known = &mut self.distance[node as usize];
        if distance >= *known {
            return;
        }
        if *known == u64::MAX {
            self.touched.push(node);
        }
        *known = distance;
        self.steps[node as usize] = step;
        self.heap.push(Reverse((distance, node)));
    }

    /// Over every edge that ends at `node`.
    fn go_back(&mut self, node: u32, distance: u64, potential: u64) {
        let net = self.net;
        let (unit, delay_rate) = (self.unit, self.weights.delay_rate_q32(self.unit));
        let is_home = net.is_home(node);
        for (number, toll) in net.tolls_to(node) {
            if !is_home && !toll.is_open_for(unit) {
                continue;
            }
            let there = self.potential(toll.far);
            let Some(least) = self.least(number, toll, delay_rate) else { continue };
            let at_least = (distance + there).saturating_add(least).saturating_sub(potential);
            if at_least < self.distance[toll.far as usize] && net.is_edge(number) {
                self.go_over(number, toll.far, (node, distance, potential));
            }
        }
        for (number, from) in net.more_to(node) {
            self.go_over(number, from, (node, distance, potential));
        }
    }

    fn go_over(&mut self, number: u32, from: u32, (node, distance, potential): (u32, u64, u64)) {
        let Some(cost) = self.cost_of(number, from) else { return };
        let there = self.potential(from);
        let step = Step { edge: number, back: false, next: node };
        self.reach(from, (distance + there + cost).saturating_sub(potential).max(distance), step);
    }

    /// Over every edge from `node` that carries a unit, which is taken back.
    fn take_back(&mut self, node: u32, distance: u64, potential: u64) {
        let out = self.carried.iter().filter(|(_, it)| it.from == node && it.units > 0);
        let out: Vec<(u32, u32)> = out.map(|(number, it)| (*number, it.to)).collect();
        for (number, to) in out {
            let edge = self.net.edge(number);
            let less = self.on(edge.lane).saturating_sub(self.unit);
            let Some(saved) = self.cost(&edge, less) else { continue };
            let there = self.potential(to);
            let step = Step { edge: number, back: true, next: node };
            let left = (distance + there).saturating_sub(potential + saved).max(distance);
            self.reach(to, left, step);
        }
    }

    /// Sends a unit along the path found.
    fn augment(&mut self) {
        let mut node = self.net.start;
        // No path goes through a node twice.
        for _ in 0..self.net.nodes_count {
            if node == self.net.goal {
                break;
            }
            let Step { edge, back, next } = self.steps[node as usize];
            if edge == NONE {
                break;
            }
            self.change(edge, back);
            node = next;
        }
        self.units += 1;
    }

    fn change(&mut self, number: u32, back: bool) {
        let Edge { from, to, lane, .. } = self.net.edge(number);
        let carried = self.carried.entry(number).or_insert(Carried { from, to, units: 0 });
        let on = self.lanes.entry(lane).or_default();
        if back {
            carried.units = carried.units.saturating_sub(1);
            *on = on.saturating_sub(self.unit);
        } else {
            carried.units += 1;
            *on = Msat(on.0.saturating_add(self.unit.0));
        }
        self.is_used[from as usize] = true;
    }

    /// Raises the potentials of the nodes nearer than the start.
    fn settle(&mut self) {
        let whole = self.distance[self.net.start as usize];
        for node in &self.touched {
            let short = whole.saturating_sub(self.distance[*node as usize]);
            self.potentials[*node as usize] += short;
        }
    }

    /// The paths that the units take, each with how many: those with most first. Paths that cross
    /// may be paired otherwise than they were found.
    pub(crate) fn paths(&self) -> Vec<(Vec<u32>, u32)> {
        let mut left = self.carried.clone();
        let mut paths = Vec::new();
        while let Some((edges, units)) = widest(&left, self.net.start, self.net.goal) {
            for edge in &edges {
                if let Some(carried) = left.get_mut(edge) {
                    carried.units -= units;
                }
            }
            paths.push((edges, units));
        }
        paths
    }
}

/// The path from `start` to `goal` that most units take together, and how many.
fn widest(carried: &BTreeMap<u32, Carried>, start: u32, goal: u32) -> Option<(Vec<u32>, u32)> {
    let mut best: BTreeMap<u32, (u32, u32)> = BTreeMap::from([(start, (u32::MAX, NONE))]);
    let mut open = BinaryHeap::from([(u32::MAX, Reverse(start))]);
    while let Some((units, Reverse(node))) = open.pop() {
        if node == goal {
            break;
        }
        if best.get(&node).is_none_or(|(known, _)| *known > units) {
            continue;
        }
        for (number, edge) in carried.iter().filter(|(_, it)| it.from == node && it.units > 0) {
            let through = units.min(edge.units);
            if best.get(&edge.to).is_none_or(|(known, _)| *known < through) {
                best.insert(edge.to, (through, *number));
                open.push((through, Reverse(edge.to)));
            }
        }
    }
    let (units, _) = *best.get(&goal)?;
    let (mut edges, mut node) = (Vec::new(), goal);
    while node != start {
        let (_, number) = *best.get(&node)?;
        edges.push(number);
        node = carried.get(&number)?.from;
    }
    edges.reverse();
    Some((edges, units))
}
