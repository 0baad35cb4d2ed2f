//! What belongs to a token: the Systems that it registered, and its own names.

use crate::common::{Claim, engine, json};
use ecs_core::{
    Caller, Engine, EntityId, ErrorObject, Inputs, Json, Quota, Quotas, Reply, Scope, Serving,
    Systems, Write, Writer, system,
};

fn token(name: &str) -> Caller {
    Caller { token: Some(name.into()), ..Caller::with([Scope::Read, Scope::Flow]) }
}

/// A token of a plugin: it writes its own names, and what is documented for callers.
fn plugin(name: &str) -> Caller {
    Caller { writes: Some([format!("{name}:")].into()), ..token(name) }
}

fn call(app: &mut Engine, caller: &Caller, name: &str, params: &str) -> Result<(), i32> {
    let reply = app.call(caller, Inputs::default(), name, Some(&json(params)));
    reply.map(drop).map_err(|error: ErrorObject| error.code)
}

fn serves(app: &mut Engine, caller: &Caller) -> Result<(), i32> {
    app.serve(caller, &["tip:x".to_owned()], None).map(drop).map_err(|error| error.code)
}

const NEW: &str = r#"["tip:x", "tip:go"]"#;
const LONGER: &str = r#"{"system":"tip:x","required":"tip:go","timeout":9}"#;
const REMOVE: &str = r#"["tip:x"]"#;

