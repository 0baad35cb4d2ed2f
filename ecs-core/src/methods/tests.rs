//! Tests of the methods, over the wire.

mod defaults;
mod looking;

use crate::{Caller, Engine, ErrorObject, Inputs, Json, On, Scope, Step, system};

fn call_as(
    app: &mut Engine,
    caller: &Caller,
    method: &str,
    params: &str,
) -> Result<String, ErrorObject> {
    let inputs = Inputs { now_ms: 951_782_400_123, ..Inputs::default() };
    let params = Json::parse(params).unwrap();
    app.call(caller, inputs, method, Some(&params)).map(|reply| reply.now().unwrap().to_string())
}

/// Calls as the owner; of an error its code and message.
fn call(app: &mut Engine, method: &str, params: &str) -> String {
    call_as(app, &Caller::owner(), &format!("payecs_{method}"), params)
        .unwrap_or_else(|error| format!("{} {}", error.code, error.message))
}

/// Goes through calls and their answers in order; where a row ends in `…` only the beginning
/// counts.
fn check(app: &mut Engine, rows: &[(&str, &str, &str)]) {
    for (method, params, wanted) in rows {
        let answer = call(app, method, params);
        match wanted.strip_suffix('…') {
            Some(begin) => assert!(answer.starts_with(begin), "{method} {params}: {answer}"),
            None => assert_eq!(answer, *wanted, "{method} {params}"),
        }
    }
}

