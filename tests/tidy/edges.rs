//! Which crate knows which. Dependencies point one way, so that an outside crate, or one of ours,
//! can be replaced by touching few files.

use super::tree;
use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package};

/// What a crate may use of ours.
enum Uses {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// What each crate may use of ours in what ships; its tests may use more.
const EDGES: &[(&str, Uses)] = &[
    ("payecs-units", Uses::Only(&[])),
    ("payecs-planner", Uses::Only(&["payecs-units"])),
    ("payecs-gossip", Uses::Only(&["payecs-planner", "payecs-units"])),
    ("ecs-core", Uses::Only(&[])),
    ("ecs-systems", Uses::Only(&["ecs-core", "payecs-planner", "payecs-units"])),
    // On the public traits, as any third party's: it has no part in the flow.
    ("payecs-rebalance", Uses::Only(&["ecs-core", "ecs-systems"])),
    ("ledger-store", Uses::Only(&["ecs-core", "ecs-systems", "payecs-index", "payecs-journal"])),
    ("payecs-journal", Uses::Only(&[])),
    ("payecs-index", Uses::Only(&["payecs-journal"])),
    ("rpc-bridge", Uses::Only(&["ecs-core"])),
    (
        "node-sim",
        Uses::Only(&[
            "ecs-systems",
            "payecs-gossip",
            "payecs-journal",
            "payecs-planner",
            "payecs-units",
        ]),
    ),
    ("payflow-default", Uses::AllBut(&["payecs-tests", "simulator", "example-system"])),
    ("payecs-delivery", Uses::Only(&["payecs-gossip", "payecs-planner", "payecs-units"])),
    ("planner-vs-ldk", Uses::Only(&["payecs-delivery", "payecs-planner", "payecs-units"])),
    ("payecs-tests", Uses::AllBut(&["planner-vs-ldk"])),
    ("simulator", Uses::AllBut(&["payecs-tests", "example-system"])),
    ("example-system", Uses::Only(&["ecs-core", "ecs-systems"])),
];

/// Who may name outside crates whose names begin so, in tests too.
const NAMED_BY: &[(&str, &[&str])] = &[
    // Others read by what `ecs-core` hands on, so that one crate decides on the version.
    ("bevy", &["ecs-core", "ecs-systems"]),
    ("tokio", &["payflow-default", "rpc-bridge", "payecs-tests"]),
];

/// The members of the workspace, as cargo understands their manifests.
pub(crate) fn members() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.current_dir(tree::root()).no_deps().other_options(vec!["--offline".to_owned()]);
    command.exec().expect("cargo reads the workspace").packages
}

fn is_ours(dependency: &Dependency) -> bool {
    dependency.path.is_some()
}

/// Why `package` may not use `dependency`, if it may not.
fn edge_fault(package: &str, dependency: &str) -> Option<String> {
    let Some((_, uses)) = EDGES.iter().find(|(name, _)| *name == package) else {
        return Some(format!("{package} has no row in EDGES: say there what it may use of ours"));
    };
    let allowed = match uses {
        Uses::Only(names) => names.contains(&dependency),
        Uses::AllBut(names) => !names.contains(&dependency),
    };
    let advice = "move what is needed down, or behind a port";
    (!allowed).then(|| format!("{package} may not use {dependency}: {advice}"))
}

/// Why `package` may not name `dependency`, if it may not.
fn name_fault(package: &str, dependency: &str) -> Option<String> {
    let (_, by) = NAMED_BY.iter().find(|(prefix, _)| dependency.starts_with(prefix))?;
    let only = by.join(", ");
    (!by.contains(&package))
        .then(|| format!("{package} may not name {dependency}: only {only} may"))
}

fn manifest(package: &Package) -> String {
    let path = package.manifest_path.as_std_path();
    path.strip_prefix(tree::root()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_of_ours_use_only_those_below_them() {
    let mut faults = vec![];
    for package in members() {
        let ships = |found: &&Dependency| found.kind != DependencyKind::Development;
        for dependency in package.dependencies.iter().filter(ships).filter(|it| is_ours(it)) {
            let fault = edge_fault(&package.name, &dependency.name);
            faults.extend(fault.map(|fault| format!("{}: {fault}", manifest(&package))));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn bevy_and_tokio_are_named_only_where_they_are_at_home() {
    let mut faults = vec![];
    for package in members() {
        for dependency in package.dependencies.iter().filter(|found| !is_ours(found)) {
            let fault = name_fault(&package.name, &dependency.name);
            faults.extend(fault.map(|fault| format!("{}: {fault}", manifest(&package))));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let mut names: Vec<_> = members().iter().map(|package| package.name.to_string()).collect();
    let mut rows: Vec<_> = EDGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    rows.sort();
    assert_eq!(names, rows, "workspace members on the left, rows of EDGES on the right");
}

#[test]
fn an_edge_upwards_is_refused() {
    for (package, dependency, refused) in [
        ("ecs-core", "payecs-units", true),
        ("rpc-bridge", "ecs-systems", true),
        ("ecs-systems", "payecs-units", false),
        ("payflow-default", "rpc-bridge", false),
        ("payflow-default", "payecs-tests", true),
        ("payecs-tests", "payflow-default", false),
        ("stranger", "ecs-core", true),
    ] {
        assert_eq!(edge_fault(package, dependency).is_some(), refused, "{package} {dependency}");
    }
    for (package, dependency, refused) in [
        ("ecs-core", "bevy_ecs", false),
        ("payecs-planner", "bevy_ecs", true),
        ("payflow-default", "bevy_ecs", true),
        ("ecs-core", "tokio", true),
        ("rpc-bridge", "tokio-util", false),
        ("payecs-units", "serde", false),
    ] {
        assert_eq!(name_fault(package, dependency).is_some(), refused, "{package} {dependency}");
    }
}
