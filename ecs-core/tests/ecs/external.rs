//! External Systems: announced once, answered once, or timed out.

use crate::common::{Claim, at, code_of, engine, entity, id, json, ran, recorded};
use ecs_core::{
    Effect, EffectClass, Engine, EntityId, INVOCATION_TIMEOUT, Invoke, Json, STEPS_PER_LIFE_MAX,
    Step, Systems, Write, Writer, system,
};

/// An engine with the external Systems `acme:one` (until `acme:done`) and `acme:two` (after it).
fn with_external() -> Engine {
    let mut app = engine();
    app.begin(at(1_000));
    let one = system("acme:one").requires(["acme:go", "lightningd:key"]).disallows(["acme:done"]);
    app.add_external_system(one).expect("the test is set up");
    app.add_external_system(system("acme:two").requires(["acme:done", "acme:done"]))
        .expect("the test is set up");
    app
}

fn started(app: &mut Engine) -> EntityId {
    let entity = entity(app, &["acme:one", "acme:two"], &["acme:go"]);
    let key = Write::to(entity).attach_json("lightningd:key", Json::of("hush"));
    app.set_components(&Writer::Caller, &[key], &[]).expect("the test is set up");
    app.advance(entity, None).expect("the test is set up");
    entity
}

fn invokes(app: &mut Engine) -> Vec<Invoke> {
    app.take_effects().iter().filter_map(Effect::read).collect()
}

fn timer(app: &Engine, entity: EntityId) -> Effect {
    let timer = app.outstanding(entity).iter().find(|effect| effect.kind == INVOCATION_TIMEOUT);
    timer.cloned().expect("an invocation is outstanding")
}

#[test]
fn an_announcement_carries_a_number_and_what_was_required_but_no_secret_and_nothing_twice() {
    let mut app = with_external();
    let entity = started(&mut app);
    let [first] = <[Invoke; 1]>::try_from(invokes(&mut app)).unwrap();
    assert_eq!((first.system.as_str(), first.invocation), ("acme:one", Some(1)));
    assert_eq!(first.entity.text(), r#"{"entity":1,"acme:go":1}"#);
    assert_eq!(app.invocation(entity), Some(first), "as it would be announced again");
    let done = [Write::to(entity).attach_json("acme:done", Json::yes())];
    app.advance_with(entity, Some(1), &done, &[]).unwrap();
    let [second] = <[Invoke; 1]>::try_from(invokes(&mut app)).unwrap();
    assert_eq!(second.entity.text(), r#"{"entity":1,"acme:done":true}"#);
    assert_eq!(second.invocation, Some(2));
}

#[test]
fn a_deep_value_is_announced_whole() {
    let mut app = engine();
    app.add_external_system(system("acme:deep").requires(["acme:deep"])).unwrap();
    let entity = entity(&mut app, &["acme:deep"], &[]);
    let deep = json(&("[".repeat(64) + &"]".repeat(64)));
    let write = Write::to(entity).attach_json("acme:deep", deep.clone());
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    app.advance(entity, None).unwrap();
    assert_eq!(invokes(&mut app)[0].entity.fields().unwrap()["acme:deep"], deep);
    let deeper = Write::to(entity).attach_json("acme:deep", Json::array([deep]));
    let refused = app.set_components(&Writer::Plugin("acme:".to_owned()), &[deeper], &[]);
    assert_eq!(refused.unwrap_err().code(), -32602, "a value that could not be read back");
}

#[test]
fn an_answer_counts_once_and_only_with_the_current_number() {
    let mut app = with_external();
    let entity = started(&mut app);
    let done = [Write::to(entity).attach_json("acme:done", Json::yes())];
    let early = app.advance_with(entity, Some(7), &done, &[]);
    assert_eq!(early.unwrap_err().code(), 2207);
    assert_eq!(app.component(entity, "acme:done"), None, "nothing of a stale answer is written");
    app.advance_with(entity, Some(1), &done, &[]).unwrap();
    assert_eq!(app.advance(entity, Some(1)).unwrap_err().code(), 2207, "the second time");
    assert_eq!(app.advance(id(99), Some(2)).unwrap_err().code(), 2207, "another Entity");
    assert_eq!(ran(&app, entity), ["acme:one", "acme:two"]);
}

#[test]
fn silence_ends_in_2203_and_a_late_answer_in_2207() {
    let mut app = with_external();
    let entity = started(&mut app);
    let timer = timer(&app, entity);
    assert!(app.fire_timer(entity, timer.id).unwrap());
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203));
    assert_eq!(recorded(&app, entity), Some(2201), "it is not announced again");
    assert_eq!(app.advance(entity, Some(1)).unwrap_err().code(), 2207);
    assert!(!app.fire_timer(entity, timer.id).unwrap(), "the timer is gone");
}

#[test]
fn no_system_is_waited_for_past_its_timeout_or_the_deadline() {
    for (deadline, at_ms) in [(None, 6_000), (Some(9_000), 6_000), (Some(1_500), 1_500)] {
        let mut app = engine();
        app.begin(at(1_000));
        let quick = system("acme:quick").requires(["acme:go"]);
        app.add_external_system(quick.clone()).unwrap();
        app.add_external_system_for(quick.clone(), 5_000).unwrap();
        app.add_external_system(quick).unwrap();
        match deadline {
            None => {}
            Some(9_000) => app.set_deadline(|_, _| Some(9_000)),
            Some(_) => app.set_deadline(|_, _| Some(1_500)),
        }
        let entity = entity(&mut app, &["acme:quick"], &["acme:go"]);
        app.advance(entity, None).unwrap();
        assert_eq!(waits_until(&app, entity), at_ms, "{deadline:?}");
        let woken = |app: &mut Engine| {
            app.wake(entity);
            app.run();
            waits_until(app, entity)
        };
        assert_eq!(woken(&mut app), at_ms, "it is still wanted");
        app.set_unwanted(|_, _| true);
        assert_eq!(woken(&mut app), 1_000, "at once");
        app.begin(at(1_100));
        assert_eq!(woken(&mut app), 1_000, "as before");
        let timer = timer(&app, entity);
        assert!(app.fire_timer(entity, timer.id).unwrap());
        assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203));
    }
}

