//! Methods that judge, wait, list and explain.

use super::{call, check};
use crate::{
    Caller, ComponentSpec, Engine, EntityId, ErrorObject, Explainer, Inputs, Json, On, Recall,
    Recalled, Reply, Scope, Shape, Step, WireComponent, Write, Writer, method::Later, system,
};
use serde::Deserialize;

#[test]
fn a_call_is_judged_and_not_carried_out() {
    let mut app = Engine::new();
    let list = r#"[{"entity":1,"lightningd:systems":{"systems":["acme:x"]},"acme:x":1}]"#;
    check(&mut app, &[("setcomponents", list, "{}")]);
    let before = app.snapshot();
    let mut judge = |params: &str| {
        let params = Json::parse(params).unwrap();
        let answer = app.call(&Caller::owner(), Inputs::default(), "check", Some(&params));
        let answer = answer.map(|reply| reply.now().unwrap().to_string());
        answer.unwrap_or_else(|error| format!("{} {}", error.code, error.message))
    };
    let fits = |name: &str| format!(r#"{{"command_to_check":"payecs_{name}"}}"#);
    for (params, wanted) in [
        (r#"["payecs_newentity"]"#, fits("newentity")),
        (r#"["payecs_delentity",1]"#, fits("delentity")),
        (r#"["payecs_delentity",2]"#, "2204 Entity 2 does not exist.".to_owned()),
        (r#"{"entity":1,"command_to_check":"payecs_advance"}"#, fits("advance")),
        (r#"["payecs_advance",1,null,null,7]"#, "2207 Invocation 7 is not current.".to_owned()),
        (r#"["payecs_setcomponents",{"entity":2,"acme:z":1}]"#, fits("setcomponents")),
        (
            r#"["payecs_setcomponents",{"entity":2,"acme:z":1},{"entity":1,"acme:x":2}]"#,
            "2244 Validation of expected failed.".to_owned(),
        ),
        (
            r#"["payecs_setcomponents",{"entity":2,"lightningd:failing":1}]"#,
            "-32602 `lightningd:failing` is set by the engine".to_owned(),
        ),
        (r#"["payecs_newsystem","acme:y","acme:z"]"#, fits("newsystem")),
        (
            r#"["payecs_newsystem","acme:y",[]]"#,
            "-32602 System `acme:y` requires nothing, so it could never match".to_owned(),
        ),
        (
            r#"["payecs_setdefaultsystems",1,"acme:none"]"#,
            "-32602 Unregistered system: acme:none".to_owned(),
        ),
        (r#"["payecs_wait",1,null,86401]"#, {
            let shape = "how long to wait, in seconds: an integer from 0 to 86400";
            format!("-32602 `timeout`: expected {shape}")
        }),
        (r#"["payecs_nothing"]"#, "-32601 Unknown command `payecs_nothing`".to_owned()),
        (r#"["check","check"]"#, "-32602 `check` is no command to check".to_owned()),
        ("[]", {
            let shape = "the name of a command";
            format!("-32602 missing required parameter: `command_to_check`, {shape}")
        }),
        (r#""check""#, "-32602 params must be an array or an object".to_owned()),
    ] {
        assert_eq!(judge(params), wanted, "{params}");
    }
    assert_eq!(app.snapshot(), before);
    let reader = Caller::with([Scope::Read]);
    let params = Json::parse(r#"["payecs_newentity"]"#).unwrap();
    let refused = app.call(&reader, Inputs::default(), "check", Some(&params));
    assert_eq!(refused.unwrap_err().code, 1502);
}

/// Calls what answers later.
fn later(app: &mut Engine, method: &str, params: &str) -> Later {
    let params = Json::parse(params).unwrap();
    match app.call(&Caller::owner(), Inputs::default(), method, Some(&params)).unwrap() {
        Reply::Later(later) => later,
        other @ (Reply::Now(_) | Reply::Elsewhere(_)) => panic!("{other:?}"),
    }
}

fn look(app: &Engine, later: &mut Later) -> Option<String> {
    Some((later.look)(app)?.unwrap().now().unwrap().to_string())
}

#[test]
fn who_waits_is_answered_once_it_is_there_and_an_entity_that_ended_keeps_nobody() {
    let mut app = Engine::new();
    check(&mut app, &[("setcomponents", r#"[{"entity":1,"acme:x":1}]"#, "{}")]);
    let mut waits = later(&mut app, "payecs_wait", r#"[1,"acme:y",5]"#);
    assert_eq!((waits.timeout_ms, look(&app, &mut waits)), (Some(5_000), None));
    check(&mut app, &[("setcomponents", r#"[{"entity":1,"acme:y":1}]"#, "{}")]);
    let attached = r#"{"entity":1,"state":"attached"}"#.to_owned();
    assert_eq!(look(&app, &mut waits), Some(attached));
    let mut waits = later(&mut app, "payecs_wait", r#"[1,"acme:z"]"#);
    assert_eq!((waits.timeout_ms, look(&app, &mut waits)), (Some(60_000), None));
    check(&mut app, &[("delentity", "[1]", "{}")]);
    let ended = r#"{"entity":1,"state":"ended"}"#.to_owned();
    assert_eq!(look(&app, &mut waits), Some(ended));
    assert!(call(&mut app, "wait", "[7]").starts_with("2204 "), "no such Entity ever was");
    assert!(call(&mut app, "wait", r#"[1,"entity"]"#).starts_with("-32602 component name"));
}

#[test]
fn an_entity_is_explained_before_while_and_after_something_is_asked_of_others() {
    let mut app = Engine::new();
    let built_in = system("acme:own").requires(["acme:x"]).disallows(["acme:y"]);
    app.add_system(built_in, |_: On| Ok(Step::advance().attach_json("acme:y", Json::yes())))
        .unwrap();
    let explained = |app: &mut Engine| -> Explained {
        serde_json::from_str(&call(app, "explain", "[1]")).unwrap()
    };
    let list = "\"lightningd:systems\":{\"systems\":[\"acme:own\",\"acme:ext\",\"acme:none\"]}";
    let write = format!(r#"[{{"entity":1,{list}}}]"#);
    check(
        &mut app,
        &[
            ("newsystem", r#"["acme:ext","acme:y","acme:z"]"#, "{}"),
            ("setcomponents", &write, "{}"),
            ("explain", "[2]", "2204 Entity 2 does not exist."),
            ("setcomponents", r#"[{"entity":3,"acme:a":1}]"#, "{}"),
            ("explain", "[3]", r#"{"entity":3,"state":"unlisted","next":null,…"#),
        ],
    );
    let before = explained(&mut app);
    assert_eq!((before.state.as_str(), before.next), ("rests", None));
    let [own, ext, none] = &before.systems[..] else { panic!("{:?}", before.systems) };
    assert_eq!((own.registered, own.missing.as_slice()), (true, ["acme:x".to_owned()].as_slice()));
    assert_eq!(ext.missing, ["acme:y"]);
    assert_eq!((none.system.as_str(), none.registered), ("acme:none", false));
    check(&mut app, &[("setcomponents", r#"[{"entity":1,"acme:x":1}]"#, "{}")]);
    let ready = explained(&mut app);
    assert_eq!((ready.state.as_str(), ready.next.as_deref()), ("runs", Some("acme:own")));
    check(&mut app, &[("advance", "[1]", "{}")]);
    let invoked = explained(&mut app);
    assert_eq!(invoked.state, "invoked");
    assert_eq!(invoked.invocation.map(|it| it.system).as_deref(), Some("acme:ext"));
    assert_eq!(invoked.awaits.len(), 1, "its timeout");
    let answer = r#"[1,{"entity":1,"acme:z":1},[],1]"#;
    check(&mut app, &[("advance", answer, "2200 Invalid `lightningd:systems`…")]);
    let stuck = explained(&mut app);
    assert_eq!(stuck.error.map(|error| error.code), Some(2200), "it has met `acme:none`");
    assert_eq!(stuck.systems[0].in_the_way, ["acme:y"]);
    assert_eq!(stuck.systems[1].in_the_way, ["acme:z"]);
}

/// Knows Entities with `acme:wanted`, and of those that are gone the first.
const ACME: Explainer = Explainer {
    field: "acme",
    shape: "a word",
    doc: "What acme knows.",
    explain: |world, entity| world.get::<Wanted>(entity).map(|_| Json::of("wanted")),
    recall: |_, id| {
        (id.get() < 3).then(|| -> Recall {
            Box::new(move || {
                let error = Some(ErrorObject::new(7, "why"));
                let known = Recalled { error, told: Json::of("remembered") };
                Ok((id.get() == 1).then_some(known))
            })
        })
    },
};

#[derive(Clone, bevy_ecs::component::Component)]
struct Wanted;

impl WireComponent for Wanted {
    const SPEC: ComponentSpec = ComponentSpec::input("acme:wanted", "true", "It is wanted.");

    fn from_json(_: &Json) -> Result<Self, Shape> {
        Ok(Self)
    }

    fn to_json(&self) -> Json {
        Json::yes()
    }
}

#[test]
fn who_knows_components_explains_their_entities_also_when_they_are_gone() {
    let mut app = Engine::new();
    app.add_component::<Wanted>();
    app.add_explainer(&ACME);
    assert_eq!(app.explainers().map(|it| it.shape).collect::<Vec<_>>(), ["a word"]);
    let all = r#"[[{"entity":1,"acme:wanted":true},{"entity":2,"acme:y":1},
        {"entity":3,"acme:y":1}]]"#;
    check(&mut app, &[("setcomponents", all, "{}")]);
    assert!(call(&mut app, "explain", "[1]").ends_with(r#""systems":[],"acme":"wanted"}"#));
    assert!(!call(&mut app, "explain", "[2]").contains("acme"));
    check(&mut app, &[("delentity", "[1]", "{}"), ("delentity", "[2]", "{}")]);
    check(&mut app, &[("delentity", "[3]", "{}")]);
    let gone = [
        r#"{"entity":1,"state":"gone","next":null,"awaits":[],"invocation":null,"#,
        r#""error":{"code":7,"message":"why"},"systems":[],"acme":"remembered"}"#,
    ];
    for (id, known) in [
        (1, Ok(gone.concat())),
        (2, Err("Entity 2 does not exist.".to_owned())),
        (3, Err("Entity 3 does not exist.".to_owned())),
        (4, Err("Entity 4 does not exist.".to_owned())),
    ] {
        let params = Json::of(&[id]);
        let owner = Caller::owner();
        let reply = app.call(&owner, Inputs::default(), "payecs_explain", Some(&params));
        let answer = reply.and_then(|reply| match reply {
            Reply::Elsewhere(work) => work(),
            Reply::Now(_) | Reply::Later(_) => panic!("{id}: it is told elsewhere"),
        });
        let said = answer.map(|json| json.to_string()).map_err(|error| error.message);
        assert_eq!(said, known, "{id}");
    }
}

#[derive(Debug, Deserialize)]
struct Explained {
    state: String,
    next: Option<String>,
    awaits: Vec<String>,
    invocation: Option<Invoked>,
    error: Option<ErrorObject>,
    systems: Vec<Judged>,
}

#[derive(Debug, Deserialize)]
struct Invoked {
    system: String,
}

#[derive(Debug, Deserialize)]
struct Judged {
    system: String,
    registered: bool,
    missing: Vec<String>,
    in_the_way: Vec<String>,
}

#[test]
fn a_long_list_is_put_together_a_little_at_a_time_and_told_elsewhere() {
    const ALL: u32 = 1_000;
    let mut app = Engine::new();
    for id in 1..=ALL {
        let write = Write::to(EntityId::new(id).unwrap()).attach_json("acme:x", Json::yes());
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    }
    let mut listing = later(&mut app, "payecs_listentities", "[]");
    assert!(listing.at_work && listing.timeout_ms.is_none());
    let mut looks = 1;
    let told = loop {
        looks += 1;
        if let Some(told) = (listing.look)(&app) {
            break told.unwrap();
        }
        // What is done between two looks at what lies ahead is seen.
        app.set_components(&Writer::Caller, &[Write::end(EntityId::new(ALL).unwrap())], &[])
            .unwrap();
    };
    assert_eq!(looks, 8, "128 at a time");
    let Reply::Elsewhere(tell) = told else { panic!("{told:?}") };
    let told = tell().unwrap();
    assert_eq!(told.text().matches("\"entity\":").count(), 999);
    assert!(told.text().starts_with(r#"{"entities":[{"entity":1,"acme:x":true},{"entity":2,"#));
}

#[test]
fn what_parameters_take_is_json_schema() {
    let app = Engine::new();
    for param in app.methods().flat_map(|method| method.params) {
        let schema: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(param.kind.schema).unwrap();
        assert!(schema.contains_key("type") || schema.contains_key("oneOf"), "{}", param.name);
    }
}

#[test]
fn the_table_tells_programs_what_it_holds() {
    let mut app = Engine::new();
    let told = app.call(&Caller::with([Scope::Read]), Inputs::default(), "rpc.discover", None);
    let told = told.unwrap().now().unwrap();
    let document: serde_json::Value = serde_json::from_str(told.text()).unwrap();
    let methods = document["methods"].as_array().unwrap();
    assert_eq!(methods.len(), app.methods().count());
    let wait = methods.iter().find(|method| method["name"] == "payecs_wait").unwrap();
    assert_eq!((&wait["x-scope"], &wait["params"][0]["name"]), (&"read".into(), &"entity".into()));
    assert_eq!(wait["params"][1]["required"], false);
    assert_eq!(wait["errors"][2]["code"], 2000);
}

#[test]
fn names_without_end_are_refused_before_anybody_compares_them() {
    let mut app = Engine::new();
    let names = |count: usize| Json::of(&(1, vec!["acme:x"; count])).to_string();
    assert_eq!(call(&mut app, "getcomponents", &names(1_000)), r#"{"entity":1,"acme:x":null}"#);
    let refused = call(&mut app, "getcomponents", &names(1_001));
    let wanted = "-32602 `components`: expected an array of at most 1000 component names";
    assert!(refused.starts_with(wanted), "{refused}");
    let long = "x".repeat(1 << 20);
    let params = format!(r#"{{"{long}":1}}"#);
    let refused = call(&mut app, "newentity", &params);
    assert!(refused.starts_with("-32602 unknown parameter: `xxx") && !refused.contains(';'));
    let refused = call(&mut app, &long, "[]");
    assert!(refused.starts_with("-32601 Unknown command `payecs_xxx") && refused.len() < 200);
}
