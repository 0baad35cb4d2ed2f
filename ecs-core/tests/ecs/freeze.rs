//! Who may write what, before and after the freeze.

use crate::common::{Claim, engine, entity, json};
use bevy_ecs::component::Component;
use ecs_core::{
    Caller, ComponentSpec, Engine, Error, Expected, Inputs, Json, Shape, WireComponent, Write,
    Writer,
};

/// The code of a write by a caller, or 0.
fn code(result: &Result<(), Error>) -> i32 {
    result.as_ref().map_or_else(Error::code, |()| 0)
}

#[test]
fn callers_and_plugins_write_what_their_rights_allow() {
    let plugin = Writer::Plugin("acme:".to_owned());
    for (name, value, caller, third_party, frozen_caller) in [
        ("lightningd:amount", "7", 0, 0, 2205),
        ("lightningd:amount", "null", 0, 0, 2205),
        ("lightningd:label", "\"x\"", 0, 0, 0),
        ("lightningd:label", "null", 0, 0, 0),
        ("lightningd:claim", "true", -32602, -32602, -32602),
        ("lightningd:failing", "null", 0, 0, 2205),
        ("lightningd:systems", "null", 0, 0, 2205),
        ("lightningd:systems", "7", 0, 0, 2205),
        ("lightningd:error", "{\"code\":1,\"message\":\"m\"}", 0, 0, 0),
        ("lightningd:error", "null", 0, 0, 2205),
        ("lightningd:error", "7", -32602, -32602, -32602),
        ("lightningd:free:x", "1", 0, 0, 2205),
        ("lightningd:free:x", "null", 0, 0, 2205),
        ("lightningd:unheard", "1", -32602, -32602, -32602),
        ("lightningd:unheard", "null", -32602, -32602, -32602),
        ("acme:x", "1", 0, 0, 0),
        ("zeta:x", "1", 0, -32602, 0),
        ("zeta:x", "null", 0, -32602, 0),
        ("entity", "1", -32602, -32602, -32602),
    ] {
        for (writer, freeze, wanted) in [
            (&Writer::Caller, false, caller),
            (&plugin, false, third_party),
            (&Writer::Caller, true, frozen_caller),
        ] {
            let mut app = engine();
            let entity = entity(&mut app, &[], &["lightningd:amount"]);
            if freeze {
                let claim = Write::to(entity).attach(&Claim(true));
                app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
            }
            assert_eq!(app.is_frozen(entity), freeze);
            let value = Some(json(value)).filter(|value| !value.is_null());
            let mut write = Write::to(entity);
            write.components.push((name.to_owned().into(), value));
            let before = app.snapshot();
            let result = app.set_components(writer, &[write], &[]);
            assert_eq!(code(&result), wanted, "{name} by {writer:?}, frozen {freeze}: {result:?}");
            assert!(wanted == 0 || app.snapshot() == before);
        }
    }
}

#[test]
fn a_frozen_entity_is_neither_emptied_nor_released_and_its_error_becomes_failing() {
    let mut app = engine();
    let entity = entity(&mut app, &[], &[]);
    let claim = Write::to(entity).attach(&Claim(true));
    app.set_components(&Writer::Engine, &[claim], &[]).unwrap();
    for write in [Write::end(entity), Write::to(entity).detach::<Claim>()] {
        assert_eq!(code(&app.set_components(&Writer::Caller, &[write], &[])), 2205);
    }
    let error = json("{\"code\":7,\"message\":\"m\"}");
    let write = Write::to(entity).attach_json("lightningd:error", error.clone());
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    assert_eq!(app.component(entity, "lightningd:error"), None);
    assert_eq!(app.component(entity, "lightningd:failing"), Some(error));
}

