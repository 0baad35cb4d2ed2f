//! An amount shared out over given paths, so that it costs least together.

use crate::cost::{biased, delay_cost, failure_cost, loss_cost};
use crate::net::{Edge, Net};
use crate::split::PART_MICRO_NATS;
use crate::weights::Weights;
use payecs_units::Msat;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The amount is shared out in so many equal shares.
const SHARES: u64 = 64;
/// A part is left out where that costs no more than this share of −ln P = 1.
const LITTLE: u64 = 2;

/// One part, and what it is to deliver.
#[derive(Clone, Debug)]
struct Part {
    numbers: Vec<u32>,
    edges: Vec<Edge>,
    amount: Msat,
}

impl Part {
    /// The least that an HTLC may carry.
    fn least(&self) -> Msat {
        self.edges.iter().map(|edge| edge.min).max().unwrap_or(Msat::ZERO)
    }
}

/// What each of some paths is to deliver.
#[derive(Debug)]
pub(crate) struct Shares {
    weights: Weights,
    whole: Msat,
    parts: Vec<Part>,
    /// What each direction carries, fees left aside.
    lanes: BTreeMap<u32, Msat>,
}

impl Shares {
    /// Paths with the units that a flow has on them; the first ones, as many as there may be parts.
    /// A path that has more on it than one HTLC may carry is there several times.
    pub(crate) fn new(
        net: &Net<'_>,
        weights: Weights,
        paths: Vec<(Vec<u32>, u32)>,
        unit: Msat,
        parts_max: usize,
    ) -> Self {
        let each = paths.into_iter().flat_map(|(numbers, units)| {
            let edges: Vec<Edge> = numbers.iter().map(|number| net.edge(*number)).collect();
            let most = edges.iter().map(|edge| edge.max.0).min().unwrap_or(0).max(1);
            let times = unit.0.saturating_mul(units.into()).div_ceil(most).min(units.into());
            let amount = Msat::ZERO;
            (0..times).map(move |_| Part { numbers: numbers.clone(), edges: edges.clone(), amount })
        });
        let whole = net.request.amount_msat;
        Self { weights, whole, parts: each.take(parts_max).collect(), lanes: BTreeMap::new() }
    }

    /// Shares `amount` out. A path that gets less than `floor` is left out, the least first, where
    /// the others carry what it had, and fail little more for it.
    pub(crate) fn share(&mut self, amount: Msat, floor: Msat) {
        self.share_out(amount);
        while let Some(least) = self.least_below(floor) {
            let (before, carried) = (self.parts.clone(), self.carried());
            let loss_max = self.loss().saturating_add(self.weights.per_nat().0 / LITTLE);
            self.parts.remove(least);
            self.share_out(amount);
            if self.carried() < carried || self.loss() > loss_max {
                self.parts = before;
                break;
            }
        }
    }

    /// The place of the part that carries least, where that is less than `floor`.
    fn least_below(&self, floor: Msat) -> Option<usize> {
        let used = self.parts.iter().enumerate().filter(|(_, part)| part.amount > Msat::ZERO);
        let (place, least) = used.min_by_key(|(_, part)| part.amount)?;
        (least.amount < floor).then_some(place)
    }

    /// What may fail of all that the directions carry.
    fn loss(&self) -> u64 {
        let edges = self.parts.iter().flat_map(|part| &part.edges);
        let edges: BTreeMap<u32, &Edge> = edges.map(|edge| (edge.lane, edge)).collect();
        let each = edges.into_iter().map(|(lane, edge)| {
            let on = self.lanes.get(&lane).copied().unwrap_or(Msat::ZERO);
            let per_nat = self.weights.per_nat();
            loss_cost(edge.bounds, edge.in_flight, on, self.whole, per_nat).unwrap_or(u64::MAX)
        });
        each.fold(0, u64::saturating_add)
    }

    fn carried(&self) -> Msat {
        Msat::sum(self.parts.iter().map(|part| part.amount)).unwrap_or(Msat(u64::MAX))
    }

    /// Gives every share to the part where it costs least beside what is there. A part that may not
    /// carry as little as one share begins with what it needs.
    fn share_out(&mut self, amount: Msat) {
        for part in &mut self.parts {
            part.amount = Msat::ZERO;
        }
        self.lanes.clear();
        let share = Msat(amount.0.div_ceil(SHARES));
        let mut left = amount;
        for place in 0..self.parts.len() {
            let least = self.parts[place].least();
            if share < least && least <= left && self.cost(&self.parts[place], least).is_some() {
                self.give(place, least);
                left = left.saturating_sub(least);
            }
        }
        while left > Msat::ZERO {
            let more = share.min(left);
            let costs = self.parts.iter().enumerate();
            let costs = costs.filter_map(|(place, part)| Some((self.cost(part, more)?, place)));
            let Some((_, place)) = costs.min() else { break };
            self.give(place, more);
            left = left.saturating_sub(more);
        }
    }

