//! Holds routes against the policies, hop by hop: nothing of the planner's own check is used.

use crate::question::{Ask, DELAY_MAX, FINAL_CLTV, Question};
use payecs_planner::{Graph, Route};
use payecs_units::{Msat, NodeId};
use std::collections::BTreeSet;

/// Most hops that an onion has room for.
const HOPS_MAX: usize = 20;

/// How much a plan may deviate from what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Exactly the amount, each fee and each expiry to the unit.
    Exact,
    /// The amount or more; fees and expiries as announced or more.
    AtLeast,
}

/// The first rule that a plan breaks.
#[must_use]
pub fn flaw(
    graph: &Graph,
    question: &Question,
    routes: &[Route],
    ask: &Ask,
    strictness: Strictness,
) -> Option<String> {
    if routes.len() > ask.parts_max as usize {
        return Some(format!("{} parts", routes.len()));
    }
    let ends = |route: &Route| {
        let (first, last) = (route.hops.first()?, route.hops.last()?);
        Some((first.amount_msat, last.amount_msat))
    };
    let mut sums = (Msat::ZERO, Msat::ZERO);
    for route in routes {
        if let Some(flaw) = route_flaw(graph, question, route, strictness) {
            return Some(flaw);
        }
        let (sent, arrives) = ends(route)?;
        sums = (sums.0.checked_add(sent)?, sums.1.checked_add(arrives)?);
    }
    if !strictness.admits(sums.1.0, ask.amount.0) {
        return Some(format!("{} arrive instead of {}", sums.1, ask.amount));
    }
    let fee = sums.0.saturating_sub(sums.1);
    (fee > ask.fee_max).then(|| format!("a fee of {fee}, where {} is allowed", ask.fee_max))
}

impl Strictness {
    fn admits(self, found: u64, due: u64) -> bool {
        match self {
            Self::Exact => found == due,
            Self::AtLeast => found >= due,
        }
    }
}

fn route_flaw(
    graph: &Graph,
    question: &Question,
    route: &Route,
    strictness: Strictness,
) -> Option<String> {
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
        if !strictness.admits(before.amount_msat.0, need.0) && !is_raised {
            return Some(format!("hop {index}: {} come in, {need} are due", before.amount_msat));
        }
        let expiry = hop.cltv_blocks.0 + policy.cltv_delta.0;
        if !strictness.admits(before.cltv_blocks.0.into(), expiry.into()) {
            return Some(format!("hop {index}: another delta than announced"));
        }
    }
    if at != question.destination {
        return Some(format!("ends at {at}"));
    }
    let (first, last) = (hops[0].cltv_blocks, hops[hops.len() - 1].cltv_blocks);
    let is_last = strictness.admits(last.0.into(), FINAL_CLTV.0.into());
    (first > DELAY_MAX || !is_last).then(|| format!("expiries {first} to {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ours, Planner as _, Stopwatch};
    use payecs_planner::generate_public;

    type Change = fn(&mut Vec<Route>);

    /// A plan without a flaw, over several hops.
    fn sound() -> (Graph, Question, Ask, Vec<Route>) {
        let graph = generate_public(400, 3);
        let nodes = graph.nodes().to_vec();
        for (number, pair) in (0..).zip(nodes.windows(20)) {
            let amount = Msat(50_000_000);
            let (source, destination) = (pair[0], pair[19]);
            let question = Question { source, destination, amount, number };
            let (ask, planner) = (Ask::all(&question), Ours::new(&graph, None));
            let mut payment = planner.begin(&question);
            let answer = planner.plan(&mut payment, &ask, &mut Stopwatch::default());
            if let Ok(routes) = answer
                && routes[0].hops.len() > 2
                && routes[0].fee() > Msat(1)
            {
                return (graph, question, ask, routes);
            }
        }
        panic!("no pair is far apart");
    }

    #[test]
    fn every_deviation_is_told() {
        let (graph, question, ask, routes) = sound();
        let judged = |routes: &[Route], strictness| {
            flaw(&graph, &question, routes, &ask, strictness).unwrap_or_default()
        };
        assert_eq!(judged(&routes, Strictness::Exact), "");
        let with = |change: Change| {
            let mut changed = routes.clone();
            change(&mut changed);
            judged(&changed, Strictness::Exact)
        };
        let changes: [(Change, &str); 9] = [
            (|it| it[0].hops[0].amount_msat.0 -= 1, "due"),
            (|it| it[0].hops[0].cltv_blocks.0 -= 1, "another delta"),
            (|it| it[0].hops[1].to = it[0].hops[0].from, "does not go on"),
            (|it| it[0].hops.truncate(1), "ends at"),
            (|it| it.clear(), "0msat arrive"),
            (|it| it[0].hops.clear(), "0 hops"),
            (|it| *it = vec![it[0].clone(); 11], "11 parts"),
            (|it| it.push(it[0].clone()), "arrive instead of"),
            (|it| it[0].hops.iter_mut().for_each(|hop| hop.amount_msat = Msat(1 << 60)), "limits"),
        ];
        for (change, said) in changes {
            let told = with(change);
            assert!(told.contains(said), "`{said}` in `{told}`");
        }
    }

    #[test]
    fn more_than_is_due_is_a_flaw_only_where_it_is_exact() {
        let (graph, question, ask, mut routes) = sound();
        routes[0].hops[0].amount_msat.0 += 1;
        routes[0].hops[0].cltv_blocks.0 += 1;
        let judged = |strictness| flaw(&graph, &question, &routes, &ask, strictness);
        assert!(judged(Strictness::Exact).is_some());
        assert_eq!(judged(Strictness::AtLeast), None);
    }
}
