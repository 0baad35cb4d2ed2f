use super::*;
use crate::fixture::{graph, local, node, policy, request, way};
use crate::{HintHop, Knowledge, Policy, plan};

const PLENTY: u64 = 1_000_000_000;

/// A—B—C—D, and the plan for 100 000 msat over it.
fn case() -> (Graph, PlanRequest, Plan) {
    let terms = Policy { htlc_maximum_msat: Msat(400_000), ..policy(10, 1_000, 40) };
    let graph = graph(&[
        (2, 'B', 'C', 300_000, terms.clone()),
        (3, 'C', 'D', 300_000, terms),
        (4, 'B', 'A', 300_000, policy(0, 0, 10)),
    ]);
    let request = request('D', 100_000, vec![local(1, 'B', 250_000, 0)]);
    let plan = plan(&graph, &Knowledge::default(), &request).unwrap();
    (graph, request, plan)
}

fn flaw(change: impl Fn(&mut PlanRequest, &mut Plan)) -> Flaw {
    let (graph, mut request, mut plan) = case();
    assert_eq!(check(&graph, &request, &plan), Ok(()));
    change(&mut request, &mut plan);
    check(&graph, &request, &plan).unwrap_err()
}

/// A change of the first route's hop.
fn hop(index: usize, change: impl Fn(&mut Hop)) -> Flaw {
    flaw(|_, plan| change(&mut plan.routes[0].hops[index]))
}

#[test]
fn a_plan_is_held_to_amount_fee_and_parts() {
    assert_eq!(flaw(|_, plan| plan.routes.clear()), Flaw::NoRoute);
    let twice = |request: &mut PlanRequest, plan: &mut Plan| {
        request.parts_max = 1;
        plan.routes.push(plan.routes[0].clone());
    };
    assert_eq!(flaw(twice), Flaw::TooManyParts { parts: 2, allowed: 1 });
    let delivered = Msat(100_000);
    for asked in [Msat(99_999), Msat(100_001)] {
        let found = flaw(|request, _| request.amount_msat = asked);
        assert_eq!(found, Flaw::WrongAmount { delivered, asked });
    }
    let found = flaw(|request, _| request.fee_budget_msat = Msat(219));
    assert_eq!(found, Flaw::FeeAboveBudget { fee: Msat(220), allowed: Msat(219) });
}

#[test]
fn a_route_is_held_to_its_ends_and_delays() {
    let allowed = Blocks(97);
    let found = flaw(|request, _| request.delay_max_blocks = allowed);
    assert_eq!(found, Flaw::DelayAboveLimit { route: 0, delay: Blocks(98), allowed });
    let found = flaw(|request, _| request.final_cltv_blocks = Blocks(19));
    assert_eq!(found, Flaw::FinalCltv { route: 0, given: Blocks(18), asked: Blocks(19) });
    let found = flaw(|_, plan| plan.routes[0].hops.clear());
    assert_eq!(found, Flaw::HopCount { route: 0, hops: 0, allowed: 20 });
    let found = flaw(|_, plan| {
        plan.routes[0].hops.pop();
    });
    assert_eq!(found, Flaw::WrongEnd { route: 0, node: node('C') });
    let found = flaw(|_, plan| {
        plan.routes[0].hops.remove(0);
    });
    let (node_b, node_a) = (node('B'), node('A'));
    assert_eq!(found, Flaw::Broken { route: 0, hop: 0, node: node_b, expected: node_a });
    let found = flaw(|_, plan| {
        let hops = &mut plan.routes[0].hops;
        let back = Hop {
            short_channel_id_dir: way(4, 'B', 'A'),
            from: node('B'),
            to: node('A'),
            ..hops[0].clone()
        };
        hops.insert(1, back);
    });
    assert_eq!(found, Flaw::Loop { route: 0, hop: 1, node: node('A') });
}

