//! How a System of one's own is tested.

use ecs_core::Write;
use ecs_systems::units::Msat;
use example_system::{Limit, OVER_THE_LIMIT};
use node_sim::SimNetwork;
use payflow_default::testing::{
    flow::{Bench, Flow},
    simulator::{Config, Simulation},
    strategies::{invoice, network},
};
use proptest::prelude::*;

const MOST: Msat = Msat(1_000_000);

fn limited() -> Flow {
    Flow::of(Limit(MOST), ["acme:limit"], [])
}

/// What holds for every flow.
mod laws {
    use super::*;
    payflow_default::flow_laws!(limited);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// What holds for this one.
    #[test]
    fn what_is_over_the_limit_fails_with_our_code_and_nothing_else_does(
        world in network(),
        wanted in invoice(),
    ) {
        let network = SimNetwork::new(world).expect("a network of that size");
        let mut bench = Bench::new(&network, &limited());
        let invoice = wanted.issue(&network, bench.now);
        let ended = bench.pay(&invoice, Write::here());
        prop_assert_eq!(ended.code == OVER_THE_LIMIT, wanted.amount > MOST, "{:?}", ended);
        prop_assert_eq!(bench.money_is_whole(), Ok(()));
    }
}

/// One seed with everything that may go wrong, to be looked at closely.
#[test]
fn our_code_is_among_the_ends_of_a_simulated_load() {
    let report = Simulation::new(Config { flow: limited(), ..Config::of(1) }).run();
    let report = report.unwrap_or_else(|finding| panic!("{finding}"));
    assert!(report.outcomes.contains_key(&OVER_THE_LIMIT), "{:?}", report.outcomes);
}
