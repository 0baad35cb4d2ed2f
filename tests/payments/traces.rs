//! What traces, announcements and events show of a payment, and what they never show.

use crate::{harness::Payer, nets};
use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{Claimed, PaidPreimage},
    units::Msat,
};
use node_sim::InvoiceRequest;

/// A payment that was made with everybody watching.
fn watched() -> (Payer, EntityId) {
    let mut payer = Payer::new(&nets::line());
    let now = payer.now;
    payer.driver.command(now, |engine| engine.announce_all(true));
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
    let id = payer.start(&invoice, Write::here());
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(1_001));
    (payer, id)
}

#[test]
fn ledger_writes_are_seen_as_systems_of_their_own() {
    let (payer, id) = watched();
    let trace = payer.driver.engine().trace(id);
    let systems: Vec<&str> = trace.iter().map(|entry| &*entry.system).collect();
    for (system, line) in [
        ("lightningd:claim_hash", "ledger:claim"),
        ("lightningd:reserve_funds", "ledger:reserve"),
        ("lightningd:dispatch", "ledger:reserve"),
        ("lightningd:settle", "ledger:void"),
    ] {
        let at = systems.iter().position(|name| *name == system).unwrap();
        assert_eq!(systems[at + 1], line, "{systems:?}");
    }
}

#[test]
fn no_trace_announcement_or_event_shows_preimage_or_payment_secret() {
    let (mut payer, id) = watched();
    let engine = payer.driver.engine();
    let secrets = [
        engine.get::<PaidPreimage>(id).unwrap().0.reveal(),
        engine.get::<Claimed>(id).unwrap().0.payment_secret.unwrap().reveal(),
    ];
    let mut shown: Vec<String> = Vec::new();
    for entity in engine.entities() {
        shown.extend(engine.trace(entity).iter().map(|entry| Json::of(entry).to_string()));
    }
    let notices = payer.driver.take_notices();
    shown.extend(notices.iter().map(|notice| Json::of(notice).to_string()));
    assert!(shown.len() > 50, "{} steps and notices", shown.len());
    for text in shown {
        for secret in &secrets {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
