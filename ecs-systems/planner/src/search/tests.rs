use super::*;
use crate::fixture::{graph, local, policy, request};
use crate::{Knowledge, PlanRequest};

const PLENTY: u64 = 1_000_000_000;

fn question(request: &PlanRequest) -> Question {
    Question {
        amount: request.amount_msat,
        fee_max: request.fee_budget_msat,
        delay_max: request.delay_max_blocks,
        per_nat: Msat::ZERO,
        risk: MicroPercent(0),
        labels_max: LABELS_MAX,
    }
}

fn channels(graph: &crate::Graph, request: &PlanRequest) -> Option<Vec<u64>> {
    let knowledge = Knowledge::default();
    let net = Net::new(graph, &knowledge, request);
    let path = cheapest(&net, &Load::default(), &question(request))?;
    Some(path.edges.iter().map(|edge| net.edge(*edge).direction.scid.0).collect())
}

#[test]
fn ties_are_broken_by_the_seed_alone() {
    let graph =
        graph(&[(2, 'B', 'D', PLENTY, policy(1, 0, 10)), (3, 'C', 'D', PLENTY, policy(1, 0, 10))]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let mut reversed = request('D', 1_000, ours.clone());
    reversed.local.reverse();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let asked = PlanRequest { seed, ..request('D', 1_000, ours.clone()) };
        let found = channels(&graph, &asked);
        assert_eq!(found, channels(&graph, &PlanRequest { seed, ..reversed.clone() }));
        seen.insert(found);
    }
    assert_eq!(seen.len(), 2, "both ways are taken");
}

#[test]
fn a_route_has_twenty_hops_at_most_and_a_shorter_one_is_taken_instead() {
    let letters: Vec<char> = ('B'..='Z').collect();
    let mut rows: Vec<_> = letters
        .windows(2)
        .zip(1..)
        .map(|(ends, id)| (id, ends[0], ends[1], PLENTY, policy(0, 0, 1)))
        .collect();
    let asked = |to| request(to, 1_000, vec![local(99, 'B', PLENTY, 0)]);
    assert_eq!(channels(&graph(&rows), &asked('U')).map(|it| it.len()), Some(20));
    assert_eq!(channels(&graph(&rows), &asked('V')), None);
    rows.push((50, 'B', 'E', PLENTY, policy(7, 0, 1)));
    assert_eq!(channels(&graph(&rows), &asked('V')).map(|it| it.len()), Some(19));
}

#[test]
fn a_likely_route_is_worth_a_fee() {
    let graph = graph(&[
        (2, 'B', 'D', 1_000_000, policy(0, 0, 10)),
        (3, 'C', 'D', 100_000_000, policy(500, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let asked = request('D', 900_000, ours);
    assert_eq!(channels(&graph, &asked), Some(vec![10, 2]));
    let knowledge = Knowledge::default();
    let net = Net::new(&graph, &knowledge, &asked);
    let careful = Question { per_nat: Msat(1_000), ..question(&asked) };
    let path = cheapest(&net, &Load::default(), &careful).unwrap();
    assert_eq!(path.fee(), Msat(500));
}

#[test]
fn regression_a_way_through_ourselves_bounded_what_others_may_cost() {
    // From B over us to D it costs nothing, and our own channel to D can't be used.
    let graph = graph(&[
        (1, 'B', 'A', PLENTY, policy(0, 0, 0)),
        (2, 'A', 'D', PLENTY, policy(0, 0, 0)),
        (3, 'B', 'D', PLENTY, policy(1_000, 0, 0)),
    ]);
    let mut off = local(2, 'D', PLENTY, 0);
    off.usable = false;
    let asked = request('D', 50_000, vec![local(1, 'B', PLENTY, 0), off]);
    let knowledge = Knowledge::default();
    let net = Net::new(&graph, &knowledge, &asked);
    let question = Question { per_nat: Msat(1_000), ..question(&asked) };
    let load = Load::default();
    let by = |mut ahead: Ahead<'_>| {
        cheapest_by(&net, &load, &question, &mut ahead).map(|path| path.fee())
    };
    assert_eq!(by(Ahead::weighed(&net, &question)), Some(Msat(1_000)));
    assert_eq!(by(Ahead::nothing(&net)), Some(Msat(1_000)));
}
