//! A flow is the cheapest where no circle of what is left costs less than nothing, and the largest
//! where nothing that is left leads on: both are found out anew, by Bellman and Ford's relaxation.

use super::*;
use crate::cost::loss_cost;
use crate::fixture::{graph, local, policy, request};
use crate::{Knowledge, PlanRequest, Rng};
use payecs_units::{ChannelDirection, Direction, MicroPercent};
use proptest::prelude::*;

const LETTERS: [char; 6] = ['A', 'B', 'C', 'D', 'E', 'F'];

/// A small network, and what to ask of it: channels that several units fit into, or none.
fn case(seed: u64) -> (crate::Graph, PlanRequest) {
    let mut rng = Rng::new(seed);
    let mut letter = |from: u64| LETTERS[usize::try_from(from + rng.below(6 - from)).unwrap()];
    let ends: Vec<(char, char)> = (0..12).map(|_| (letter(1), letter(1))).collect();
    let mut rng = Rng::new(seed ^ 1);
    let rows = ends.into_iter().zip(1..).filter(|((a, b), _)| a != b).map(|((a, b), id)| {
        let rate = u32::try_from(rng.below(20_000)).unwrap();
        (id, a, b, 10_000 + rng.below(90_000), policy(rng.below(200), rate, 10))
    });
    let rows: Vec<_> = rows.collect();
    let ours =
        ('B'..='D').zip(90..).map(|(peer, id)| local(id, peer, 20_000 + rng.below(60_000), 0));
    let asked = request('F', 100_000, ours.collect());
    (graph(&rows), PlanRequest { fee_budget_msat: Msat(100_000), ..asked })
}

/// A bias of −32 makes less than three times dearer.
const DEARER_MAX: i64 = 3;

/// Favours some directions, and makes some dearer.
fn favour(graph: &crate::Graph, request: &mut PlanRequest, seed: u64) {
    let mut rng = Rng::new(seed ^ 2);
    for channel in graph.channels() {
        let scid = channel.short_channel_id;
        for direction in [Direction::Zero, Direction::One] {
            let bias = i8::try_from(rng.below(133)).map_or(0, |it| it) - 32;
            if rng.chance(500_000) {
                request.layer.biases.push((ChannelDirection { scid, direction }, bias));
            }
        }
    }
}

/// Every step over what is left: from, to, cost. Units are taken back for what they cost last.
fn left(net: &Net<'_>, flow: &Flow<'_>) -> Vec<(u32, u32, i64)> {
    let whole = net.request.amount_msat;
    let per_nat = flow.weights.per_nat();
    let cost = |edge: &Edge, on: Msat| {
        let more = on.checked_add(flow.unit)?;
        let loss = |carried| loss_cost(edge.bounds, edge.in_flight, carried, whole, per_nat);
        let fee = flow.unit.forwarding_fee(edge.fee_base, edge.fee_rate)?.0;
        let waiting = delay_cost(flow.unit, edge.cltv_delta, flow.weights.risk())?;
        let hop = fee + waiting + loss(more)? - loss(on)?;
        Some(i64::try_from(biased(flow.weights.bias(edge), hop)).unwrap())
    };
    let mut steps = Vec::new();
    for (number, edge) in net.edges() {
        let units = flow.carried.get(&number).map_or(0, |it| it.units);
        let on = Msat(flow.unit.0 * u64::from(units));
        if edge.min <= flow.unit && flow.unit <= edge.max {
            steps.extend(cost(&edge, on).map(|cost| (edge.from, edge.to, cost)));
        }
        if units > 0 {
            let less = on.saturating_sub(flow.unit);
            steps.push((edge.to, edge.from, -cost(&edge, less).unwrap()));
        }
    }
    steps
}

