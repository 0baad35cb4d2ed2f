//! Properties of every plan, on random small networks.

use super::plan;
use crate::ahead::Ahead;
use crate::fixture::{graph, local, node, policy, request};
use crate::net::Net;
use crate::path::{Load, Path};
use crate::search::{LABELS_MAX, Question, cheapest, cheapest_by};
use crate::{
    Exclusion, FailedAt, Graph, GraphDelta, GraphShape, HOPS_MAX, HintHop, HopFailure, Knowledge,
    LocalChannel, NoPlan, NoPlanReason, PlanRequest, Policy, Rng, check, cost, generate,
};
use payecs_units::{Blocks, ChannelDirection, Direction, MicroPercent, Msat, Ppm, ShortChannelId};
use proptest::prelude::*;

pub(super) const LETTERS: [char; 7] = ['A', 'B', 'C', 'D', 'E', 'F', 'G'];

/// A small network and a question on it, with all limits where they may bind.
pub(super) fn case(seed: u64) -> (Graph, PlanRequest) {
    let mut rng = Rng::new(seed);
    let nodes = 3 + usize::try_from(rng.below(5)).unwrap();
    let mut rows = Vec::new();
    for channel in 1..=3 + rng.below(9) {
        let (from, to) = (letter(&mut rng, nodes), letter(&mut rng, nodes));
        if from != to {
            let capacity = 10_000 + rng.below(200_000);
            rows.push((channel, from, to, capacity, terms(&mut rng)));
            if rng.chance(800_000) {
                rows.push((channel, to, from, capacity, terms(&mut rng)));
            }
        }
    }
    let to = if rng.chance(200_000) { 'A' } else { LETTERS[nodes - 1] };
    let ours = |rng: &mut Rng, channel, peer| {
        let mut ours = local(channel, peer, rng.below(150_000), rng.below(150_000));
        ours.free_slots = u32::try_from(rng.below(4)).unwrap();
        ours.usable = rng.chance(900_000);
        ours.htlc_minimum_msat = Msat(rng.below(3_000));
        ours
    };
    let mut locals = vec![ours(&mut rng, 90, 'B')];
    for (channel, from, to, ..) in &rows {
        let peer = if *from == 'A' { *to } else { *from };
        if (*from == 'A' || *to == 'A') && rng.chance(900_000) {
            locals.push(ours(&mut rng, *channel, peer));
        }
    }
    let mut asked = request(to, 1_000 + rng.below(60_000), locals);
    asked.fee_budget_msat = Msat(rng.below(8_000));
    asked.delay_max_blocks = Blocks(18 + u32::try_from(rng.below(200)).unwrap());
    asked.parts_max = 1 + u32::try_from(rng.below(6)).unwrap();
    asked.seed = seed;
    narrow(&mut rng, &mut asked, nodes);
    (graph(&rows), asked)
}

/// Now and then a hint, an exclusion, a first or last hop.
fn narrow(rng: &mut Rng, asked: &mut PlanRequest, nodes: usize) {
    if rng.chance(300_000) {
        let hops = 80..81 + rng.below(2);
        let hint = hops.map(|channel| HintHop {
            pubkey: node(letter(rng, nodes)),
            short_channel_id: ShortChannelId(channel),
            fee_base_msat: Msat(rng.below(500)),
            fee_proportional_millionths: Ppm(100),
            cltv_expiry_delta: Blocks(20),
        });
        asked.hints.push(hint.collect());
    }
    if rng.chance(150_000) {
        asked.exclude.push(Exclusion::Node(node(letter(rng, nodes))));
    }
    if rng.chance(100_000) {
        asked.first_hop = asked.local.first().map(|local| local.short_channel_id);
    }
    if rng.chance(100_000) {
        asked.last_hop = Some(node(letter(rng, nodes)));
    }
    if rng.chance(150_000) {
        asked.hops_max = u32::try_from(rng.below(6)).unwrap();
    }
}