#[test]
fn a_system_is_the_token_s_that_registered_it_also_after_a_restart() {
    let mut app = engine();
    let (tip, erp, admin) = (token("tip"), token("erp"), Caller::owner());
    call(&mut app, &tip, "payecs_newsystem", NEW).unwrap();
    let kept = app.snapshot();
    for _restart in 0..2 {
        assert_eq!(serves(&mut app, &erp), Err(1502));
        for (method, params) in [
            ("payecs_invocations", REMOVE),
            ("payecs_removesystem", REMOVE),
            ("payecs_newsystem", LONGER),
        ] {
            assert_eq!(call(&mut app, &erp, method, params), Err(1502), "{method}");
            let check = format!(r#"["{method}",{}"#, &params[1..]);
            if params.starts_with('[') {
                assert_eq!(call(&mut app, &erp, "check", &check), Err(1502), "{method}");
            }
        }
        assert_eq!(app.snapshot(), kept, "nothing is written");
        call(&mut app, &erp, "payecs_newsystem", NEW).expect("it says what is known");
        for own in [&tip, &admin] {
            assert_eq!(serves(&mut app, own), Ok(()));
        }
        app = engine();
        app.restore(&kept).unwrap();
    }
    call(&mut app, &tip, "payecs_newsystem", LONGER).unwrap();
    call(&mut app, &tip, "payecs_removesystem", REMOVE).unwrap();
    call(&mut app, &erp, "payecs_newsystem", NEW).expect("the name is free");
    assert_eq!(serves(&mut app, &tip), Err(1502), "it is another's now");
    call(&mut app, &admin, "payecs_removesystem", REMOVE).unwrap();
}

#[test]
fn a_system_of_the_owner_is_served_by_the_token_that_it_is_given_to() {
    let mut app = engine();
    let (tip, admin) = (token("tip"), Caller::owner());
    call(&mut app, &admin, "payecs_newsystem", NEW).unwrap();
    assert_eq!(serves(&mut app, &tip), Err(1502));
    let given = r#"{"system":"tip:x","required":"tip:go","token":"tip"}"#;
    assert_eq!(call(&mut app, &tip, "payecs_newsystem", given), Err(1502), "nobody helps himself");
    call(&mut app, &admin, "payecs_newsystem", given).unwrap();
    assert_eq!(serves(&mut app, &tip), Ok(()));
    let listed = app.call(&admin, Inputs::default(), "payecs_listsystems", None);
    let listed = listed.unwrap().now().unwrap();
    assert!(listed.text().contains(r#""token":"tip""#), "{listed}");
}

/// An engine with `tip:x` and `tip:y`, which are token `old`'s, and an Entity that awaits `tip:x`.
fn with_work() -> (Engine, EntityId) {
    let mut app = engine();
    for new in [NEW, r#"["tip:y", "tip:go"]"#] {
        call(&mut app, &token("old"), "payecs_newsystem", new).expect("the name is free");
    }
    let entity = app.new_entity();
    let list = Write::to(entity).attach(&Systems::listing(["tip:x"]));
    let write = list.attach_json("tip:go", Json::yes());
    app.set_components(&Writer::Caller, &[write], &[]).expect("the test is set up");
    app.advance(entity, None).expect("it matches");
    (app, entity)
}

fn begins(app: &mut Engine, caller: &Caller, systems: &[&str]) -> Serving {
    let systems: Vec<String> = systems.iter().map(|name| (*name).to_owned()).collect();
    app.serve(caller, &systems, None).expect("it may")
}

fn give(app: &mut Engine, name: &str) {
    let given = format!(r#"{{"system":"{name}","required":"tip:go","token":"new"}}"#);
    call(app, &Caller::owner(), "payecs_newsystem", &given).expect("the owner may");
}

/// The servers and numbers of what was given out since the last look.
fn told(app: &mut Engine) -> Vec<(ecs_core::ServerId, Option<u64>)> {
    app.take_deliveries().into_iter().map(|it| (it.server, it.invoke.invocation)).collect()
}

#[test]
fn what_a_token_had_of_a_system_goes_to_the_token_that_it_is_given_to() {
    let (mut app, entity) = with_work();
    let old = begins(&mut app, &token("old"), &["tip:x"]);
    assert_eq!(told(&mut app), [(old.server(), Some(1))]);
    give(&mut app, "tip:x");
    assert_eq!(told(&mut app), [], "nobody serves it");
    let new = begins(&mut app, &token("new"), &["tip:x"]);
    assert_eq!(told(&mut app), [(new.server(), Some(2))], "under a new number");
    assert_eq!(app.advance(entity, Some(1)).unwrap_err().code(), 2207, "the old one is too late");
    let more = app.new_entity();
    let list = Write::to(more).attach(&Systems::listing(["tip:x"]));
    let write = list.attach_json("tip:go", Json::yes());
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    app.advance(more, None).unwrap();
    assert_eq!(told(&mut app), [(new.server(), Some(3))], "the old one is given nothing");
    let why = app.take_dismissed();
    let [(server, error)] = &why[..] else { panic!("{why:?}") };
    assert_eq!((*server, error.code), (old.server(), 1502));
    assert!(error.message.contains("`tip:x` was given to another token"), "{error:?}");
    assert!(app.take_dismissed().is_empty(), "once");
}

#[test]
fn what_is_outstanding_is_the_new_token_s_also_where_it_was_taken_away_or_had_by_nobody() {
    for taken in [false, true] {
        let (mut app, entity) = with_work();
        if taken {
            let params = Some(json(r#"["tip:x"]"#));
            let (name, inputs) = ("payecs_invocations", Inputs::default());
            let reply = app.call(&token("old"), inputs, name, params.as_ref()).unwrap();
            let Reply::Later(mut later) = reply else { panic!("it looks") };
            let Some(Ok(Reply::Elsewhere(arrives))) = (later.look)(&app) else { panic!("it has") };
            arrives().unwrap();
            app.look_who_serves();
        }
        give(&mut app, "tip:x");
        let new = begins(&mut app, &token("new"), &["tip:x"]);
        assert_eq!(told(&mut app), [(new.server(), Some(2))], "{taken}");
        assert_eq!(app.advance(entity, Some(1)).unwrap_err().code(), 2207, "{taken}");
        assert!(app.take_dismissed().is_empty(), "nobody is told");
    }
}

#[test]
fn who_may_still_serve_a_system_that_is_given_away_keeps_what_it_has() {
    let (mut app, entity) = with_work();
    let admin = begins(&mut app, &Caller::owner(), &["tip:x"]);
    let both = begins(&mut app, &token("old"), &["tip:x", "tip:y"]);
    assert_eq!(told(&mut app), [(admin.server(), Some(1))]);
    for _again in 0..2 {
        give(&mut app, "tip:x");
        assert!(app.take_dismissed().is_empty(), "one has `tip:y` yet");
        assert!(app.has_invocation(admin.server(), 1));
    }
    give(&mut app, "tip:y");
    let dismissed: Vec<_> = app.take_dismissed().into_iter().map(|it| it.0).collect();
    assert_eq!(dismissed, [both.server()]);
    assert_eq!(app.advance(entity, Some(1)).map_err(|error| error.code()), Ok(()), "it counts");
}

#[test]
fn an_entity_that_a_system_matches_no_more_goes_on_when_that_is_given_away() {
    let (mut app, entity) = with_work();
    let next = system("tip:next").requires(["tip:went"]);
    app.add_external_system(next).unwrap();
    let list = Write::to(entity).attach(&Systems::listing(["tip:x", "tip:next"]));
    let write = list.detach_name("tip:go").attach_json("tip:went", Json::yes());
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    give(&mut app, "tip:x");
    let now = app.invocation(entity).expect("the next one has it");
    assert_eq!((now.system.as_str(), now.invocation), ("tip:next", Some(2)));
}

#[test]
fn a_server_of_systems_that_were_all_removed_is_told_so() {
    let (mut app, _) = with_work();
    let serving = begins(&mut app, &token("old"), &["tip:x", "tip:y"]);
    app.remove_external_system("tip:x").unwrap();
    assert!(app.take_dismissed().is_empty(), "it has another");
    app.remove_external_system("tip:y").unwrap();
    let why = app.take_dismissed();
    let [(server, error)] = &why[..] else { panic!("{why:?}") };
    assert_eq!((*server, error.code), (serving.server(), -32_602));
    assert!(error.message.contains("`tip:y` was removed"), "{error:?}");
    let gone = begins_and_leaves(&mut app);
    app.remove_external_system("tip:z").unwrap();
    assert!(app.take_dismissed().is_empty(), "{gone:?} has left before");
}

fn begins_and_leaves(app: &mut Engine) -> ecs_core::ServerId {
    let new = r#"["tip:z", "tip:go"]"#;
    call(app, &token("old"), "payecs_newsystem", new).expect("the name is free");
    begins(app, &token("old"), &["tip:z"]).server()
}

#[test]
fn a_plugin_writes_its_own_names_and_the_documented_inputs() {
    let mut app = engine();
    let tip = plugin("tip");
    let set = |app: &mut Engine, write: &str| {
        call(app, &tip, "payecs_setcomponents", &format!("[{write}]"))
    };
    assert_eq!(set(&mut app, r#"{"entity":1,"tip:a":1,"lightningd:error":null}"#), Ok(()));
    let systems = r#"{"entity":1,"lightningd:systems":{"systems":[]}}"#;
    assert_eq!(set(&mut app, systems), Ok(()), "documented for callers");
    let others = r#"{"entity":1,"shop:order":7}"#;
    call(&mut app, &Caller::owner(), "payecs_setcomponents", &format!("[{others}]")).unwrap();
    let before = app.snapshot();
    for (write, code) in [
        (others, 1502),
        (r#"{"entity":1,"shop:order":null}"#, 1502),
        (r#"{"entity":1,"exact":true}"#, 1502),
        (r#"{"entity":1,"tip:a":2,"tips:a":1}"#, 1502),
        (r#"{"entity":1,"lightningd:failing":{"code":1,"message":""}}"#, -32_602),
    ] {
        assert_eq!(set(&mut app, write), Err(code), "{write}");
        let advance = format!(r#"{{"entity":1,"writes":{write}}}"#);
        assert_eq!(call(&mut app, &tip, "payecs_advance", &advance), Err(code), "{write}");
    }
    assert_eq!(call(&mut app, &tip, "payecs_delentity", "[1]"), Err(1502), "it is the shop's too");
    assert_eq!(app.snapshot(), before, "nothing was written");
    assert_eq!(call(&mut app, &tip, "payecs_newsystem", r#"["shop:x", "tip:a"]"#), Err(1502));
    assert_eq!(call(&mut app, &tip, "payecs_newsystem", r#"["tip:x", "shop:order"]"#), Ok(()));
    let reads = r#"{"entity":1,"components":["shop:order"]}"#;
    assert_eq!(call(&mut app, &tip, "payecs_getcomponents", reads), Ok(()));
    set(&mut app, r#"{"entity":2,"tip:a":1}"#).unwrap();
    assert_eq!(call(&mut app, &tip, "payecs_delentity", "[2]"), Ok(()), "that is its own");
}

#[test]
fn servers_are_counted_as_long_as_they_serve() {
    let mut app = engine();
    let quotas = Quotas::default().with(Quota::Servers, 3).unwrap();
    app.set_quotas(quotas.with(Quota::TokenServers, 1).unwrap());
    let (tip, owner) = (token("tip"), Caller::owner());
    call(&mut app, &tip, "payecs_newsystem", NEW).unwrap();
    let serve = |app: &mut Engine, caller: &Caller| {
        app.serve(caller, &["tip:x".to_owned()], None).map_err(|error| error.code)
    };
    let first = serve(&mut app, &tip).unwrap();
    assert_eq!(serve(&mut app, &tip).map(drop), Err(2208));
    let _two = [serve(&mut app, &owner).unwrap(), serve(&mut app, &owner).unwrap()];
    assert_eq!(serve(&mut app, &owner).map(drop), Err(2208));
    drop(first);
    let _again = serve(&mut app, &tip).expect("it has left");
}

#[test]
fn a_secret_is_in_no_invocation_whoever_serves() {
    let mut app = engine();
    let entity = app.new_entity();
    let secret = "lightningd:key";
    let write = Write::to(entity).attach_json(secret, json("\"x\""));
    let list = r#"{"systems":["tip:x"]}"#;
    let write = write.attach_json("lightningd:systems", json(list));
    app.set_components(&Writer::Engine, &[write.attach(&Claim(true))], &[]).unwrap();
    let new = format!(r#"["tip:x", ["{secret}", "lightningd:systems"], "tip:done"]"#);
    call(&mut app, &token("tip"), "payecs_newsystem", &new).unwrap();
    let _serving = app.serve(&token("tip"), &["tip:x".to_owned()], None).unwrap();
    app.advance(entity, None).unwrap();
    let given = app.take_deliveries();
    let shown = given[0].invoke.entity.fields().unwrap();
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["entity", "lightningd:systems"]);
    let asks = format!(r#"[{entity}, "{secret}"]"#);
    assert_eq!(call(&mut app, &token("tip"), "payecs_getcomponents", &asks), Err(1502));
}
