use super::plan;
use crate::fixture::{graph, local, node, policy, request, way};
use crate::{
    Binding, Exclusion, FailedAt, Graph, HintHop, HopFailure, Knowledge, Limit, LocalChannel,
    NoPlan, NoPlanReason, Plan, PlanRequest, Policy, check,
};
use payecs_units::{Blocks, ChannelDirection, Msat, Ppm, ShortChannelId, Timestamp};

const PLENTY: u64 = 1_000_000_000;

fn planned(graph: &Graph, request: &PlanRequest) -> Plan {
    let plan = plan(graph, &Knowledge::default(), request).unwrap();
    assert_eq!(check(graph, request, &plan), Ok(()), "{plan:?}");
    plan
}

fn refused(graph: &Graph, request: &PlanRequest) -> NoPlan {
    plan(graph, &Knowledge::default(), request).unwrap_err()
}

/// The only route as `(channel, msat, blocks)` for each hop.
fn only(plan: &Plan) -> Vec<(u64, u64, u32)> {
    assert_eq!(plan.routes.len(), 1, "{plan:?}");
    let hops = plan.routes[0].hops.iter();
    hops.map(|hop| (hop.short_channel_id_dir.scid.0, hop.amount_msat.0, hop.cltv_blocks.0))
        .collect()
}

/// A—B—C—D with fees at B and C.
fn chain() -> (Graph, Vec<LocalChannel>) {
    let graph = graph(&[
        (1, 'A', 'B', PLENTY, policy(9, 9, 9)),
        (2, 'B', 'C', PLENTY, policy(1_000, 100, 40)),
        (3, 'C', 'D', PLENTY, policy(1, 1_999, 80)),
    ]);
    (graph, vec![local(1, 'B', PLENTY, 0)])
}

#[test]
fn fees_and_expiries_are_exact_to_the_msat_and_block() {
    let (graph, ours) = chain();
    let plan = planned(&graph, &request('D', 1_000_999, ours));
    // C: 1 + 1 000 999 × 1999 ppm = 2001.997; B: 1000 + 1 003 000 × 100 ppm = 1100.3.
    assert_eq!(only(&plan), [(1, 1_004_100, 138), (2, 1_003_000, 98), (3, 1_000_999, 18)]);
    assert_eq!(plan.fee(), Some(Msat(3_101)));
}

#[test]
fn the_fee_budget_binds_at_the_msat_and_the_delay_at_the_block() {
    let (graph, ours) = chain();
    let exact = PlanRequest {
        fee_budget_msat: Msat(3_101),
        delay_max_blocks: Blocks(138),
        ..request('D', 1_000_999, ours)
    };
    assert_eq!(planned(&graph, &exact).routes.len(), 1);
    let poor = PlanRequest { fee_budget_msat: Msat(3_100), ..exact.clone() };
    let cause = refused(&graph, &poor);
    assert_eq!(cause.reason, NoPlanReason::TooExpensive);
    let needed = (cause.fee_needed_msat, cause.delay_needed_blocks);
    assert_eq!(needed, (Some(Msat(3_101)), Some(Blocks(138))));
    assert_eq!(
        (cause.cut[0].short_channel_id_dir, cause.cut[0].limit),
        (way(3, 'C', 'D'), Limit::FeeBudget)
    );
    assert!(cause.largest_msat.is_some_and(|most| most > Msat(990_000)), "{cause:?}");
    let hasty = PlanRequest { delay_max_blocks: Blocks(137), ..exact };
    let cause = refused(&graph, &hasty);
    assert_eq!((cause.reason, cause.cut[0].limit), (NoPlanReason::TooExpensive, Limit::Delay));
    assert_eq!(cause.largest_msat, None);
    let needed = (cause.fee_needed_msat, cause.delay_needed_blocks);
    assert_eq!(needed, (Some(Msat(3_101)), Some(Blocks(138))));
}

