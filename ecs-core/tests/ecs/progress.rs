//! Rest points, recorded errors, replies, timers, wakes and lines beside the Components.

use crate::common::{Amount, Claim, Label, at, code_of, engine, entity, id, json, ran, recorded};
use bevy_ecs::{resource::Resource, system::Query};
use ecs_core::{
    EffectBody, EffectRequest, Engine, ErrorObject, Json, LIFE_MS_MAX, On, Record, Rest, Step,
    SystemDef, SystemSpec, Systems, Write, Writer, system,
};
use serde::{Deserialize, Serialize};

fn once(name: &str, flag: &'static str) -> SystemDef {
    system(name).requires(["acme:go"]).disallows([flag])
}

#[derive(Clone, Serialize, Deserialize)]
struct Ask(u32);

impl EffectBody for Ask {
    const KIND: &'static str = "acme:ask";
}

/// An engine whose System `acme:ask` asks once and waits for `acme:answer`.
fn asking() -> Engine {
    let mut app = engine();
    app.add_system(once("acme:ask", "acme:answer"), |_: On| {
        Ok(Step::wait().effect(EffectRequest::with_reply(&Ask(7))))
    })
    .expect("a new name");
    app
}

#[test]
fn errors_of_an_advance_are_answered_and_recorded_and_a_match_clears_them() {
    let mut app = engine();
    app.add_payment_system(once("acme:x", "acme:done"), |_: On| Ok(Step::wait())).unwrap();
    for (systems, code, message) in [
        ("{\"systems\":[]}", 2201, "No systems match, cannot advance."),
        ("{\"systems\":[\"acme:x\"]}", 2201, "No systems match, cannot advance."),
        ("{}", 2200, "Invalid `lightningd:systems`: invalid or absent `systems` field."),
        ("7", 2200, "Invalid `lightningd:systems`: invalid or absent `systems` field."),
        (
            "{\"systems\":[\"acme:x\",\"acme:gone\"]}",
            2200,
            "Invalid `lightningd:systems`: `systems` array contains unregistered system: acme:gone",
        ),
    ] {
        let entity = app.new_entity();
        let write = Write::to(entity).attach_json("lightningd:systems", json(systems));
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        let error = app.advance(entity, None).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
        let kept = app.component(entity, "lightningd:systems").unwrap().fields().unwrap();
        assert_eq!(kept["error"].decode::<ErrorObject>().unwrap(), error.into(), "{systems}");
        if systems.contains("acme:x") {
            let go = Write::to(entity).attach_json("acme:go", Json::yes());
            app.set_components(&Writer::Caller, &[go], &[]).unwrap();
            app.advance(entity, None).unwrap();
            assert_eq!(recorded(&app, entity), None);
        }
    }
}

#[test]
fn an_error_is_recorded_where_there_is_no_list_but_makes_no_entity() {
    let mut app = engine();
    let entity = app.new_entity();
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2200);
    assert_eq!(app.entities(), []);
    let write = Write::to(entity).attach_json("acme:x", Json::yes());
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    app.wake(entity);
    app.run();
    assert_eq!(recorded(&app, entity), None, "nobody asked");
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2200);
    assert_eq!(recorded(&app, entity), Some(2200));
}

