//! What changed, as data.

use crate::common::{Deep, at, call, engine, entity, json};
use ecs_core::{Change, Engine, Json, On, Step, Write, Writer, system};

fn with_systems() -> Engine {
    let mut app = engine();
    app.add_payment_system(
        system("acme:nap").requires(["acme:go"]).disallows(["acme:napped"]),
        |_: On| Ok(Step::advance().attach_json("acme:napped", Json::yes())),
    )
    .expect("a new name");
    app.add_payment_system(
        system("acme:panic").requires(["acme:panic"]),
        |_: On| -> ecs_core::Answer { panic!("for the test") },
    )
    .expect("a new name");
    app
}

/// Runs a command on an engine that records, and the same changes on another.
fn followed(commands: &[&dyn Fn(&mut Engine)]) -> (Engine, Engine) {
    let (mut app, mut follower) = (with_systems(), with_systems());
    app.record_changes(true);
    for (number, command) in (1..).zip(commands) {
        app.begin(at(number * 1_000));
        command(&mut app);
        if let Some(delta) = app.take_delta() {
            follower.apply_delta(&delta).expect("a delta of the same engine");
        }
        assert_eq!(follower.snapshot(), app.snapshot(), "after command {number}");
    }
    follower.finish_restore();
    (app, follower)
}

/// What a System makes of what a caller gave may be deeper than callers may write.
#[test]
fn what_the_engine_has_written_it_takes_back_however_deep() {
    let deep = json(&("[".repeat(64) + &"]".repeat(64)));
    let mut app = engine();
    app.begin(at(1_000));
    let entity = entity(&mut app, &[], &["acme:go"]);
    let before = app.snapshot();
    app.record_changes(true);
    let deeper = Deep(Json::array([deep]));
    app.set_components(&Writer::Engine, &[Write::to(entity).attach(&deeper)], &[]).unwrap();
    let written = Json::of(&app.take_delta().expect("it was noted"));
    let kept = Json::of(&app.snapshot());
    let mut follower = engine();
    follower.restore(&before).unwrap();
    follower.apply_delta(&written.decode().unwrap()).unwrap();
    assert_eq!(follower.snapshot(), app.snapshot());
    let mut restored = engine();
    restored.restore(&kept.decode().unwrap()).unwrap();
    assert_eq!(restored.snapshot(), app.snapshot());
}

#[test]
fn everything_a_command_leaves_is_in_its_delta() {
    let register = r#"{"system":"acme:out","required":["acme:napped"],"timeout":7}"#;
    let (mut app, mut follower) = followed(&[
        &|app| {
            call(app, "payecs_newsystem", register).unwrap();
        },
        &|app| {
            entity(app, &["acme:nap", "acme:out"], &["acme:go"]);
        },
        &|app| app.advance(crate::common::id(1), None).unwrap(),
        &|app| {
            entity(app, &["acme:panic"], &["acme:panic"]);
        },
        &|app| app.advance(crate::common::id(2), None).unwrap(),
        &|app| {
            app.new_entity();
        },
        &|app| {
            let write = Write::to(crate::common::id(2))
                .attach_json("lightningd:wake_at", json(r#""1970-01-01T00:01:00Z""#));
            app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        },
        &|app| {
            let end = [Write::end(crate::common::id(2))];
            app.set_components(&Writer::Caller, &end, &[]).unwrap();
        },
        &|app| {
            // The same number again, in one command with its end.
            let two = crate::common::id(2);
            let write = Write::to(two).attach_json("acme:again", json("1"));
            app.set_components(&Writer::Caller, std::slice::from_ref(&write), &[]).unwrap();
            app.set_components(&Writer::Caller, &[Write::end(two)], &[]).unwrap();
            app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        },
        &|app| {
            let over = entity(app, &["acme:nap"], &["acme:go"]);
            assert_eq!((over, app.ended_ms(over)), (crate::common::id(4), None));
            let end = Write::to(over).detach_name("lightningd:systems");
            app.set_components(&Writer::Engine, &[end], &[]).unwrap();
            assert_eq!(app.ended_ms(over), Some(10_000));
        },
        &|app| app.collect([crate::common::id(4), crate::common::id(99)]),
    ]);
    assert!(!app.entities().contains(&crate::common::id(4)));
    let out = crate::common::id(1);
    assert_eq!(follower.invocation(out), app.invocation(out));
    assert!(follower.invocation(out).is_some());
    assert_eq!(follower.new_entity(), app.new_entity());
    follower.advance(out, Some(1)).unwrap();
}

#[test]
fn a_command_that_changes_nothing_leaves_no_delta() {
    let mut app = with_systems();
    assert_eq!(app.take_delta(), None, "nothing is recorded yet");
    app.record_changes(true);
    let id = entity(&mut app, &["acme:nap"], &[]);
    assert!(app.take_delta().is_some());
    call(&mut app, "payecs_listentities", "[]").unwrap();
    let refused = Write::to(id).attach_json("acme:x", json("1")).attach_json("", json("1"));
    app.set_components(&Writer::Caller, &[refused], &[]).unwrap_err();
    assert_eq!(app.take_delta(), None);
    let same = Write::to(id).attach_json("acme:x", json("1"));
    app.set_components(&Writer::Caller, &[same], &[]).unwrap();
    let delta = app.take_delta().unwrap();
    let [component, Change::Life(given_to, _)] = &delta.changes[..] else { panic!("{delta:?}") };
    assert_eq!(*component, Change::Component(id, "acme:x".into(), Some(json("1"))));
    assert_eq!(*given_to, id, "callers gave it once more");
}