#[test]
fn one_limit_is_lifted_where_that_is_enough_and_first_the_fee() {
    let ways = |delta| {
        graph(&[
            (2, 'B', 'D', PLENTY, policy(1, 0, 500)),
            (3, 'C', 'D', PLENTY, policy(900, 0, delta)),
        ])
    };
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let asked = PlanRequest {
        fee_budget_msat: Msat(10),
        delay_max_blocks: Blocks(100),
        ..request('D', 10_000, ours)
    };
    for (delta, fee, delay) in [(10, 900, 28), (600, 1, 518)] {
        let cause = refused(&ways(delta), &asked);
        let needed = (cause.fee_needed_msat, cause.delay_needed_blocks);
        assert_eq!(needed, (Some(Msat(fee)), Some(Blocks(delay))), "{delta}");
    }
    let poor = PlanRequest { fee_budget_msat: Msat(0), ..asked };
    let cause = refused(&ways(600), &poor);
    let needed = (cause.fee_needed_msat, cause.delay_needed_blocks);
    assert_eq!(needed, (Some(Msat(1)), Some(Blocks(518))), "neither alone");
}

#[test]
fn what_is_excluded_is_told_as_far_as_it_is_in_the_way() {
    let graph = graph(&[
        (2, 'B', 'D', PLENTY, policy(0, 10, 10)),
        (3, 'C', 'D', PLENTY, policy(500, 10, 10)),
        (4, 'E', 'C', PLENTY, policy(0, 10, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let (bob, third) = (Exclusion::Node(node('B')), Exclusion::Channel(way(3, 'C', 'D')));
    let exclude = vec![bob, Exclusion::Node(node('E')), third];
    let cause = refused(&graph, &PlanRequest { exclude, ..request('D', 10_000, ours.clone()) });
    assert_eq!(cause.allow, [bob], "the cheaper way");
    assert!(cause.explain().contains("what is excluded"));
    let far = PlanRequest { exclude: vec![bob], ..request('F', 10_000, ours) };
    assert_eq!(refused(&graph, &far).allow, [], "there is no way at all");
}

#[test]
fn a_dearer_route_is_taken_when_the_cheap_one_is_too_slow() {
    let graph = graph(&[
        (2, 'B', 'D', PLENTY, policy(1, 0, 500)),
        (3, 'C', 'D', PLENTY, policy(900, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let slow = request('D', 10_000, ours);
    assert_eq!(only(&planned(&graph, &slow))[0], (10, 10_001, 518));
    let hasty = PlanRequest { delay_max_blocks: Blocks(100), ..slow };
    assert_eq!(only(&planned(&graph, &hasty))[0], (11, 10_900, 28));
}

#[test]
fn limits_of_htlcs_are_kept_and_one_high_minimum_does_not_fail_all() {
    let high = Policy { htlc_minimum_msat: Msat(5_000_000), ..policy(0, 0, 10) };
    let low = Policy { htlc_maximum_msat: Msat(40_000), ..policy(0, 10, 10) };
    let graph = graph(&[(2, 'B', 'D', PLENTY, high), (3, 'B', 'D', PLENTY, low)]);
    let small = request('D', 40_000, vec![local(1, 'B', PLENTY, 0)]);
    assert_eq!(only(&planned(&graph, &small))[1].0, 3);
    let large = PlanRequest { amount_msat: Msat(6_000_000), ..small };
    assert_eq!(only(&planned(&graph, &large))[1].0, 2);
    let between = PlanRequest { amount_msat: Msat(80_000), ..large };
    assert_eq!(planned(&graph, &between).routes.len(), 2, "along the same channel, twice");
}

#[test]
fn an_htlc_below_a_minimum_on_the_way_is_raised_to_it_within_the_budget() {
    let high = Policy { htlc_minimum_msat: Msat(10_500), ..policy(100, 0, 10) };
    let graph = graph(&[(2, 'B', 'C', PLENTY, high), (3, 'C', 'D', PLENTY, policy(0, 0, 10))]);
    let asked = request('D', 10_000, vec![local(1, 'B', PLENTY, 0)]);
    assert_eq!(only(&planned(&graph, &asked))[..2], [(1, 10_600, 38), (2, 10_500, 28)]);
    let poor = PlanRequest { fee_budget_msat: Msat(599), ..asked };
    assert_eq!(refused(&graph, &poor).reason, NoPlanReason::TooExpensive);
}

#[test]
fn two_parts_are_taken_where_two_suffice() {
    let graph = graph(&[
        (2, 'B', 'D', 600_000_000, policy(0, 10, 10)),
        (3, 'C', 'D', 400_000_000, policy(0, 10, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    for amount in [700_000_000, 999_000_000, 1_000_000_000] {
        let plan = planned(&graph, &request('D', amount, ours.clone()));
        assert_eq!(plan.routes.len(), 2, "{amount}: {plan:?}");
    }
    let single = PlanRequest { parts_max: 1, ..request('D', 700_000_000, ours) };
    let cause = refused(&graph, &single);
    assert_eq!(cause.reason, NoPlanReason::NoRoute);
    assert_eq!((cause.largest_msat, cause.cut[0].limit), (Some(Msat(600_000_000)), Limit::Parts));
    assert_eq!(cause.parts_needed, Some(2));
}

#[test]
fn few_wide_parts_are_found_where_equal_units_do_not_fit() {
    let graph = graph(&[
        (2, 'B', 'E', 520_000_000, policy(0, 10, 10)),
        (3, 'C', 'E', 310_000_000, policy(0, 10, 10)),
        (4, 'D', 'E', 190_000_000, policy(0, 10, 10)),
    ]);
    let ours = ('B'..='D').zip(10..).map(|(peer, id)| local(id, peer, PLENTY, 0)).collect();
    let asked = PlanRequest { parts_max: 3, ..request('E', 1_020_000_000, ours) };
    let mut amounts: Vec<u64> =
        planned(&graph, &asked).routes.iter().map(|route| route.amount().0).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [190_000_000, 310_000_000, 520_000_000]);
    let too_much = PlanRequest { amount_msat: Msat(1_020_000_001), ..asked };
    assert_eq!(refused(&graph, &too_much).largest_msat, Some(Msat(1_020_000_000)));
}

#[test]
fn a_small_amount_is_not_cut_into_many_parts() {
    let rows = [(2, 'B', 'D', 450, policy(0, 0, 10)), (3, 'C', 'D', 450, policy(0, 0, 10))];
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    assert_eq!(planned(&graph(&rows), &request('D', 400, ours)).routes.len(), 1);
}

#[test]
fn parts_share_capacity_slots_and_budget() {
    let graph = graph(&[
        (2, 'B', 'D', 500_000, policy(1_000, 0, 10)),
        (3, 'C', 'D', 500_000, policy(1_000, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', 300_000, 0), local(11, 'C', 300_000, 0)];
    let both = request('D', 598_000, ours.clone());
    assert_eq!(planned(&graph, &both).fee(), Some(Msat(2_000)));
    let poor = PlanRequest { fee_budget_msat: Msat(1_999), ..both.clone() };
    assert_eq!(refused(&graph, &poor).reason, NoPlanReason::TooExpensive);
    let mut full = both;
    full.local[1].free_slots = 0;
    let cause = refused(&graph, &full);
    assert_eq!(cause.reason, NoPlanReason::InsufficientFunds);
    assert_eq!(cause.largest_msat, Some(Msat(299_000)));
}

fn hinted(from: char, base: u64) -> HintHop {
    HintHop {
        pubkey: node(from),
        short_channel_id: ShortChannelId(77),
        fee_base_msat: Msat(base),
        fee_proportional_millionths: Ppm(0),
        cltv_expiry_delta: Blocks(30),
    }
}

#[test]
fn hints_reach_an_unannounced_payee_and_those_from_strangers_are_skipped() {
    let (graph, ours) = chain();
    let mut asked = request('Z', 1_000_000, ours);
    asked.hints = vec![vec![hinted('Y', 5)]];
    assert_eq!(refused(&graph, &asked).reason, NoPlanReason::Unreachable);
    asked.hints.push(vec![hinted('C', 5)]);
    let plan = planned(&graph, &asked);
    assert_eq!(only(&plan)[1..], [(2, 1_000_005, 48), (77, 1_000_000, 18)]);
    let hop = HintHop { short_channel_id: ShortChannelId(78), ..hinted('Y', 7) };
    asked.hints = vec![vec![hinted('C', 5), hop]];
    assert_eq!(only(&planned(&graph, &asked))[2..], [(77, 1_000_007, 48), (78, 1_000_000, 18)]);
}

#[test]
fn a_channel_of_ours_works_whether_announced_or_not_and_straight_to_the_payee() {
    let asked = request('Q', 5_000, vec![local(9, 'Q', 5_000, 0)]);
    assert_eq!(only(&planned(&Graph::default(), &asked)), [(9, 5_000, 18)]);
    let off = LocalChannel { usable: false, ..local(9, 'Q', 5_000, 0) };
    let cause = refused(&Graph::default(), &PlanRequest { local: vec![off], ..asked });
    assert_eq!(cause.reason, NoPlanReason::InsufficientFunds);
    let binding = Binding {
        short_channel_id_dir: way(9, 'A', 'Q'),
        allows_msat: Msat::ZERO,
        limit: Limit::Excluded,
    };
    assert_eq!(cause.cut, [binding]);
}

/// Three ways from A to D, by B the cheapest, then by C, then by E.
fn three_ways() -> (Graph, Vec<LocalChannel>) {
    let rows: Vec<_> = [('B', 1), ('C', 2), ('E', 3)]
        .iter()
        .map(|(by, fee)| (*fee, *by, 'D', PLENTY, policy(*fee, 0, 10)))
        .collect();
    (
        graph(&rows),
        ['B', 'C', 'E'].iter().zip(10..).map(|(by, id)| local(id, *by, PLENTY, 0)).collect(),
    )
}

#[test]
fn exclusions_first_hop_and_last_hop_are_respected() {
    let (graph, ours) = three_ways();
    let asked = request('D', 10_000, ours);
    let by = |request: &PlanRequest| only(&planned(&graph, request))[1].0;
    assert_eq!(by(&asked), 1);
    let not_b = Exclusion::Node(node('B'));
    assert_eq!(by(&PlanRequest { exclude: vec![not_b], ..asked.clone() }), 2);
    let neither = vec![not_b, Exclusion::Channel(way(2, 'C', 'D'))];
    assert_eq!(by(&PlanRequest { exclude: neither, ..asked.clone() }), 3);
    let payee = vec![Exclusion::Node(node('D')), Exclusion::Node(node('A'))];
    assert_eq!(by(&PlanRequest { exclude: payee, ..asked.clone() }), 1, "payer and payee aside");
    assert_eq!(by(&PlanRequest { last_hop: Some(node('C')), ..asked.clone() }), 2);
    assert_eq!(by(&PlanRequest { first_hop: Some(ShortChannelId(12)), ..asked }), 3);
}

#[test]
fn disabled_directions_and_those_without_policy_are_not_used() {
    let (graph, ours) = three_ways();
    let off = Policy { enabled: false, ..policy(1, 0, 10) };
    let graph = graph.with_policy(way(1, 'B', 'D'), off).unwrap();
    assert_eq!(only(&planned(&graph, &request('D', 10_000, ours)))[1].0, 2);
    let back = request('B', 10_000, vec![local(10, 'D', PLENTY, 0)]);
    assert_eq!(refused(&graph, &back).reason, NoPlanReason::DestinationCapacity);
}

#[test]
fn what_was_learned_steers_the_next_plan() {
    let (graph, ours) = three_ways();
    let asked = request('D', 10_000, ours);
    let mut knowledge = Knowledge::default();
    let kinds = [HopFailure::LiquidityLack, HopFailure::DisabledOrPolicy, HopFailure::Node];
    for (kind, channel) in kinds.into_iter().zip([1, 2, 3]) {
        let found = plan(&graph, &knowledge, &asked).unwrap();
        assert_eq!(only(&found)[1].0, channel);
        knowledge.sent(&found.routes[0]);
        let at = FailedAt::Hop { index: 1, kind };
        knowledge.failed(&found.routes[0], at, asked.now);
    }
    let cause = plan(&graph, &knowledge, &asked).unwrap_err();
    assert!(cause.largest_msat.is_some_and(|most| most < asked.amount_msat), "{cause:?}");
    let later = PlanRequest { now: Timestamp(asked.now.0 + 3_600_000), ..asked };
    assert_eq!(only(&plan(&graph, &knowledge, &later).unwrap())[1].0, 1);
}

#[test]
fn a_circle_leaves_and_returns_by_different_channels() {
    let graph = graph(&[
        (1, 'B', 'A', PLENTY, policy(5, 0, 10)),
        (2, 'B', 'A', PLENTY, policy(50, 0, 10)),
        (3, 'B', 'C', PLENTY, policy(1, 0, 10)),
        (4, 'C', 'A', PLENTY, policy(1, 0, 10)),
    ]);
    let both = vec![local(1, 'B', 60_000, 0), local(2, 'B', 60_000, 60_000)];
    let asked = request('A', 50_000, both.clone());
    assert_eq!(only(&planned(&graph, &asked)), [(1, 50_050, 28), (2, 50_000, 18)]);
    let mut three = asked;
    three.local.push(local(4, 'C', 0, 60_000));
    assert_eq!(only(&planned(&graph, &three)).len(), 3, "A-B-C-A for 2 msat");
    let single = PlanRequest { local: both[1..].to_vec(), ..three };
    assert_ne!(refused(&graph, &single).reason, NoPlanReason::Unreachable);
}

#[test]
fn every_cause_is_told_in_order_with_the_largest_that_could_go() {
    let graph = graph(&[
        (2, 'B', 'C', 500_000, policy(0, 0, 10)),
        (3, 'C', 'D', 800_000, policy(0, 0, 10)),
    ]);
    let asked = |to, amount| request(to, amount, vec![local(1, 'B', 900_000, 0)]);
    for (to, amount, reason, largest, cut) in [
        ('Z', 1, NoPlanReason::Unreachable, None, None),
        ('D', 900_001, NoPlanReason::InsufficientFunds, Some(500_000), Some(way(1, 'A', 'B'))),
        ('D', 800_001, NoPlanReason::DestinationCapacity, Some(500_000), Some(way(3, 'C', 'D'))),
        ('D', 500_001, NoPlanReason::NoRoute, Some(500_000), Some(way(2, 'B', 'C'))),
        ('D', 0, NoPlanReason::NoRoute, None, None),
    ] {
        let cause = refused(&graph, &asked(to, amount));
        assert_eq!((cause.reason, cause.largest_msat), (reason, largest.map(Msat)), "{amount}");
        let first: Option<ChannelDirection> = cause.cut.first().map(|it| it.short_channel_id_dir);
        assert_eq!(first, cut, "{amount}: {cause:?}");
    }
}

#[test]
fn what_a_caller_leaves_out_is_not_called_a_lack_of_funds() {
    let graph = graph(&[
        (2, 'B', 'D', 500_000, policy(0, 0, 10)),
        (3, 'C', 'D', 500_000, policy(0, 0, 10)),
    ]);
    let ours = vec![local(10, 'B', 300_000, 0), local(11, 'C', 300_000, 0)];
    let asked = |amount| request('D', amount, ours.clone());
    let peers = ['B', 'C'].map(|peer| Exclusion::Node(node(peer)));
    let ways = [Exclusion::Channel(way(10, 'A', 'B')), Exclusion::Channel(way(11, 'A', 'C'))];
    for (amount, exclude, reason) in [
        (100_000, peers.to_vec(), NoPlanReason::Excluded),
        (100_000, ways.to_vec(), NoPlanReason::Excluded),
        (400_000, ways[..1].to_vec(), NoPlanReason::Excluded),
        (600_001, peers.to_vec(), NoPlanReason::InsufficientFunds),
        (600_001, vec![], NoPlanReason::InsufficientFunds),
    ] {
        let cause = refused(&graph, &PlanRequest { exclude, ..asked(amount) });
        assert_eq!(cause.reason, reason, "{amount}");
        assert_eq!(cause.cut.len(), 2, "all our channels are named: {cause:?}");
    }
    let first_hop = Some(ShortChannelId(10));
    let cause = refused(&graph, &PlanRequest { first_hop, ..asked(400_000) });
    assert_eq!(cause.reason, NoPlanReason::Excluded);
    let last_hop = Some(node('C'));
    let straight = PlanRequest { last_hop, ..request('B', 100_000, ours[..1].to_vec()) };
    assert_eq!(refused(&graph, &straight).reason, NoPlanReason::Excluded);
    let off = vec![LocalChannel { usable: false, ..ours[0].clone() }];
    let cause = PlanRequest { local: off, exclude: peers.to_vec(), ..asked(100_000) };
    assert_eq!(refused(&graph, &cause).reason, NoPlanReason::InsufficientFunds, "it is not usable");
}

#[test]
fn an_improbable_single_route_is_split_when_that_helps() {
    let graph = graph(&[
        (2, 'B', 'D', 1_000_000_000, policy(0, 10, 10)),
        (3, 'C', 'D', 1_000_000_000, policy(0, 10, 10)),
    ]);
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'C', PLENTY, 0)];
    let plan = planned(&graph, &request('D', 950_000_000, ours));
    assert_eq!(plan.routes.len(), 2);
    assert!((270_000..280_000).contains(&plan.probability_ppm), "{}", plan.probability_ppm);
}
