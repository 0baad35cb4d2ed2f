//! What one caller counts with beside what is announced and learned.

mod laws;

use super::plan;
use crate::fixture::{graph, local, node, policy, request, way};
use crate::{
    Channel, FailedAt, Graph, HopFailure, Informed, Knowledge, Layer, NoPlanReason, NodeBias, Plan,
    PlanRequest, TermsChange, check,
};
use payecs_units::{Blocks, ChannelDirection, Msat, Ppm, ShortChannelId};
use std::collections::BTreeMap;

const PLENTY: u64 = 1_000_000_000;

/// B leads to D for 100 msat; C does for 1 000.
fn two_ways() -> (Graph, PlanRequest) {
    let graph = graph(&[
        (2, 'B', 'D', PLENTY, policy(100, 0, 10)),
        (2, 'D', 'B', PLENTY, policy(100, 0, 10)),
        (3, 'C', 'D', PLENTY, policy(1_000, 0, 10)),
        (3, 'D', 'C', PLENTY, policy(1_000, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    (graph, request('D', 50_000, ours))
}

fn planned(graph: &Graph, request: &PlanRequest) -> Plan {
    let plan = plan(graph, &Knowledge::default(), request).unwrap();
    assert_eq!(check(graph, request, &plan), Ok(()));
    plan
}

/// What goes over each last channel.
fn amounts(plan: &Plan) -> BTreeMap<u64, u64> {
    let mut amounts = BTreeMap::new();
    for route in &plan.routes {
        let last = route.hops.last().unwrap();
        *amounts.entry(last.short_channel_id_dir.scid.0).or_default() += last.amount_msat.0;
    }
    amounts
}

/// The last channel of the only route.
fn found(graph: &Graph, request: &PlanRequest) -> u64 {
    let plan = planned(graph, request);
    assert_eq!(plan.routes.len(), 1, "{plan:?}");
    plan.routes[0].hops.last().unwrap().short_channel_id_dir.scid.0
}

fn biased(rows: &[(ChannelDirection, i8)], nodes: &[(char, i8, i8)]) -> Layer {
    let node_biases = nodes.iter().map(|(letter, into, out)| {
        let bias = NodeBias { into: *into, out: *out };
        (node(*letter), bias)
    });
    Layer { biases: rows.to_vec(), node_biases: node_biases.collect(), ..Layer::default() }
}

#[test]
fn a_favoured_direction_is_taken_though_it_costs_more_and_its_fee_is_what_it_is() {
    let (graph, asked) = two_ways();
    assert_eq!(found(&graph, &asked), 2);
    let [b, c] = [way(2, 'B', 'D'), way(3, 'C', 'D')];
    for (layer, expected) in [
        (biased(&[(b, -50)], &[]), 2),
        (biased(&[(b, -90)], &[]), 3),
        (biased(&[(c, 50)], &[]), 2),
        (biased(&[(c, 90)], &[]), 3),
        (biased(&[(c, 100), (c, 100), (b, 60)], &[]), 2),
        (biased(&[(b, -45), (b, -45)], &[]), 3),
        (biased(&[(b, -90), (b, 90)], &[]), 2),
        (biased(&[], &[('B', 0, -90)]), 3),
        (biased(&[], &[('C', 0, 90)]), 3),
        (biased(&[(c, 45)], &[('C', 0, 45)]), 3),
        (biased(&[(b, -45)], &[('D', -45, 0)]), 2),
        (biased(&[], &[('D', -90, 0)]), 2),
    ] {
        let asked = PlanRequest { layer, ..asked.clone() };
        assert_eq!(found(&graph, &asked), expected, "{:?}", asked.layer);
        let plan = planned(&graph, &asked);
        let fee = if expected == 2 { 100 } else { 1_000 };
        assert_eq!((plan.fee(), plan.probability_ppm), (Some(Msat(fee)), 999_949));
    }
}

#[test]
fn a_bias_is_of_one_direction_and_tells_nothing_of_the_other() {
    let (graph, mut asked) = two_ways();
    let [there, back] = [way(2, 'B', 'D'), way(2, 'D', 'B')];
    asked.layer = biased(&[(back, -100)], &[('B', -100, 0), ('D', 0, -100)]);
    assert_eq!(found(&graph, &asked), 2, "what leads back is dearer, not what leads there");
    asked.layer = biased(&[(there, -100)], &[]);
    assert_eq!(found(&graph, &asked), 3);
    // The way back: from D over B or C to us.
    asked.source = node('D');
    asked.local = vec![local(2, 'B', PLENTY, 0), local(3, 'C', PLENTY, 0)];
    asked.destination = node('E');
    let wider =
        [(12, 'B', 'E', PLENTY, policy(50, 0, 10)), (13, 'C', 'E', PLENTY, policy(60, 0, 10))];
    let wider = self::graph(&wider);
    assert_eq!(found(&wider, &asked), 12, "of ours the way back isn't biased");
    asked.layer = biased(&[(back, -100)], &[]);
    assert_eq!(found(&wider, &asked), 12, "our own hop costs nothing");
    asked.layer = biased(&[(way(12, 'B', 'E'), -20)], &[]);
    assert_eq!(found(&wider, &asked), 13);
}

#[test]
fn parts_go_where_it_is_favoured() {
    let graph = graph(&[
        (2, 'B', 'D', 900_000, policy(0, 100, 10)),
        (3, 'C', 'D', 900_000, policy(0, 100, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let mut asked = request('D', 1_200_000, ours);
    let share = |asked: &PlanRequest| amounts(&planned(&graph, asked)).get(&2).copied();
    let even = share(&asked).unwrap();
    assert!((500_000..=700_000).contains(&even), "{even}");
    asked.layer = biased(&[(way(2, 'B', 'D'), 60)], &[]);
    let more = share(&asked).unwrap();
    assert!(more > even + 50_000, "{more}");
    asked.layer = biased(&[(way(2, 'B', 'D'), -60)], &[]);
    let less = share(&asked).unwrap();
    assert!(less < even - 50_000, "{less}");
    asked.layer = biased(&[(way(2, 'D', 'B'), 60)], &[]);
    assert_eq!(share(&asked), Some(even));
}

#[test]
fn a_bias_forbids_nothing() {
    let (graph, mut asked) = two_ways();
    asked.layer = biased(&[(way(2, 'B', 'D'), -100), (way(3, 'C', 'D'), -100)], &[]);
    asked.fee_budget_msat = Msat(100);
    assert_eq!(found(&graph, &asked), 2, "the budget is kept");
    asked.layer = biased(&[(way(2, 'B', 'D'), i8::MIN), (way(3, 'C', 'D'), i8::MAX)], &[]);
    assert_eq!(found(&graph, &asked), 2);
}

fn informed(rows: &[(ChannelDirection, Informed)]) -> Layer {
    Layer { informed: rows.to_vec(), ..Layer::default() }
}

#[test]
fn what_the_caller_knows_narrows_what_was_learned_and_holds_in_its_place() {
    let (graph, asked) = two_ways();
    let (there, back) = (way(2, 'B', 'D'), way(2, 'D', 'B'));
    let mut refused = Knowledge::default();
    let first = planned(&graph, &asked);
    let at = FailedAt::Hop { index: 1, kind: HopFailure::LiquidityLack };
    refused.sent(&first.routes[0]);
    refused.failed(&first.routes[0], at, asked.now);
    let last = |knowledge: &Knowledge, rows: &[(ChannelDirection, Informed)]| {
        let asked = PlanRequest { layer: informed(rows), parts_max: 1, ..asked.clone() };
        let plan = plan(&graph, knowledge, &asked).unwrap();
        assert_eq!(check(&graph, &asked, &plan), Ok(()));
        (amounts(&plan).into_keys().next().unwrap(), plan.probability_ppm)
    };
    let (lo, hi, moved) = (Informed::AtLeast, Informed::AtMost, Informed::Moved);
    let (enough, little) = (Msat(50_000), Msat(49_999));
    let plain = Knowledge::default();
    for (knowledge, rows, expected) in [
        (&plain, vec![], (2, 999_949)),
        (&plain, vec![(there, hi(little))], (3, 999_949)),
        (&plain, vec![(there, lo(enough))], (2, 1_000_000)),
        (&plain, vec![(back, hi(little))], (2, 999_949)),
        (&plain, vec![(there, hi(little)), (there, lo(enough))], (2, 1_000_000)),
        (&plain, vec![(there, lo(enough)), (there, hi(little))], (3, 999_949)),
        (&plain, vec![(there, hi(enough)), (there, moved(Msat(1)))], (3, 999_949)),
        (&plain, vec![(there, hi(little)), (back, moved(Msat(PLENTY)))], (2, 1_000_000)),
        (&refused, vec![], (3, 999_949)),
        (&refused, vec![(there, lo(enough))], (2, 1_000_000)),
        (&refused, vec![(there, lo(little))], (3, 999_949)),
    ] {
        assert_eq!(last(knowledge, &rows), expected, "{rows:?}");
    }
}

#[test]
fn what_is_reserved_is_not_free_for_others() {
    let (graph, asked) = two_ways();
    let reserve = |rows: &[(ChannelDirection, u64)]| {
        let reserved = rows.iter().map(|(way, msat)| (*way, Msat(*msat))).collect();
        PlanRequest { layer: Layer { reserved, ..Layer::default() }, ..asked.clone() }
    };
    let (there, ours) = (way(2, 'B', 'D'), way(10, 'A', 'B'));
    for (rows, expected) in [
        (vec![(there, PLENTY - 50_000)], 3),
        (vec![(there, PLENTY / 2), (there, PLENTY / 2)], 3),
        (vec![(way(2, 'D', 'B'), PLENTY)], 2),
        (vec![(ours, PLENTY - 50_100)], 2),
        (vec![(ours, PLENTY - 50_099)], 3),
        (vec![(there, u64::MAX), (there, u64::MAX)], 3),
    ] {
        assert_eq!(found(&graph, &reserve(&rows)), expected, "{rows:?}");
    }
    let all = [(ours, PLENTY), (way(11, 'A', 'C'), PLENTY)];
    let cause = plan(&graph, &Knowledge::default(), &reserve(&all)).unwrap_err();
    assert_eq!((cause.reason, cause.largest_msat), (NoPlanReason::NoRoute, None));
}

fn own(channel: u64, from: char, to: char, capacity: u64) -> Channel {
    Channel {
        short_channel_id: ShortChannelId(channel),
        node_a: node(from),
        node_b: node(to),
        capacity: Msat(capacity),
    }
}

fn change(base: u64) -> TermsChange {
    TermsChange { fee_base_msat: Some(Msat(base)), ..TermsChange::default() }
}

#[test]
fn channels_of_ones_own_are_used_on_their_terms_and_only_that_way() {
    let (graph, mut asked) = two_ways();
    asked.layer.channels = vec![own(7, 'D', 'C', 600_000), own(8, 'E', 'D', PLENTY)];
    assert_eq!(found(&graph, &asked), 2, "there are no terms");
    asked.layer.terms = vec![(way(7, 'C', 'D'), change(9))];
    assert_eq!(found(&graph, &asked), 7);
    assert_eq!(planned(&graph, &asked).fee(), Some(Msat(9)));
    let wide = PlanRequest { amount_msat: Msat(600_001), parts_max: 1, ..asked.clone() };
    assert_eq!(found(&graph, &wide), 2, "its size binds");
    let back = PlanRequest {
        layer: Layer { terms: vec![(way(7, 'D', 'C'), change(9))], ..asked.layer.clone() },
        ..asked.clone()
    };
    assert_eq!(found(&graph, &back), 2);
    // E is known by that channel alone.
    let mut there = PlanRequest { destination: node('E'), ..asked.clone() };
    let cause = plan(&graph, &Knowledge::default(), &there).unwrap_err();
    assert_eq!(cause.reason, NoPlanReason::DestinationCapacity);
    there.layer.terms.push((way(8, 'D', 'E'), change(1)));
    assert_eq!(found(&graph, &there), 8);
    let plan = planned(&graph, &there);
    there.layer.channels.clear();
    assert!(check(&graph, &there, &plan).is_err());
}

#[test]
fn a_channel_of_ones_own_from_the_source_is_a_first_hop_for_free() {
    let (graph, mut asked) = two_ways();
    asked.layer.channels = vec![own(7, 'A', 'D', PLENTY)];
    asked.layer.terms = vec![(way(7, 'A', 'D'), change(5_000))];
    let plan = planned(&graph, &asked);
    assert_eq!((amounts(&plan), plan.fee()), (BTreeMap::from([(7, 50_000)]), Some(Msat::ZERO)));
    asked.local.push(local(7, 'D', 10, 0));
    assert_eq!(found(&graph, &asked), 2, "what is known of it counts");
}

#[test]
fn other_terms_take_the_place_of_what_they_name() {
    let (graph, asked) = two_ways();
    let none = TermsChange::default();
    for (change, expected) in [
        (none, 2),
        (change(2_000), 3),
        (TermsChange { enabled: Some(false), ..none }, 3),
        (TermsChange { htlc_minimum_msat: Some(Msat(50_001)), ..none }, 3),
        (TermsChange { htlc_maximum_msat: Some(Msat(24_000)), ..none }, 3),
        (TermsChange { fee_proportional_millionths: Some(Ppm(30_000)), ..none }, 3),
        (TermsChange { cltv_expiry_delta: Some(Blocks(2_000)), ..none }, 3),
    ] {
        let layer = Layer { terms: vec![(way(2, 'B', 'D'), change)], ..Layer::default() };
        let asked = PlanRequest { layer, ..asked.clone() };
        assert_eq!(found(&graph, &asked), expected, "{:?}", asked.layer);
    }
    let twice = vec![(way(2, 'B', 'D'), change(2_000)), (way(2, 'B', 'D'), change(3))];
    let asked = PlanRequest { layer: Layer { terms: twice, ..Layer::default() }, ..asked };
    assert_eq!(planned(&graph, &asked).fee(), Some(Msat(3)));
    let first =
        |base, delta| TermsChange { cltv_expiry_delta: Some(Blocks(delta)), ..change(base) };
    let mut sum = first(5, 6);
    sum.change(TermsChange { enabled: Some(true), ..change(7) });
    assert_eq!(sum, TermsChange { enabled: Some(true), ..first(7, 6) });
}

#[test]
fn a_layer_is_written_only_where_there_is_one() {
    let (_, mut asked) = two_ways();
    let text = serde_json::to_string(&asked).unwrap();
    assert!(!text.contains("layer"), "{text}");
    assert_eq!(serde_json::from_str::<PlanRequest>(&text).unwrap(), asked);
    asked.layer = biased(&[(way(2, 'B', 'D'), -5)], &[('B', 1, 2)]);
    asked.layer.informed = vec![(way(2, 'B', 'D'), Informed::Moved(Msat(1)))];
    asked.layer.channels = vec![own(7, 'D', 'C', 60_000)];
    asked.layer.terms = vec![(way(7, 'C', 'D'), change(9))];
    let text = serde_json::to_string(&asked).unwrap();
    assert_eq!(serde_json::from_str::<PlanRequest>(&text).unwrap(), asked);
}
