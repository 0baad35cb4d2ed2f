//! A System of one's own, in a program of one's own: a limit in front of the default flow.
//!
//! Copy this to begin with. It reads a documented Component, refuses with a code of its own, and
//! runs on the simulated network.

use ecs_core::bevy_ecs::prelude::{In, Query};
use ecs_core::{Engine, Error, Failed, Json, On, Plugin, Refusal, Step, Systems, Write, system};
use ecs_systems::{
    components::{Amount, Invoice},
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
    flow::DEFAULT_FLOW,
    planner::OwnPlanner,
};

/// What acme pays at most.
const MOST: Msat = Msat(1_000_000);

/// The plugin.
struct Acme;

impl Plugin for Acme {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        let limit = system("acme:limit").requires(["lightningd:amount"]).disallows([
            "acme:limited",
            "lightningd:failing",
            "lightningd:preimage",
        ]);
        app.add_payment_system(limit, |In(payment): On, amounts: Query<&Amount>| {
            let Amount(amount) = amounts.get(payment)?;
            if *amount > MOST {
                return Err(Refusal::new(7001, format!("acme pays at most {MOST}, not {amount}")));
            }
            Ok(Step::advance().attach_json("acme:limited", Json::yes()))
        })
    }
}

#[test]
fn a_limit_in_front_of_the_default_flow_refuses_with_its_own_code() {
    let now = Timestamp(1_700_000_000_000);
    let network = SimNetwork::new(SimConfig { nodes: 10, ..SimConfig::default() }).unwrap();
    let node = network.connect(now);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("sim")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: vec![Box::new(Acme)],
    })
    .unwrap();
    let mut driver = Driver::new(app, Box::new(node), Box::new(planner), Entropy::seeded(1), now);
    let now = driver.run_until(now.after_ms(1_000));
    let list = Systems::listing(["acme:limit"].into_iter().chain(DEFAULT_FLOW.iter().copied()));
    let payee = network.others()[0];
    for (amount, code) in [(MOST, None), (Msat(MOST.0 + 1), Some(7001))] {
        let invoice = network.invoice(payee, InvoiceRequest::of(amount), now).unwrap();
        let payment = Write::here().attach(&list).attach(&Invoice(Json::of(&invoice)));
        let id = driver.start_payment(now, payment).unwrap();
        driver.run_until(now.after_ms(60_000));
        let error = driver.engine().get::<Failed>(id).map(|failed| failed.0.code);
        assert_eq!(error, code, "{amount}");
        assert!(driver.engine().component(id, "lightningd:systems").is_none(), "it has ended");
    }
}
