//! What holds for every row of the table.

use super::*;
use crate::{
    fixture::{self, Bench, Ran, child, claim, here, open_part, payment, sample},
    components::{Claimed, PartsOpen, PlanningEntity, Reservation, SelfAsked},
};
use ecs_core::{EffectClass, EntityId, Systems, Write};
use std::collections::BTreeSet;

/// What a System reads of its own Entity without requiring it: what it requires is there only with
/// these.
const ALSO_THERE: &[(&str, &[&str])] = &[
    ("lightningd:preapprove", &[]),
    ("lightningd:policy", &["lightningd:amount", "lightningd:feebudget"]),
    ("lightningd:self_pay", &["lightningd:claim"]),
    ("lightningd:reserve_funds", &["lightningd:claim", "lightningd:feebudget"]),
    ("lightningd:dispatch", &["lightningd:reservation", "lightningd:claim", "lightningd:attempt"]),
    ("lightningd:settle", &["lightningd:payment_hash", "lightningd:claim", "lightningd:failing"]),
    ("lightningd:finish_error", &["lightningd:claim"]),
    ("lightningd:route", &["lightningd:parent"]),
    ("lightningd:hand_over", &["lightningd:parent"]),
    ("lightningd:hand_over_failure", &["lightningd:parent"]),
    ("lightningd:send_part", &["lightningd:parent"]),
    ("lightningd:part_paid", &["lightningd:parent"]),
    ("lightningd:part_failed", &["lightningd:parent"]),
    ("lightningd:part_late", &["lightningd:parent"]),
    ("lightningd:join_set", &["lightningd:systems"]),
    ("lightningd:hold_set", &["lightningd:set"]),
    ("lightningd:settle_set", &["lightningd:set", "lightningd:set:received"]),
    ("lightningd:set_settled", &["lightningd:set", "lightningd:preimage", "lightningd:parent"]),
    ("lightningd:refuse_set", &["lightningd:parent", "lightningd:preimage"]),
];

/// Rows that do nothing but refuse.
const ALWAYS_REFUSE: [&str; 3] = ["13", "20", "28"];

/// Whether the row is one of plans, parts and sets.
fn is_of_a_child(row: &str) -> bool {
    ["P", "S", "R"].iter().any(|part| row.starts_with(part))
}

/// The payment that plans, parts and sets work for.
fn parent_of_all() -> Write {
    here()
        .attach(&Claimed(claim()))
        .attach(&PartsOpen(vec![open_part()]))
        .attach(&Reservation(fixture::reservation()))
        .attach(&PlanningEntity(child()))
        .attach(&SelfAsked(child()))
        .attach(&Systems::listing(["lightningd:settle"]))
}


/// A bench where the System can do its work, and the Entity it works on.
fn bench_for(row: &str) -> (Bench, EntityId) {
    let bench = Bench::new().receipt(crate::receive::fixture::receipt());
    match is_of_a_child(row) {
        true => (bench.with(payment(), parent_of_all()), child()),
        false => (bench, payment()),
    }
}

/// Everything a System requires and reads, but `absent`.
fn scene(spec: &SystemSpec, absent: &str) -> Write {
    let also = ALSO_THERE.iter().find(|(name, _)| *name == spec.name);
    let names = spec.required.iter().chain(also.map_or(&[][..], |(_, names)| names));
    let names: BTreeSet<&str> = names.copied().filter(|name| *name != absent).collect();
    let list = Systems::listing(
        std::iter::once(spec.name).chain(money_systems().filter(|name| *name != spec.name)),
    );
    let list = if absent == "lightningd:systems" { None } else { Some(&list) };
    let others = names.into_iter().filter(|name| *name != "lightningd:systems");
    others.fold(here().attach_some(list), |write, name| write.attach_json(name, sample(name)))
}

fn ran(row: &str, spec: &SystemSpec, write: Write) -> (Bench, Ran) {
    let (mut bench, on) = bench_for(row);
    bench.put(on, write);
    let ran = bench.step(on, spec);
    (bench, ran)
}

/// The list names this System alone, so that only it and the epilogue can run.
fn matches_alone(row: &str, spec: &SystemSpec, write: Write) -> bool {
    let (mut bench, on) = bench_for(row);
    let write = write.attach(&Systems::listing([spec.name]));
    bench.put(on, write);
    bench.step(on, spec).matched
}

#[test]
fn a_system_matches_exactly_where_its_spec_says() {
    for (row, spec) in ROWS {
        let all = || scene(spec, "");
        assert!(matches_alone(row, spec, all()), "{row} {}", spec.name);
        for absent in spec.required.iter().filter(|name| **name != "lightningd:systems") {
            let without = scene(spec, absent);
            assert!(!matches_alone(row, spec, without), "{row} without `{absent}`");
        }
        for present in spec.disallowed {
            let with = all().attach_json(*present, sample(present));
            assert!(!matches_alone(row, spec, with), "{row} with `{present}`");
        }
    }
}

