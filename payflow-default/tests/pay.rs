//! A payment through the default flow, from invoice to settled entry.

use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{Claimed, FeePaid, Invoice, PaidPreimage, Status},
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Books, Node},
    units::{Msat, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::{InvoiceRequest, SimBuilder, SimNetwork, policy};
use payflow_default::{
    Driver,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};

const START: Timestamp = Timestamp(1_700_000_000_000);

fn driver(network: &SimNetwork) -> Driver {
    let node = network.connect(START);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let parts = Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    };
    let engine = engine(parts).expect("the default flow fits together");
    let mut driver =
        Driver::new(engine, Box::new(node), Box::new(planner), Entropy::seeded(1), START);
    driver.run_until(START.after_ms(1_000));
    driver
}

/// A payment of 100 sat from alice over bob to carol, run to its end with everybody watching.
fn paid() -> (SimNetwork, Driver, EntityId) {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let network = SimBuilder::new(1)
        .node("alice")
        .node("bob")
        .node("carol")
        .channel("alice", "bob", size, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", size, half, policy(1_000, 10), policy(0, 0))
        .us("alice")
        .build()
        .expect("a network of three");
    let mut driver = driver(&network);
    let now = driver.now();
    driver.command(now, |engine| engine.announce_all(true));
    let carol = network.id("carol").expect("one of the three");
    let invoice = network.invoice(carol, InvoiceRequest::of(Msat(100_000)), now);
    let invoice = invoice.expect("carol is of the network");
    let components = Write::here().attach(&Invoice(Json::of(&invoice)));
    let id = driver.start_payment(now, components).expect("a proper payment");
    driver.run_until(now.after_ms(100_000));
    (network, driver, id)
}

#[test]
fn an_invoice_of_a_distant_node_is_paid_and_booked() {
    let (network, driver, id) = paid();
    let engine = driver.engine();
    assert_eq!(engine.get::<Status>(id), Some(&Status::complete()));
    assert_eq!(engine.get::<FeePaid>(id), Some(&FeePaid(Msat(1_001))));
    let hash = engine.get::<PaidPreimage>(id).unwrap().0.hash();
    assert_eq!(network.payment(hash).received_in_all(), Msat(100_000));
    network.audit().unwrap();
    let books = &engine.resource::<Books>().unwrap().0;
    books.verify().unwrap();
    assert_eq!(books.balance("sim:expenses:payment").debits_posted_msat, Msat(100_000));
    assert_eq!(books.balance("sim:expenses:fee:routing").debits_posted_msat, Msat(1_001));
    assert_eq!(books.balance("sim:control:reserved").debits_pending_msat, Msat::ZERO);
}

#[test]
fn ledger_writes_are_seen_as_systems_of_their_own() {
    let (_, driver, id) = paid();
    let trace = driver.engine().trace(id);
    let systems: Vec<&str> = trace.iter().map(|entry| &*entry.system).collect();
    let after = |system: &str, line: &str| {
        let at = systems.iter().position(|name| *name == system).unwrap();
        assert_eq!(systems[at + 1], line, "{systems:?}");
    };
    after("lightningd:claim_hash", "ledger:claim");
    after("lightningd:reserve_funds", "ledger:reserve");
    after("lightningd:dispatch", "ledger:reserve");
    after("lightningd:settle", "ledger:void");
}

#[test]
fn no_trace_announcement_or_event_shows_preimage_or_payment_secret() {
    let (_, mut driver, id) = paid();
    let engine = driver.engine();
    let secrets = [
        engine.get::<PaidPreimage>(id).unwrap().0.reveal(),
        engine.get::<Claimed>(id).unwrap().0.payment_secret.unwrap().reveal(),
    ];
    let mut shown: Vec<String> = Vec::new();
    for entity in engine.entities() {
        shown.extend(engine.trace(entity).iter().map(|entry| Json::of(entry).to_string()));
    }
    shown.extend(driver.take_notices().iter().map(|notice| Json::of(notice).to_string()));
    assert!(shown.len() > 50, "{} steps and notices", shown.len());
    for text in shown {
        for secret in &secrets {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
