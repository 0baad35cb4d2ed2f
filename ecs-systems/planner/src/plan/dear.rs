//! Ways that are likely and dear, and others that are neither.

use super::plan;
use crate::fixture::{graph, local, policy, request};
use crate::{Graph, Knowledge, LocalChannel, Plan, PlanRequest, check};
use payecs_units::Msat;

const AMOUNT: u64 = 100_000_000;

/// Three pairs of ways to Z, each for about a half of the amount: by B and C with room enough,
/// at 900 ppm; by D and E that carry it as likely as not, at 500; by F and G over four such
/// channels each, for free.
fn three_ways() -> (Graph, Vec<LocalChannel>) {
    let (wide, even, poor) = (100 * AMOUNT, AMOUNT / 10 * 11, AMOUNT / 10 * 13);
    let near = [('B', wide, 900), ('C', wide, 900), ('D', even, 500), ('E', even, 500)];
    let near = (1..)
        .zip(near)
        .map(|(number, (peer, room, rate))| (number, peer, 'Z', room, policy(0, rate, 10)));
    let far = ["FHIJZ", "GKLMZ"].map(|nodes| nodes.chars().zip(nodes.chars().skip(1)));
    let far = (10..).zip(far.into_iter().flatten());
    let far = far.map(|(number, (from, to))| (number, from, to, poor, policy(0, 0, 10)));
    let ours = ('B'..='G').zip(100..).map(|(peer, id)| local(id, peer, AMOUNT / 20 * 11, 0));
    (graph(&near.chain(far).collect::<Vec<_>>()), ours.collect())
}

fn within(fee_budget_ppm: u64) -> Plan {
    let (graph, ours) = three_ways();
    let fee_budget_msat = Msat(AMOUNT / 1_000_000 * fee_budget_ppm);
    let asked = PlanRequest { fee_budget_msat, parts_max: 2, ..request('Z', AMOUNT, ours) };
    let plan = plan(&graph, &Knowledge::default(), &asked).unwrap();
    assert_eq!(check(&graph, &asked, &plan), Ok(()), "{plan:?}");
    plan
}

#[test]
fn of_several_parts_chances_count_less_where_the_fees_are_above_the_budget_and_no_less() {
    let chances = |budget_ppm| within(budget_ppm).probability_ppm / 100_000;
    assert_eq!([2_000, 900].map(chances), [9, 9], "the dearest");
    assert_eq!([899, 700, 500].map(chances), [2, 2, 2], "neither the dearest nor the cheapest");
    assert_eq!([499, 100, 0].map(chances), [0, 0, 0], "the cheapest");
}
