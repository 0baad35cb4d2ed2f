//! A program of one's own: the default flow with the limit before it, on a simulated network.
//! `cargo run --package example-system --example pay`

use ecs_core::{Failed, Json, Systems, Write};
use ecs_systems::{
    components::Invoice,
    planner::KnowledgeConfig,
    policy::Policy,
    port::Node,
    units::{Msat, Timestamp},
};
use example_system::Limit;
use ledger_store::{MemoryLedger, MemoryReceipts};
use node_sim::{InvoiceRequest, SimConfig, SimNetwork};
use payflow_default::{
    Driver,
    app::{Parts, engine},
    entropy::Entropy,
    flow::DEFAULT_FLOW,
    planner::OwnPlanner,
};
use std::{error::Error, io::Write as _};

/// What is paid at most.
pub(crate) const MOST: Msat = Msat(1_000_000);

/// Pays these amounts on a network of ten nodes; the code with which each payment failed.
pub(crate) fn pay(amounts: &[Msat]) -> Result<Vec<Option<i32>>, Box<dyn Error>> {
    let now = Timestamp(1_700_000_000_000);
    let network = SimNetwork::new(SimConfig { nodes: 10, ..SimConfig::default() })?;
    let node = network.connect(now);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: vec![Box::new(Limit(MOST))],
    })?;
    let mut driver = Driver::new(app, Box::new(node), Box::new(planner), Entropy::seeded(1), now);
    let now = driver.run_until(now.after_ms(1_000));
    let list = Systems::listing(["acme:limit"].into_iter().chain(DEFAULT_FLOW.iter().copied()));
    let payee = network.others()[0];
    let mut codes = Vec::new();
    for amount in amounts {
        let invoice = network.invoice(payee, InvoiceRequest::of(*amount), now)?;
        let payment = Write::here().attach(&list).attach(&Invoice(Json::of(&invoice)));
        let id = driver.start_payment(now, payment)?;
        driver.run_until(now.after_ms(60_000));
        codes.push(driver.engine().get::<Failed>(id).map(|failed| failed.0.code));
    }
    Ok(codes)
}

fn main() -> Result<(), Box<dyn Error>> {
    let amounts = [MOST, Msat(MOST.0 + 1)];
    for (amount, code) in amounts.iter().zip(pay(&amounts)?) {
        let ended = code.map_or_else(|| "paid".to_owned(), |code| format!("failed with {code}"));
        writeln!(std::io::stdout(), "{amount}: {ended}")?;
    }
    Ok(())
}
