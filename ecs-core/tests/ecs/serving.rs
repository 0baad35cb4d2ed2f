//! Who serves external Systems: each invocation goes to one server, and to the next where that one
//! goes away or takes too long.

use crate::common::{Claim, at, code_of, engine, entity, json};
use ecs_core::{
    Caller, Delivery, Effect, EffectClass, Engine, EntityId, INVOCATION_TIMEOUT, Inputs, Invoke,
    Json, Reply, Serving, TRIES_MAX, Write, Writer, method::Later, system,
};

/// An engine with the external Systems `acme:one` (until `acme:done`) and `acme:two` (after it).
fn app() -> Engine {
    let mut app = engine();
    app.begin(at(1_000));
    app.add_external_system(system("acme:one").requires(["acme:go"]).disallows(["acme:done"]))
        .expect("the test is set up");
    app.add_external_system(system("acme:two").requires(["acme:done"])).expect("it is set up");
    app
}

fn started(app: &mut Engine) -> EntityId {
    let entity = entity(app, &["acme:one", "acme:two"], &["acme:go"]);
    app.advance(entity, None).expect("the test is set up");
    entity
}

fn serve(app: &mut Engine, systems: &[&str]) -> Serving {
    let systems: Vec<String> = systems.iter().map(|name| (*name).to_owned()).collect();
    app.serve(&Caller::owner(), &systems, None).expect("they are registered")
}

/// Who was told what since the last look.
fn told(app: &mut Engine) -> Vec<(u64, EntityId)> {
    let deliveries = app.take_deliveries().into_iter();
    deliveries.map(|delivery| (number(&delivery.invoke), entity_of(&delivery.invoke))).collect()
}

fn number(invoke: &Invoke) -> u64 {
    invoke.invocation.expect("it is external")
}

fn entity_of(invoke: &Invoke) -> EntityId {
    invoke.entity.fields().expect("an object")["entity"].decode().expect("an id")
}

fn time_out(app: &mut Engine, entity: EntityId) {
    let timer = app.outstanding(entity).iter().find(|effect| effect.kind == INVOCATION_TIMEOUT);
    let timer = timer.cloned().expect("an invocation is outstanding");
    let EffectClass::Timer { at_ms, .. } = timer.class else { panic!("a timer") };
    app.begin(at(at_ms));
    assert!(app.fire_timer(entity, timer.id).expect("it is ours"));
}

/// Calls `payecs_invocations`.
fn poll(app: &mut Engine, params: &str) -> Later {
    let params = json(params);
    let inputs = Inputs::default();
    let reply = app.call(&Caller::owner(), inputs, "payecs_invocations", Some(&params));
    match reply.expect("it is not refused") {
        Reply::Later(later) => later,
        other @ (Reply::Now(_) | Reply::Elsewhere(_)) => panic!("{other:?}"),
    }
}

/// What a poll is answered, once that arrives.
fn looks(app: &Engine, later: &mut Later) -> Option<Vec<u64>> {
    let answer = match (later.look)(app)?.expect("no error") {
        Reply::Elsewhere(arrives) => arrives().expect("no error"),
        other @ (Reply::Now(_) | Reply::Later(_)) => panic!("{other:?}"),
    };
    let all = answer.fields().expect("an object")["invocations"].items().expect("an array");
    Some(all.iter().map(|one| number(&one.decode().expect("an invocation"))).collect())
}

#[test]
fn each_invocation_goes_to_one_server_in_turn_and_observers_have_a_copy() {
    let mut app = app();
    let (one, other) = (serve(&mut app, &["acme:one"]), serve(&mut app, &["acme:one", "acme:two"]));
    let first = started(&mut app);
    let second = started(&mut app);
    let deliveries = app.take_deliveries();
    let whom: Vec<_> = deliveries.iter().map(|it| (it.server, entity_of(&it.invoke))).collect();
    assert_eq!(whom, [(one.server(), first), (other.server(), second)]);
    let notices = app.take_effects();
    let copies: Vec<Invoke> = notices.iter().filter_map(Effect::read).collect();
    assert_eq!(copies, deliveries.into_iter().map(|it| it.invoke).collect::<Vec<_>>());
    let done = Write::to(first).attach_json("acme:done", Json::yes());
    app.advance_with(first, Some(1), &[done], &[]).unwrap();
    let [Delivery { server, invoke }] = &app.take_deliveries()[..] else { panic!("one") };
    assert_eq!((*server, invoke.system.as_str()), (other.server(), "acme:two"));
}

