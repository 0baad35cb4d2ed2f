//! What every manifest says.

use super::{edges::members, tree};
use std::fs;
use toml::{Table, Value};

/// What is missing in a manifest.
fn faults_of(manifest: &Table) -> Vec<String> {
    let inherited = |table: &str, key: &str| -> bool {
        let value = manifest.get(table).and_then(|table| table.get(key));
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    let mut faults = vec![];
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        faults.push("add `[lints] workspace = true`".to_owned());
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherited("package", key) {
            faults.push(format!("say `{key}.workspace = true`"));
        }
    }
    let description = manifest.get("package").and_then(|package| package.get("description"));
    if description.and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
        faults.push("add a description".to_owned());
    }
    faults
}

#[test]
fn every_crate_has_a_description_and_inherits_lints_and_licence() {
    let mut faults = vec![];
    for package in members() {
        let path = &package.manifest_path;
        let text = fs::read_to_string(path).expect("cargo has just read it");
        let manifest = text.parse().expect("cargo has just read it");
        let path = path.strip_prefix(tree::root()).unwrap_or(path);
        faults.extend(faults_of(&manifest).iter().map(|fault| format!("{path}:1: {fault}")));
    }
    tree::assert_none(&faults);
}

#[test]
fn a_manifest_that_says_nothing_lacks_everything() {
    let empty = "[package]\nname = \"a\"\nlicense = \"MIT\"\nlints.workspace = true\n";
    assert_eq!(faults_of(&empty.parse().expect("it is TOML")).len(), 7);
}
