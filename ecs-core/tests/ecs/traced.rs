//! What traces say of what a run changed, and how long it took.

use crate::common::{Key, at, call, engine, entity, id, json};
use ecs_core::{
    Answer, EffectBody, EffectRequest, Engine, EntityId, ErrorObject, Inputs, Json, On, Record,
    Refusal, Step, SystemDef, Systems, Write, Writer, system,
    trace::{ChangeKind, TRACE_DETAIL_MS, TraceChange, TraceEntry},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

/// Asks for something, and waits for the reply.
#[derive(Clone, Serialize, Deserialize)]
struct Ask;

impl EffectBody for Ask {
    const KIND: &'static str = "acme:ask";
}

fn add(app: &mut Engine, def: SystemDef, run: impl Fn() -> Answer + Send + Sync + 'static) {
    app.add_payment_system(def, move |_: On| run()).expect("a new name");
}

/// What an entry says was changed, in short: `+attached ~changed -detached`.
fn changes(entry: &TraceEntry) -> Vec<String> {
    let sign = |kind| match kind {
        ChangeKind::Attached => '+',
        ChangeKind::Changed => '~',
        ChangeKind::Detached => '-',
    };
    let change = |it: &TraceChange| {
        let value = it.value.as_ref().map_or_else(String::new, |value| format!("={value}"));
        format!("{}{}{value}", sign(it.change), it.component)
    };
    entry.changes.iter().map(change).collect()
}

fn set(app: &mut Engine, entity: EntityId, name: &str, value: &str) {
    let write = Write::to(entity).attach_json(name.to_owned(), json(value));
    app.set_components(&Writer::Caller, &[write], &[]).expect("a caller may");
}

#[test]
fn a_run_is_told_with_what_it_really_changed_and_on_which_entities() {
    let mut app = engine();
    add(&mut app, system("acme:x").requires(["acme:go"]).disallows(["acme:done"]), || {
        let child = id(9);
        let step = Step::advance().attach_json("acme:done", Json::yes());
        let step = step.attach_json("acme:same", json("1")).attach_json("acme:other", json("2"));
        let step = step.detach_name("acme:go").detach_name("acme:absent");
        Ok(step.write(Write::to(child).attach_json("acme:child", Json::yes())))
    });
    let entity = entity(&mut app, &["acme:x"], &["acme:go", "acme:same", "acme:other"]);
    set(&mut app, entity, "acme:before", "1");
    app.advance(entity, None).unwrap();
    set(&mut app, entity, "acme:after", "1");
    let [entry] = <[TraceEntry; 1]>::try_from(app.trace(entity)).unwrap();
    assert_eq!(changes(&entry), ["+acme:done", "~acme:other", "-acme:go"]);
    assert_eq!((entry.others, entry.step), (vec![id(9)], 1));
    assert_eq!((entry.took_us, entry.answer_ms), (None, None), "nobody looks");
}

#[test]
fn values_and_durations_are_kept_while_somebody_looks_and_secrets_never() {
    static NOW_NS: AtomicU64 = AtomicU64::new(0);
    let mut app = engine();
    app.set_stopwatch(|| NOW_NS.fetch_add(7_900, Ordering::Relaxed));
    let def = system("acme:x").requires(["acme:go"]);
    add(&mut app, def, || {
        let step = Step::wait().detach_name("acme:go").attach_json("acme:n", json("[1]"));
        Ok(step.attach(&Key("hush".to_owned())))
    });
    let entity = entity(&mut app, &["acme:x"], &[]);
    let run = |app: &mut Engine, now_ms| {
        app.begin(at(now_ms));
        set(app, entity, "acme:go", "1");
        app.set_components(
            &Writer::Engine,
            &[Write::to(entity).detach::<Key>().detach_name("acme:n")],
            &[],
        )
        .expect("the engine may");
        app.advance(entity, None).expect("it matches");
        app.trace(entity).pop().expect("it ran")
    };
    let quiet = ["-acme:go", "+acme:n", "+lightningd:key"];
    let detailed = ["-acme:go", "+acme:n=[1]", "+lightningd:key"];
    assert_eq!(changes(&run(&mut app, 1_000)), quiet);
    call(&mut app, "payecs_systrace", "[1,0,true]").unwrap();
    let looked_at = run(&mut app, 1_000 + TRACE_DETAIL_MS - 1);
    assert_eq!(
        (changes(&looked_at), looked_at.took_us),
        (detailed.map(String::from).into(), Some(7))
    );
    let later = run(&mut app, 1_000 + TRACE_DETAIL_MS);
    assert_eq!((changes(&later), later.took_us), (quiet.map(String::from).into(), None));
    app.announce_all(true);
    assert_eq!(changes(&run(&mut app, 1_000 + TRACE_DETAIL_MS)), detailed, "somebody observes");
    app.announce_all(false);
    app.measure_runs(true);
    let measured = run(&mut app, 1_000 + TRACE_DETAIL_MS);
    assert_eq!((changes(&measured), measured.took_us), (quiet.map(String::from).into(), None));
    let took = app.system_counts().find(|(name, ..)| *name == "acme:x").unwrap().2.took;
    assert_eq!((took.count, took.sum_ns, took.classes[2]), (1, 7_900, 1), "counted once measured");
}

#[test]
fn a_refusal_and_what_a_reply_brings_belong_to_the_run() {
    let mut app = engine();
    // Only the flow's own Systems may ask for something, and write lines.
    app.set_keeper(|_, _, _| Ok(None));
    let ask = system("acme:ask").requires(["acme:go"]).disallows(["acme:asked"]);
    app.add_system(ask, |_: On| -> Answer {
        let step = Step::wait().attach_json("acme:asked", Json::yes());
        let line = Record::new("ledger:line", Json::yes());
        Ok(step.effect(EffectRequest::with_reply(&Ask)).record(line))
    })
    .unwrap();
    add(&mut app, system("acme:no").requires(["acme:answer"]), || {
        Err(Refusal::invalid("No.".to_owned()))
    });
    let entity = entity(&mut app, &["acme:ask", "acme:no"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let effect = app.take_effects().remove(0);
    let reply = [Write::to(entity).attach_json("acme:answer", json("1"))];
    assert_eq!(app.reply(entity, effect.id, &reply), Ok(true));
    let trace = app.trace(entity);
    assert_eq!(changes(&trace[0]), ["+acme:asked", "+acme:answer"]);
    assert_eq!((&*trace[1].system, changes(&trace[1])), ("ledger:line", vec![]));
    assert_eq!(changes(&trace[2]), ["+lightningd:failing"]);
}

#[test]
fn an_external_systems_run_has_what_its_answer_wrote_and_when() {
    let mut app = engine();
    let def = system("acme:out").requires(["acme:go"]).disallows(["acme:done"]);
    app.add_external_system(def).unwrap();
    let answered = entity(&mut app, &["acme:out"], &["acme:go"]);
    let joined = entity(&mut app, &["acme:out"], &[]);
    set(&mut app, joined, "lightningd:join", r#"{"entities":[1],"mode":"all"}"#);
    let entity = answered;
    app.begin(at(1_000));
    app.advance(entity, None).unwrap();
    app.begin(at(1_250));
    let done = Write::to(entity).attach_json("acme:done", Json::yes()).detach::<Systems>();
    let write_between = Write::to(entity).attach_json("acme:between", Json::yes());
    app.set_components(&Writer::Caller, &[write_between], &[]).unwrap();
    // The join of the first is met in the same call, and its own runs are its own.
    app.advance_with(entity, Some(1), &[done], &[]).unwrap();
    let trace = app.trace(entity);
    assert_eq!(changes(&trace[0]), ["+acme:done", "-lightningd:systems"]);
    assert_eq!((trace[0].answer_ms, trace.len()), (Some(250), 1));
    assert_eq!(app.trace(joined), []);
}

#[test]
fn an_entity_that_ends_itself_keeps_what_its_last_run_changed() {
    let mut app = engine();
    add(&mut app, system("acme:end").requires(["acme:go"]), || {
        Ok(Step::stop().detach_name("acme:go").detach::<Systems>())
    });
    let entity = entity(&mut app, &["acme:end"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert!(app.entities().is_empty());
    let trace = app.trace(entity);
    assert_eq!(changes(&trace[0]), ["-acme:go", "-lightningd:systems"]);
}

#[test]
fn a_caller_is_told_of_changes_of_its_components_only_and_of_new_steps() {
    let mut app = engine();
    let def = system("acme:x").requires(["shop:go"]).disallows(["shop:done"]);
    app.add_external_system(def).unwrap();
    let entity = entity(&mut app, &["acme:x"], &["shop:go"]);
    app.advance(entity, None).unwrap();
    let answer = Write::to(entity).attach_json("shop:done", Json::yes());
    let answer = answer.attach_json("acme:other", Json::yes());
    app.advance_with(entity, Some(1), &[answer], &[]).unwrap_err();
    let shop = ecs_core::Caller {
        components: Some(["shop:".to_owned()].into()),
        ..ecs_core::Caller::owner()
    };
    let mut ask = |params: &str| -> Result<String, ErrorObject> {
        let params = json(params);
        let reply = app.call(&shop, Inputs::default(), "payecs_systrace", Some(&params))?;
        Ok(reply.now().expect("it takes no time").to_string())
    };
    let told = ask("[1]").unwrap();
    let changes = r#""changes":[{"component":"shop:done","change":"attached"}],"answer_ms":0"#;
    assert!(told.contains(changes) && !told.contains("acme:other"), "{told}");
    assert_eq!(ask("[1,1]").unwrap(), r#"{"entity":1,"trace":[],"gone":0}"#);
    assert_eq!(ask("[1,-1]").unwrap_err().code, -32602);
    assert_eq!(ask(r#"{"entity":1,"detail":1}"#).unwrap_err().code, -32602);
}

/// Writes to the names `acme:0` to `acme:3`: which one, and its value; without one it is detached.
type Writes = Vec<(u8, Option<u8>)>;

fn writes() -> impl Strategy<Value = Writes> {
    prop::collection::vec((0_u8..4, prop::option::of(0_u8..3)), 0..12)
}

proptest! {
    #[test]
    fn what_runs_are_said_to_have_changed_leads_to_what_is_attached(
        runs in prop::collection::vec(writes(), 1..8),
    ) {
        let mut app = engine();
        let steps: Vec<Writes> = runs.clone();
        let next = AtomicU64::new(0);
        add(&mut app, system("acme:run").requires(["acme:go"]), move || {
            let run = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few");
            let step = Step::wait().detach_name("acme:go");
            Ok(steps[run].iter().fold(step, |step, (name, value)| match value {
                Some(value) => step.attach_json(format!("acme:{name}"), Json::of(value)),
                None => step.detach_name(format!("acme:{name}")),
            }))
        });
        let entity = entity(&mut app, &["acme:run"], &[]);
        app.trace_in_detail();
        let (mut attached, mut last) = (BTreeSet::new(), std::collections::BTreeMap::new());
        for _ in &runs {
            set(&mut app, entity, "acme:go", "1");
            app.advance(entity, None).expect("it matches");
            for change in app.trace(entity).pop().expect("it ran").changes {
                let name = change.component.to_string();
                match change.change {
                    ChangeKind::Attached => prop_assert!(attached.insert(name.clone())),
                    ChangeKind::Changed => prop_assert!(attached.contains(&name)),
                    ChangeKind::Detached => {
                        prop_assert!(attached.remove(&name) || name == "acme:go");
                    }
                }
                last.insert(name, change.value);
            }
            for name in (0..4).map(|number| format!("acme:{number}")) {
                let value = app.component(entity, &name);
                prop_assert_eq!(value.is_some(), attached.contains(&name));
                prop_assert!(value.is_none() || last.get(&name) == Some(&value));
            }
        }
    }
}
