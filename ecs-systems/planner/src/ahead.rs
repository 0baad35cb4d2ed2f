//! What the way from our peers to a node costs at least, whatever is known of liquidity: fees and
//! delay of the cheapest one. A search that goes back from the destination looks first where what
//! it has spent and what is ahead come to least.
//!
//! It is found once for each graph, set of peers and class of amounts, and kept with the graph:
//! most plans have these in common with one before. Whether it was kept changes no answer.

use crate::Graph;
use crate::cost::delay_cost;
use crate::graph::Policy;
use payecs_units::{MicroPercent, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most answers that are kept with a graph: beyond them, the one not asked for longest goes.
const KEPT_MAX: usize = 32;
/// Leading bits of an amount that its class has in common: no amount is half again as large as the
/// least of its class.
const CLASS_BITS: u32 = 2;
/// There is no way.
const UNREACHABLE: u64 = u64::MAX;

/// All that the least costs depend on, beside the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    /// The nodes that our channels lead to, sorted.
    peers: Vec<u32>,
    /// What arrives at least.
    amount: Msat,
    risk: MicroPercent,
}

impl Departure {
    /// From `peers`, sorted, for amounts of the class of `amount`.
    pub(crate) fn new(peers: Vec<u32>, amount: Msat, risk: MicroPercent) -> Self {
        let low_bits = (u64::BITS - amount.0.leading_zeros()).saturating_sub(CLASS_BITS);
        let amount = Msat(amount.0 >> low_bits << low_bits);
        Self { peers, amount, risk }
    }

    /// What a hop by this policy costs at least; `None` where it can't be taken.
    fn hop(&self, policy: &Policy) -> Option<u64> {
        let fee = self.amount.forwarding_fee(policy.fee_base_msat, policy.fee_rate)?;
        let need = self.amount.checked_add(fee)?;
        fee.0.checked_add(delay_cost(need, policy.cltv_delta, self.risk)?)
    }

    fn least(&self, graph: &Graph) -> Arc<[u64]> {
        let mut least = vec![UNREACHABLE; graph.nodes_count()];
        let mut heap = BinaryHeap::new();
        for peer in &self.peers {
            least[*peer as usize] = 0;
            heap.push(Reverse((0, *peer)));
        }
        while let Some(Reverse((cost, node))) = heap.pop() {
            if cost > least[node as usize] {
                continue;
            }
            for (link, facts) in graph.links_from(node).iter().zip(graph.facts_from(node)) {
                let known = &mut least[link.to as usize];
                if *known <= cost {
                    continue;
                }
                let policy = facts.policy.as_ref().filter(|policy| policy.enabled);
                let there = policy.and_then(|policy| cost.checked_add(self.hop(policy)?));
                if let Some(there) = there.filter(|there| there < known) {
                    *known = there;
                    heap.push(Reverse((there, link.to)));
                }
            }
        }
        least.into()
    }
}

/// The least cost to each node of a graph, in msat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead(Arc<[u64]>);

impl Ahead {
    /// The least cost to the node with this number, 0 where nothing is known about it; `None`
    /// where no way leads there.
    pub(crate) fn of(&self, node: u32) -> Option<u64> {
        let least = self.0.get(node as usize).copied().unwrap_or(0);
        (least != UNREACHABLE).then_some(least)
    }
}

/// Answers for one graph, those asked for last at the end. They follow from the graph: a copy has
/// none, and all are equal.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<(Departure, Ahead)>>);

impl Kept {
    /// What is ahead of such a departure. The graph is the one that this is kept with.
    pub(crate) fn ahead(&self, graph: &Graph, departure: Departure) -> Ahead {
        if let Some(ahead) = self.known(&departure) {
            return ahead;
        }
        let ahead = Ahead(departure.least(graph));
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((departure, ahead.clone()));
        ahead
    }

    fn known(&self, departure: &Departure) -> Option<Ahead> {
        let mut kept = self.lock();
        let place = kept.iter().rposition(|(other, _)| other == departure)?;
        kept[place..].rotate_left(1);
        kept.last().map(|(_, ahead)| ahead.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Departure, Ahead)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}
