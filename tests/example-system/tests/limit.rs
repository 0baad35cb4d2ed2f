//! How a System of one's own is tested.

use ecs_core::{Engine, Json, Write, Writer};
use ecs_systems::{PaymentSystems, units::Msat};
use example_system::{Limit, Most, OVER_THE_LIMIT};
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
        given in proptest::option::of(1..=2 * MOST.0),
    ) {
        let network = SimNetwork::new(world).expect("a network of that size");
        let mut bench = Bench::new(&network, &limited());
        let invoice = wanted.issue(&network, bench.now);
        let said = given.map(|most| Write::here().attach(&Most(Msat(most))));
        let ended = bench.pay(&invoice, said.unwrap_or_else(Write::here));
        let most = given.map_or(MOST, |most| MOST.min(Msat(most)));
        prop_assert_eq!(ended.code == OVER_THE_LIMIT, wanted.amount > most, "{:?}", ended);
        prop_assert_eq!(bench.money_is_whole(), Ok(()));
    }
}

/// Callers write it in any form of an amount, and read it in one.
#[test]
fn a_limit_that_is_no_amount_is_refused_and_one_that_is_comes_back_as_msat() {
    let mut engine = Engine::new();
    engine.add_plugin(&PaymentSystems::default()).unwrap();
    engine.add_plugin(&Limit(MOST)).unwrap();
    let entity = engine.new_entity();
    let write = |most: &Json| [Write::to(entity).attach_json("acme:most", most.clone())];
    for wrong in [Json::of("much"), Json::of(&-1), Json::of(&1.5), Json::yes()] {
        let refused = engine.set_components(&Writer::Caller, &write(&wrong), &[]).unwrap_err();
        assert_eq!(refused.code(), -32602, "{wrong:?}");
        assert!(refused.to_string().contains("acme:most"), "{refused}");
        assert_eq!(engine.component(entity, "acme:most"), None, "nothing is written");
    }
    engine.set_components(&Writer::Caller, &write(&Json::of("1.5sat")), &[]).unwrap();
    assert_eq!(engine.component(entity, "acme:most"), Some(Json::of("1500msat")));
    assert_eq!(engine.get::<Most>(entity), Some(&Most(Msat(1_500))));
}

/// One seed with everything that may go wrong, to be looked at closely.
#[test]
fn our_code_is_among_the_ends_of_a_simulated_load() {
    let report = Simulation::new(Config { flow: limited(), ..Config::of(1) }).run();
    let report = report.unwrap_or_else(|finding| panic!("{finding}"));
    assert!(report.outcomes.contains_key(&OVER_THE_LIMIT), "{:?}", report.outcomes);
}
