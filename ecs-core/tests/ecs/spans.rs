//! The spans of Entities and runs, as whoever records them sees them.

use crate::common::{engine, entity, id};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{Id, Json, On, Step, Systems, Write, system, trace::Kin};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id as SpanId, Record},
};

/// A span as it was begun: its parent's number, and its `otel.name`.
type Begun = BTreeMap<u64, (Option<u64>, String)>;

/// Writes down which spans begin and which end.
#[derive(Clone, Default)]
struct Recorder {
    begun: Arc<Mutex<Begun>>,
    ended: Arc<Mutex<Vec<u64>>>,
    handles: Arc<Mutex<BTreeMap<u64, u32>>>,
    next: Arc<AtomicU64>,
}

/// Reads `otel.name`.
#[derive(Default)]
struct Name(String);

impl Visit for Name {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "otel.name" {
            value.clone_into(&mut self.0);
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "payecs::span"
    }

    fn new_span(&self, span: &Attributes<'_>) -> SpanId {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut name = Name::default();
        span.record(&mut name);
        let parent = span.parent().map(SpanId::into_u64);
        self.begun.lock().expect("no panic").insert(number, (parent, name.0));
        self.handles.lock().expect("no panic").insert(number, 1);
        SpanId::from_u64(number)
    }

    fn record(&self, _: &SpanId, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &SpanId, _: &SpanId) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &SpanId) {}

    fn exit(&self, _: &SpanId) {}

    fn clone_span(&self, span: &SpanId) -> SpanId {
        *self.handles.lock().expect("no panic").entry(span.into_u64()).or_default() += 1;
        span.clone()
    }

    fn try_close(&self, span: SpanId) -> bool {
        let mut handles = self.handles.lock().expect("no panic");
        let left = handles.entry(span.into_u64()).or_default();
        *left -= 1;
        if *left == 0 {
            self.ended.lock().expect("no panic").push(span.into_u64());
        }
        *left == 0
    }
}

fn kin(world: &World, entity: Entity) -> Kin {
    let is_first = world.get::<Id>(entity).is_some_and(|number| number.0 == id(1));
    if is_first {
        Kin { kind: "payment", parent: None }
    } else {
        Kin { kind: "part", parent: Some(id(1)) }
    }
}

#[test]
fn an_entity_is_a_span_with_its_runs_and_children_in_it_until_its_list_goes() {
    let mut app = engine();
    app.set_kin(kin);
    let def = system("acme:end").requires(["acme:go", "acme:end"]);
    app.add_payment_system(def, |_: On| Ok(Step::stop().detach::<Systems>())).unwrap();
    let def = system("acme:x").requires(["acme:go"]).disallows(["acme:done"]);
    let run = |_: On| Ok(Step::advance().attach_json("acme:done", Json::yes()));
    app.add_payment_system(def, run).unwrap();
    let payment = entity(&mut app, &["acme:end", "acme:x"], &["acme:go"]);
    let part = entity(&mut app, &["acme:x"], &["acme:go"]);
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        app.advance(payment, None).unwrap();
        app.advance(part, None).unwrap();
        let end = Write::to(payment).attach_json("acme:end", Json::yes());
        app.set_components(&ecs_core::Writer::Caller, &[end], &[]).unwrap();
        assert_eq!(*recorder.ended.lock().unwrap(), [2, 4], "two runs are over");
        app.advance(payment, None).unwrap();
    });
    let begun = recorder.begun.lock().unwrap();
    let told: Vec<(Option<u64>, &str)> =
        begun.values().map(|(parent, name)| (*parent, name.as_str())).collect();
    let wanted = [
        (None, "payment"),
        (Some(1), "acme:x"),
        (Some(1), "part"),
        (Some(3), "acme:x"),
        (Some(1), "acme:end"),
    ];
    assert_eq!(told, wanted);
    assert!(recorder.ended.lock().unwrap().contains(&1), "the payment is over");
}
