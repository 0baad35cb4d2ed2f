//! Time and randomness come with the commands: what is recorded can be run again.

use ecs_core::{Json, Snapshot, Write};
use ecs_systems::{
    components::Invoice,
    planner::KnowledgeConfig,
    policy::Policy,
    port::Node,
    units::{Msat, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::{InvoiceRequest, SimConfig, SimNetwork};
use payflow_default::{
    Driver,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};

const START: Timestamp = Timestamp(1_700_000_000_000);

/// Everything a run leaves behind: the state, the events, and what the network saw.
fn run(network_seed: u64, entropy_seed: u64) -> (Snapshot, Vec<Json>, Vec<String>) {
    let config = SimConfig { nodes: 20, seed: network_seed, ..SimConfig::default() };
    let network = SimNetwork::new(config).expect("a network of twenty");
    let node = network.connect(START);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let engine = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .expect("the default flow fits together");
    let entropy = Entropy::seeded(entropy_seed);
    let mut driver = Driver::new(engine, Box::new(node), Box::new(planner), entropy, START);
    let mut now = driver.run_until(START.after_ms(1_000));
    for payee in network.others().into_iter().take(5) {
        let invoice = network.invoice(payee, InvoiceRequest::of(Msat(50_000)), now);
        let invoice = Invoice(Json::of(&invoice.expect("a payee of the network")));
        driver.start_payment(now, Write::here().attach(&invoice)).expect("a proper payment");
        now = driver.run_until(now.after_ms(5_000));
    }
    let notices = driver.take_notices().iter().map(Json::of).collect();
    let truth = network.truth(0).iter().map(|record| format!("{record:?}")).collect();
    (driver.engine().snapshot(), notices, truth)
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
        components.filter(|(other, _)| other == name).map(|(_, json)| json.clone()).collect()
    };
    assert_ne!(of(&first, "lightningd:nonce"), of(&second, "lightningd:nonce"));
    assert_ne!(of(&first, "lightningd:claim"), of(&second, "lightningd:claim"));
    assert_eq!(of(&first, "lightningd:status"), of(&second, "lightningd:status"));
}
