//! What no file may say.

use super::{
    mask::{line_at, mask, words},
    tree,
};
use regex_lite::Regex;

/// A pattern that no text file may contain, and what to do instead.
struct Ban {
    pattern: Regex,
    advice: &'static str,
}

fn ban(pattern: &str, advice: &'static str) -> Ban {
    Ban { pattern: Regex::new(pattern).expect("the pattern is written here"), advice }
}

/// The bans. Patterns are split so that this file keeps them itself.
fn bans() -> Vec<Ban> {
    vec![
        ban(
            concat!(r"(?:^|[^\w./-])/(?:wo", r"rk|ho", r"me|ro", r"ot)/"),
            "a path of one machine: say it relative to the root",
        ),
        ban(
            concat!(r"(?:^|[^\w./-])/tm", r"p/[A-Za-z0-9]"),
            "a path of one machine: ask for a temporary directory at run time",
        ),
        ban(
            concat!(r"\b(?:to", r"do|unimple", r"mented)!"),
            "unfinished: write it, or leave it out",
        ),
        ban(concat!(r"\bdb", r"g!"), "left from debugging: remove it"),
        ban(concat!(r"\b(?:FIX", r"ME|X", r"XX)\b"), "mend it, or say in the docs what is missing"),
        ban(concat!(r"#\[ign", r"ore"), "a test that does not run: make it run, or remove it"),
        ban(
            r"(?i)\b(?:issue|bug|ticket|pr|pull request)[ -]#?\d",
            "numbers of a tracker mean nothing here: say what it was about",
        ),
        ban(
            r"(?:^|[\s(\[])(?:[\w.-]+/[\w.-]+)?#\d+(?:[\s.,;:)\]]|$)",
            "numbers of a tracker mean nothing here: say what it was about",
        ),
        ban(
            r"/(?:issues|pull|pulls|merge_requests)/\d",
            "links to a tracker die: say what it was about",
        ),
    ]
}

fn faults_of(path: &str, text: &str, bans: &[Ban]) -> Vec<String> {
    let mut faults = vec![];
    for (at, line) in text.lines().enumerate() {
        for Ban { pattern, advice } in bans {
            if let Some(found) = pattern.find(line) {
                faults.push(format!("{path}:{}: `{}`: {advice}", at + 1, found.as_str().trim()));
            }
        }
    }
    faults
}

#[test]
fn no_file_names_a_machine_a_tracker_or_unfinished_work() {
    let bans = bans();
    let faults: Vec<_> =
        tree::files().iter().flat_map(|file| faults_of(&file.path, &file.text, &bans)).collect();
    tree::assert_none(&faults);
}

#[test]
fn unsafe_code_never_appears() {
    let faults: Vec<_> = tree::sources()
        .flat_map(|file| {
            let masked = mask(&file.text);
            let lines: Vec<_> = words(&masked, "unsafe").map(|at| line_at(&masked, at)).collect();
            let path = &file.path;
            lines.into_iter().map(move |line| {
                format!("{path}:{line}: `unsafe`: find a safe way, or a crate that is reviewed")
            })
        })
        .collect();
    tree::assert_none(&faults);
}

#[test]
fn each_ban_finds_what_it_is_for_and_nothing_near_it() {
    let bans = bans();
    for (line, found) in [
        (concat!("see /wo", "rk/x"), 1),
        (concat!("\"/ho", "me/me\""), 1),
        (concat!("/ro", "ot/.cargo"), 1),
        (concat!("cd /tm", "p/x"), 1),
        (concat!("https://example.org/wo", "rk/x and a/ho", "me/b"), 0),
        ("a temporary directory under /tmp", 0),
        (concat!("to", "do!(\"later\")"), 1),
        ("lint `todo` is on", 0),
        (concat!("db", "g!(x)"), 1),
        (concat!("// FIX", "ME"), 1),
        (concat!("X", "XX and X", "XX"), 1),
        ("XXXX", 0),
        (concat!("#[ign", "ore = \"slow\"]"), 1),
        (concat!("issue ", "12"), 1),
        (concat!("closes ", "#12."), 1),
        (concat!("(acme/lib", "#12)"), 1),
        (concat!("https://example.org/acme/lib/pull", "/12"), 1),
        ("{:#010x} and flow.md#7-freeze and r#\"1\"# and [x](#1-why)", 0),
        ("it issues 12 invoices; expr 1", 0),
    ] {
        let faults = faults_of("a.md", line, &bans);
        assert_eq!(faults.len(), found, "{line}: {faults:?}");
    }
}
