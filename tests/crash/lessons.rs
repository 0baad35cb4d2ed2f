//! What the planner has learned is there after a restart, as far as records were kept.

use crate::{
    journal::{Death, Durable},
    steps::{AMOUNT, network},
};
use ecs_core::Json;
use ecs_systems::port::PartImage;
use ledger_store::store::Image;
use node_sim::InvoiceRequest;

/// A payer whose payment has learned something.
fn taught() -> Durable {
    let mut durable = Durable::new(&network());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = durable.pay(&invoice).expect("it lives");
    assert_eq!(durable.finish(id).status, "complete");
    durable
}

fn learned(durable: &Durable) -> String {
    durable.payer.driver.learned().expect("our planner keeps it").json().text().to_owned()
}

fn blank() -> String {
    learned(&Durable::new(&network()))
}

#[test]
fn what_was_learned_is_the_same_after_a_restart_at_any_record() {
    let (mut recalled, mut after) = (0, 0);
    loop {
        let mut durable = Durable::new(&network());
        let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        durable.fuel = Some(after);
        let died = durable.pay(&invoice).is_err() || durable.run_for(60_000).is_err();
        // What differs is found at the start.
        for death in [Death::PowerLoss(after), Death::Kill] {
            durable.die(death);
        }
        recalled += durable.recalled;
        after += 1;
        if !died {
            break;
        }
    }
    assert!(after > 30 && recalled > 10, "{after} steps, the same {recalled} times");
}

#[test]
fn what_was_learned_is_in_snapshots_and_in_the_records_behind_them() {
    for (snapshot_before, snapshot_after) in [(true, false), (false, true), (true, true)] {
        let mut durable = Durable::new(&network());
        if snapshot_before {
            durable.snapshot();
        }
        let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = durable.pay(&invoice).expect("it lives");
        durable.finish(id);
        if snapshot_after {
            durable.snapshot();
        }
        let before = learned(&durable);
        durable.die(Death::Kill);
        assert_eq!(learned(&durable), before);
        assert_ne!(before, blank());
    }
}

#[test]
fn knowledge_that_cannot_be_read_is_dropped_and_the_engine_starts() {
    let strange = r#"{"version":1,"learned":[[[1,7],1,1,null]],"in_flight":[],"disabled":[],
        "disabled_nodes":[]}"#;
    for image in [Json::of("x"), Json::null(), Json::parse(strange).expect("JSON")] {
        let mut durable = taught();
        let engine = durable.payer.driver.engine();
        let knowledge = PartImage::new(move || image.clone());
        let image = Image::of(engine).knowing(Some(knowledge));
        durable.snapshot_of(image);
        durable.forget_what_was_learned();
        durable.die(Death::Kill);
        assert_eq!(learned(&durable), blank());
        let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = durable.pay(&invoice).expect("it lives");
        assert!(durable.finish(id).is_final());
    }
}
