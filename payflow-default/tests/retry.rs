//! What a failed part gives back is there for the next one.

use ecs_core::{Json, Write};
use ecs_systems::{
    components::{Invoice, Reservation, Status},
    planner::KnowledgeConfig,
    policy::Policy,
    port::Node,
    units::{Msat, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::{InvoiceRequest, SimBuilder, policy};
use payflow_default::{
    Driver,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};

const START: Timestamp = Timestamp(1_700_000_000_000);

#[test]
fn a_failed_part_can_leave_again_through_the_one_channel_it_came_back_to() {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let (cheap, dear) = (policy(0, 0), policy(1_000, 100));
    let network = SimBuilder::new(1)
        .node("alice")
        .node("bob")
        .node("carol")
        .node("dave")
        .channel("alice", "bob", size, half, cheap.clone(), cheap.clone())
        .channel("bob", "carol", size, Msat(1_000), cheap.clone(), cheap.clone())
        .channel("bob", "dave", size, half, dear.clone(), cheap.clone())
        .channel("dave", "carol", size, half, dear, cheap)
        .us("alice")
        .build()
        .unwrap();
    let node = network.connect(START);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let parts = Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    };
    let engine = engine(parts).unwrap();
    let (node, planner) = (Box::new(node), Box::new(planner));
    let mut driver = Driver::new(engine, node, planner, Entropy::seeded(1), START);
    driver.run_until(START.after_ms(1_000));
    let carol = network.id("carol").unwrap();
    let request = InvoiceRequest::of(Msat(400_000_000));
    let invoice = network.invoice(carol, request, driver.now()).unwrap();
    let now = driver.now();
    let components = Write::here().attach(&Invoice(Json::of(&invoice)));
    let id = driver.start_payment(now, components).unwrap();
    driver.run_until(now.after_ms(100_000));
    assert_eq!(driver.engine().get::<Status>(id), Some(&Status::complete()));
    let reservation = driver.engine().get::<Reservation>(id).unwrap().0;
    assert_eq!((reservation.parts_failed, reservation.rounds), (1, 2));
    network.audit().unwrap();
}
