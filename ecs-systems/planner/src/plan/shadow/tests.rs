use crate::fixture::{graph, local, node, policy, request};
use crate::plan::laws::{case, learned};
use crate::{Graph, HintHop, Knowledge, Plan, PlanRequest, check, plan};
use payecs_units::{Blocks, Msat, Ppm, ShortChannelId};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PLENTY: u64 = 1_000_000_000;

fn planned(graph: &Graph, asked: &PlanRequest) -> Plan {
    let plan = plan(graph, &Knowledge::default(), asked).unwrap();
    assert_eq!(check(graph, asked, &plan), Ok(()));
    plan
}

/// B leads to D; behind D a chain goes on whose channels ask for 3, 40 and 500 blocks.
fn chain() -> (Graph, PlanRequest) {
    let graph = graph(&[
        (2, 'B', 'D', PLENTY, policy(100, 0, 10)),
        (3, 'D', 'E', PLENTY, policy(0, 0, 3)),
        (4, 'E', 'F', PLENTY, policy(0, 0, 40)),
        (5, 'F', 'G', PLENTY, policy(0, 0, 500)),
    ]);
    let asked = request('D', 50_000, vec![local(10, 'B', PLENTY, 0)]);
    (graph, PlanRequest { shadow: true, ..asked })
}

/// The delays of plans that differ by their seed alone.
fn delays(graph: &Graph, asked: &PlanRequest) -> BTreeSet<u32> {
    let delay = |seed| planned(graph, &PlanRequest { seed, ..asked.clone() }).routes[0].delay().0;
    (0..64).map(delay).collect()
}

#[test]
fn the_way_seems_to_go_on_over_channels_that_are_there() {
    let (graph, asked) = chain();
    assert_eq!(delays(&graph, &asked), BTreeSet::from([28, 31, 71]), "500 blocks are too many");
    let plain = PlanRequest { shadow: false, ..asked };
    assert_eq!(delays(&graph, &plain), BTreeSet::from([28]));
}

#[test]
fn no_route_takes_longer_than_it_may() {
    let (graph, asked) = chain();
    for (most, expected) in [(28, vec![28]), (30, vec![28]), (70, vec![28, 31])] {
        let asked = PlanRequest { delay_max_blocks: Blocks(most), ..asked.clone() };
        assert_eq!(delays(&graph, &asked), expected.into_iter().collect(), "{most}");
    }
}

#[test]
fn the_way_behind_a_payee_who_is_not_announced_goes_on_from_who_is() {
    let (graph, asked) = chain();
    let hint = HintHop {
        pubkey: node('D'),
        short_channel_id: ShortChannelId(7),
        fee_base_msat: Msat(0),
        fee_proportional_millionths: Ppm(0),
        cltv_expiry_delta: Blocks(5),
    };
    let asked = PlanRequest { destination: node('H'), hints: vec![vec![hint]], ..asked };
    assert_eq!(delays(&graph, &asked), BTreeSet::from([33, 36, 76]));
}

#[test]
fn what_comes_back_to_us_casts_no_shadow() {
    let (_, asked) = chain();
    let ours = vec![local(10, 'B', PLENTY, 0), local(11, 'D', 0, PLENTY)];
    let back = (11, 'D', 'A', PLENTY, policy(0, 0, 3));
    let around = crate::fixture::graph(&[(2, 'B', 'D', PLENTY, policy(100, 0, 10)), back]);
    let asked = PlanRequest { destination: asked.source, local: ours, ..asked };
    assert_eq!(delays(&around, &asked).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_shadow_changes_nothing_but_when_routes_expire(seed: u64, large: bool) {
        let (graph, knowledge, asked) =
            if large { learned(seed) } else {
                let (graph, asked) = case(seed);
                (graph, Knowledge::default(), asked)
            };
        let plain = plan(&graph, &knowledge, &asked);
        let asked = PlanRequest { shadow: true, ..asked };
        let longer = plan(&graph, &knowledge, &asked);
        prop_assert_eq!(longer.as_ref().err(), plain.as_ref().err());
        let (Ok(mut longer), Ok(plain)) = (longer, plain) else { return Ok(()) };
        prop_assert_eq!(check(&graph, &asked, &longer), Ok(()));
        for (route, plain) in longer.routes.iter_mut().zip(&plain.routes) {
            let more = route.delay().0 - plain.delay().0;
            route.hops.iter_mut().for_each(|hop| hop.cltv_blocks.0 -= more);
        }
        prop_assert_eq!(longer, plain);
    }
}