#[test]
fn no_system_runs_where_there_is_no_list() {
    for (row, spec) in ROWS {
        let write = scene(spec, "lightningd:systems").attach_json("acme:x", ecs_core::Json::yes());
        let (_, ran) = ran(row, spec, write);
        assert!(!ran.matched, "{row}");
    }
}

/// Whether a name is one that the spec allows; `FIELD` and `TYPE` stand for any.
fn allowed(names: &[&str], name: &str) -> bool {
    names.iter().any(|allowed| {
        let open = allowed.strip_suffix("FIELD").or_else(|| allowed.strip_suffix("TYPE"));
        *allowed == name || open.is_some_and(|prefix| name.starts_with(prefix))
    })
}

#[test]
fn a_system_changes_only_what_its_spec_says() {
    for (row, spec) in ROWS {
        let (_, ran) = ran(row, spec, scene(spec, ""));
        let on = if is_of_a_child(row) { child() } else { payment() };
        assert!(ran.matched, "{row}");
        if let Some(code) = ran.code() {
            assert!(ALWAYS_REFUSE.contains(row), "{row} {}", ran.message());
            assert!(spec.refuses.contains(&code), "{row} refuses with {code}: {}", ran.message());
            assert_eq!(ran.names_on(on), ["failing"], "{row} refuses and writes nothing else");
            continue;
        }
        let ended = ran.detached("systems") && row.starts_with('P');
        for ((entity, name), value) in ran.changed.iter().filter(|((at, _), _)| *at == on) {
            let names = if value.is_some() { spec.attaches } else { spec.detaches };
            assert!(allowed(names, name) || ended, "{row} changes `{name}` of {entity}");
        }
    }
}

#[test]
fn a_system_ends_its_own_match() {
    for (row, spec) in ROWS {
        let (bench, ran) = ran(row, spec, scene(spec, ""));
        let on = if is_of_a_child(row) { child() } else { payment() };
        let has = |name: &&str| bench.app.component(on, name).is_some();
        let fits = spec.required.iter().all(has) && !spec.disallowed.iter().any(|it| has(it));
        let active = bench.app.component(on, "lightningd:systems").is_some();
        let waits = ran.effects.iter().any(|effect| effect.class == EffectClass::Reply);
        assert!(!fits || !active || waits, "{row} matches again at once");
    }
}

#[test]
fn specs_are_declared_once_and_well() {
    let mut app = Engine::new();
    ecs_core::Plugin::build(&crate::PaymentSystems::default(), &mut app).unwrap();
    let known: BTreeSet<&str> = app.component_specs().map(|spec| spec.name).collect();
    let open = ["lightningd:invoice:FIELD", "lightningd:invoice:type:TYPE"];
    let mut names = BTreeSet::new();
    for (row, spec) in ROWS {
        assert!(names.insert(spec.name), "{row} is there twice");
        assert!(spec.name.starts_with("lightningd:"), "{row}");
        assert!(!spec.required.is_empty() && !spec.does.is_empty(), "{row}");
        let all = [spec.required, spec.disallowed, spec.attaches, spec.detaches].concat();
        for name in all {
            assert!(known.contains(name) || open.contains(&name), "{row} names `{name}`");
        }
        let both = spec.required.iter().find(|name| spec.disallowed.contains(name));
        assert_eq!(both, None, "{row} can never match");
    }
}

#[test]
fn the_money_systems_are_rows_22_to_34_and_those_of_plan_part_and_set() {
    let money: Vec<&str> = money_systems().collect();
    for (row, spec) in ROWS {
        let carries = row.parse::<u32>().map_or(true, |number| number >= 22);
        assert_eq!(money.contains(&spec.name), carries, "{row}");
    }
    assert_eq!(money.len(), 34);
}

#[test]
fn rows_2_to_31_leave_what_failed_or_is_paid_alone() {
    let silent = ["1", "3", "6", "10", "15", "16", "17", "18", "19"];
    for (row, spec) in ROWS.iter().filter(|(row, _)| silent.contains(row)) {
        assert!(spec.refuses.is_empty(), "{row}");
    }
    let starred = |row: &str| row.parse::<u32>().is_ok_and(|number| (2..=31).contains(&number));
    for (row, spec) in ROWS.iter().filter(|(row, _)| starred(row)) {
        for name in ["lightningd:failing", "lightningd:preimage"] {
            assert!(spec.disallowed.contains(&name), "{row} runs with `{name}`");
        }
    }
}

#[test]
fn what_tests_amend_is_what_is_registered() {
    let drop_guards: Amend = Arc::new(|def| SystemDef { disallowed: Vec::new(), ..def });
    let mut app = Engine::new();
    let plugin = crate::PaymentSystems { amend: drop_guards, ..Default::default() };
    ecs_core::Plugin::build(&plugin, &mut app).unwrap();
    assert!(app.registered_systems().all(|(def, _)| def.disallowed.is_empty()));
    assert_eq!(app.registered_systems().count(), ROWS.len());
    assert!(format!("{plugin:?}").contains("Policy"));
}
