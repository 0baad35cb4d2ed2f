//! What is said of external Systems, how long they may be without a server, and how they go.

use crate::common::{Claim, at, call, code_of, engine, entity, json, recorded};
use ecs_core::{
    Caller, Declared, EffectClass, Engine, EntityId, External, INVOCATION_TIMEOUT, Inputs, Json,
    Serving, Snapshot, Write, Writer, system,
};

const SYSTEM: &str = r#"["acme:out","acme:go","acme:done"]"#;

/// An engine with the external System `acme:out`, registered with these options.
fn app(options: &str) -> Engine {
    let mut app = engine();
    app.begin(at(1_000));
    let params = format!(
        r#"{{"system":"acme:out","required":["acme:go"],"disallowed":["acme:done"]{options}}}"#
    );
    call(&mut app, "payecs_newsystem", &params).expect("the test is set up");
    app
}

fn started(app: &mut Engine) -> EntityId {
    let entity = entity(app, &["acme:out"], &["acme:go"]);
    app.advance(entity, None).expect("the test is set up");
    entity
}

/// When the invocation runs out of time.
fn due(app: &Engine, entity: EntityId) -> Option<u64> {
    let timers = app.outstanding(entity).iter().filter(|it| it.kind == INVOCATION_TIMEOUT);
    let due: Vec<u64> = timers
        .map(|timer| match timer.class {
            EffectClass::Timer { at_ms, .. } => at_ms,
            EffectClass::Reply | EffectClass::Notice => panic!("it is a timer"),
        })
        .collect();
    assert!(due.len() < 2, "one timer for one invocation");
    due.first().copied()
}

fn serve(app: &mut Engine) -> Serving {
    app.serve(&Caller::owner(), &["acme:out".to_owned()], None).expect("it is registered")
}

/// What `payecs_listsystems` says of the System.
fn listed(app: &mut Engine) -> Option<Json> {
    let answer = call(app, "payecs_listsystems", "[]").expect("it only looks");
    let mut systems = answer.fields().expect("an object")["systems"].items().expect("an array");
    systems.pop()
}