#[test]
fn entities_are_numbered_written_read_listed_and_ended() {
    check(
        &mut Engine::new(),
        &[
            ("newentity", "[]", r#"{"entity":1}"#),
            ("newentity", "{}", r#"{"entity":2}"#),
            ("newentity", "[1]", "-32602 too many parameters: `payecs_newentity` takes 0, got 1"),
            ("listentities", "[]", r#"{"entities":[]}"#),
            ("setcomponents", r#"[{"entity":3,"b:x":0.50,"a:x":{"z":1,"a":2}}]"#, "{}"),
            ("newentity", "[]", r#"{"entity":4}"#),
            ("setcomponents", r#"[[{"entity":"7","a:x":1},{"entity":5,"b:x":true}]]"#, "{}"),
            (
                "getcomponents",
                r#"["3",["b:x","a:x","c:x","b:x"]]"#,
                r#"{"entity":3,"b:x":0.50,"a:x":{"z":1,"a":2},"c:x":null}"#,
            ),
            ("getcomponents", r#"[9,"a:x"]"#, r#"{"entity":9,"a:x":null}"#),
            ("getcomponents", r#"[9,["entity"]]"#, "-32602 component name `entity` is reserved"),
            ("getcomponents", "[0,[]]", "-32602 `entity`: expected an entity id…"),
            ("getcomponents", "[4294967296,[]]", "-32602 `entity`: expected an entity id…"),
            ("getcomponents", "[1.5,[]]", "-32602 `entity`: expected an entity id…"),
            ("getcomponents", "[1]", "-32602 missing required parameter: `components`, an array…"),
            ("delentity", "[5]", "{}"),
            ("delentity", "[5]", "2204 Entity 5 does not exist."),
            (
                "listentities",
                "{}",
                "{\"entities\":[{\"entity\":3,\"a:x\":{\"z\":1,\"a\":2},\"b:x\":0.50},\
                 {\"entity\":7,\"a:x\":1}]}",
            ),
        ],
    );
}

#[test]
fn listings_are_filtered_paged_and_cut_to_what_was_asked_for() {
    let mut app = Engine::new();
    for number in 1..=12 {
        let even = if number % 2 == 0 { r#","n:even":true"# } else { "" };
        let write = format!(r#"[{{"entity":{number},"n:n":{number}{even}}}]"#);
        assert_eq!(call(&mut app, "setcomponents", &write), "{}");
    }
    let mut numbers = |params: &str| -> Result<Vec<u32>, String> {
        #[derive(serde::Deserialize)]
        struct Listing {
            entities: Vec<std::collections::BTreeMap<String, serde_json::Value>>,
        }
        let answer = call(&mut app, "listentities", params);
        let listing: Listing = serde_json::from_str(&answer).map_err(|_| answer)?;
        let number = |entity: &std::collections::BTreeMap<String, serde_json::Value>| {
            u32::try_from(entity["entity"].as_u64().unwrap()).unwrap()
        };
        Ok(listing.entities.iter().map(number).collect())
    };
    assert_eq!(numbers(r#"["n:even"]"#), Ok(vec![2, 4, 6, 8, 10, 12]));
    assert_eq!(numbers(r#"[["n:n"],["n:even"]]"#), Ok(vec![1, 3, 5, 7, 9, 11]));
    assert_eq!(numbers(r#"["x:never"]"#), Ok(vec![]));
    assert_eq!(numbers(r#"{"disallowed":["x:never"],"limit":2,"after":10}"#), Ok(vec![11, 12]));
    assert_eq!(numbers(r#"{"limit":3,"after":4294967295}"#), Ok(vec![]));
    assert_eq!(numbers(r#"{"limit":3}"#), Ok(vec![1, 2, 3]));
    for bad in [r#"{"limit":0}"#, r#"{"after":0}"#, r#"{"required":[7]}"#, r#"{"required":""}"#] {
        assert!(numbers(bad).unwrap_err().starts_with("-32602"), "{bad}");
    }
    let params = r#"{"limit":1,"after":1,"components":"n:even"}"#;
    let wanted = r#"{"entities":[{"entity":2,"n:even":true}]}"#;
    assert_eq!(call(&mut app, "listentities", params), wanted);
}

#[test]
fn writes_are_all_or_nothing_and_judged_before_any_is_applied() {
    check(
        &mut Engine::new(),
        &[
            ("setcomponents", r#"[[{"entity":1,"a:x":1}],[{"entity":1,"exact":true}]]"#, "{}"),
            (
                "setcomponents",
                r#"[{"entity":1,"a:x":2},{"entity":1,"exact":true}]"#,
                "2244 Validation of expected failed.",
            ),
            ("setcomponents", r#"[{"entity":1,"a:x":2},{"entity":1,"a:x":1.0}]"#, "{}"),
            (
                "setcomponents",
                r#"[[{"entity":1,"a:x":3},{"entity":1,"lightningd:x":3}]]"#,
                "-32602 `lightningd:x` is no documented component",
            ),
            ("setcomponents", r#"[{"a:x":3}]"#, "-32602 `writes`: expected an array of objects…"),
            ("setcomponents", r#"[{"entity":1,"exact":1}]"#, "-32602 `writes`: expected…"),
            ("setcomponents", r#"[{"entity":1,"a:x":3,"a:x":4}]"#, "-32602 `writes`: `a:x` is…"),
            ("setcomponents", "[[7]]", "-32602 `writes`: expected an array of objects…"),
            ("setcomponents", r#"[[],[{"exact":true}]]"#, "-32602 `expected`: expected an array…"),
            ("setcomponents", "[[],[],7]", "2207 Invocation 7 is not current."),
        ],
    );
    let mut app = Engine::new();
    check(
        &mut app,
        &[
            ("setcomponents", r#"[{"entity":1,"a:x":1,"b:x":1}]"#, "{}"),
            (
                "setcomponents",
                r#"[[{"entity":1,"exact":true,"c:x":3},{"entity":1,"c:x":4}]]"#,
                "{}",
            ),
            ("listentities", "[]", r#"{"entities":[{"entity":1,"c:x":4}]}"#),
            ("setcomponents", r#"[{"entity":1},[],7]"#, "2207 Invocation 7 is not current."),
            ("setcomponents", r#"[{"entity":1,"c:x":null}]"#, "{}"),
            ("listentities", "[]", r#"{"entities":[]}"#),
        ],
    );
}

#[test]
fn a_new_system_twice_is_once_and_another_of_its_name_is_a_conflict() {
    let mut app = Engine::new();
    let built_in = system("acme:built").requires(["acme:x"]);
    app.add_payment_system(built_in, |_: On| Ok(Step::wait())).unwrap();
    let conflict = "-32602 Conflict with existing `system`: acme:s";
    check(
        &mut app,
        &[
            ("newsystem", r#"["acme:s",["acme:a","acme:b"]]"#, "{}"),
            ("newsystem", r#"["acme:s",["acme:a","acme:b"],null]"#, "{}"),
            ("newsystem", r#"["acme:s",["acme:a","acme:b"],[],5]"#, "{}"),
            ("newsystem", r#"["acme:s",["acme:b","acme:a"]]"#, conflict),
            ("newsystem", r#"["acme:s","acme:a"]"#, conflict),
            ("newsystem", r#"["acme:s",["acme:a","acme:b"],"acme:c"]"#, conflict),
            (
                "newsystem",
                r#"["acme:built","acme:x"]"#,
                "-32602 Conflict with existing `system`: acme:built",
            ),
            ("newsystem", r#"["acme:e",[]]"#, "-32602 System `acme:e` requires nothing…"),
            ("newsystem", r#"["acme:e"]"#, "-32602 missing required parameter: `required`…"),
            ("newsystem", r#"["","acme:a"]"#, "-32602 component name…"),
            ("newsystem", r#"[7,"acme:a"]"#, "-32602 `system`: expected the name of the System"),
            ("newsystem", r#"["acme:e","acme:a",[],0]"#, "-32602 `timeout`: expected seconds…"),
            ("newsystem", r#"["acme:e","lightningd:unheard"]"#, "-32602 `lightningd:unheard`…"),
            (
                "listsystems",
                "[]",
                "{\"systems\":[\
                 {\"system\":\"acme:built\",\"required\":[\"acme:x\"],\"disallowed\":[],\
                 \"owner\":\"acme\",\"builtin\":false,\"invocations\":0,\"answers\":0,\
                 \"latency_ms\":null},\
                 {\"system\":\"acme:s\",\"required\":[\"acme:a\",\"acme:b\"],\"disallowed\":[],\
                 \"owner\":\"external\",\"builtin\":false,\"invocations\":0,\"answers\":0,\
                 \"latency_ms\":null,\"timeout\":5,\"grace\":null,\"reads\":null,\
                 \"writes\":null,\"token\":null,\"servers\":0}]}",
            ),
        ],
    );
}

#[test]
fn an_entity_is_advanced_with_writes_in_one_call_and_its_steps_are_traced() {
    let mut app = Engine::new();
    let here = system("acme:here").requires(["acme:x"]).disallows(["acme:y"]);
    app.add_payment_system(here, |_: On| Ok(Step::advance().attach_json("acme:y", Json::of(&[1]))))
        .unwrap();
    let list = r#""lightningd:systems":{"systems":["acme:here","acme:there"]}"#;
    let all = format!(r#"{{"entity":1,"writes":{{"entity":1,"acme:x":0.50,{list}}}}}"#);
    check(
        &mut app,
        &[
            ("newsystem", r#"["acme:there",["acme:y"],"acme:z"]"#, "{}"),
            ("advance", "[1]", "2200 Invalid `lightningd:systems`: invalid or absent…"),
            ("advance", "[1,[],[],1]", "2207 Invocation 1 is not current."),
            ("advance", "[]", "-32602 missing required parameter: `entity`…"),
            ("advance", r#"{"entity":1,"surplus":1}"#, "-32602 unknown parameter: `surplus`"),
            ("advance", "[1,[],[],1,1]", "-32602 too many parameters…"),
            ("advance", &all, "{}"),
            (
                "advance",
                r#"[1,{"entity":1,"acme:z":1},{"entity":1,"acme:z":1},1]"#,
                "2244 Validation of expected failed.",
            ),
            (
                "advance",
                r#"[1,{"entity":1,"acme:z":1},{"entity":1,"acme:z":null},1]"#,
                "2201 No systems match, cannot advance.",
            ),
            ("advance", "[1]", "2201 No systems match, cannot advance."),
            (
                "systrace",
                "[1]",
                "{\"entity\":1,\"trace\":[\
                 {\"time\":\"2000-02-29T00:00:00.123Z\",\"system\":\"acme:here\",\
                 \"entity\":{\"entity\":1,\"acme:x\":0.50},\"step\":1,\"changes\":[\
                 {\"component\":\"acme:y\",\"change\":\"attached\"}]},\
                 {\"time\":\"2000-02-29T00:00:00.123Z\",\"system\":\"acme:there\",\
                 \"entity\":{\"entity\":1,\"acme:y\":[1]},\"step\":2,\"changes\":[\
                 {\"component\":\"acme:z\",\"change\":\"attached\"}],\"answer_ms\":0}],\"gone\":0}",
            ),
            ("systrace", "[2]", r#"{"entity":2,"trace":[],"gone":0}"#),
        ],
    );
    let listed = call(&mut app, "listsystems", "{}");
    assert!(listed.contains(r#""invocations":1,"answers":1,"latency_ms":0,"#), "{listed}");
}

#[test]
fn callers_do_only_what_their_scopes_allow() {
    let mut app = Engine::new();
    app.guard_component("acme:approval", Scope::Approve);
    let reader = Caller::with([Scope::Read]);
    let writer = Caller::with([Scope::Flow]);
    let approver = Caller::with([Scope::Flow, Scope::Approve]);
    let write = r#"[{"entity":1,"acme:approval":true}]"#;
    let advance = r#"{"entity":1,"writes":{"entity":1,"acme:approval":null}}"#;
    for (caller, method, params, code) in [
        (&reader, "payecs_listentities", "[]", None),
        (&reader, "payecs_newentity", "[]", Some(1502)),
        (&reader, "payecs_setcomponents", write, Some(1502)),
        (&writer, "payecs_setcomponents", write, Some(1502)),
        (&writer, "payecs_advance", advance, Some(1502)),
        (&approver, "payecs_setcomponents", write, None),
        (&writer, "payecs_listentities", "[]", Some(1502)),
        (&approver, "payecs_nosuch", "[]", Some(-32601)),
    ] {
        let code_got = call_as(&mut app, caller, method, params).err().map(|error| error.code);
        assert_eq!(code_got, code, "{method} {params}");
    }
    callers_judge_nothing_of_their_own(&mut app);
    let said = call(&mut app, "advanec", "[]");
    assert_eq!(said, "-32601 Unknown command `payecs_advanec`; `payecs_advance`?");
    let nameless = call_as(&mut app, &Caller::owner(), "", "[]").unwrap_err();
    let said = "The command has no name; `rpc.discover` lists those there are";
    assert_eq!((nameless.code, nameless.message.as_str()), (-32_601, said));
    let short = call_as(&mut app, &Caller::owner(), "ch", "[]").unwrap_err();
    assert_eq!(short.message, "Unknown command `ch`", "`check` has more to it than that");
}

/// With `acme:approval` guarded.
fn callers_judge_nothing_of_their_own(app: &mut Engine) {
    let named = |name: &str| Caller {
        token: Some(name.into()),
        ..Caller::with([Scope::Flow, Scope::Approve])
    };
    let (maker, other, owner) = (named("maker"), named("other"), Caller::owner());
    let judged = |value: &str| format!(r#"[{{"entity":70,"acme:approval":{value}}}]"#);
    let mut set = |caller: &Caller, params: &str| {
        call_as(app, caller, "payecs_setcomponents", params).err().map(|error| error.code)
    };
    assert_eq!(set(&maker, &judged("true")), Some(1502), "it would be its own");
    assert_eq!(set(&maker, r#"[{"entity":70,"acme:x":1}]"#), None);
    for value in ["true", "false", "null"] {
        assert_eq!(set(&maker, &judged(value)), Some(1502), "{value}");
        assert_eq!(set(&other, &judged(value)), None, "{value}");
        assert_eq!(set(&owner, &judged(value)), None, "{value}");
    }
    let advance = r#"{"entity":70,"writes":{"entity":70,"acme:approval":true}}"#;
    let refused = call_as(app, &maker, "payecs_advance", advance).unwrap_err();
    assert!(refused.message.contains("token `maker` made Entity 70"), "{refused:?}");
    let mut restarted = Engine::new();
    restarted.guard_component("acme:approval", Scope::Approve);
    restarted.restore(&app.snapshot()).unwrap();
    let again = call_as(&mut restarted, &maker, "payecs_setcomponents", &judged("true"));
    assert_eq!(again.unwrap_err().code, 1502, "also after a restart");
}

#[test]
fn callers_keep_to_the_components_they_are_for() {
    let mut app = Engine::new();
    let writes = r#"[{"entity":1,"shop:order":7,"acme:x":1},{"entity":2,"acme:x":2}]"#;
    call(&mut app, "setcomponents", &format!("[{writes}]"));
    let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    let (sees, not_permitted) = (r#"{"entities":[{"entity":1,"shop:order":7}]}"#, Err(1502));
    for (method, params, wanted) in [
        ("payecs_getcomponents", r#"[1,"shop:order"]"#, Ok(r#"{"entity":1,"shop:order":7}"#)),
        ("payecs_getcomponents", r#"[1,["shop:order","acme:x"]]"#, not_permitted),
        ("payecs_setcomponents", r#"[{"entity":1,"shop:order":8,"acme:x":null}]"#, not_permitted),
        ("payecs_setcomponents", r#"[{"entity":1,"exact":true}]"#, not_permitted),
        (
            "payecs_setcomponents",
            r#"[{"entity":1,"shop:a":8},{"entity":1,"acme:x":1}]"#,
            not_permitted,
        ),
        (
            "payecs_setcomponents",
            r#"[{"entity":1,"shop:a":8},{"entity":1,"exact":true}]"#,
            not_permitted,
        ),
        ("payecs_advance", r#"[1,{"entity":1,"lightningd:systems":{}}]"#, not_permitted),
        ("payecs_listentities", "[]", Ok(sees)),
        ("payecs_listentities", r#"["acme:x"]"#, not_permitted),
        ("payecs_listentities", r#"[[],"acme:x"]"#, not_permitted),
        ("payecs_listentities", r#"{"components":"acme:x"}"#, not_permitted),
        ("payecs_wait", r#"[1,"acme:x"]"#, not_permitted),
        ("payecs_newsystem", r#"["spy",["acme:x"]]"#, not_permitted),
        ("payecs_newsystem", r#"["spy",["shop:order"],["acme:x"]]"#, not_permitted),
        ("payecs_newsystem", r#"["spy",["shop:order"]]"#, not_permitted),
        ("payecs_newsystem", r#"["shop:x",["shop:order"]]"#, Ok("{}")),
        ("payecs_setdefaultsystems", "[1]", not_permitted),
        ("payecs_delentity", "[1]", not_permitted),
        ("payecs_explain", "[1]", not_permitted),
        ("payecs_setcomponents", r#"[{"entity":1,"shop:order":7}]"#, Ok("{}")),
    ] {
        let got = call_as(&mut app, &shop, method, params).map_err(|error| error.code);
        assert_eq!(got.as_deref().map_err(|code| *code), wanted, "{method} {params}");
    }
    assert_eq!(
        call(&mut app, "getcomponents", r#"[1,["acme:x","shop:a"]]"#),
        r#"{"entity":1,"acme:x":1,"shop:a":null}"#
    );
}

#[test]
fn traces_show_a_caller_the_components_it_is_for() {
    let mut app = Engine::new();
    call(&mut app, "newsystem", r#"["both",["shop:order","acme:x"]]"#);
    let list =
        r#"{"entity":1,"shop:order":7,"acme:x":1,"lightningd:systems":{"systems":["both"]}}"#;
    call(&mut app, "advance", &format!("[1,{list}]"));
    let shop = Caller { components: Some(["shop:".to_owned()].into()), ..Caller::owner() };
    let trace = call_as(&mut app, &shop, "payecs_systrace", "[1]").unwrap();
    assert!(trace.contains("shop:order") && !trace.contains("acme:x"), "{trace}");
}

#[test]
fn every_method_declares_its_required_parameters_first_and_says_what_it_does() {
    let app = Engine::new();
    assert_eq!(app.methods().count(), super::ALL.len());
    for method in app.methods() {
        let is_ours =
            method.name.starts_with("payecs_") || ["check", "rpc.discover"].contains(&method.name);
        assert!(is_ours && method.doc.ends_with('.'), "{}", method.name);
        assert!(method.params.is_sorted_by_key(|param| !param.required), "{}", method.name);
    }
}
