//! Holds routes against the policies, hop by hop: nothing of the planner's own check is used.

use crate::pay::{DELAY_MAX, FINAL_CLTV, Question};
use payecs_planner::{Graph, Route};
use payecs_units::{Msat, NodeId};
use std::collections::BTreeSet;

/// Most hops that an onion has room for.
const HOPS_MAX: usize = 20;

/// What a plan is held against.
pub(crate) struct Limits {
    /// What is to arrive over all its routes.
    pub(crate) amount: Msat,
    pub(crate) fee_max: Msat,
    pub(crate) parts_max: u32,
}

/// The first flaw of a plan.
pub(crate) fn flaw(
    graph: &Graph,
    question: &Question,
    routes: &[Route],
    limits: &Limits,
) -> Option<String> {
    if routes.len() > usize::try_from(limits.parts_max).unwrap() {
        return Some(format!("{} parts", routes.len()));
    }
    let ends = |route: &Route| {
        let (first, last) = (route.hops.first()?, route.hops.last()?);
        Some((first.amount_msat, last.amount_msat))
    };
    let mut sums = (Msat::ZERO, Msat::ZERO);
    for route in routes {
        if let Some(flaw) = route_flaw(graph, question, route) {
            return Some(flaw);
        }
        let (sent, arrives) = ends(route)?;
        sums = (sums.0.checked_add(sent)?, sums.1.checked_add(arrives)?);
    }
    if sums.1 != limits.amount {
        return Some(format!("{} arrive instead of {}", sums.1, limits.amount));
    }
    let fee = sums.0.saturating_sub(sums.1);
    (fee > limits.fee_max).then(|| format!("a fee of {fee}, where {} is allowed", limits.fee_max))
}

fn route_flaw(graph: &Graph, question: &Question, route: &Route) -> Option<String> {
    let hops = &route.hops;
    if hops.is_empty() || hops.len() > HOPS_MAX {
        return Some(format!("{} hops", hops.len()));
    }
    let mut at = question.source;
    let mut seen: BTreeSet<NodeId> = BTreeSet::from([at]);
    for (index, hop) in hops.iter().enumerate() {
        let way = hop.short_channel_id_dir;
        let Some((from, to)) = graph.ends(way) else { return Some(format!("no channel {way}")) };
        let Some(policy) = graph.policy(way).filter(|policy| policy.enabled) else {
            return Some(format!("{way} is disabled"));
        };
        if from != at || (hop.from, hop.to) != (from, to) || !seen.insert(to) {
            return Some(format!("hop {index} does not go on, or goes in a circle"));
        }
        at = to;
        let amount = hop.amount_msat;
        if amount < policy.htlc_minimum_msat || amount > policy.htlc_maximum_msat {
            return Some(format!("hop {index}: {amount} is outside the limits"));
        }
        if graph.capacity(way.scid).is_none_or(|capacity| amount > capacity) {
            return Some(format!("hop {index}: {amount} is above the capacity"));
        }
        let Some(before) = index.checked_sub(1).map(|before| &hops[before]) else { continue };
        let fee = amount.0 * u64::from(policy.fee_rate.0) / 1_000_000 + policy.fee_base_msat.0;
        let need = Msat(amount.0 + fee);
        // An HTLC below the minimum of its channel is raised to it.
        let minimum = graph.policy(before.short_channel_id_dir)?.htlc_minimum_msat;
        let is_raised = before.amount_msat > need && before.amount_msat == minimum;
        if before.amount_msat != need && !is_raised {
            return Some(format!("hop {index}: {} come in, {need} are due", before.amount_msat));
        }
        if before.cltv_blocks.0 != hop.cltv_blocks.0 + policy.cltv_delta.0 {
            return Some(format!("hop {index}: another delta than announced"));
        }
    }
    if at != question.destination {
        return Some(format!("ends at {at}"));
    }
    let (first, last) = (hops[0].cltv_blocks, hops[hops.len() - 1].cltv_blocks);
    (first > DELAY_MAX || last != FINAL_CLTV).then(|| format!("expiries {first} to {last}"))
}