/// When the external System at work there must have answered.
fn waits_until(app: &Engine, entity: EntityId) -> u64 {
    match timer(app, entity).class {
        EffectClass::Timer { at_ms, .. } => at_ms,
        EffectClass::Reply | EffectClass::Notice => panic!("a timer"),
    }
}

#[test]
fn an_advance_without_a_number_rescans_but_not_where_money_is_claimed() {
    let mut app = with_external();
    let entity = started(&mut app);
    app.advance(entity, None).unwrap();
    assert_eq!(invokes(&mut app).len(), 2, "announced again, under a new number");
    let claim = Write::to(entity).attach(&Claim(true));
    app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2205);
    app.advance(entity, Some(2)).unwrap();
}

#[test]
fn an_answer_that_detaches_the_list_ends_the_entity_and_meets_whoever_waits_for_it() {
    let mut app = with_external();
    let entity = started(&mut app);
    let waiting = app.new_entity();
    let join = format!(r#"{{"entities":[{entity}],"mode":"all"}}"#);
    let join = Write::to(waiting).attach_json("lightningd:join", json(&join));
    app.set_components(&Writer::Caller, &[join], &[]).unwrap();
    let done = Write::to(entity).attach_json("acme:done", Json::yes()).detach::<Systems>();
    app.advance_with(entity, Some(1), &[done], &[]).unwrap();
    assert_eq!(app.component(entity, "lightningd:systems"), None, "no error is recorded in one");
    assert_eq!(app.component(entity, "acme:done"), Some(Json::yes()));
    assert!(app.invocation(entity).is_none() && app.outstanding(entity).is_empty());
    assert!(app.component(waiting, "lightningd:join:done").is_some());
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2200, "there is no list");
}

#[test]
fn an_answer_with_an_error_fails_a_draft_as_any_failure_does() {
    let mut app = with_external();
    let entity = started(&mut app);
    let error = json(r#"{"code":7001,"message":"not today","data":{"open":9}}"#);
    let refuses = [Write::to(entity).attach_json("lightningd:error", error)];
    app.advance_with(entity, Some(1), &refuses, &[]).unwrap();
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(7001));
    let failing = app.component(entity, "lightningd:failing").unwrap();
    for fact in [r#""open":9"#, r#""system":"acme:one""#] {
        assert!(failing.text().contains(fact), "{failing:?}");
    }
    assert_eq!(app.component(entity, "lightningd:error"), None, "until it has ended");
    assert_eq!(app.advance_with(entity, Some(1), &[], &[]).unwrap_err().code(), 2207);
}

#[test]
fn an_external_system_that_changes_nothing_is_announced_twice_and_then_fails_with_2202() {
    let mut app = with_external();
    let entity = started(&mut app);
    app.advance(entity, Some(1)).unwrap();
    assert_eq!(code_of(&app, entity, "lightningd:failing"), None);
    app.advance(entity, Some(2)).unwrap();
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2202));
    assert_eq!(invokes(&mut app).len(), 2);
}

#[test]
fn an_external_system_that_changes_something_each_time_may_go_on() {
    let mut app = with_external();
    let entity = started(&mut app);
    for round in 1..=20_u64 {
        let writes = [Write::to(entity).attach_json("acme:round", Json::of(&round))];
        app.advance_with(entity, Some(round), &writes, &[]).unwrap();
    }
    assert_eq!(code_of(&app, entity, "lightningd:failing"), None);
}

#[test]
fn external_systems_that_play_ping_pong_end_in_2202_within_a_life() {
    let mut app = engine();
    app.add_external_system(system("acme:ping").requires(["acme:go"]).disallows(["acme:ball"]))
        .unwrap();
    app.add_external_system(system("zeta:pong").requires(["acme:ball"])).unwrap();
    let entity = entity(&mut app, &["acme:ping", "zeta:pong"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let mut rounds = 0_u32;
    while app.invocation(entity).is_some() {
        let write = Write::to(entity);
        let write = match app.component(entity, "acme:ball") {
            None => write.attach_json("acme:ball", Json::yes()),
            Some(_) => write.detach_name("acme:ball"),
        };
        app.advance_with(entity, None, &[write], &[]).unwrap();
        rounds += 1;
        assert!(rounds <= STEPS_PER_LIFE_MAX);
    }
    assert_eq!(rounds, STEPS_PER_LIFE_MAX);
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2202));
}

#[test]
fn announcements_leave_in_the_order_in_which_systems_ran() {
    let mut app = engine();
    app.announce_all(true);
    app.add_payment_system(
        system("acme:here").requires(["acme:go"]).disallows(["acme:been"]),
        |_: ecs_core::On| Ok(Step::advance().attach_json("acme:been", Json::yes())),
    )
    .unwrap();
    app.add_external_system(system("acme:there").requires(["acme:been"])).unwrap();
    let entity = entity(&mut app, &["acme:here", "acme:there"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let kinds: Vec<String> = app.take_effects().into_iter().map(|effect| effect.kind).collect();
    assert_eq!(kinds, ["payecs_system_invoke", "payecs_system_invoke", INVOCATION_TIMEOUT]);
}
