//! The spans of Entities and runs, as whoever records them sees them.

use crate::common::{Label, engine, entity, id};
use bevy_ecs::{
    entity::Entity,
    query::Has,
    system::{In, Query},
    world::World,
};
use ecs_core::{Engine, EntityId, Id, Json, On, Step, Systems, Write, Writer, system, trace::Kin};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Metadata, Span, Subscriber,
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
    /// What was said in which span after it was begun.
    said: Arc<Mutex<Vec<(u64, String)>>>,
    handles: Arc<Mutex<BTreeMap<u64, u32>>>,
    next: Arc<AtomicU64>,
}

/// Reads a text field.
struct Text(&'static str, String);

impl Text {
    fn of(name: &'static str) -> Self {
        Self(name, String::new())
    }
}

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.0 {
            value.clone_into(&mut self.1);
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "payecs::span"
    }

    fn new_span(&self, span: &Attributes<'_>) -> SpanId {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut name = Text::of("otel.name");
        span.record(&mut name);
        let parent = span.parent().map(SpanId::into_u64);
        self.begun.lock().expect("no panic").insert(number, (parent, name.1));
        self.handles.lock().expect("no panic").insert(number, 1);
        SpanId::from_u64(number)
    }

    fn record(&self, span: &SpanId, values: &Record<'_>) {
        let mut outcome = Text::of("outcome");
        values.record(&mut outcome);
        self.said.lock().expect("no panic").push((span.into_u64(), outcome.1));
    }

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
        app.set_components(&Writer::Caller, &[end], &[]).unwrap();
        assert_eq!(*recorder.ended.lock().unwrap(), [2, 4], "two runs are over");
        app.advance(payment, None).unwrap();
    });
    let begun = begun(&recorder);
    let told: Vec<_> = begun.iter().map(|(parent, name)| (*parent, name.as_str())).collect();
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

/// The spans that were begun: each one's parent, and its name.
fn begun(recorder: &Recorder) -> Vec<(Option<u64>, String)> {
    recorder.begun.lock().expect("no panic").values().cloned().collect()
}

/// An engine whose `acme:x` ends the Entity it runs on where that has a label, else its list.
fn ending() -> Engine {
    let mut app = engine();
    app.set_kin(kin);
    let ends = |In(entity): On, ids: Query<(&Id, Has<Label>)>| {
        let (id, goes) = ids.get(entity)?;
        let step = Step::stop();
        Ok(if goes { step.write(Write::end(id.0)) } else { step.detach::<Systems>() })
    };
    let def = system("acme:x").requires(["acme:go"]);
    app.add_payment_system(def, ends).expect("it is new");
    app
}

#[test]
fn a_child_that_runs_first_is_in_the_span_of_its_parent_where_that_still_runs() {
    for (runs, wanted) in [
        (true, vec![(None, "payment"), (Some(1), "part"), (Some(2), "acme:x")]),
        (false, vec![(None, "part"), (Some(1), "acme:x")]),
    ] {
        let mut app = ending();
        let payment = entity(&mut app, &["acme:x"], &["acme:go"]);
        if !runs {
            let over = Write::to(payment).detach::<Systems>();
            app.set_components(&Writer::Engine, &[over], &[]).unwrap();
        }
        let part = entity(&mut app, &["acme:x"], &["acme:go"]);
        let recorder = Recorder::default();
        tracing::subscriber::with_default(recorder.clone(), || app.advance(part, None)).unwrap();
        let begun = begun(&recorder);
        let told: Vec<_> = begun.iter().map(|(parent, name)| (*parent, name.as_str())).collect();
        assert_eq!(told, wanted);
    }
}

#[test]
fn what_became_of_an_entity_is_said_in_its_span_while_it_is_still_there() {
    for labelled in [true, false] {
        let mut app = ending();
        let begin = |_: EntityId, kind: &'static str, parent: Option<SpanId>| {
            let none = tracing::field::Empty;
            tracing::info_span!(
                target: "payecs::span", parent: parent, "entity", otel.name = kind, outcome = none
            )
        };
        let end = |world: &World, entity: Entity, span: &Span| {
            let is_labelled = world.get::<Label>(entity).is_some();
            span.record("outcome", if is_labelled { "labelled" } else { "bare" });
        };
        app.set_span_facts(begin, end);
        let payment = entity(&mut app, &["acme:x"], &["acme:go"]);
        if labelled {
            let write = Write::to(payment).attach(&Label("a".to_owned()));
            app.set_components(&Writer::Engine, &[write], &[]).unwrap();
        }
        let recorder = Recorder::default();
        tracing::subscriber::with_default(recorder.clone(), || app.advance(payment, None)).unwrap();
        let said = if labelled { "labelled" } else { "bare" };
        assert_eq!(*recorder.said.lock().unwrap(), [(1, said.to_owned())]);
        assert!(recorder.ended.lock().unwrap().contains(&1), "its span is over");
    }
}