#[test]
fn what_is_outstanding_goes_to_who_comes_also_after_a_restart() {
    let mut before = app();
    let (first, second) = (started(&mut before), started(&mut before));
    before.advance(second, None).unwrap();
    let mut app = engine();
    app.restore(&before.snapshot()).unwrap();
    assert!(told(&mut app).is_empty(), "nobody is there");
    let one = serve(&mut app, &["acme:two"]);
    assert!(told(&mut app).is_empty(), "it serves another");
    let other = serve(&mut app, &["acme:one"]);
    assert_eq!(told(&mut app), [(1, first), (3, second)]);
    assert!(app.has_invocation(other.server(), 1) && !app.has_invocation(one.server(), 1));
    app.advance(first, Some(1)).unwrap();
    assert!(!app.has_invocation(other.server(), 1));
}

#[test]
fn what_a_server_has_that_goes_away_goes_to_the_next_with_the_same_number() {
    let mut app = app();
    let one = serve(&mut app, &["acme:one"]);
    let entity = started(&mut app);
    let other = serve(&mut app, &["acme:one"]);
    assert_eq!(told(&mut app), [(1, entity)]);
    drop(one);
    assert!(app.servers_left());
    app.look_who_serves();
    assert!(!app.servers_left() && app.has_invocation(other.server(), 1));
    assert_eq!(told(&mut app), [(1, entity)]);
    drop(other);
    app.look_who_serves();
    app.advance(entity, Some(1)).unwrap();
    assert_eq!(told(&mut app), [], "nobody is there for the next");
}

#[test]
fn what_is_over_before_it_left_is_told_to_nobody() {
    let mut app = app();
    let _one = serve(&mut app, &["acme:one"]);
    let (first, second) = (started(&mut app), started(&mut app));
    app.set_components(&Writer::Caller, &[Write::end(first)], &[]).unwrap();
    let done = Write::to(second).attach_json("acme:done", Json::yes());
    app.advance_with(second, Some(2), &[done], &[]).unwrap();
    assert_eq!(told(&mut app), []);
}

#[test]
fn an_invocation_that_runs_out_of_time_goes_to_another_under_a_new_number() {
    let mut app = app();
    let _one = serve(&mut app, &["acme:one"]);
    let entity = started(&mut app);
    let other = serve(&mut app, &["acme:one"]);
    assert_eq!(told(&mut app), [(1, entity)]);
    time_out(&mut app, entity);
    assert!(app.has_invocation(other.server(), 2));
    assert_eq!(told(&mut app), [(2, entity)]);
    assert_eq!(app.advance(entity, Some(1)).unwrap_err().code(), 2207, "the first is too late");
    assert_eq!(code_of(&app, entity, "lightningd:failing"), None);
    time_out(&mut app, entity);
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203), "nobody else is there");
}

#[test]
fn so_many_servers_may_take_too_long_and_then_the_system_has_not_answered() {
    let mut app = app();
    let _all: Vec<Serving> = (0..TRIES_MAX + 5).map(|_| serve(&mut app, &["acme:one"])).collect();
    let entity = started(&mut app);
    for tried in 1..=TRIES_MAX {
        assert_eq!(told(&mut app), [(u64::from(tried), entity)]);
        time_out(&mut app, entity);
    }
    assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203));
    assert_eq!(told(&mut app), []);
}

#[test]
fn no_other_server_is_asked_past_the_deadline_or_for_what_matches_no_more() {
    for late in [true, false] {
        let mut app = app();
        if late {
            app.set_deadline(|_, _| Some(1_500));
        }
        let _both = (serve(&mut app, &["acme:one"]), serve(&mut app, &["acme:one"]));
        let entity = started(&mut app);
        if !late {
            let done = Write::to(entity).attach_json("acme:done", Json::yes());
            app.set_components(&Writer::Caller, &[done], &[]).unwrap();
        }
        assert_eq!(told(&mut app).len(), 1);
        time_out(&mut app, entity);
        assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203), "late: {late}");
        assert!(told(&mut app).iter().all(|(number, _)| *number != 1));
    }
}

#[test]
fn a_claimed_entity_is_advanced_by_the_server_that_has_it_alone() {
    let mut app = app();
    let _one = serve(&mut app, &["acme:one"]);
    let entity = started(&mut app);
    let claim = Write::to(entity).attach(&Claim(true));
    app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
    let done = [Write::to(entity).attach_json("acme:done", Json::yes())];
    assert_eq!(app.advance_with(entity, None, &done, &[]).unwrap_err().code(), 2205);
    assert_eq!(app.component(entity, "acme:done"), None, "nothing is written");
    app.advance_with(entity, Some(1), &done, &[]).unwrap();
}

#[test]
fn a_server_has_no_more_than_it_asked_for() {
    let mut app = app();
    let one = app.serve(&Caller::owner(), &["acme:one".to_owned()], Some(2)).unwrap();
    let all: Vec<EntityId> = (0..4).map(|_| started(&mut app)).collect();
    assert_eq!(told(&mut app), [(1, all[0]), (2, all[1])]);
    let done = Write::to(all[1]).attach_json("acme:done", Json::yes());
    app.advance_with(all[1], Some(2), &[done], &[]).unwrap();
    assert!(app.has_invocation(one.server(), 3));
    assert_eq!(told(&mut app), [(3, all[2])]);
}

