//! Whether the true balances let a payment through: a maximum flow, by Dinic's algorithm. Nothing
//! of the planner is used.

use crate::balances::Balances;
use crate::question::{PARTS_MAX, Question, fee_max};
use payecs_planner::{Graph, Policy};
use payecs_units::{ChannelDirection, Direction, Msat, NodeId};
use std::{cmp::Reverse, collections::BinaryHeap, collections::VecDeque};

const FAR: u64 = u64::MAX;

/// A channel of a graph is two arcs that follow each other: what flows over the one can go back
/// over the other.
#[derive(Debug)]
pub struct Oracle<'a> {
    graph: &'a Graph,
    /// For each node the first of its places in `arcs`; one more at the end.
    first: Vec<usize>,
    /// The arcs from each node.
    arcs: Vec<usize>,
    /// Where each arc ends.
    to: Vec<usize>,
    policies: Vec<Option<&'a Policy>>,
    /// What is there, where the direction is enabled.
    there: Vec<u64>,
}

impl<'a> Oracle<'a> {
    /// For one graph and one draw of balances.
    #[must_use]
    pub fn new(graph: &'a Graph, balances: &Balances) -> Self {
        let mut from = Vec::new();
        let mut it = Self {
            graph,
            first: vec![0; graph.nodes_count() + 1],
            arcs: Vec::new(),
            to: Vec::new(),
            policies: Vec::new(),
            there: Vec::new(),
        };
        for channel in graph.channels() {
            let ends = [channel.node_a, channel.node_b].map(|node| it.place(&node));
            let scid = channel.short_channel_id;
            for (side, direction) in [Direction::Zero, Direction::One].into_iter().enumerate() {
                let way = ChannelDirection { scid, direction };
                let policy = graph.policy(way).filter(|policy| policy.enabled);
                from.push(ends[side]);
                it.to.push(ends[1 - side]);
                it.policies.push(policy);
                it.there.push(policy.map_or(0, |_| balances.of(way).0));
            }
        }
        it.arcs = (0..from.len()).collect();
        it.arcs.sort_by_key(|arc| from[*arc]);
        for node in from {
            it.first[node + 1] += 1;
        }
        for node in 0..graph.nodes_count() {
            it.first[node + 1] += it.first[node];
        }
        it
    }

    fn place(&self, node: &NodeId) -> usize {
        self.graph.nodes().binary_search(node).expect("the pairs are of the graph")
    }

    fn from(&self, node: usize) -> &[usize] {
        &self.arcs[self.first[node]..self.first[node + 1]]
    }

    /// Whatever the fees and limits.
    #[must_use]
    pub fn is_feasible(&self, question: &Question) -> bool {
        self.flows(question, self.there.clone())
    }

    /// Within the limits of HTLCs, over arcs that lie on a way whose fee for the whole amount is
    /// within the limit. The first hop is free.
    #[must_use]
    pub fn is_narrowly_feasible(&self, question: &Question) -> bool {
        let (source, goal) = (self.place(&question.source), self.place(&question.destination));
        let amount = question.amount;
        let fits = |arc: usize| {
            self.policies[arc].is_some_and(|policy| {
                policy.htlc_minimum_msat <= amount && policy.htlc_maximum_msat > Msat::ZERO
            })
        };
        let fee = |arc: usize, from: usize| match self.policies[arc] {
            Some(policy) if from != source => amount
                .forwarding_fee(policy.fee_base_msat, policy.fee_rate)
                .map_or(FAR, |fee| fee.0),
            Some(_) | None => 0,
        };
        let out = self.cheapest(source, |arc, near| fits(arc).then(|| fee(arc, near)));
        // The arc into a node is the twin of one from it.
        let into = self.cheapest(goal, |arc, _| fits(arc ^ 1).then(|| fee(arc ^ 1, self.to[arc])));
        let mut room = vec![0; self.there.len()];
        for (node, reached) in out.iter().enumerate() {
            for arc in self.from(node) {
                let costs = [*reached, fee(*arc, node), into[self.to[*arc]]];
                let sum = costs.into_iter().fold(0, u64::saturating_add);
                if let Some(policy) = self.policies[*arc].filter(|_| fits(*arc))
                    && sum <= fee_max(amount).0
                {
                    let most = policy.htlc_maximum_msat.0.saturating_mul(PARTS_MAX.into());
                    room[*arc] = self.there[*arc].min(most);
                }
            }
        }
        self.flows(question, room)
    }

    /// The least cost from `start` to every node over arcs that have one.
    fn cheapest(&self, start: usize, cost: impl Fn(usize, usize) -> Option<u64>) -> Vec<u64> {
        let mut least = vec![FAR; self.graph.nodes_count()];
        least[start] = 0;
        let mut heap = BinaryHeap::from([Reverse((0, start))]);
        while let Some(Reverse((sum, node))) = heap.pop() {
            if sum > least[node] {
                continue;
            }
            for arc in self.from(node) {
                let far = self.to[*arc];
                let there = cost(*arc, node).map(|cost| sum.saturating_add(cost));
                if let Some(there) = there.filter(|there| *there < least[far]) {
                    least[far] = there;
                    heap.push(Reverse((there, far)));
                }
            }
        }
        least
    }

    /// Whether the amount flows where each arc has so much room.
    fn flows(&self, question: &Question, mut room: Vec<u64>) -> bool {
        let (source, goal) = (self.place(&question.source), self.place(&question.destination));
        let mut left = question.amount.0;
        while left > 0 {
            let levels = self.levels(&room, source);
            if levels[goal] == usize::MAX {
                return false;
            }
            let mut next: Vec<usize> = self.first.clone();
            loop {
                let pushed = self.push(&mut room, &levels, &mut next, (source, goal), left);
                left -= pushed;
                if pushed == 0 || left == 0 {
                    break;
                }
            }
        }
        true
    }

    /// How many arcs with room each node is away from `start`.
    fn levels(&self, room: &[u64], start: usize) -> Vec<usize> {
        let mut levels = vec![usize::MAX; self.graph.nodes_count()];
        levels[start] = 0;
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for arc in self.from(node) {
                let far = self.to[*arc];
                if room[*arc] > 0 && levels[far] == usize::MAX {
                    levels[far] = levels[node] + 1;
                    queue.push_back(far);
                }
            }
        }
        levels
    }

    /// Sends up to `most` along one shortest path; 0 where none is left.
    fn push(
        &self,
        room: &mut [u64],
        levels: &[usize],
        next: &mut [usize],
        (source, goal): (usize, usize),
        most: u64,
    ) -> u64 {
        let mut path: Vec<usize> = Vec::new();
        let mut node = source;
        while node != goal {
            if next[node] == self.first[node + 1] {
                // Nothing leads on from here: one step back.
                let Some(arc) = path.pop() else { return 0 };
                node = self.to[arc ^ 1];
                next[node] += 1;
                continue;
            }
            let arc = self.arcs[next[node]];
            let far = self.to[arc];
            if room[arc] > 0 && levels[far] == levels[node] + 1 {
                path.push(arc);
                node = far;
            } else {
                next[node] += 1;
            }
        }
        let pushed = path.iter().map(|arc| room[*arc]).fold(most, u64::min);
        for arc in path {
            room[arc] -= pushed;
            room[arc ^ 1] += pushed;
        }
        pushed
    }
}