#[test]
fn a_hop_is_held_to_the_terms_announced() {
    let direction = way(9, 'B', 'C');
    let found = hop(1, |hop| hop.short_channel_id_dir = way(9, 'B', 'C'));
    assert_eq!(found, Flaw::NoSuchHop { route: 0, hop: 1, direction });
    let found = hop(1, |hop| hop.short_channel_id_dir = way(2, 'C', 'B'));
    assert_eq!(found, Flaw::NoSuchHop { route: 0, hop: 1, direction: way(2, 'C', 'B') });
    let found = hop(0, |hop| hop.amount_msat = Msat(100_219));
    assert_eq!(found, Flaw::FeeTooLow { route: 0, hop: 1, fee: Msat(109), allowed: Msat(110) });
    let found = hop(0, |hop| hop.cltv_blocks = Blocks(97));
    let (delta, allowed) = (Blocks(39), Blocks(40));
    assert_eq!(found, Flaw::CltvDeltaTooLow { route: 0, hop: 1, delta, allowed });
    let found = hop(2, |hop| hop.amount_msat = Msat(400_001));
    let (amount, allowed) = (Msat(400_001), Msat(400_000));
    assert_eq!(found, Flaw::AboveMaximum { route: 0, hop: 2, amount, allowed });
    let found = flaw(|request, _| request.local[0].htlc_minimum_msat = Msat(100_221));
    let (amount, allowed) = (Msat(100_220), Msat(100_221));
    assert_eq!(found, Flaw::BelowMinimum { route: 0, hop: 0, amount, allowed });
    let found = flaw(|request, _| request.local[0].usable = false);
    assert_eq!(found, Flaw::NoSuchHop { route: 0, hop: 0, direction: way(1, 'A', 'B') });
}

#[test]
fn routes_are_summed_on_the_channels_they_share() {
    let thrice = |request: &mut PlanRequest, plan: &mut Plan| {
        let route = plan.routes[0].clone();
        plan.routes.extend([route.clone(), route]);
        request.amount_msat = Msat(300_000);
    };
    let (amount, allowed) = (Msat(300_660), Msat(250_000));
    let direction = way(1, 'A', 'B');
    assert_eq!(flaw(thrice), Flaw::AboveCapacity { direction, amount, allowed });
    let found = flaw(|request, plan| {
        thrice(request, plan);
        request.local[0].spendable_msat = Msat(PLENTY);
    });
    let (amount, allowed) = (Msat(300_330), Msat(300_000));
    assert_eq!(found, Flaw::AboveCapacity { direction: way(2, 'B', 'C'), amount, allowed });
    let found = flaw(|request, _| request.local[0].free_slots = 0);
    assert_eq!(found, Flaw::NoSlot { direction, htlcs: 1, allowed: 0 });
}

#[test]
fn exclusions_and_chosen_hops_bind_whoever_planned() {
    let excluded = |hop, direction| Flaw::Excluded { route: 0, hop, direction };
    let found = flaw(|request, _| request.exclude.push(Exclusion::Node(node('C'))));
    assert_eq!(found, excluded(1, way(2, 'B', 'C')));
    let one = way(3, 'C', 'D');
    let found = flaw(|request, _| request.exclude.push(Exclusion::Channel(one)));
    assert_eq!(found, excluded(2, one));
    let found = flaw(|request, _| request.first_hop = Some(ShortChannelId(8)));
    assert_eq!(found, excluded(0, way(1, 'A', 'B')));
    let found = flaw(|request, _| request.last_hop = Some(node('B')));
    assert_eq!(found, excluded(2, one));
}

#[test]
fn a_hop_both_announced_and_hinted_may_keep_either_terms() {
    let (graph, mut request, mut plan) = case();
    plan.routes[0].hops[0].amount_msat = plan.routes[0].hops[1].amount_msat;
    assert!(check(&graph, &request, &plan).is_err());
    let hop = |from, id| HintHop {
        pubkey: node(from),
        short_channel_id: ShortChannelId(id),
        fee_base_msat: Msat::ZERO,
        fee_proportional_millionths: Ppm(0),
        cltv_expiry_delta: Blocks(0),
    };
    request.hints = vec![vec![hop('B', 2), hop('C', 3)]];
    assert_eq!(check(&graph, &request, &plan), Ok(()));
}
