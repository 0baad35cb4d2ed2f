//! Links and names of documents lead somewhere.

use super::{
    markdown::{anchors, links},
    tree::{self, TextFile},
};
use regex_lite::Regex;
use std::path::{Component, Path};

/// The documents from which every other one can be reached.
const ENTRANCES: &[&str] = &["README.md", "docs/ARCHITECTURE.md"];

/// Where `target` leads from `directory`, as a path from the root; `None` outside of the tree.
fn resolve(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in Path::new(target).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// Whether a link leaves the tree, or is one of rustdoc's.
fn is_elsewhere(target: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
        || target.contains("::")
}

/// Where a link of `file` leads, without its anchor.
fn destination(file: &TextFile, target: &str) -> Option<String> {
    match target.split_once('#').map_or(target, |(path, _)| path) {
        "" => Some(file.path.clone()),
        path => resolve(file.directory(), path),
    }
}

fn link_fault(file: &TextFile, target: &str) -> Option<String> {
    let Some(path) = destination(file, target) else {
        return Some("leads out of the tree: make it relative".to_owned());
    };
    if !tree::root().join(&path).exists() {
        return Some(format!("{path} does not exist: write it, or mend the link"));
    }
    let anchor = target.split_once('#')?.1;
    let document = tree::file(&path).filter(|found| found.has_extension("md"))?;
    let known = anchors(&document.text);
    let advice = "give it that heading, or mend the link";
    (!known.iter().any(|known| known == anchor))
        .then(|| format!("{path} has no heading for it: {advice}"))
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut faults = vec![];
    for file in tree::documents() {
        for link in links(&file.text).iter().filter(|link| !is_elsewhere(&link.target)) {
            let fault = link_fault(file, &link.target);
            let place = format!("{}:{}: `{}`", file.path, link.line, link.target);
            faults.extend(fault.map(|fault| format!("{place}: {fault}")));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn every_document_that_a_source_names_exists() {
    let name = Regex::new(r"\bdocs/[A-Za-z0-9_/-]+\.md\b").expect("the pattern is written here");
    let mut faults = vec![];
    for file in tree::files().iter().filter(|it| it.has_extension("rs") || it.has_extension("toml"))
    {
        for (at, line) in file.text.lines().enumerate() {
            let missing = name.find_iter(line).filter(|it| tree::file(it.as_str()).is_none());
            let place = format!("{}:{}", file.path, at + 1);
            faults.extend(missing.map(|it| format!("{place}: {} does not exist", it.as_str())));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn every_document_is_linked_from_an_entrance() {
    let mut reached = vec![];
    let mut faults = vec![];
    for entrance in ENTRANCES {
        match tree::file(entrance) {
            None => faults.push(format!("{entrance}:1: does not exist: write it")),
            Some(file) => {
                let links = links(&file.text);
                reached.extend(links.iter().filter_map(|link| destination(file, &link.target)));
            }
        }
    }
    for file in tree::documents().filter(|file| file.directory() == "docs") {
        if !reached.contains(&file.path) {
            let from = ENTRANCES.join(" or ");
            faults.push(format!("{}:1: nobody finds it: link it from {from}", file.path));
        }
    }
    tree::assert_none(&faults);
}

#[test]
fn a_link_is_read_from_the_directory_of_its_document() {
    for (directory, target, path) in [
        ("", "notes/A.md", Some("notes/A.md")),
        ("notes", "A.md", Some("notes/A.md")),
        ("notes/old", "../A.md", Some("notes/A.md")),
        ("notes", "./old/", Some("notes/old")),
        ("notes", "..", Some("")),
        ("notes", "../../x", None),
        ("notes", "/notes/A.md", None),
    ] {
        assert_eq!(resolve(directory, target).as_deref(), path, "{directory} {target}");
    }
}