#[test]
fn what_is_said_of_a_system_is_kept_and_what_is_said_last_holds() {
    let mut app = app(r#","timeout":5,"owner":"shop","grace":7,"writes":"acme:done""#);
    app.record_changes(true);
    let before = app.snapshot();
    let more = r#"{"system":"acme:out","required":"acme:go","disallowed":"acme:done","owner":"till",
        "reads":["acme:a","acme:b"]}"#;
    assert_eq!(call(&mut app, "payecs_newsystem", more).unwrap().text(), "{}");
    let delta = app.take_delta().expect("it is noted");
    let said = listed(&mut app).unwrap();
    let fields = said.fields().unwrap();
    for (name, wanted) in [
        ("owner", "\"till\""),
        ("timeout", "5"),
        ("grace", "7"),
        ("reads", r#"["acme:a","acme:b"]"#),
        ("writes", r#"["acme:done"]"#),
        ("servers", "0"),
    ] {
        assert_eq!(fields[name].text(), wanted, "{name}");
    }
    let mut replayed = engine();
    replayed.restore(&before).unwrap();
    replayed.apply_delta(&delta).unwrap();
    assert_eq!(replayed.snapshot(), app.snapshot());
    let mut restored = engine();
    restored.restore(&app.snapshot()).unwrap();
    assert_eq!(listed(&mut restored), Some(said));
}

#[test]
fn systems_that_were_kept_before_anything_was_said_of_them_are_read() {
    let kept = r#"[{"system":"acme:out","required":["acme:go"],"disallowed":[]},5000]"#;
    let External(def, timeout_ms, declared) = serde_json::from_str(kept).unwrap();
    assert_eq!((&*def.system, timeout_ms, declared), ("acme:out", 5_000, Declared::default()));
    let change: ecs_core::Change =
        serde_json::from_str(&format!(r#"{{"registered":{kept}}}"#)).unwrap();
    assert!(matches!(change, ecs_core::Change::Registered(said) if said.1 == 5_000));
    let mut old = serde_json::to_value(app("").snapshot()).unwrap();
    old["externals"] = serde_json::from_str(&format!("[{kept}]")).unwrap();
    let snapshot: Snapshot = serde_json::from_value(old).unwrap();
    let mut app = engine();
    app.restore(&snapshot).unwrap();
    assert!(listed(&mut app).is_some());
}

#[test]
fn who_declares_writes_that_can_not_end_its_match_is_warned() {
    for (writes, warned) in [
        (r#""acme:done""#, false),
        (r#"["acme:x","acme:go"]"#, false),
        (r#"["lightningd:systems"]"#, false),
        (r#"["acme:x"]"#, true),
        ("[]", true),
        ("null", false),
    ] {
        let mut app = engine();
        let params = format!(
            r#"{{"system":"acme:out","required":"acme:go","disallowed":"acme:done",
            "writes":{writes}}}"#
        );
        let answer = call(&mut app, "payecs_newsystem", &params).unwrap();
        let warning = answer.fields().unwrap().remove("warning");
        assert_eq!(warning.is_some_and(|it| it.text().contains("2202")), warned, "{writes}");
    }
}

#[test]
fn options_of_the_wrong_kind_are_refused_and_nothing_is_registered() {
    let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    let many = format!(r#""reads":{}"#, Json::of(&vec!["acme:x"; 257]));
    for (caller, options, code, named) in [
        (Caller::owner(), r#""owner":"""#, -32_602, "`owner`"),
        (Caller::owner(), r#""owner":7"#, -32_602, "`owner`"),
        (Caller::owner(), r#""grace":-1"#, -32_602, "`grace`"),
        (Caller::owner(), r#""grace":86401"#, -32_602, "`grace`"),
        (Caller::owner(), r#""reads":[""]"#, -32_602, "component name"),
        (Caller::owner(), r#""writes":["entity"]"#, -32_602, "`entity` is reserved"),
        (Caller::owner(), r#""writes":[7]"#, -32_602, "`writes`"),
        (Caller::owner(), many.as_str(), -32_602, "more than 256 components"),
        (shop, r#""reads":["acme:x"]"#, 1_502, "`acme:x`"),
    ] {
        let mut app = engine();
        let params = json(&format!(r#"{{"system":"shop:s","required":"shop:x",{options}}}"#));
        let inputs = Inputs::default();
        let refused = app.call(&caller, inputs, "payecs_newsystem", Some(&params)).unwrap_err();
        assert!(refused.code == code && refused.message.contains(named), "{options}: {refused:?}");
        assert_eq!(listed(&mut app), None, "{options}");
    }
}

#[test]
fn what_nobody_serves_for_longer_than_its_grace_fails_before_its_timeout() {
    let mut app = app(r#","timeout":60,"grace":5"#);
    let lost = started(&mut app);
    assert_eq!(due(&app, lost), Some(6_000), "nobody was there");
    app.begin(at(3_000));
    let one = serve(&mut app);
    assert_eq!(due(&app, lost), Some(61_000), "somebody is there");
    let other = serve(&mut app);
    app.begin(at(10_000));
    drop(one);
    app.look_who_serves();
    assert_eq!(due(&app, lost), Some(61_000), "another one has it");
    drop(other);
    app.look_who_serves();
    assert_eq!(due(&app, lost), Some(15_000), "nobody is left");
    let timer = app.outstanding(lost)[0].id;
    app.begin(at(15_000));
    assert!(app.fire_timer(lost, timer).unwrap());
    assert_eq!(code_of(&app, lost, "lightningd:failing"), Some(2203));
}

#[test]
fn a_grace_is_never_longer_than_the_timeout_or_the_deadline_and_zero_is_at_once() {
    for (options, deadline, wanted) in [
        (r#","timeout":5,"grace":60"#, None, 6_000),
        (r#","timeout":60,"grace":0"#, None, 1_000),
        (r#","timeout":60,"grace":5"#, Some(1_500), 1_500),
        (r#","timeout":60"#, None, 61_000),
    ] {
        let mut app = app(options);
        if deadline.is_some() {
            app.set_deadline(|_, _| Some(1_500));
        }
        let entity = started(&mut app);
        assert_eq!(due(&app, entity), Some(wanted), "{options}");
    }
}

#[test]
fn what_ran_out_while_the_engine_stood_still_has_its_time_again() {
    let mut before = app(r#","timeout":5"#);
    let entity = started(&mut before);
    assert_eq!(due(&before, entity), Some(6_000));
    for (now_ms, deadline, wanted) in
        [(4_000, None, 6_000), (9_000, None, 14_000), (9_000, Some(2_000), 2_000)]
    {
        let mut app = engine();
        app.restore(&before.snapshot()).unwrap();
        if deadline.is_some() {
            app.set_deadline(|_, _| Some(2_000));
        }
        app.begin(at(now_ms));
        app.resume_invocations();
        assert_eq!(due(&app, entity), Some(wanted), "{now_ms} {deadline:?}");
        let number = app.invocation(entity).and_then(|invoke| invoke.invocation);
        assert_eq!(number, Some(1), "it is the same one");
    }
}

#[test]
fn time_that_was_given_again_is_kept_when_a_server_comes_and_in_the_journal() {
    let mut before = app(r#","timeout":5,"grace":2"#);
    let entity = started(&mut before);
    assert_eq!(due(&before, entity), Some(3_000), "nobody serves it");
    let mut app = engine();
    app.restore(&before.snapshot()).unwrap();
    app.record_changes(true);
    app.begin(at(60_000));
    app.resume_invocations();
    assert_eq!(due(&app, entity), Some(62_000));
    let mut replayed = engine();
    replayed.restore(&before.snapshot()).unwrap();
    replayed.apply_delta(&app.take_delta().unwrap()).unwrap();
    assert_eq!(replayed.snapshot(), app.snapshot());
    app.begin(at(61_000));
    let _serving = serve(&mut app);
    assert_eq!(due(&app, entity), Some(65_000), "its time began when the engine did");
}

#[test]
fn a_system_that_is_removed_fails_what_awaits_it_and_its_name_is_free() {
    let mut app = app("");
    let serving = serve(&mut app);
    let entity = started(&mut app);
    let claimed = started(&mut app);
    let claim = Write::to(claimed).attach(&Claim(true));
    app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
    let before = app.snapshot();
    app.record_changes(true);
    assert_eq!(call(&mut app, "payecs_removesystem", r#"["acme:out"]"#).unwrap().text(), "{}");
    for entity in [entity, claimed] {
        assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203));
        assert_ne!(recorded(&app, entity), Some(2200), "it goes on to its end");
        assert_eq!((app.invocation(entity), due(&app, entity)), (None, None));
    }
    assert_eq!(app.take_deliveries(), [], "nobody is told");
    assert_eq!(listed(&mut app), None);
    let delta = app.take_delta().unwrap();
    let mut replayed = engine();
    replayed.restore(&before).unwrap();
    replayed.apply_delta(&delta).unwrap();
    assert_eq!(listed(&mut replayed), None);
    assert_eq!(replayed.snapshot(), app.snapshot());
    let late = self::entity(&mut app, &["acme:out"], &["acme:go"]);
    assert_eq!(app.advance(late, None).unwrap_err().code(), 2200, "its list names nobody");
    assert_eq!(recorded(&app, late), Some(2200));
    let other = r#"["acme:out",["acme:other"]]"#;
    assert_eq!(call(&mut app, "payecs_newsystem", other).unwrap().text(), "{}");
    let again = self::entity(&mut app, &["acme:out"], &["acme:other"]);
    app.advance(again, None).unwrap();
    assert_eq!(app.invocation(again).and_then(|invoke| invoke.invocation), Some(3));
    assert!(!app.has_invocation(serving.server(), 3), "it served what was there before");
    assert_eq!(app.take_deliveries(), []);
    let serving = serve(&mut app);
    assert!(app.has_invocation(serving.server(), 3));
}

#[test]
fn what_fails_on_a_removed_system_goes_on_with_the_rest_of_its_list() {
    for claim in [false, true] {
        let mut app = app("");
        let end = system("acme:last").requires(["lightningd:failing"]);
        let end = end.disallows(["acme:over"]);
        app.add_payment_system(end, |_: ecs_core::On| {
            Ok(ecs_core::Step::advance().attach_json("acme:over", Json::yes()))
        })
        .unwrap();
        let list = ["acme:out", "acme:last"];
        let entity = self::entity(&mut app, &list, &["acme:go"]);
        app.advance(entity, None).unwrap();
        if claim {
            let claim = Write::to(entity).attach(&Claim(true));
            app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
        }
        app.remove_external_system("acme:out").unwrap();
        assert_eq!(code_of(&app, entity, "lightningd:failing"), Some(2203));
        assert_eq!(app.component(entity, "acme:over"), Some(Json::yes()), "{claim}");
    }
}

#[test]
fn what_is_registered_in_the_place_of_another_is_kept_the_same() {
    let mut app = app("");
    call(&mut app, "payecs_newsystem", r#"["acme:zz","acme:a"]"#).unwrap();
    app.remove_external_system("acme:out").unwrap();
    let mut restored = engine();
    restored.restore(&app.snapshot()).unwrap();
    app.record_changes(true);
    call(&mut app, "payecs_newsystem", r#"["acme:new","acme:go"]"#).unwrap();
    restored.apply_delta(&app.take_delta().unwrap()).unwrap();
    assert_eq!(restored.snapshot(), app.snapshot(), "whichever place it has");
}

#[test]
fn what_can_not_be_removed_stays() {
    let mut app = app("");
    app.add_payment_system(system("acme:here").requires(["acme:go"]), |_: ecs_core::On| {
        Ok(ecs_core::Step::stop())
    })
    .unwrap();
    let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    for (caller, params, code) in [
        (Caller::owner(), r#"["acme:nobody"]"#, -32_602),
        (Caller::owner(), r#"["acme:here"]"#, -32_602),
        (shop, r#"["acme:out"]"#, 1_502),
    ] {
        let refused =
            app.call(&caller, Inputs::default(), "payecs_removesystem", Some(&json(params)));
        assert_eq!(refused.unwrap_err().code, code, "{params}");
    }
    let params = format!("[\"payecs_newsystem\",{}", &SYSTEM[1..]);
    call(&mut app, "check", &params.replace("\"acme:go\"", "[\"acme:go\"]")).unwrap();
}
