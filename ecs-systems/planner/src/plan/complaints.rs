//! What users of other planners complain about, each on a small network.

use super::plan;
use crate::fixture::{graph, local, node, policy, request, way};
use crate::{
    Exclusion, FailedAt, Graph, HintHop, HopFailure, Knowledge, LocalChannel, NoPlan, NoPlanReason,
    Plan, PlanRequest, Policy, check,
};
use payecs_units::{Blocks, Msat, Ppm, ShortChannelId};

const PLENTY: u64 = 100_000_000_000;
/// Peers of ours, each with a channel to D.
const PEERS: [char; 10] = ['E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N'];

/// Channels of ours to these peers that can spend so much each.
fn ours(peers: &[char], spendable: u64) -> Vec<LocalChannel> {
    let each = (100..).zip(peers);
    each.map(|(channel, peer)| local(channel, *peer, spendable, 0)).collect()
}

/// From each of these peers a channel of that size to D, on the same terms.
fn fan(peers: &[char], capacity: u64, terms: &Policy) -> Vec<(u64, char, char, u64, Policy)> {
    let each = (1..).zip(peers);
    each.map(|(channel, peer)| (channel, *peer, 'D', capacity, terms.clone())).collect()
}

fn planned(graph: &Graph, request: &PlanRequest) -> Plan {
    let plan = plan(graph, &Knowledge::default(), request)
        .unwrap_or_else(|why| panic!("{}: {why}", request.amount_msat));
    assert_eq!(check(graph, request, &plan), Ok(()));
    plan
}

fn refused(graph: &Graph, request: &PlanRequest) -> NoPlan {
    plan(graph, &Knowledge::default(), request).expect_err("it can't go")
}

/// The channels that a plan uses, in order.
fn channels(plan: &Plan) -> Vec<u64> {
    let hops = plan.routes.iter().flat_map(|route| &route.hops);
    hops.map(|hop| hop.short_channel_id_dir.scid.0).collect()
}

#[test]
fn seven_parts_are_not_sent_where_two_suffice() {
    let large = Policy { htlc_maximum_msat: Msat(550_000_000), ..policy(0, 100, 10) };
    let mut rows = fan(&PEERS[..2], 4_000_000_000, &large);
    let small = (20..).zip(&PEERS[2..9]);
    rows.extend(small.map(|(at, peer)| (at, *peer, 'D', 160_000_000, policy(0, 100, 10))));
    let asked = request('D', 1_000_000_000, ours(&PEERS[..9], PLENTY));
    let plan = planned(&graph(&rows), &asked);
    assert_eq!(plan.routes.len(), 2, "{plan:?}");
}

#[test]
fn there_is_a_route_where_every_part_needs_the_same_hub() {
    let terms = policy(100, 10, 10);
    let mut rows: Vec<_> = (1..)
        .zip(&PEERS[..3])
        .map(|(at, peer)| (at, *peer, 'B', 400_000_000, terms.clone()))
        .collect();
    rows.push((9, 'B', 'D', 2_000_000_000, terms));
    let asked = request('D', 900_000_000, ours(&PEERS[..3], PLENTY));
    let plan = planned(&graph(&rows), &asked);
    assert!((3..=6).contains(&plan.routes.len()), "{plan:?}");
    let by_hub = |hop: &crate::Hop| hop.from == node('B');
    assert!(plan.routes.iter().all(|route| route.hops.iter().any(by_hub)));
}

#[test]
fn everything_that_all_channels_have_can_be_sent_with_as_few_parts_as_it_takes() {
    for count in [1, 3, 10] {
        let (peers, parts) = (&PEERS[..count], u32::try_from(count).unwrap());
        let rows = fan(peers, PLENTY, &policy(0, 0, 10));
        let all = 50_000_000 * u64::from(parts);
        let asked = PlanRequest { parts_max: parts, ..request('D', all, ours(peers, 50_000_000)) };
        assert_eq!(planned(&graph(&rows), &asked).routes.len(), count);
    }
}

#[test]
fn everything_less_the_fees_can_be_sent_with_as_few_parts_as_it_takes() {
    let peers = &PEERS[..3];
    let rows = fan(peers, PLENTY, &policy(1_000, 0, 10));
    let asked = PlanRequest {
        parts_max: 3,
        fee_budget_msat: Msat(3_000),
        ..request('D', 149_997_000, ours(peers, 50_000_000))
    };
    let plan = planned(&graph(&rows), &asked);
    assert_eq!((plan.routes.len(), plan.fee()), (3, Some(Msat(3_000))));
}