#[test]
fn expected_is_of_the_state_before_and_null_is_absent() {
    let mut app = engine();
    let entity = entity(&mut app, &[], &["acme:x"]);
    let systems = ("lightningd:systems".to_owned(), Some(json("{\"systems\":[]}")));
    let one = |text: &str| ("acme:x".to_owned(), Some(json(text)));
    for (exact, components, holds) in [
        (false, vec![one("1.0")], true),
        (false, vec![one("2")], false),
        (false, vec![], true),
        (true, vec![one("1")], false),
        (true, vec![one("1"), systems.clone()], true),
        (false, vec![("acme:y".to_owned(), Some(json("null")))], true),
        (false, vec![("acme:y".to_owned(), None)], true),
        (false, vec![("acme:x".to_owned(), None)], false),
    ] {
        let expected = [Expected { entity, exact, components }];
        let writes = [Write::to(entity).attach_json("acme:x", json("1"))];
        let result = app.set_components(&Writer::Caller, &writes, &expected);
        assert_eq!(code(&result), if holds { 0 } else { 2244 }, "{:?}", expected[0].components);
    }
}

#[test]
fn a_documented_component_is_expected_in_any_text_it_takes() {
    let mut app = engine();
    let entity = entity(&mut app, &[], &["lightningd:amount"]);
    for (text, holds) in [("1", true), ("\"1\"", true), ("\"2\"", false), ("[]", false)] {
        let components = vec![("lightningd:amount".to_owned(), Some(json(text)))];
        let expected = [Expected { entity, exact: false, components }];
        let result = app.set_components(&Writer::Caller, &[], &expected);
        assert_eq!(code(&result), if holds { 0 } else { 2244 }, "{text}");
    }
}

#[test]
fn a_value_of_the_same_meaning_keeps_its_new_text() {
    let mut app = engine();
    let entity = entity(&mut app, &[], &["acme:x"]);
    let write = Write::to(entity).attach_json("acme:x", json("1.00"));
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    assert_eq!(app.component(entity, "acme:x").as_ref().map(Json::text), Some("1.00"));
}

#[test]
fn a_secret_is_read_only_by_those_who_may_and_shown_to_nobody() {
    let mut app = engine();
    let entity = entity(&mut app, &[], &["lightningd:amount"]);
    let write = Write::to(entity).attach_json("lightningd:key", Json::of("hush"));
    app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    let read = |app: &mut Engine, caller: &Caller| {
        let params = json("[1,\"lightningd:key\"]");
        let answer = app.call(caller, Inputs::default(), "payecs_getcomponents", Some(&params));
        answer.map(|reply| reply.now().unwrap().to_string()).map_err(|error| error.code)
    };
    let owner = Caller::owner();
    let shown = "{\"entity\":1,\"lightningd:key\":\"hush\"}".to_owned();
    assert_eq!(read(&mut app, &owner), Ok(shown));
    assert_eq!(read(&mut app, &Caller { secrets: false, ..owner.clone() }), Err(1502));
    let listed = app.call(&owner, Inputs::default(), "payecs_listentities", None);
    let listed = listed.unwrap().now().unwrap();
    assert!(!listed.text().contains("hush") && listed.text().contains("lightningd:amount"));
    let write = Write::to(entity).attach_json("lightningd:key", json("[\"hush\"]"));
    let refused = app.set_components(&Writer::Caller, &[write], &[]).unwrap_err();
    assert!(!refused.to_string().contains("hush"), "{refused}");
}

/// A Component that takes less than its type can hold.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
struct Even(u64);

impl WireComponent for Even {
    const SPEC: ComponentSpec = ComponentSpec::input("lightningd:even", "an even integer", "One.");

    fn from_json(json: &Json) -> Result<Self, Shape> {
        let number: u64 = json.decode()?;
        if number.is_multiple_of(2) { Ok(Self(number)) } else { Err(Shape::default()) }
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0)
    }
}

#[test]
fn what_is_written_from_a_value_is_judged_unless_the_engine_wrote_it() {
    let mut app = engine();
    app.add_component::<Even>();
    let entity = app.new_entity();
    for writer in [Writer::Caller, Writer::Plugin("acme:".to_owned())] {
        let refused = app.set_components(&writer, &[Write::to(entity).attach(&Even(7))], &[]);
        assert_eq!((code(&refused), app.entities().len()), (-32602, 0), "{writer:?}: {refused:?}");
    }
    app.set_components(&Writer::Caller, &[Write::to(entity).attach(&Even(8))], &[]).unwrap();
    assert_eq!(app.get::<Even>(entity), Some(&Even(8)));
}
