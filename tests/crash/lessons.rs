//! What the planner has learned is there after a restart, as far as records were kept.

use crate::{
    calls::field,
    journal::{Death, Durable},
    steps::{AMOUNT, network},
};
use ecs_core::Json;
use ecs_systems::{
    policy::GraphView,
    port::{NodeView, PartImage},
    units::{ChannelDirection, Direction},
};
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
        let knowledge = PartImage::of(move || image.clone());
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

/// A report on a channel between others, and what is asked for its direction.
fn imported(durable: &Durable, minimum: u64) -> (String, ChannelDirection) {
    let graph = durable.payer.driver.engine().resource::<GraphView>().expect("there is one");
    let us = durable.payer.driver.engine().resource::<NodeView>().expect("it is connected");
    let channel = graph.0.channels().find(|it| ![it.node_a, it.node_b].contains(&us.identity));
    let scid = channel.expect("others have channels").short_channel_id;
    let way = ChannelDirection { scid, direction: Direction::One };
    let row = format!(
        r#"[[{{"short_channel_id_dir":"{way}","minimum_msat":{minimum},"age_seconds":60}}]]"#
    );
    (row, way)
}

fn minimum(durable: &mut Durable, way: ChannelDirection) -> String {
    let told = durable.payer.begin_call("payecs_listknowledge", &format!("[\"{way}\"]"));
    durable.run_for(0).expect("it lives");
    let told = told.answered().expect("at once").expect("it lists");
    let listed = told.fields().expect("an object")["knowledge"].items().expect("an array");
    listed.first().map(|it| field(it, "minimum_msat")).unwrap_or_default()
}

#[test]
fn what_was_imported_is_the_same_after_a_restart_with_and_without_a_snapshot() {
    for (snapshot_before, snapshot_after) in [(false, false), (true, false), (false, true)] {
        let mut durable = taught();
        if snapshot_before {
            durable.snapshot();
        }
        let (row, way) = imported(&durable, 5_000_000);
        let call = durable.payer.begin_call("payecs_importknowledge", &row);
        assert!(call.answered().is_none(), "before its record is kept");
        durable.run_for(0).expect("it lives");
        let said = call.answered().expect("its record is kept").expect("it is imported");
        assert_eq!(said.text(), r#"{"imported":1,"skipped":0}"#);
        durable.run_for(1_000).expect("it lives");
        if snapshot_after {
            durable.snapshot();
        }
        let (before, shown) = (learned(&durable), minimum(&mut durable, way));
        assert!(shown.starts_with("494"), "5 000 000 after 61 s, {shown}");
        durable.die(Death::Kill);
        assert_eq!(learned(&durable), before);
        assert_eq!(minimum(&mut durable, way), shown);
        durable.run_for(3_600_000).expect("it lives");
        assert!(minimum(&mut durable, way).starts_with("247"), "half of it after a half-life");
    }
}

#[test]
fn an_import_that_a_crash_has_cut_off_is_there_whole_or_not_at_all() {
    let mut whole = 0;
    for after in 0..4 {
        for death in [Death::PowerLoss(after), Death::Kill] {
            let mut durable = Durable::new(&network());
            let (row, way) = imported(&durable, 5_000_000);
            durable.run_for(0).expect("it lives");
            durable.fuel = Some(after);
            let call = durable.payer.begin_call("payecs_importknowledge", &row);
            let lived = durable.run_for(0).is_ok();
            let answered = call.answered().is_some();
            assert!(answered || !lived);
            let killed = death == Death::Kill;
            durable.die(death);
            let shown = minimum(&mut durable, way);
            assert!(shown.is_empty() || shown.starts_with("494"), "{shown}");
            assert!(!(answered && killed && shown.is_empty()), "it was acknowledged");
            whole += usize::from(!shown.is_empty());
        }
    }
    assert!(whole > 0);
}

#[test]
fn an_import_that_is_refused_is_in_no_record() {
    let mut durable = Durable::new(&network());
    durable.run_for(0).expect("it lives");
    let (row, way) = imported(&durable, u64::MAX);
    let (records, before) = (durable.payer.driver.last_record(), learned(&durable));
    let call = durable.payer.begin_call("payecs_importknowledge", &row);
    durable.run_for(0).expect("it lives");
    let refused = call.answered().expect("at once").expect_err("above the capacity");
    assert_eq!(refused.code, 2_333);
    assert_eq!((durable.payer.driver.last_record(), learned(&durable)), (records, before));
    assert_eq!(minimum(&mut durable, way), "");
}