#[test]
fn a_poll_takes_what_nobody_has_once() {
    let mut app = app();
    let (first, _second) = (started(&mut app), started(&mut app));
    let mut all = poll(&mut app, r#"["acme:one", 5, 10]"#);
    assert_eq!(all.timeout_ms, Some(5_000));
    let nothing = Json::parse(r#"{"invocations":[]}"#).unwrap();
    assert_eq!(all.late, Some(Ok(nothing)));
    assert_eq!(looks(&app, &mut all), Some(vec![1, 2]));
    drop(all);
    let mut next = poll(&mut app, r#"["acme:one"]"#);
    assert_eq!(looks(&app, &mut next), None, "each has one owner");
    let third = started(&mut app);
    assert_eq!(looks(&app, &mut next), Some(vec![3]));
    drop(next);
    let mut another = poll(&mut app, r#"{"systems":["acme:one"],"timeout":0}"#);
    assert_eq!(looks(&app, &mut another), None);
    time_out(&mut app, first);
    assert_eq!(looks(&app, &mut another), Some(vec![4]), "the first took too long");
    assert_eq!(app.advance(first, Some(1)).unwrap_err().code(), 2207);
    app.advance(third, Some(3)).unwrap();
}

#[test]
fn who_goes_away_from_a_poll_has_taken_nothing() {
    let mut app = app();
    let gone = poll(&mut app, r#"["acme:one"]"#);
    let _entity = started(&mut app);
    drop(gone);
    let mut next = poll(&mut app, r#"["acme:one"]"#);
    assert_eq!(looks(&app, &mut next), Some(vec![1]));
}

#[test]
fn an_answer_that_arrives_nowhere_takes_nothing_away() {
    let mut app = app();
    let mut gone = poll(&mut app, r#"["acme:one"]"#);
    let _entity = started(&mut app);
    let mut next = poll(&mut app, r#"["acme:one"]"#);
    let answer = (gone.look)(&app).expect("it has one").expect("no error");
    drop(gone);
    assert_eq!(looks(&app, &mut next), None, "it is on its way");
    drop(answer);
    assert!(app.servers_left());
    app.look_who_serves();
    assert_eq!(looks(&app, &mut next), Some(vec![1]), "with the same number");
}

#[test]
fn a_poll_for_a_system_that_is_removed_is_answered_at_once() {
    let mut app = app();
    let mut one = poll(&mut app, r#"["acme:one"]"#);
    let mut both = poll(&mut app, r#"[["acme:two", "acme:one"]]"#);
    let mut other = poll(&mut app, r#"["acme:two"]"#);
    app.remove_external_system("acme:one").unwrap();
    for poll in [&mut one, &mut both] {
        let told = (poll.look)(&app).expect("it need not wait").map(drop).unwrap_err();
        assert_eq!((told.code, told.message.contains("`acme:one` was removed")), (-32_602, true));
    }
    assert_eq!(looks(&app, &mut other), None);
}

#[test]
fn who_may_not_serve_is_told_why() {
    let mut app = app();
    app.add_payment_system(system("acme:here").requires(["acme:go"]), |_: ecs_core::On| {
        Ok(ecs_core::Step::stop())
    })
    .unwrap();
    let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    let reads = Caller::with([ecs_core::Scope::Read]);
    for (caller, params, code, why) in [
        (&Caller::owner(), "[[]]", -32_602, "name one System"),
        (&Caller::owner(), r#"["acme:nobody"]"#, -32_602, "Unregistered system: acme:nobody"),
        (&Caller::owner(), r#"["acme:here"]"#, -32_602, "runs in the engine itself"),
        (&Caller::owner(), r#"["acme:one",5,0]"#, -32_602, "`limit`"),
        (&Caller::owner(), r#"["acme:one",5,1001]"#, -32_602, "`limit`"),
        (&Caller::owner(), r#"["acme:one",-1]"#, -32_602, "`timeout`"),
        (&shop, r#"["acme:one"]"#, 1_502, "not for Component `acme:go`"),
        (&reads, r#"["acme:one"]"#, 1_502, "scope `flow`"),
    ] {
        let given = json(params);
        let refused = app.call(caller, Inputs::default(), "payecs_invocations", Some(&given));
        let refused = refused.unwrap_err();
        assert!(refused.code == code && refused.message.contains(why), "{params}: {refused:?}");
    }
    let over_http = app.call(
        &Caller::owner(),
        Inputs::default(),
        "payecs_serve",
        Some(&json(r#"["acme:one"]"#)),
    );
    assert_eq!(over_http.unwrap_err().code, -32_601);
}
