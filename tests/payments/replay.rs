//! Time and randomness come with the commands: what is recorded can be run again.

use crate::harness::{Payer, Setup};
use ecs_core::{Json, Snapshot};
use ecs_systems::units::Msat;
use node_sim::{InvoiceRequest, SimConfig, SimNetwork};

/// Everything a run leaves behind: the state, the events, and what the network saw.
fn run(network_seed: u64, seed: u64) -> (Snapshot, Vec<Json>, Vec<String>) {
    let config = SimConfig { nodes: 20, seed: network_seed, ..SimConfig::default() };
    let network = SimNetwork::new(config).expect("a network of twenty");
    let mut payer = Payer::with(&network, Setup { seed, ..Setup::default() });
    for payee in 0..5 {
        let invoice = payer.invoice_of(payee, InvoiceRequest::of(Msat(50_000)));
        payer.start(&invoice, ecs_core::Write::here());
        payer.run_for(5_000);
    }
    let notices = payer.driver.take_notices().iter().map(Json::of).collect();
    let truth = network.truth(0).iter().map(|record| format!("{record:?}")).collect();
    (payer.driver.engine().snapshot(), notices, truth)
}

#[test]
fn the_same_inputs_give_the_same_state_events_and_htlcs() {
    assert_eq!(run(3, 1), run(3, 1));
}

#[test]
fn other_entropy_gives_other_nonces_and_groups_but_the_same_outcomes() {
    let ((first, ..), (second, ..)) = (run(3, 1), run(3, 2));
    let of = |state: &Snapshot, name: &str| -> Vec<Json> {
        let components = state.entities.iter().flat_map(|entity| &entity.components);
        components.filter(|(other, _)| **other == *name).map(|(_, json)| json.clone()).collect()
    };
    assert_ne!(of(&first, "lightningd:nonce"), of(&second, "lightningd:nonce"));
    assert_ne!(of(&first, "lightningd:claim"), of(&second, "lightningd:claim"));
    assert_eq!(of(&first, "lightningd:status"), of(&second, "lightningd:status"));
}