#[test]
fn what_is_frozen_and_over_stays_over_when_it_is_advanced() {
    let mut app = engine();
    let entity = entity(&mut app, &["acme:x"], &[]);
    let claimed = Write::to(entity).attach(&Claim(true));
    let over = Write::to(entity).detach::<Systems>();
    app.set_components(&Writer::Engine, &[claimed, over], &[]).unwrap();
    let ended_ms = app.ended_ms(entity);
    let label = Write::to(entity).attach_json("lightningd:label", json(r#""mine""#));
    let answer = app.advance_with(entity, None, &[label], &[]);
    assert_eq!(answer.unwrap_err().code(), 2200, "there is nothing to advance");
    assert!(app.get::<Label>(entity).is_some(), "what was written stays");
    assert!(app.get::<Systems>(entity).is_none() && ended_ms.is_some());
    assert_eq!(app.ended_ms(entity), ended_ms);
    app.collect([entity]);
    assert!(app.entities().is_empty());
}

#[test]
fn an_unregistered_name_is_seen_even_where_nothing_is_registered() {
    let mut app = engine();
    let entity = entity(&mut app, &["acme:gone"], &[]);
    assert_eq!(app.advance(entity, None).unwrap_err().code(), 2200);
}

#[test]
fn a_busy_entity_is_advanced_by_its_reply_and_a_second_reply_is_dropped() {
    let mut app = asking();
    let entity = entity(&mut app, &["acme:ask"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let effects = app.take_effects();
    assert_eq!(effects[0].read::<Ask>().unwrap().0, 7);
    assert!(app.is_busy(entity));
    app.advance(entity, None).unwrap();
    assert_eq!(ran(&app, entity).len(), 1, "busy: {{}} and nothing done");
    let answer = [Write::here().attach_json("acme:answer", Json::yes())];
    assert!(app.reply(entity, effects[0].id, &answer).unwrap());
    assert_eq!(app.component(entity, "acme:answer"), Some(Json::yes()));
    assert_eq!(recorded(&app, entity), Some(2201));
    assert!(!app.reply(entity, effects[0].id, &answer).unwrap());
}

#[test]
fn a_reply_that_cannot_be_written_fails_the_entity_instead_of_losing_it() {
    let mut app = asking();
    let entity = entity(&mut app, &["acme:ask"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let ask = app.take_effects()[0].id;
    let bad = [Write::here().attach_json("lightningd:amount", Json::yes())];
    assert_eq!(app.reply(entity, ask, &bad).unwrap_err().code(), -32602);
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(-32602));
}

#[test]
fn the_reply_to_an_entity_that_ended_is_dropped_also_under_its_number_anew() {
    let mut app = asking();
    let entity = entity(&mut app, &["acme:ask"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    let ask = app.take_effects()[0].id;
    app.set_components(&Writer::Engine, &[Write::end(entity)], &[]).unwrap();
    assert!(!app.reply(entity, ask, &[]).unwrap());
    let anew = Write::to(entity).attach(&Amount(1));
    app.set_components(&Writer::Caller, &[anew], &[]).unwrap();
    assert!(!app.reply(entity, ask, &[Write::end(entity)]).unwrap());
    assert_eq!(app.entities(), [entity]);
}

#[test]
fn the_trace_of_an_entity_that_ends_in_a_step_keeps_the_lines_of_that_step() {
    let mut app = engine();
    app.set_keeper(|_, _, records| {
        if records.len() == 1 { Ok(None) } else { Err(ErrorObject::new(2320, "one line, please")) }
    });
    let end = |_: On| {
        let step = Step::stop().detach_name("acme:go").detach_name("lightningd:systems");
        Ok(step.record(Record::new("ledger:post", Json::of(&7))))
    };
    app.add_system(once("acme:end", "acme:x"), end).unwrap();
    let entity = entity(&mut app, &["acme:end"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(app.entities(), []);
    assert_eq!(ran(&app, entity), ["acme:end", "ledger:post"]);
}

#[test]
fn a_step_whose_lines_are_refused_writes_nothing() {
    let mut app = engine();
    app.set_keeper(|_, _, _| Err(ErrorObject::new(2320, "out of balance")));
    let step = |_: On| {
        let step = Step::advance().attach_json("acme:done", Json::yes());
        Ok(step.record(Record::new("ledger:post", Json::yes())))
    };
    app.add_system(once("acme:post", "acme:done"), step).unwrap();
    let entity = entity(&mut app, &["acme:post"], &["acme:go"]);
    app.advance(entity, None).unwrap();
    assert_eq!(app.component(entity, "acme:done"), None);
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2320));
    assert!(!ran(&app, entity).contains(&"ledger:post".to_owned()));
}

#[test]
fn a_timer_writes_only_while_its_condition_holds_and_advances_in_any_case() {
    for (armed, fired) in [(true, Some(Json::yes())), (false, None)] {
        let mut app = engine();
        app.add_system(once("acme:arm", "acme:armed"), |_: On| {
            let writes = vec![Write::here().attach_json("acme:fired", Json::yes())];
            let timer = EffectRequest::timer("acme:timer", 9, writes, "acme:armed");
            Ok(Step::wait().attach_json("acme:armed", Json::yes()).effect(timer))
        })
        .unwrap();
        let entity = entity(&mut app, &["acme:arm"], &["acme:go"]);
        app.advance(entity, None).unwrap();
        assert!(!app.is_busy(entity), "a timer keeps nobody busy");
        let timer = app.outstanding(entity)[0].id;
        if !armed {
            let off = Write::to(entity).detach_name("acme:armed").detach_name("acme:go");
            app.set_components(&Writer::Caller, &[off], &[]).unwrap();
        }
        assert!(app.fire_timer(entity, timer).unwrap());
        assert_eq!(app.component(entity, "acme:fired"), fired);
        assert_eq!(recorded(&app, entity), Some(2201), "the rest is judged again");
    }
}

#[test]
fn a_step_sets_the_timer_of_an_entity_that_it_makes() {
    let mut app = engine();
    app.add_system(once("acme:open", "acme:opened"), |_: On| {
        let writes = vec![Write::here().attach_json("acme:late", Json::yes())];
        let timer = EffectRequest::timer("acme:timer", 9, writes, "acme:made").on(id(2));
        let made = Write::to(id(2)).attach_json("acme:made", Json::yes());
        Ok(Step::wait().attach_json("acme:opened", Json::yes()).write(made).effect(timer))
    })
    .unwrap();
    let opener = entity(&mut app, &["acme:open"], &["acme:go"]);
    app.advance(opener, None).unwrap();
    assert!(app.outstanding(opener).is_empty(), "it is not the opener's");
    let timer = app.outstanding(id(2))[0].id;
    assert!(app.fire_timer(id(2), timer).unwrap());
    assert_eq!(app.component(id(2), "acme:late"), Some(Json::yes()));
    assert_eq!(app.component(opener, "acme:late"), None);
}

#[test]
fn a_step_writes_to_another_entity_and_wakes_it() {
    let mut app = engine();
    let hand_over = |_: On, amounts: Query<'_, '_, &Amount>| {
        let amount = amounts.iter().next().map_or(0, |amount| amount.0);
        let step = Step::stop().detach_name("acme:go");
        Ok(step.write(Write::to(id(1)).attach_json("acme:got", Json::of(&amount))).wake(id(1)))
    };
    app.add_payment_system(once("acme:hand_over", "acme:x"), hand_over).unwrap();
    app.add_payment_system(system("acme:take").requires(["acme:got"]), |_: On| {
        Ok(Step::stop().detach_name("acme:got"))
    })
    .unwrap();
    let parent = entity(&mut app, &["acme:take"], &[]);
    let child = entity(&mut app, &["acme:hand_over"], &["acme:go", "lightningd:amount"]);
    app.advance(child, None).unwrap();
    assert_eq!((ran(&app, parent), ran(&app, child).len()), (vec!["acme:take".to_owned()], 1));
}

const FINISH: SystemSpec = SystemSpec {
    name: "lightningd:finish",
    required: &["lightningd:failing"],
    disallowed: &["acme:held"],
    attaches: &[],
    detaches: &[],
    refuses: &[],
    does: "",
};

#[test]
fn an_epilogue_runs_unlisted_where_nothing_matches_and_heeds_foreign_names() {
    let mut app = engine();
    app.add_system(&FINISH, |_: On| Ok(Step::stop().detach_name("lightningd:failing"))).unwrap();
    app.add_epilogue("lightningd:finish").unwrap();
    app.add_payment_system(once("acme:no", "lightningd:failing"), |_: On| {
        Err(ErrorObject::new(205, "no"))
    })
    .unwrap();
    let free = entity(&mut app, &["acme:no"], &["acme:go"]);
    app.advance(free, None).unwrap();
    assert_eq!(ran(&app, free)[..2], ["acme:no", "lightningd:finish"]);
    let held = entity(&mut app, &["acme:no"], &["acme:go", "acme:held"]);
    app.advance(held, None).unwrap();
    assert_eq!(ran(&app, held), ["acme:no"]);
    assert_eq!(code_of(&app, held, "lightningd:failing"), Some(205));
}

#[test]
fn what_an_entity_comes_to_at_rest_is_written_once_and_never_for_ever() {
    let mut app = engine();
    app.set_at_rest(|_, _| Rest::Write(Write::here().attach_json("acme:rested", Json::yes())));
    let entity = entity(&mut app, &[], &[]);
    app.advance(entity, None).unwrap();
    assert_eq!(app.component(entity, "acme:rested"), Some(Json::yes()));
    assert_eq!(recorded(&app, entity), Some(2201));
    app.set_at_rest(|_, _| Rest::Waiting);
    app.advance(entity, None).unwrap();
}

#[test]
fn a_life_over_a_day_ends_in_2202_unless_something_else_bounds_it() {
    for (lasting, code) in [(false, Some(2202)), (true, None)] {
        let mut app = engine();
        app.lift_life_bounds::<Amount>();
        app.add_payment_system(once("acme:x", "acme:done"), |_: On| {
            Ok(Step::wait().attach_json("acme:done", Json::yes()))
        })
        .unwrap();
        let flags: &[&str] = if lasting { &["acme:go", "lightningd:amount"] } else { &["acme:go"] };
        let entity = entity(&mut app, &["acme:x"], flags);
        app.begin(at(LIFE_MS_MAX + 1));
        app.advance(entity, None).unwrap();
        assert_eq!(code_of(&app, entity, "lightningd:failing"), code);
        assert_eq!(app.component(entity, "acme:done").is_some(), lasting);
    }
}

#[test]
fn lines_beside_need_someone_who_keeps_them() {
    let mut app = engine();
    let line = Record::new("ledger:open", Json::yes());
    assert_eq!(app.keep_records(std::slice::from_ref(&line)).unwrap_err().code(), 2203);
    app.set_keeper(|_, subject, _| Ok(subject));
    app.keep_records(&[line]).unwrap();
}

#[test]
fn a_system_may_wait_again_and_again_only_for_something() {
    for (rest, rested, code) in [
        (Rest::Stuck, None, Some(2202)),
        (Rest::Waiting, None, None),
        (Rest::Write(Write::here().attach_json("acme:x", Json::yes())), Some(Json::yes()), None),
        (Rest::Write(Write::here().attach_json("acme:go", json("1"))), None, Some(2202)),
    ] {
        let mut app = engine();
        app.add_payment_system(once("acme:wait", "acme:x"), |_: On| Ok(Step::wait())).unwrap();
        let entity = entity(&mut app, &["acme:wait"], &["acme:go"]);
        app.insert_resource(Comes(rest));
        app.set_at_rest(|world, _| world.resource::<Comes>().0.clone());
        for _ in 0..3 {
            let _poked = app.advance(entity, None);
        }
        assert_eq!(code_of(&app, entity, "lightningd:failing"), code);
        assert_eq!(app.component(entity, "acme:x"), rested);
    }
}

#[derive(Resource)]
struct Comes(Rest);