/// The least cost from `start` to each node; `None` where a circle costs less than nothing by more
/// than what rounding explains.
fn relaxed(steps: &[(u32, u32, i64)], nodes: u32, start: Option<u32>) -> Option<Vec<Option<i64>>> {
    let mut least: Vec<Option<i64>> =
        (0..nodes).map(|node| start.is_none_or(|start| start == node).then_some(0)).collect();
    for _ in 0..=nodes {
        let mut is_same = true;
        for (from, to, cost) in steps {
            let Some(there) = least[*from as usize].map(|it| it + cost) else { continue };
            if least[*to as usize].is_none_or(|known| there < known) {
                least[*to as usize] = Some(there);
                is_same = false;
            }
        }
        if is_same {
            return Some(least);
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_flow_is_cheaper_and_none_that_ends_early_leaves_a_way(
        seed: u64, units in 1_u32..12, is_weighted: bool, is_biased: bool,
    ) {
        let (graph, mut request) = case(seed);
        if is_biased {
            favour(&graph, &mut request, seed);
        }
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &request);
        let weights = if is_weighted { Weights::of(&net) } else { Weights::FEE_ONLY };
        let unit = Msat(request.amount_msat.0.div_ceil(units.into()));
        let mut flow = Flow::new(&net, weights, unit);
        let sent = flow.send(units);
        let steps = left(&net, &flow);
        // Each cost is rounded, before it counts more or less: a circle of such steps may seem to
        // save a little.
        let little = if is_biased { 4 * DEARER_MAX } else { 4 };
        let rounded = steps.iter().map(|(from, to, cost)| (*from, *to, cost + little));
        let rounded: Vec<_> = rounded.collect();
        prop_assert!(relaxed(&rounded, net.nodes_count, None).is_some(), "a circle saves");
        if sent < units {
            let reached = relaxed(&rounded, net.nodes_count, Some(net.start)).unwrap();
            prop_assert_eq!(reached[net.goal as usize], None, "a unit more finds a way");
        }
        let paths = flow.paths();
        prop_assert_eq!(paths.iter().map(|(_, units)| units).sum::<u32>(), sent);
        for (edges, _) in &paths {
            prop_assert_eq!(net.edge(edges[0]).from, net.start);
            prop_assert_eq!(net.edge(*edges.last().unwrap()).to, net.goal);
        }
    }

    /// Many small units: what they cost is rounded, and a unit taken back may seem to save more
    /// than it costs to send it again. The search itself asserts what is promised.
    #[test]
    fn a_search_goes_in_no_circle_for_what_is_rounded_away(seed: u64, units in 12_u32..100) {
        let (graph, request) = case(seed);
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &request);
        let unit = Msat(request.amount_msat.0.div_ceil(units.into()));
        let mut flow = Flow::new(&net, Weights::of(&net), unit);
        prop_assert!(flow.send(units) <= units);
        let paths = flow.paths();
        prop_assert_eq!(paths.iter().map(|(_, units)| units).sum::<u32>(), flow.units);
    }
}

#[test]
fn a_unit_is_taken_back_where_two_ways_then_fit() {
    // The cheapest path for one unit, over both B and C, is in the way of two.
    let graph = graph(&[
        (1, 'B', 'C', 1_000, policy(0, 0, 1)),
        (2, 'B', 'D', 1_000, policy(50, 0, 1)),
        (3, 'C', 'D', 1_000, policy(1, 0, 1)),
    ]);
    let ours = vec![local(10, 'B', 1_000, 0), local(11, 'C', 1_000, 0)];
    let mut asked = request('D', 1_800, ours);
    asked.risk_factor_micro_percent = MicroPercent(0);
    let knowledge = Knowledge::default();
    let net = Net::new(&graph, &knowledge, &asked);
    let mut flow = Flow::new(&net, Weights::FEE_ONLY, Msat(900));
    assert_eq!(flow.send(1), 1);
    assert_eq!(flow.send(2), 2);
    assert_eq!(flow.send(3), 2, "there is no third way");
    assert_eq!(flow.paths().len(), 2);
    assert!(flow.paths().iter().all(|(edges, units)| (edges.len(), *units) == (2, 1)));
}
