//! What nodes said to one payer: it counts in place of what is announced or hinted.

use super::laws::{case, terms};
use super::plan;
use crate::fixture::{graph, local, node, policy, request, way};
use crate::{
    FailedAt, Graph, GraphDelta, HintHop, HopFailure, Knowledge, NoPlanReason, Plan, PlanRequest,
    Policy, Rng, check,
};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, Ppm, ShortChannelId};
use proptest::prelude::*;

const PLENTY: u64 = 1_000_000_000;

/// B leads to D for 100 msat; C does for 1 000.
fn two_ways() -> (Graph, PlanRequest) {
    let graph = graph(&[
        (2, 'B', 'D', PLENTY, policy(100, 0, 10)),
        (3, 'C', 'D', PLENTY, policy(1_000, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    (graph, request('D', 50_000, ours))
}

fn planned(graph: &Graph, request: &PlanRequest) -> Plan {
    let plan = plan(graph, &Knowledge::default(), request).unwrap();
    assert_eq!(check(graph, request, &plan), Ok(()));
    plan
}

/// The last channel of the only route, what it costs and when it expires.
fn found(graph: &Graph, request: &PlanRequest) -> (u64, u64, u32) {
    let plan = planned(graph, request);
    assert_eq!(plan.routes.len(), 1, "{plan:?}");
    let route = &plan.routes[0];
    let last = route.hops.last().unwrap().short_channel_id_dir.scid;
    (last.0, route.fee().0, route.delay().0)
}

#[test]
fn what_a_node_asks_for_counts_in_place_of_what_it_announced() {
    let (graph, asked) = two_ways();
    assert_eq!(found(&graph, &asked), (2, 100, 28));
    let disabled = Policy { enabled: false, ..policy(0, 0, 0) };
    let high = Policy { htlc_minimum_msat: Msat(50_001), ..policy(0, 0, 0) };
    let low = Policy { htlc_maximum_msat: Msat(24_999), ..policy(0, 0, 0) };
    for (told, expected) in [
        (policy(200, 1_000, 50), (2, 250, 68)),
        (policy(0, 0, 0), (2, 0, 18)),
        (policy(5_000, 0, 10), (3, 1_000, 28)),
        (disabled, (3, 1_000, 28)),
        (high, (3, 1_000, 28)),
        (low, (3, 1_000, 28)),
    ] {
        let policies = vec![(way(2, 'B', 'D'), told.clone())];
        let asked = PlanRequest { policies, ..asked.clone() };
        assert_eq!(found(&graph, &asked), expected, "{told:?}");
    }
}

#[test]
fn the_last_word_of_a_node_counts_and_one_of_the_other_direction_does_not() {
    let (graph, asked) = two_ways();
    let told = |from, to, base| (way(2, from, to), policy(base, 0, 10));
    for (policies, fee) in [
        (vec![told('B', 'D', 300), told('B', 'D', 200)], 200),
        (vec![told('B', 'D', 200), told('B', 'D', 300)], 300),
        (vec![told('D', 'B', 900)], 100),
        (vec![(way(77, 'B', 'D'), policy(1, 0, 10))], 100),
    ] {
        assert_eq!(found(&graph, &PlanRequest { policies, ..asked.clone() }).1, fee);
    }
}

#[test]
fn nobody_else_hears_of_it() {
    let (graph, asked) = two_ways();
    let policies = vec![(way(2, 'B', 'D'), policy(5_000, 0, 10))];
    planned(&graph, &PlanRequest { policies, ..asked.clone() });
    assert_eq!(found(&graph, &asked), (2, 100, 28));
}

#[test]
fn a_plan_on_older_terms_is_no_plan_any_more() {
    let (graph, asked) = two_ways();
    let older = planned(&graph, &asked);
    let policies = vec![(way(2, 'B', 'D'), policy(101, 0, 10))];
    assert!(check(&graph, &PlanRequest { policies, ..asked }, &older).is_err());
}

/// E is not announced: hints lead there from B by channel 7, and from C by channel 8.
fn hinted() -> (Graph, PlanRequest) {
    let (graph, asked) = two_ways();
    let hint = |pubkey: NodeId, scid, fee| HintHop {
        pubkey,
        short_channel_id: ShortChannelId(scid),
        fee_base_msat: Msat(fee),
        fee_proportional_millionths: Ppm(0),
        cltv_expiry_delta: Blocks(10),
    };
    let hints = vec![vec![hint(node('B'), 7, 10)], vec![hint(node('C'), 8, 20)]];
    (graph, PlanRequest { destination: node('E'), hints, ..asked })
}

#[test]
fn what_a_node_asks_for_counts_in_place_of_a_hint() {
    let (graph, asked) = hinted();
    assert_eq!(found(&graph, &asked), (7, 10, 28));
    let disabled = Policy { enabled: false, ..policy(0, 0, 0) };
    let high = Policy { htlc_minimum_msat: Msat(50_001), ..policy(0, 0, 0) };
    for (told, expected) in [
        (policy(11, 0, 12), (7, 11, 30)),
        (policy(30, 0, 10), (8, 20, 28)),
        (disabled, (8, 20, 28)),
        (high, (8, 20, 28)),
    ] {
        let policies = vec![(way(7, 'B', 'E'), told.clone())];
        let asked = PlanRequest { policies, ..asked.clone() };
        assert_eq!(found(&graph, &asked), expected, "{told:?}");
    }
}

#[test]
fn hints_that_all_ask_for_more_are_paid_what_they_ask_for() {
    let (graph, asked) = hinted();
    let more = |base| policy(base, 0, 10);
    let policies = vec![(way(7, 'B', 'E'), more(900)), (way(8, 'C', 'E'), more(800))];
    let asked = PlanRequest { policies, ..asked };
    assert_eq!(found(&graph, &asked), (8, 800, 28));
    let poor = PlanRequest { fee_budget_msat: Msat(799), ..asked };
    let cause = plan(&graph, &Knowledge::default(), &poor).unwrap_err();
    let needed = (cause.reason, cause.fee_needed_msat);
    assert_eq!(needed, (NoPlanReason::TooExpensive, Some(Msat(800))));
}

#[test]
fn other_terms_teach_nothing_of_the_hop_and_something_of_those_before() {
    let (graph, asked) = two_ways();
    let plan = planned(&graph, &asked);
    let route = &plan.routes[0];
    let mut knowledge = Knowledge::default();
    knowledge.sent(route);
    let at = FailedAt::Hop { index: 1, kind: HopFailure::OtherTerms };
    knowledge.failed(route, at, asked.now);
    let (first, second) = (&route.hops[0], &route.hops[1]);
    let lo = |way| knowledge.bounds(way, Msat(PLENTY), asked.now).lo;
    assert_eq!(lo(first.short_channel_id_dir), first.amount_msat);
    assert_eq!(lo(second.short_channel_id_dir), Msat::ZERO);
    assert!(!knowledge.is_disabled(second.short_channel_id_dir, asked.now));
    assert_eq!(knowledge.in_flight_total(), Msat::ZERO);
}

/// A question, and what nodes said of some announced and hinted channels.
fn told_case(seed: u64) -> (Graph, PlanRequest) {
    let (graph, mut asked) = case(seed);
    let mut rng = Rng::new(seed ^ 1);
    let channels = graph.channels().map(|channel| channel.short_channel_id);
    let hinted = asked.hints.iter().flatten().map(|hop| hop.short_channel_id);
    for scid in channels.chain(hinted).collect::<Vec<_>>() {
        for direction in [Direction::Zero, Direction::One] {
            if rng.chance(300_000) {
                asked.policies.push((ChannelDirection { scid, direction }, terms(&mut rng)));
            }
        }
    }
    (graph, asked)
}

#[test]
fn regression_a_hint_that_names_a_channel_where_it_is_not_is_left_out() {
    let hop = |letter, channel| HintHop {
        pubkey: node(letter),
        short_channel_id: ShortChannelId(channel),
        fee_base_msat: Msat::ZERO,
        fee_proportional_millionths: Ppm(0),
        cltv_expiry_delta: Blocks(10),
    };
    let (graph, asked) = two_ways();
    let asked = PlanRequest { destination: node('E'), ..asked };
    for (hint, is_real) in [
        (vec![hop('D', 7)], true),
        (vec![hop('B', 7), hop('D', 8)], true),
        // One of ours, one that is announced, one twice.
        (vec![hop('D', 10)], false),
        (vec![hop('D', 2)], false),
        (vec![hop('B', 7), hop('D', 7)], false),
    ] {
        let asked = PlanRequest { hints: vec![hint], ..asked.clone() };
        match plan(&graph, &Knowledge::default(), &asked) {
            Ok(plan) => assert_eq!((check(&graph, &asked, &plan), is_real), (Ok(()), true)),
            Err(cause) => assert!(!is_real, "{asked:?} {cause:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_ever_breaks_what_nodes_said(seed: u64) {
        let (graph, asked) = told_case(seed);
        if let Ok(plan) = plan(&graph, &Knowledge::default(), &asked) {
            prop_assert_eq!(check(&graph, &asked, &plan), Ok(()), "{:?}", plan);
            for route in &plan.routes {
                for (index, hop) in route.hops.iter().enumerate().skip(1) {
                    let told = asked.told(hop.short_channel_id_dir);
                    prop_assert!(told.is_none_or(|told| told.is_kept_by(route, index)));
                }
            }
        }
    }

    #[test]
    fn what_was_said_of_announced_channels_never_differs_from_what_is_announced(seed: u64) {
        let (graph, mut asked) = told_case(seed);
        asked.hints.clear();
        let known = |(direction, policy): &(ChannelDirection, Policy)| {
            let (direction, policy) = (*direction, policy.clone());
            let is_known = graph.channel(direction.scid).is_some();
            is_known.then_some(GraphDelta::PolicyChanged { direction, policy })
        };
        let deltas: Vec<_> = asked.policies.iter().filter_map(known).collect();
        let announced = graph.patched(&deltas).unwrap();
        let plain = PlanRequest { policies: Vec::new(), ..asked.clone() };
        let knowledge = Knowledge::default();
        let expected = plan(&announced, &knowledge, &plain);
        prop_assert_eq!(plan(&graph, &knowledge, &asked), expected);
    }
}