#[test]
fn a_budget_of_exactly_what_it_costs_is_enough() {
    let rows = |rate| fan(&PEERS[..4], 900_000_000, &policy(1_000, rate, 10));
    for (amount, rate) in
        [(1_000_000, 50), (77_777_777, 333), (500_000_000, 1), (1_500_000_000, 777)]
    {
        let graph = graph(&rows(rate));
        let all = request('D', amount, ours(&PEERS[..4], 800_000_000));
        let broke = PlanRequest { fee_budget_msat: Msat::ZERO, ..all };
        let cause = refused(&graph, &broke);
        assert_eq!(cause.reason, NoPlanReason::TooExpensive, "{cause:?}");
        let needed = cause.fee_needed_msat.expect("it says how much");
        let enough = PlanRequest { fee_budget_msat: needed, ..broke };
        assert!(planned(&graph, &enough).fee() <= Some(needed), "{amount}");
        let slightly_more = PlanRequest { fee_budget_msat: Msat(needed.0 + 1), ..enough };
        planned(&graph, &slightly_more);
    }
}

#[test]
fn one_channel_with_a_high_minimum_does_not_fail_all() {
    let high = Policy { htlc_minimum_msat: Msat(300_000_000), ..policy(0, 0, 10) };
    let graph =
        graph(&[(1, 'E', 'D', 600_000_000, high), (2, 'F', 'D', 350_000_000, policy(0, 100, 10))]);
    for (amount, expected) in
        [(100_000_000, vec![2]), (299_000_000, vec![2]), (400_000_000, vec![1])]
    {
        let plan = planned(&graph, &request('D', amount, ours(&PEERS[..2], PLENTY)));
        let used: Vec<u64> = channels(&plan).into_iter().filter(|it| *it < 100).collect();
        assert_eq!(used, expected, "{amount}: {plan:?}");
    }
}

#[test]
fn a_recipient_that_takes_six_parts_is_sent_six_at_most() {
    let rows = fan(&PEERS, 220_000_000, &policy(0, 100, 10));
    let asked = request('D', 1_000_000_000, ours(&PEERS, PLENTY));
    for parts_max in [5, 6, 10] {
        let asked = PlanRequest { parts_max, ..asked.clone() };
        let parts = planned(&graph(&rows), &asked).routes.len();
        assert!(parts <= usize::try_from(parts_max).unwrap(), "{parts} of {parts_max}");
    }
    let four = PlanRequest { parts_max: 4, ..asked };
    assert_eq!(refused(&graph(&rows), &four).largest_msat, Some(Msat(880_000_000)));
}

#[test]
fn a_node_that_always_asks_for_more_does_not_loop_for_ever() {
    let graph = graph(&fan(&PEERS[..1], PLENTY, &policy(0, 0, 10)));
    let free = request('D', 1_000_000, ours(&PEERS[..1], PLENTY));
    let mut asked = PlanRequest { fee_budget_msat: Msat(5_000), ..free };
    let direction = way(1, 'E', 'D');
    for told in [1_000, 2_000, 3_000, 4_000, 5_000] {
        asked.policies = vec![(direction, policy(told, 0, 10))];
        assert_eq!(planned(&graph, &asked).fee(), Some(Msat(told)), "what it asked for last");
    }
    asked.policies = vec![(direction, policy(6_000, 0, 10))];
    assert_eq!(refused(&graph, &asked).reason, NoPlanReason::TooExpensive);
}

#[test]
fn a_node_that_refuses_what_it_asks_for_is_asked_once() {
    let graph = graph(&fan(&PEERS[..3], PLENTY, &policy(10, 0, 10)));
    let asked = request('D', 1_000_000, ours(&PEERS[..3], PLENTY));
    let mut knowledge = Knowledge::default();
    let mut tried = Vec::new();
    while let Ok(found) = plan(&graph, &knowledge, &asked) {
        let route = &found.routes[0];
        let direction = route.hops[1].short_channel_id_dir;
        assert!(!tried.contains(&direction), "{direction} for the second time");
        tried.push(direction);
        knowledge.sent(route);
        let at = FailedAt::Hop { index: 1, kind: HopFailure::DisabledOrPolicy };
        knowledge.failed(route, at, asked.now);
    }
    assert_eq!(tried.len(), 3);
}

