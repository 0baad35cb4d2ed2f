//! What a crash does not lose.

use crate::common::{engine, entity};
use ecs_core::{Engine, Json, Snapshot, Step, Write, Writer, system};

fn with_systems() -> Engine {
    let mut app = engine();
    app.add_payment_system(
        system("acme:panic").requires(["acme:panic"]),
        |_: ecs_core::On| -> ecs_core::Answer { panic!("for the test") },
    )
    .expect("a new name");
    app.add_payment_system(
        system("acme:stay").requires(["acme:go"]).disallows(["acme:been"]),
        |_: ecs_core::On| Ok(Step::advance().attach_json("acme:been", Json::of(&[0.5]))),
    )
    .expect("a new name");
    app
}

#[test]
fn a_restored_engine_goes_on_where_the_other_was() {
    let mut app = with_systems();
    app.add_external_system(system("acme:out").requires(["acme:been"])).unwrap();
    app.begin(crate::common::at(77));
    let out = entity(&mut app, &["acme:stay", "acme:out"], &["acme:go"]);
    let muted = entity(&mut app, &["acme:panic"], &["acme:panic"]);
    app.new_entity();
    app.advance(out, None).unwrap();
    app.advance(muted, None).unwrap();
    let kept = app.snapshot();
    let text = serde_json::to_string(&kept).unwrap();
    let read: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(read, kept);

    let mut other = with_systems();
    entity(&mut other, &["acme:stay"], &["acme:go", "acme:elsewhere"]);
    other.restore(&read).unwrap();
    assert_eq!(other.snapshot(), kept, "though the external System is not registered yet");
    other.add_external_system(system("acme:out").requires(["acme:been"])).unwrap();
    assert_eq!(other.new_entity(), app.new_entity());
    assert_eq!(other.advance(muted, None).unwrap_err().code(), 2201, "muted still");
    assert_eq!(other.invocation(out), app.invocation(out));
    other.advance(out, Some(1)).unwrap();
}

#[test]
fn an_entity_made_by_a_step_never_takes_a_number_that_was_used_beside_it() {
    let mut app = engine();
    let [first, second] = [1, 2].map(crate::common::id);
    let flag = |entity| Write::to(entity).attach_json("acme:x", Json::yes());
    app.set_components(&Writer::Engine, &[flag(second), flag(first)], &[]).unwrap();
    app.set_components(&Writer::Engine, &[Write::end(second)], &[]).unwrap();
    assert_eq!(app.new_entity(), crate::common::id(3));
}