pub(super) fn letter(rng: &mut Rng, nodes: usize) -> char {
    LETTERS[usize::try_from(rng.below(u64::try_from(nodes).unwrap())).unwrap()]
}

pub(super) fn terms(rng: &mut Rng) -> Policy {
    let rate = u32::try_from(rng.below(30_000)).unwrap();
    let delta = u32::try_from(rng.below(90)).unwrap();
    let high = rng.chance(300_000);
    Policy {
        enabled: rng.chance(950_000),
        htlc_minimum_msat: Msat(if high { rng.below(20_000) } else { 1 }),
        htlc_maximum_msat: Msat(10_000 + rng.below(100_000)),
        ..policy(rng.below(1_000), rate, delta)
    }
}

pub(super) fn question(request: &PlanRequest, per_nat: u64) -> Question {
    Question {
        amount: request.amount_msat,
        fee_max: request.fee_budget_msat,
        delay_max: request.delay_max_blocks,
        per_nat: Msat(per_nat),
        risk: MicroPercent(if per_nat == 0 { 0 } else { 50_000_000 }),
        labels_max: LABELS_MAX,
    }
}

/// Fee + delay + chance to fail of a path within the limits, each hop's as it is favoured; `None`
/// beyond them.
pub(super) fn total(net: &Net<'_>, path: &Path, question: &Question) -> Option<u64> {
    let within = path.fee() <= question.fee_max
        && path.delay() <= question.delay_max
        && path.edges.len() <= net.hops_max();
    let (mut beside, mut favoured, mut floor) = (0, 0, question.amount);
    for (edge, htlc) in path.edges.iter().zip(&path.htlcs) {
        let (edge, amount) = (net.edge(*edge), htlc.amount);
        let micro_nats = Load::default().takes(&edge, amount)?;
        let fee = amount.forwarding_fee(edge.fee_base, edge.fee_rate)?;
        let need = amount.checked_add(fee)?;
        let mut hop = cost::failure_cost(micro_nats, question.per_nat)?;
        hop += cost::delay_cost(need, edge.cltv_delta, question.risk)?;
        beside += hop;
        favoured += cost::biased(edge.bias, fee.0 + hop);
        floor = floor.max(edge.min);
    }
    let of_fees = question.per_nat == Msat::ZERO && question.risk == MicroPercent(0);
    let is_favoured = net.is_biased() && !of_fees;
    let raised = floor.saturating_sub(question.amount).0;
    within.then_some(if is_favoured { favoured + raised } else { path.fee().0 + beside })
}

/// The least cost over all simple paths, by trying every one.
pub(super) fn brute(net: &Net<'_>, question: &Question) -> Option<u64> {
    let mut best = None;
    let mut stack = vec![(net.start, Vec::<u32>::new())];
    while let Some((at, edges)) = stack.pop() {
        if at == net.goal {
            let channel = |edge: &u32| net.edge(*edge).direction.scid;
            let twice = edges.len() > 1 && edges.first().map(channel) == edges.last().map(channel);
            let path = (!twice).then(|| Path::priced(net, &edges, question.amount)).flatten();
            let cost = path.and_then(|path| total(net, &path, question));
            best = best.into_iter().chain(cost).min();
            continue;
        }
        for (number, edge) in net.edges() {
            let seen = |old: &u32| net.edge(*old).from == edge.to || net.edge(*old).to == edge.to;
            if edge.from == at && edge.to != net.start && !edges.iter().any(seen) {
                stack.push((edge.to, edges.iter().copied().chain([number]).collect()));
            }
        }
    }
    best
}

