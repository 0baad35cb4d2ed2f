//! Decision records and change notes have the form their READMEs promise.

use super::{
    markdown::{headings, links},
    tree::{self, TextFile},
};

const DECISIONS: &str = "docs/adr";
const CHANGES: &str = "docs/changes";
const CHANGE_KINDS: &[&str] = &["Breaking", "Safety", "Added", "Fixed"];

/// The documents of a directory but its README, by name.
fn notes(directory: &str) -> Vec<&'static TextFile> {
    let notes = tree::documents().filter(|file| file.directory() == directory);
    notes.filter(|file| file.name() != "README.md").collect()
}

/// What is wrong with the names of decision records, given in order.
fn numbering_faults(names: &[&str]) -> Vec<String> {
    let mut faults = vec![];
    for (at, name) in names.iter().enumerate() {
        let number = format!("{:04}-", at + 1);
        if !name.starts_with(&number) {
            faults.push(format!("{DECISIONS}/{name}:1: the next number is {number}: rename it"));
        }
    }
    faults
}

fn decision_faults(file: &TextFile) -> Vec<String> {
    let headings = headings(&file.text);
    let number = file.name().split('-').next().unwrap_or_default();
    let mut faults = vec![];
    let titled = headings
        .first()
        .is_some_and(|found| found.level == 1 && found.text.starts_with(&format!("{number} ")));
    if !titled {
        faults.push(format!("{}:1: begin with `# {number} Title`", file.path));
    }
    for wanted in ["Context", "Decision", "Consequences"] {
        if !headings.iter().any(|found| found.level == 2 && found.text == wanted) {
            faults.push(format!("{}:1: add the heading `## {wanted}`", file.path));
        }
    }
    faults
}

#[test]
fn decisions_are_numbered_from_0001_without_gaps() {
    let names: Vec<_> = notes(DECISIONS).iter().map(|file| file.name()).collect();
    tree::assert_none(&numbering_faults(&names));
}

#[test]
fn decisions_have_context_decision_and_consequences() {
    let faults: Vec<_> = notes(DECISIONS).into_iter().flat_map(decision_faults).collect();
    tree::assert_none(&faults);
}

#[test]
fn the_list_of_decisions_names_each_once_and_in_order() {
    let list = tree::file("docs/adr/README.md").expect("decisions have a README");
    let links = links(&list.text);
    let of_decision = |target: &&str| target.starts_with(|first: char| first.is_ascii_digit());
    let listed: Vec<_> =
        links.iter().map(|link| link.target.as_str()).filter(of_decision).collect();
    let names: Vec<_> = notes(DECISIONS).iter().map(|file| file.name()).collect();
    assert_eq!(listed, names, "links in docs/adr/README.md on the left, files on the right");
}

#[test]
fn change_notes_say_what_kind_of_change_it_is() {
    let kinds = CHANGE_KINDS.join(", ");
    let mut faults = vec![];
    for file in notes(CHANGES) {
        let kind = file.text.split(':').next().unwrap_or_default();
        if !CHANGE_KINDS.contains(&kind) {
            faults.push(format!("{}:1: begin with one of {kinds} and a colon", file.path));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn a_gap_or_a_missing_heading_is_found() {
    assert_eq!(numbering_faults(&["0001-a.md", "0002-b.md"]), Vec::<String>::new());
    assert_eq!(numbering_faults(&["0001-a.md", "0003-b.md"]).len(), 1);
    assert_eq!(numbering_faults(&["1-a.md"]).len(), 1);
    let decision = |text: &str| {
        let path = format!("{DECISIONS}/0001-a.md");
        decision_faults(&TextFile { path, text: text.to_owned() }).len()
    };
    assert_eq!(decision("# 0001 A\n## Context\n## Decision\n## Consequences\n"), 0);
    assert_eq!(decision("# 0002 A\n### Context\n## Decision\n"), 3);
}
