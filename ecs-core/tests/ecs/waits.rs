//! Waiting for a time, and for other Entities.

use crate::common::{at, call, code_of, engine, entity, id, json, recorded};
use ecs_core::bevy_ecs::prelude::Res;
use ecs_core::{
    Effect, EffectClass, Engine, Entities, EntityId, Json, Step, Systems, WAKE_AHEAD_MS_MAX, Write,
    Writer, system,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// An engine with a System that runs when an Entity was woken or its join was met.
fn waking() -> Engine {
    let mut app = engine();
    for (name, disallowed, flag) in [
        ("acme:woken", "lightningd:wake_at", "acme:woken:ran"),
        ("acme:joined", "lightningd:join", "acme:joined:ran"),
    ] {
        let def = system(name).requires(["lightningd:systems"]).disallows([disallowed, flag]);
        let run = move |_: ecs_core::On| Ok(Step::advance().attach_json(flag, Json::yes()));
        app.add_payment_system(def, run).expect("a new name");
    }
    app
}

fn set(app: &mut Engine, entity: EntityId, name: &str, value: &str) -> Result<(), i32> {
    let write = Write::to(entity).attach_json(name.to_owned(), json(value));
    app.set_components(&Writer::Caller, &[write], &[]).map_err(|error| error.code())
}

fn timers(app: &Engine, entity: EntityId) -> Vec<&Effect> {
    let timers = app.outstanding(entity).iter();
    timers.filter(|effect| matches!(effect.class, EffectClass::Timer { .. })).collect()
}

fn has(app: &Engine, entity: EntityId, name: &str) -> bool {
    app.component(entity, name).is_some()
}

fn end(app: &mut Engine, entity: EntityId) {
    let write = Write::to(entity).detach::<Systems>();
    app.set_components(&Writer::Caller, &[write], &[]).expect("a caller may");
}

#[test]
fn an_entity_rests_until_its_time_and_is_advanced_then() {
    let mut app = waking();
    app.begin(at(1_000));
    let sleeper = entity(&mut app, &["acme:woken"], &[]);
    set(&mut app, sleeper, "lightningd:wake_at", r#""1970-01-01T01:00:02+01:00""#).unwrap();
    app.advance(sleeper, None).expect("it waits");
    let stored = app.component(sleeper, "lightningd:wake_at");
    assert_eq!(stored, Some(json(r#""1970-01-01T00:00:02.000Z""#)));
    let timer = timers(&app, sleeper)[0].clone();
    assert!(matches!(timer.class, EffectClass::Timer { at_ms: 2_000, .. }));
    assert!(!has(&app, sleeper, "acme:woken:ran"));
    app.begin(at(2_000));
    assert_eq!(app.fire_timer(sleeper, timer.id), Ok(true));
    assert!(has(&app, sleeper, "acme:woken:ran") && !has(&app, sleeper, "lightningd:wake_at"));
}

#[test]
fn another_time_takes_the_timers_place_and_none_takes_it_back() {
    let mut app = waking();
    let sleeper = entity(&mut app, &["acme:woken"], &[]);
    set(&mut app, sleeper, "lightningd:wake_at", r#""1970-01-01T00:00:02Z""#).unwrap();
    let first = timers(&app, sleeper)[0].id;
    set(&mut app, sleeper, "lightningd:wake_at", r#""1970-01-01T00:00:03Z""#).unwrap();
    assert_eq!(timers(&app, sleeper).len(), 1);
    assert_eq!(app.fire_timer(sleeper, first), Ok(false));
    set(&mut app, sleeper, "lightningd:wake_at", "null").unwrap();
    assert_eq!(timers(&app, sleeper).len(), 0);
    app.advance(sleeper, None).unwrap();
    assert!(has(&app, sleeper, "acme:woken:ran"));
}

#[test]
fn times_beyond_a_day_and_joins_of_nobody_are_refused_and_nothing_is_written() {
    let mut app = waking();
    let sleeper = entity(&mut app, &["acme:woken"], &[]);
    let ended = app.new_entity();
    let before = app.snapshot();
    let many: BTreeSet<u32> = (1..=101).collect();
    let many = format!(r#"{{"entities":{},"mode":"all"}}"#, Json::of(&many).text());
    for (name, value) in [
        ("lightningd:wake_at", r#""1970-01-02T00:00:00.001Z""#),
        ("lightningd:wake_at", r#""tomorrow""#),
        ("lightningd:wake_at", "5"),
        ("lightningd:join", r#"{"entities":[],"mode":"all"}"#),
        ("lightningd:join", &many),
        ("lightningd:join", r#"{"entities":[2],"mode":0}"#),
        ("lightningd:join", r#"{"entities":[2],"mode":2}"#),
        ("lightningd:join", r#"{"entities":[2],"mode":"most"}"#),
        ("lightningd:join", r#"{"entities":[2],"mode":"all","more":1}"#),
        ("lightningd:join", r#"{"entities":[1],"mode":"all"}"#),
        ("lightningd:join", r#"{"entities":[7],"mode":"all"}"#),
        ("lightningd:join:done", "[2]"),
    ] {
        assert_eq!(set(&mut app, sleeper, name, value), Err(-32602), "{name} {value}");
    }
    assert_eq!(app.snapshot(), before);
    let day = format!(r#""1970-01-01T{:02}:00:00Z""#, WAKE_AHEAD_MS_MAX / 3_600_000 - 1);
    set(&mut app, sleeper, "lightningd:wake_at", &day).unwrap();
    assert_eq!(ended, id(2));
}

#[test]
fn a_join_is_met_by_all_by_any_or_by_so_many_and_tells_which() {
    for (mode, needed) in [(r#""all""#, 3), (r#""any""#, 1), ("2", 2)] {
        let mut app = waking();
        let targets: Vec<EntityId> =
            (0..3).map(|_| entity(&mut app, &["acme:woken"], &[])).collect();
        let waiter = entity(&mut app, &["acme:joined"], &[]);
        set(
            &mut app,
            waiter,
            "lightningd:join",
            &format!(r#"{{"entities":[3,1,2],"mode":{mode}}}"#),
        )
        .unwrap();
        app.advance(waiter, None).expect("it waits");
        for (ended, target) in targets.iter().enumerate() {
            assert_eq!(has(&app, waiter, "acme:joined:ran"), ended >= needed, "{mode}");
            end(&mut app, *target);
        }
        let done: BTreeSet<EntityId> = targets.into_iter().take(needed).collect();
        assert_eq!(app.component(waiter, "lightningd:join:done"), Some(Json::of(&done)), "{mode}");
        assert!(has(&app, waiter, "acme:joined:ran") && !has(&app, waiter, "lightningd:join"));
    }
}

#[test]
fn an_entity_joins_one_that_is_made_in_the_same_step() {
    let mut app = waking();
    let def = system("acme:split").requires(["lightningd:systems"]).disallows(["acme:child"]);
    let run = |_: ecs_core::On, entities: Res<Entities>| {
        let child = entities.free().next().expect("a free number");
        let list = Systems::listing(["acme:rests"]);
        let join = json(&format!(r#"{{"entities":[{child}],"mode":"all"}}"#));
        let here = Step::advance().attach_json("acme:child", Json::of(&child));
        Ok(here.attach_json("lightningd:join", join).write(Write::to(child).attach(&list)))
    };
    app.add_payment_system(def, run).expect("a new name");
    let parent = entity(&mut app, &["acme:split", "acme:joined"], &[]);
    app.advance(parent, None).expect("it splits, and waits");
    assert!(has(&app, parent, "lightningd:join") && !has(&app, parent, "acme:joined:ran"));
    let child = app.component(parent, "acme:child").unwrap().decode().unwrap();
    end(&mut app, child);
    app.run();
    assert!(has(&app, parent, "acme:joined:ran"));
    let nothing = Write::to(child.next().next()).detach_name("acme:x");
    let join = format!(r#"{{"entities":[{}],"mode":"all"}}"#, child.next().next());
    let write = Write::to(parent).attach_json("lightningd:join", json(&join));
    let refused = app.set_components(&Writer::Caller, &[write, nothing], &[]).unwrap_err();
    assert_eq!(refused.code(), -32602, "a write that makes nothing: {refused}");
}

#[test]
fn a_join_of_what_has_ended_is_met_at_once() {
    let mut app = waking();
    let (gone, waiter) = (app.new_entity(), entity(&mut app, &["acme:joined"], &[]));
    let join = format!(r#"{{"entities":[{gone}],"mode":"all"}}"#);
    set(&mut app, waiter, "lightningd:join", &join).unwrap();
    assert!(has(&app, waiter, "acme:joined:ran"));
}

#[test]
fn entities_that_wait_for_each_other_are_stuck_and_say_so() {
    let mut app = waking();
    let [one, two] = [(); 2].map(|()| entity(&mut app, &["acme:joined"], &[]));
    for (waiter, target) in [(one, two), (two, one)] {
        let join = format!(r#"{{"entities":[{target}],"mode":"all"}}"#);
        set(&mut app, waiter, "lightningd:join", &join).unwrap();
    }
    assert_eq!(app.advance(two, None).unwrap_err().code(), 2201);
    assert_eq!(recorded(&app, two), Some(2201));
    end(&mut app, one);
    assert!(has(&app, two, "acme:joined:ran"));
}

#[test]
fn nothing_frozen_waits_for_a_time_or_for_others() {
    for (name, value) in [
        ("lightningd:join", r#"{"entities":[1],"mode":"all"}"#),
        ("lightningd:wake_at", r#""1970-01-01T20:00:00Z""#),
    ] {
        let mut app = waking();
        app.set_at_rest(|_, _| {
            let failing = ecs_core::ErrorObject::new(2201, "stuck");
            ecs_core::Rest::Write(Write::here().attach(&ecs_core::Failing(failing)))
        });
        entity(&mut app, &["acme:woken"], &[]);
        let waiter = entity(&mut app, &["acme:none"], &[]);
        app.add_payment_system(system("acme:none").requires(["acme:x"]), |_: ecs_core::On| {
            Ok(Step::advance())
        })
        .unwrap();
        set(&mut app, waiter, name, value).unwrap();
        app.advance(waiter, None).expect("a draft waits");
        let claim = Write::to(waiter).attach_json("lightningd:claim", Json::yes());
        app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
        assert_eq!(set(&mut app, waiter, name, value), Err(2205), "{name}");
        let _stuck = app.advance(waiter, None);
        assert_eq!(code_of(&app, waiter, "lightningd:failing"), Some(2201), "{name}");
    }
}

#[test]
fn waits_go_on_after_a_restore() {
    let mut app = waking();
    let target = entity(&mut app, &["acme:woken"], &[]);
    let waiter = entity(&mut app, &["acme:joined"], &[]);
    // The one who waits comes back before the one waited for.
    let early = entity(&mut app, &["acme:joined"], &[]);
    let late = entity(&mut app, &["acme:woken"], &[]);
    for (waiter, target) in [(waiter, target), (early, late)] {
        let join = format!(r#"{{"entities":[{target}],"mode":"all"}}"#);
        set(&mut app, waiter, "lightningd:join", &join).unwrap();
    }
    set(&mut app, target, "lightningd:wake_at", r#""1970-01-01T00:00:02Z""#).unwrap();
    let kept = app.snapshot();
    let mut other = waking();
    other.restore(&kept).unwrap();
    assert_eq!(other.snapshot(), kept);
    assert_eq!(other.take_effects(), [], "the timer is in the state");
    let timer = timers(&other, target)[0].id;
    assert_eq!(other.fire_timer(target, timer), Ok(true));
    assert!(has(&other, target, "acme:woken:ran"));
    end(&mut other, late);
    assert!(has(&other, early, "acme:joined:ran") && !has(&other, waiter, "acme:joined:ran"));
}

/// Which Entity joins which, and how many of them.
fn join() -> impl Strategy<Value = (usize, BTreeSet<u32>, u16)> {
    (0_usize..6, prop::collection::btree_set(1_u32..7, 1..4), 1_u16..4)
}

proptest! {
    /// Whatever is joined, and in whatever order things end: no join waits that is met, and none
    /// is met early.
    #[test]
    fn a_join_is_met_exactly_when_enough_have_ended(
        joins in prop::collection::vec(join(), 0..12),
        ends in Just((1_u32..7).collect::<Vec<_>>()).prop_shuffle(),
        kept in 0_usize..6,
    ) {
        let mut app = engine();
        let all: Vec<EntityId> = (0..6).map(|_| entity(&mut app, &["acme:none"], &[])).collect();
        for (waiter, targets, count) in joins {
            let waiter = all[waiter];
            let join = format!(r#"{{"entities":{},"mode":{count}}}"#, Json::of(&targets).text());
            let _refused = set(&mut app, waiter, "lightningd:join", &join);
        }
        for ended in &ends[..kept] {
            end(&mut app, id(*ended));
            for waiter in &all {
                let Some(join) = app.get::<ecs_core::Join>(*waiter) else { continue };
                let ended = |other: &&EntityId| app.get::<Systems>(**other).is_none();
                let done = join.entities.iter().filter(ended);
                let ecs_core::JoinMode::Count(count) = join.mode else { unreachable!() };
                prop_assert!(done.count() < usize::from(count), "{join:?}");
            }
        }
        for waiter in &all {
            if let Some(done) = app.get::<ecs_core::JoinDone>(*waiter) {
                let ended = |other: &EntityId| app.get::<Systems>(*other).is_none();
                prop_assert!(!done.0.is_empty() && done.0.iter().all(ended));
            }
        }
    }
}

#[test]
fn the_methods_take_both_like_any_component() {
    let mut app = waking();
    call(&mut app, "payecs_newentity", "[]").unwrap();
    let params = r#"[[{"entity":1,"lightningd:wake_at":"1970-01-03T00:00:00Z"}]]"#;
    let refused = call(&mut app, "payecs_setcomponents", params).unwrap_err();
    assert_eq!(refused.code, -32602);
    assert!(refused.message.contains("more than a day ahead"), "{}", refused.message);
}