    fn give(&mut self, place: usize, more: Msat) {
        let part = &mut self.parts[place];
        part.amount = Msat(part.amount.0.saturating_add(more.0));
        for edge in &part.edges {
            let on = self.lanes.entry(edge.lane).or_default();
            *on = Msat(on.0.saturating_add(more.0));
        }
    }

    /// What `more` costs on a part; `None` where it doesn't fit.
    fn cost(&self, part: &Part, more: Msat) -> Option<u64> {
        let weights = self.weights;
        let whole = part.amount.checked_add(more)?;
        let is_new = part.amount == Msat::ZERO;
        let mut cost = if is_new { failure_cost(PART_MICRO_NATS, weights.per_nat())? } else { 0 };
        for edge in &part.edges {
            if whole < edge.min || whole > edge.max || whole >= edge.refused {
                return None;
            }
            let there = self.lanes.get(&edge.lane).copied().unwrap_or(Msat::ZERO);
            let loss = |carried| {
                loss_cost(edge.bounds, edge.in_flight, carried, self.whole, weights.per_nat())
            };
            let failing = loss(there.checked_add(more)?)?.saturating_sub(loss(there)?);
            let base = if is_new { edge.fee_base } else { Msat::ZERO };
            let fee = more.forwarding_fee(base, edge.fee_rate)?.0;
            let waiting = delay_cost(more, edge.cltv_delta, weights.risk())?;
            let hop = fee.checked_add(waiting)?.checked_add(failing)?;
            cost = cost.checked_add(biased(weights.bias(edge), hop))?;
        }
        Some(cost)
    }

    /// The edges of each part with what it is to deliver, the largest first.
    pub(crate) fn parts(self) -> Vec<(Vec<u32>, Msat)> {
        let used = self.parts.into_iter().filter(|part| part.amount > Msat::ZERO);
        let mut parts: Vec<_> = used.map(|part| (part.numbers, part.amount)).collect();
        parts.sort_by_key(|(_, amount)| Reverse(*amount));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{graph, local, policy, request};
    use crate::{Knowledge, Policy};

    /// What three ways to E get, of which the last one carries least and has these terms.
    fn amounts(last: Policy, capacity: u64, amount: u64, floor: u64) -> Vec<u64> {
        let graph = graph(&[
            (2, 'B', 'E', 900_000, policy(0, 10, 10)),
            (3, 'C', 'E', 900_000, policy(0, 10, 10)),
            (4, 'D', 'E', capacity, last),
        ]);
        let ours = ('B'..='D').zip(10..).map(|(peer, id)| local(id, peer, 900_000, 0)).collect();
        let asked = request('E', 1_000_000, ours);
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &asked);
        let to = |scid: u64| {
            let edges = net.edges();
            let found = edges.map(|(number, edge)| (number, edge.direction.scid.0));
            found.filter(|(_, it)| *it == scid).map(|(number, _)| number).collect::<Vec<_>>()
        };
        let paths = (2..5).map(|scid| ([to(scid + 8), to(scid)].concat(), 1)).collect();
        let mut shares = Shares::new(&net, Weights::of(&net), paths, Msat(amount), 10);
        shares.share(Msat(amount), Msat(floor));
        shares.parts().into_iter().map(|(_, amount)| amount.0).collect()
    }

    #[test]
    fn a_path_that_gets_little_is_left_out_where_the_others_carry_it() {
        let amounts = |amount, floor| amounts(policy(0, 10, 10), 100_000, amount, floor);
        let small = amounts(1_000_000, 0);
        assert!(small.len() == 3 && small[2] < 75_000, "{small:?}");
        let large = amounts(1_000_000, 75_000);
        assert_eq!(large.iter().sum::<u64>(), 1_000_000);
        assert!(large.len() == 2 && large[1] > 400_000, "{large:?}");
        let all = amounts(1_850_000, 200_000);
        assert_eq!(all.len(), 3, "two don't carry it: {all:?}");
        let all = amounts(1_790_000, 200_000);
        assert_eq!(all.len(), 3, "two hardly carry it: {all:?}");
    }

    #[test]
    fn a_path_that_needs_much_to_begin_with_begins_with_it() {
        let last = Policy { htlc_minimum_msat: Msat(200_000), ..policy(0, 10, 10) };
        let all = amounts(last.clone(), 400_000, 1_850_000, 0);
        assert_eq!(all.iter().sum::<u64>(), 1_850_000);
        assert!(all.len() == 3 && all[2] >= 200_000, "{all:?}");
        assert_eq!(amounts(last, 400_000, 190_000, 0), [190_000], "it needs more than there is");
    }
}
