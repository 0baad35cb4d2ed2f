//! Dispatch finds what a scan by name would find.

use crate::common::{Amount, Claim, call, engine, json, ran};
use ecs_core::{Engine, EntityId, LISTS_MAX, On, Step, SystemDef, Systems, Write, Writer};
use proptest::{collection::vec, prelude::*, sample::subsequence};

const NAMES: [&str; 8] = [
    "lightningd:amount",
    "lightningd:label",
    "lightningd:claim",
    "lightningd:key",
    "lightningd:free:x",
    "acme:a",
    "acme:b",
    "zeta:c",
];

#[derive(Clone, Debug)]
struct Def {
    required: Vec<&'static str>,
    disallowed: Vec<&'static str>,
}

fn defs() -> impl Strategy<Value = Vec<Def>> {
    let def = (subsequence(&NAMES[..], 1..4), subsequence(&NAMES[..], 0..4))
        .prop_map(|(required, disallowed)| Def { required, disallowed });
    vec(def, 1..8)
}

/// The value of a name that its type takes.
fn value(name: &str) -> &'static str {
    match name {
        "lightningd:amount" => "7",
        "lightningd:claim" => "true",
        _ => "\"x\"",
    }
}

/// The first System that matches, found by trying each in turn; `None`: none, or an unknown name.
fn scan(defs: &[Def], list: &[usize], attached: &[&str]) -> Option<usize> {
    let first = list.iter().copied().find(|at| {
        defs.get(*at).is_none_or(|def| {
            def.required.iter().all(|name| attached.contains(name))
                && !def.disallowed.iter().any(|name| attached.contains(name))
        })
    });
    first.filter(|at| *at < defs.len())
}

fn register(app: &mut Engine, at: usize, def: &Def) {
    let names = |names: &[&'static str]| names.iter().map(|name| (*name).into()).collect();
    let (required, disallowed) = (names(&def.required), names(&def.disallowed));
    let def = SystemDef { system: format!("acme:{at}").into(), required, disallowed };
    app.add_payment_system(def, |_: On| Ok(Step::wait())).expect("a new name");
}

#[test]
fn a_list_too_many_is_refused_until_another_is_no_longer_used() {
    let mut app = engine();
    let def = Def { required: vec!["acme:a"], disallowed: vec![] };
    register(&mut app, 0, &def);
    let listing = |entity, more: usize| {
        let names = std::iter::repeat_n("acme:0".to_owned(), 1 + more / 128);
        let names = names.chain(std::iter::repeat_n("acme:gone".to_owned(), more % 128));
        Write::to(entity).attach(&Systems::listing(names)).attach_json("acme:a", json("1"))
    };
    let entities: Vec<EntityId> = (0..=LISTS_MAX).map(|_| app.new_entity()).collect();
    for (at, entity) in entities.iter().enumerate() {
        let write = listing(*entity, at);
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
    }
    let last = *entities.last().unwrap();
    assert!(app.advance(entities[7], None).is_ok());
    assert_eq!(app.advance(last, None).unwrap_err().code(), 2200);
    app.set_components(&Writer::Caller, &[Write::end(entities[7])], &[]).unwrap();
    assert!(app.advance(last, None).is_ok(), "there is room now");
    let again = listing(entities[7], 8);
    app.set_components(&Writer::Caller, &[again], &[]).unwrap();
    assert!(app.advance(entities[7], None).is_ok(), "a list in use is shared");
}

proptest! {
    #[test]
    fn dispatch_never_differs_from_a_scan_by_name(
        defs in defs(),
        rounds in vec((vec(0_usize..9, 0..10), subsequence(&NAMES[..], 0..8)), 1..12),
        registered_later in 0_usize..4,
    ) {
        let mut app = engine();
        let at_first = defs.len().saturating_sub(registered_later);
        for (at, def) in defs[..at_first].iter().enumerate() {
            register(&mut app, at, def);
        }
        for (round, (list, attached)) in rounds.iter().enumerate() {
            if round == rounds.len() / 2 {
                for (at, def) in defs.iter().enumerate().skip(at_first) {
                    register(&mut app, at, def);
                }
            }
            let known = if round < rounds.len() / 2 { &defs[..at_first] } else { &defs[..] };
            let entity = app.new_entity();
            let names = list.iter().map(|at| format!("acme:{at}"));
            let write = Write::to(entity).attach(&Systems::listing(names));
            let write = attached
                .iter()
                .fold(write, |write, name| write.attach_json(*name, json(value(name))));
            app.set_components(&Writer::Engine, &[write], &[])?;
            if app.is_frozen(entity) {
                continue; // What is frozen fails where a System only waits, and goes on from there.
            }
            let advanced = app.advance(entity, None);
            let found = scan(known, list, attached);
            prop_assert_eq!(advanced.is_ok(), found.is_some());
            let wanted: Vec<String> = found.iter().map(|at| format!("acme:{at}")).collect();
            prop_assert_eq!(ran(&app, entity), wanted);
        }
    }
}

/// What is attached to one Entity, seen by type and by name.
#[test]
fn a_documented_component_is_the_same_by_type_and_by_name() {
    let mut app = engine();
    call(&mut app, "payecs_setcomponents", "[{\"entity\":1,\"lightningd:amount\":7}]")
        .expect("a proper value");
    let entity = crate::common::id(1);
    assert_eq!(app.get::<Amount>(entity), Some(&Amount(7)));
    assert_eq!(app.component(entity, "lightningd:amount"), Some(json("7")));
    assert_eq!(app.get::<Claim>(entity), None);
}