/// The request with each change that the answer promises to do.
pub(super) fn changes(request: &PlanRequest, cause: &NoPlan) -> Vec<PlanRequest> {
    let mut changed = Vec::new();
    if let (Some(fee), Some(delay)) = (cause.fee_needed_msat, cause.delay_needed_blocks) {
        let fee_budget_msat = request.fee_budget_msat.max(fee);
        let delay_max_blocks = request.delay_max_blocks.max(delay);
        changed.push(PlanRequest { fee_budget_msat, delay_max_blocks, ..request.clone() });
    }
    changed
        .extend(cause.parts_needed.map(|parts_max| PlanRequest { parts_max, ..request.clone() }));
    if cause.reason == NoPlanReason::TooLong {
        changed.push(PlanRequest { hops_max: HOPS_MAX, ..request.clone() });
    }
    if !cause.allow.is_empty() {
        let mut allowing = request.clone();
        allowing.exclude.retain(|exclusion| !cause.allow.contains(exclusion));
        changed.push(allowing);
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_search_never_misses_the_best_single_path(seed: u64, weighted: bool) {
        let (graph, request) = case(seed);
        let knowledge = Knowledge::default();
        let net = Net::new(&graph, &knowledge, &request);
        let question = question(&request, if weighted { 2_000 } else { 0 });
        let found = cheapest(&net, &Load::default(), &question);
        let cost = found.map(|path| total(&net, &path, &question).expect("within the limits"));
        prop_assert_eq!(cost, brute(&net, &question));
    }

    #[test]
    fn no_plan_ever_breaks_a_rule_and_none_is_missed(seed: u64) {
        let (graph, request) = case(seed);
        let knowledge = Knowledge::default();
        let answer = plan(&graph, &knowledge, &request);
        match &answer {
            Ok(plan) => prop_assert_eq!(check(&graph, &request, plan), Ok(()), "{:?}", plan),
            Err(cause) => {
                let net = Net::new(&graph, &knowledge, &request);
                prop_assert_eq!(brute(&net, &question(&request, 0)), None);
                prop_assert!(cause.largest_msat.is_none_or(|most| most < request.amount_msat));
                prop_assert!(cause.cut.len() <= 8);
            }
        }
        prop_assert_eq!(answer, plan(&graph, &knowledge, &request));
    }

    #[test]
    fn a_change_that_would_do_never_fails_to_do(seed: u64) {
        let (graph, request) = case(seed);
        let knowledge = Knowledge::default();
        if let Err(cause) = plan(&graph, &knowledge, &request) {
            for changed in changes(&request, &cause) {
                prop_assert_ne!(&changed, &request);
                let plan = plan(&graph, &knowledge, &changed);
                prop_assert!(plan.is_ok(), "{cause:?} {changed:?} {plan:?}");
                prop_assert_eq!(check(&graph, &changed, &plan.unwrap()), Ok(()));
            }
        }
    }

    #[test]
    fn what_could_go_never_fails_to_go(seed: u64) {
        let (graph, request) = case(seed);
        let knowledge = Knowledge::default();
        if let Err(cause) = plan(&graph, &knowledge, &request)
            && let Some(amount_msat) = cause.largest_msat
        {
            let less = PlanRequest { amount_msat, ..request };
            let plan = plan(&graph, &knowledge, &less).unwrap();
            prop_assert_eq!(check(&graph, &less, &plan), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn merged_and_split_parts_never_break_a_rule_on_a_larger_network(seed: u64) {
        let shape = GraphShape { nodes: 60, seed, ..GraphShape::default() };
        let graph = generate(&shape);
        let mut rng = Rng::new(seed);
        let mut node = || graph.nodes()[usize::try_from(rng.below(60)).unwrap()];
        let (source, destination) = (node(), node());
        let ours = graph.outgoing(&source).map(|(way, peer)| LocalChannel {
            short_channel_id: way.scid,
            peer,
            ..local(0, 'A', graph.capacity(way.scid).unwrap().0 / 2, u64::MAX)
        });
        let ours: Vec<_> = ours.collect();
        for amount in [1_000, 100_000_000, 2_000_000_000] {
            let request =
                PlanRequest { source, destination, ..request('B', amount, ours.clone()) };
            if let Ok(plan) = plan(&graph, &Knowledge::default(), &request) {
                prop_assert_eq!(check(&graph, &request, &plan), Ok(()));
            }
        }
    }

    #[test]
    fn what_is_ahead_never_hides_a_cheaper_path(seed: u64, weighted: bool) {
        let (graph, knowledge, request) = learned(seed);
        let net = Net::new(&graph, &knowledge, &request);
        let question = question(&request, if weighted { 2_000 } else { 0 });
        let load = Load::default();
        let by = |mut ahead: Ahead<'_>| {
            let path = cheapest_by(&net, &load, &question, &mut ahead)?;
            Some(total(&net, &path, &question).expect("within the limits"))
        };
        let plain = by(Ahead::nothing(&net));
        prop_assert_eq!(by(Ahead::weighed(&net, &question)), plain);
        prop_assert_eq!(by(Ahead::kept(&net, &question)), plain);
        prop_assert_eq!(by(Ahead::kept(&net, &question)), plain, "it was kept");
    }

    #[test]
    fn a_plan_never_depends_on_what_was_planned_before(seed: u64) {
        let (graph, knowledge, request) = learned(seed);
        let mut rng = Rng::new(seed);
        for _ in 0..3 {
            let doublings = rng.below(36);
            let amount_msat = Msat(1 + rng.below(1 << doublings));
            let asked = PlanRequest { amount_msat, seed: rng.next_u64(), ..request.clone() };
            let fresh = graph.to_builder().build();
            let answer = plan(&graph, &knowledge, &asked);
            prop_assert_eq!(&answer, &plan(&fresh, &knowledge, &asked));
            let mut changed = graph.clone();
            let before = plan(&changed, &knowledge, &asked);
            prop_assert_eq!(answer, before);
            for channel in graph.channels().filter(|_| rng.chance(50_000)) {
                let (from, to) = (channel.node_a, channel.node_b);
                let direction = Direction::between(&from, &to);
                let direction = ChannelDirection { scid: channel.short_channel_id, direction };
                let delta = GraphDelta::PolicyChanged { direction, policy: policy(0, 0, 1) };
                changed.take_in(&[delta], &mut |error| panic!("{error}"));
            }
            let fresh = changed.to_builder().build();
            let answer = plan(&changed, &knowledge, &asked);
            prop_assert_eq!(answer, plan(&fresh, &knowledge, &asked));
        }
    }
}

/// A larger network, what some parts taught about it, and a question.
pub(super) fn learned(seed: u64) -> (Graph, Knowledge, PlanRequest) {
    let graph = generate(&GraphShape { nodes: 60, seed, ..GraphShape::default() });
    let mut rng = Rng::new(seed);
    let mut node = || graph.nodes()[usize::try_from(rng.below(60)).unwrap()];
    let (source, destination, avoided) = (node(), node(), node());
    let ours = graph.outgoing(&source).map(|(way, peer)| LocalChannel {
        short_channel_id: way.scid,
        peer,
        ..local(0, 'A', graph.capacity(way.scid).unwrap().0 / 2, u64::MAX)
    });
    let doublings = rng.below(33);
    let amount = 1 + rng.below(1 << doublings);
    let asked = request('B', amount, ours.collect());
    let mut asked = PlanRequest { source, destination, seed, ..asked };
    let mut knowledge = Knowledge::default();
    for _ in 0..rng.below(20) {
        let Ok(plan) = plan(&graph, &knowledge, &asked) else { break };
        for route in &plan.routes {
            knowledge.sent(route);
            if rng.chance(300_000) {
                knowledge.paid(route, asked.now);
            } else {
                let index = usize::try_from(rng.below(6)).unwrap();
                let at = FailedAt::Hop { index, kind: HopFailure::LiquidityLack };
                knowledge.failed(route, at, asked.now);
            }
        }
    }
    asked.fee_budget_msat = Msat(rng.below(2_000 + amount / 10));
    asked.delay_max_blocks = Blocks(18 + u32::try_from(rng.below(400)).unwrap());
    if rng.chance(300_000) {
        asked.exclude.push(Exclusion::Node(avoided));
    }
    (graph, knowledge, asked)
}