#[test]
fn a_cheap_channel_that_is_empty_is_not_preferred_for_ever() {
    let graph = graph(&[
        (1, 'E', 'D', 1_000_000_000, policy(0, 0, 10)),
        (2, 'F', 'D', 1_000_000_000, policy(0, 1_000, 10)),
    ]);
    let mut knowledge = Knowledge::default();
    let mut failures = 0;
    // Another amount each time: none is what was refused before.
    for payment in 0..40 {
        let amount = 50_000_000 - payment * 1_000_000;
        let asked = request('D', amount, ours(&PEERS[..2], PLENTY));
        for round in 0.. {
            assert!(round < 20, "payment {payment} ends");
            let found = plan(&graph, &knowledge, &asked).expect("F has it all");
            found.routes.iter().for_each(|route| knowledge.sent(route));
            let mut came_back = false;
            for route in &found.routes {
                if route.hops[1].short_channel_id_dir.scid == ShortChannelId(1) {
                    let at = FailedAt::Hop { index: 1, kind: HopFailure::LiquidityLack };
                    knowledge.failed(route, at, asked.now);
                    (came_back, failures) = (true, failures + 1);
                } else {
                    knowledge.failed(route, FailedAt::Destination, asked.now);
                }
            }
            if !came_back {
                break;
            }
        }
    }
    assert!(failures <= 8, "{failures} parts for an empty channel");
}

#[test]
fn every_route_hint_that_wants_a_higher_fee_gets_it() {
    let graph = graph(&fan(&PEERS[..3], PLENTY, &policy(0, 0, 10)));
    let hint = |(channel, peer): (u64, &char)| {
        vec![HintHop {
            pubkey: node(*peer),
            short_channel_id: ShortChannelId(channel),
            fee_base_msat: Msat(1),
            fee_proportional_millionths: Ppm(0),
            cltv_expiry_delta: Blocks(10),
        }]
    };
    let hints: Vec<_> = (50..).zip(&PEERS[..3]).map(hint).collect();
    let mut asked = request('Z', 1_000_000, ours(&PEERS[..3], PLENTY));
    asked.hints.clone_from(&hints);
    for told in 0..3 {
        let plan = planned(&graph, &asked);
        assert_eq!((plan.routes.len(), plan.fee()), (1, Some(Msat(1))), "{told} are corrected");
        let last = plan.routes[0].hops.last().unwrap().short_channel_id_dir;
        asked.policies.push((last, policy(700, 0, 10)));
    }
    assert_eq!(planned(&graph, &asked).fee(), Some(Msat(700)));
}

#[test]
fn four_hundred_msat_are_not_sent_in_many_parts() {
    let rows = fan(&PEERS, 1_000, &policy(0, 0, 10));
    let plan = planned(&graph(&rows), &request('D', 400, ours(&PEERS, 1_000)));
    assert_eq!((plan.routes.len(), plan.amount()), (1, Some(Msat(400))));
    let least = Policy { htlc_minimum_msat: Msat(400), ..policy(0, 0, 10) };
    let plan =
        planned(&graph(&fan(&PEERS, 1_000, &least)), &request('D', 400, ours(&PEERS, 1_000)));
    assert_eq!((plan.routes.len(), plan.amount()), (1, Some(Msat(400))), "no part is raised");
}

#[test]
fn an_exclusion_is_of_the_direction_that_it_names_and_of_no_other() {
    let terms = policy(10, 0, 10);
    let graph = graph(&[(1, 'E', 'F', PLENTY, terms.clone()), (1, 'F', 'E', PLENTY, terms)]);
    let there = request('F', 1_000_000, ours(&['E'], PLENTY));
    let back = request('E', 1_000_000, ours(&['F'], PLENTY));
    for (named, there_goes) in [(way(1, 'E', 'F'), false), (way(1, 'F', 'E'), true)] {
        for (asked, goes) in [(&there, there_goes), (&back, !there_goes)] {
            let exclude = vec![Exclusion::Channel(named)];
            let asked = PlanRequest { exclude, ..asked.clone() };
            assert_eq!(plan(&graph, &Knowledge::default(), &asked).is_ok(), goes, "{named}");
        }
    }
    let found = planned(&graph, &there);
    let mut knowledge = Knowledge::default();
    let at = FailedAt::Hop { index: 1, kind: HopFailure::DisabledOrPolicy };
    knowledge.failed(&found.routes[0], at, there.now);
    assert!(plan(&graph, &knowledge, &there).is_err());
    assert!(plan(&graph, &knowledge, &back).is_ok(), "what was learned is of one direction too");
}
