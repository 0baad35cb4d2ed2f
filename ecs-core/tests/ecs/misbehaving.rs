//! Systems that do what they should not: each ends with its code, none hangs or writes.

use crate::common::{code_of, engine, entity, json, ran, recorded};
use bevy_ecs::{
    entity::Entity,
    resource::Resource,
    system::{Commands, In, Res},
};
use ecs_core::{
    Answer, Engine, ErrorObject, Json, On, Rest, STEPS_PER_ADVANCE_MAX, Step, SystemDef,
    SystemSpec, system,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const NONE: SystemSpec = SystemSpec {
    name: "",
    required: &["acme:go"],
    disallowed: &[],
    attaches: &[],
    detaches: &[],
    refuses: &[],
    does: "",
};

fn go(name: &str) -> SystemDef {
    system(name).requires(["acme:go"])
}

/// Advances a new Entity with that list and answers what it fails with.
fn fails_with(app: &mut Engine, list: &[&str]) -> Option<i32> {
    let entity = entity(app, list, &["acme:go"]);
    app.advance(entity, None).expect("the first System matches");
    code_of(app, entity, "lightningd:failing")
}

#[test]
fn a_system_that_never_gets_on_fails_with_2202() {
    let mut app = engine();
    app.add_payment_system(go("acme:again"), |_: On| Ok(Step::advance())).unwrap();
    app.add_system(&SystemSpec { name: "lightningd:again", ..NONE }, |_: On| Ok(Step::advance()))
        .unwrap();
    for name in ["acme:again", "lightningd:again"] {
        assert_eq!(fails_with(&mut app, &[name]), Some(2202), "{name}");
    }
    let entity = entity(&mut app, &["acme:again"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(ran(&app, entity), ["acme:again", "acme:again"], "twice, then never again");
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2201);
}

#[test]
fn systems_that_undo_each_other_fail_with_2202_whoever_owns_them() {
    let serve = |_: On| Ok(Step::advance().attach_json("acme:pong", Json::yes()));
    let back = |_: On| Ok(Step::advance().detach_name("acme:pong"));
    let mut app = engine();
    app.add_payment_system(go("acme:ping").disallows(["acme:pong"]), serve).unwrap();
    app.add_payment_system(go("acme:pong").requires(["acme:pong"]), back).unwrap();
    let own_ping = SystemSpec { disallowed: &["acme:pong"], name: "lightningd:ping", ..NONE };
    app.add_system(&own_ping, serve).unwrap();
    let required = &["acme:go", "acme:pong"];
    app.add_system(&SystemSpec { name: "lightningd:pong", required, ..NONE }, back).unwrap();
    assert_eq!(fails_with(&mut app, &["acme:ping", "acme:pong"]), Some(2202));
    assert_eq!(fails_with(&mut app, &["lightningd:ping", "lightningd:pong"]), Some(2202));
    let entity = entity(&mut app, &["lightningd:ping", "lightningd:pong"], &["acme:go"]);
    while app.run_one().is_some() {}
    app.wake(entity);
    let steps = std::iter::from_fn(|| app.run_one()).count();
    let bound = 2 * STEPS_PER_ADVANCE_MAX as usize;
    assert!((bound..=bound + 4).contains(&steps), "{steps} steps");
    assert_eq!(recorded(&app, entity), Some(2201), "in the end nothing may run any more");
}

#[derive(Resource)]
struct Missing;

#[test]
fn a_system_that_panics_or_cannot_run_fails_with_2203_and_is_set_aside_after_three_panics() {
    let mut app = engine();
    app.add_payment_system(go("acme:panic"), |_: On| -> Answer { panic!("at the disco") }).unwrap();
    app.add_payment_system(go("acme:needy"), |_: On, _: Res<'_, Missing>| Ok(Step::wait()))
        .unwrap();
    assert_eq!(fails_with(&mut app, &["acme:needy"]), Some(2203));
    for said in ["at the disco", "at the disco", "at the disco", "is set aside", "is set aside"] {
        let entity = entity(&mut app, &["acme:panic"], &["acme:go"]);
        app.advance(entity, None).unwrap();
        let failing = app.component(entity, "lightningd:failing").unwrap();
        let failing: ErrorObject = failing.decode().unwrap();
        assert_eq!(failing.code, 2203);
        assert!(failing.message.contains(said), "{}", failing.message);
        assert_eq!(failing.data, Some(json("{\"system\":\"acme:panic\"}")));
    }
}

#[test]
fn a_system_of_the_flow_that_panics_is_set_aside_for_that_entity_only_however_often() {
    const PANICS: usize = 5;
    let mut app = engine();
    let spec = SystemSpec { name: "lightningd:panic", disallowed: &["acme:ran"], ..NONE };
    let left = AtomicUsize::new(PANICS);
    app.add_system(&spec, move |_: On| {
        let left = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        assert!(left.is_err(), "at the disco");
        Ok(Step::wait().attach_json("acme:ran", Json::yes()))
    })
    .unwrap();
    for _ in 0..PANICS {
        let entity = entity(&mut app, &["lightningd:panic"], &["acme:go"]);
        app.advance(entity, None).unwrap();
        let failing: ErrorObject =
            app.component(entity, "lightningd:failing").unwrap().decode().unwrap();
        assert_eq!(failing.code, 2203);
        assert!(failing.message.contains("at the disco"), "{}", failing.message);
        assert_eq!(app.advance(entity, None).unwrap_err().code(), 2201, "never again on it");
        assert_eq!(ran(&app, entity), ["lightningd:panic"]);
    }
    let other = entity(&mut app, &["lightningd:panic"], &["acme:go"]);
    app.advance(other, None).unwrap();
    assert_eq!(app.component(other, "acme:ran"), Some(Json::yes()));
}

#[test]
fn a_system_that_writes_what_is_not_its_own_writes_nothing() {
    let mut app = engine();
    for (system, name) in [
        ("acme:thief", "zeta:x"),
        ("acme:forger", "lightningd:claim"),
        ("acme:finisher", "lightningd:systems:final"),
        ("acme:babbler", "lightningd:no_such_component"),
    ] {
        let step = move |_: On| {
            let step = Step::advance().attach_json("acme:own", Json::yes());
            Ok(step.attach_json(name, Json::yes()))
        };
        app.add_payment_system(go(system), step).unwrap();
        let entity = entity(&mut app, &[system], &["acme:go"]);
        app.advance(entity, None).unwrap();
        assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(-32602), "{system}");
        assert_eq!(app.component(entity, "acme:own"), None, "{system}: all or nothing");
        assert_eq!(app.component(entity, name), None, "{system}");
    }
}

#[test]
fn what_a_system_does_by_commands_is_never_done() {
    let mut app = engine();
    let system = |In(entity): On, mut commands: Commands<'_, '_>| {
        commands.entity(entity).despawn();
        Ok(Step::wait().attach_json("acme:ran", Json::yes()))
    };
    app.add_payment_system(go("acme:commands").disallows(["acme:ran"]), system).unwrap();
    let entity = entity(&mut app, &["acme:commands"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(app.component(entity, "acme:ran"), Some(Json::yes()));
}

#[test]
fn a_system_that_refuses_for_ever_fails_with_its_first_code_and_stops() {
    let mut app = engine();
    app.add_payment_system(go("acme:no"), |In(_): In<Entity>| Err(ErrorObject::new(205, "no")))
        .unwrap();
    let entity = entity(&mut app, &["acme:no"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(205));
    assert!(ran(&app, entity).len() <= 3, "{:?}", ran(&app, entity));
    assert_eq!(recorded(&app, entity), Some(2201));
}

#[test]
fn what_a_refusal_carries_is_kept_in_whatever_form() {
    let mut app = engine();
    for (number, (data, kept)) in [
        ("{\"n\":1}", "{\"n\":1,\"system\":\"acme:no0\"}"),
        ("[1,\"x\"]", "{\"data\":[1,\"x\"],\"system\":\"acme:no1\"}"),
        ("7", "{\"data\":7,\"system\":\"acme:no2\"}"),
        ("null", "{\"system\":\"acme:no3\"}"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("acme:no{number}");
        let refuses = move |_: On| Err(ErrorObject::new(7001, "no").with_data(&json(data)));
        app.add_payment_system(go(&name), refuses).unwrap();
        let entity = entity(&mut app, &[&name], &["acme:go"]);
        app.advance(entity, None).unwrap();
        let failing = app.component(entity, "lightningd:failing").unwrap();
        assert_eq!(failing.decode::<ErrorObject>().unwrap().data, Some(json(kept)), "{data}");
    }
}

#[test]
fn a_system_of_a_third_party_needs_a_prefix_of_its_own() {
    let mut app = engine();
    for name in ["plain", ":x", "lightningd:x", "ledger:x", "payecs:x", "acme:\"x\"", ""] {
        let refused = app.add_payment_system(go(name), |_: On| Ok(Step::wait()));
        assert_eq!(refused.unwrap_err().code(), -32602, "{name}");
    }
    let nothing = app.add_payment_system(system("acme:x"), |_: On| Ok(Step::wait()));
    assert_eq!(nothing.unwrap_err().code(), -32602, "requires nothing");
}

#[test]
fn a_system_that_waits_while_it_may_not_write_stops_soon() {
    let mut app = engine();
    app.set_at_rest(|_, _| Rest::Waiting);
    app.add_payment_system(go("acme:thief"), |_: On| {
        Ok(Step::wait().attach_json("zeta:x", Json::yes()))
    })
    .unwrap();
    let entity = entity(&mut app, &["acme:thief"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(-32602));
    assert!(ran(&app, entity).len() <= 3, "{:?}", ran(&app, entity).len());
}
