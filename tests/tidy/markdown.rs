//! Reads the little of Markdown that the laws about documents need.

use regex_lite::Regex;
use std::{collections::BTreeMap, sync::OnceLock};

/// A link as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The line it is on, from 1.
    pub(crate) line: usize,
    /// What it points at, anchor included.
    pub(crate) target: String,
}

/// A heading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// 1 for `#`.
    pub(crate) level: usize,
    /// Its text, as written.
    pub(crate) text: String,
}

/// The links of a document, in order: inline ones, images and reference definitions.
pub(crate) fn links(text: &str) -> Vec<Link> {
    static PATTERN: OnceLock<Regex> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| {
        let inline = r#"\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)"#;
        let definition = r"^ {0,3}\[[^\]^][^\]]*\]:\s*<?([^\s>]+)";
        Regex::new(&format!("{inline}|{definition}")).expect("the pattern is written here")
    });
    let mut links = vec![];
    for (line, text) in prose(text) {
        for found in pattern.captures_iter(&without_code(text)) {
            let target = found.get(1).or(found.get(2)).expect("one side has matched");
            links.push(Link { line, target: target.as_str().to_owned() });
        }
    }
    links
}

/// The headings of a document, in order.
pub(crate) fn headings(text: &str) -> Vec<Heading> {
    let heading = |(_, line): (usize, &str)| {
        let level = line.len() - line.trim_start_matches('#').len();
        let text = line[level..].strip_prefix(' ')?.trim().trim_end_matches('#').trim_end();
        (1..=6).contains(&level).then(|| Heading { level, text: text.to_owned() })
    };
    prose(text).filter_map(heading).collect()
}

/// The anchors of a document: those of its headings, as forges make them, and those set by hand.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = vec![];
    for heading in headings(text) {
        let slug = slug(&heading.text);
        let count = seen.entry(slug.clone()).or_default();
        anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    let by_hand = Regex::new(r#"<a (?:id|name)="([^"]+)""#).expect("the pattern is written here");
    anchors.extend(by_hand.captures_iter(text).map(|found| found[1].to_owned()));
    anchors
}

/// The lines outside fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let start = line.trim_start();
        if let Some(mark) = fence {
            fence = (!start.starts_with(mark)).then_some(mark);
            None
        } else {
            fence = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
            fence.is_none().then_some((at + 1, line))
        }
    })
}

/// The line with spans of code left out.
fn without_code(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let (before, code) = rest.split_at(at);
        kept.push_str(before);
        let after = code.trim_start_matches('`');
        let ticks = &code[..code.len() - after.len()];
        rest = after.split_once(ticks).map_or(after, |(_, rest)| rest);
    }
    kept + rest
}

fn slug(heading: &str) -> String {
    let link = Regex::new(r"\[([^\]]*)\]\([^)]*\)").expect("the pattern is written here");
    let text = link.replace_all(heading, "$1").to_lowercase();
    let kept = text.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_are_found_in_prose_and_not_in_code() {
    let text = "[a](b.md#c) ![d](e.png \"title\") `[x](y)` [`f`](<g.md>)\n\
        ```text\n[x](y)\n```\n\n[ref]: h.md\n[^1]: no link\n``[x](y) ` ``[i](j.md)\n";
    let found = links(text);
    let found: Vec<_> = found.iter().map(|link| (link.line, link.target.as_str())).collect();
    let expected = [(1, "b.md#c"), (1, "e.png"), (1, "g.md"), (6, "h.md"), (8, "j.md")];
    assert_eq!(found, expected);
}

#[test]
fn anchors_are_those_that_forges_make() {
    let text = "# The `Node` port: a_b\n## [Why](x.md)?\n## Why\n```sh\n# no heading\n```\n\
        #hashtag\n<a id=\"by-hand\"></a>\n## In µ% & ppm ##\n";
    let expected = ["the-node-port-a_b", "why", "why-1", "in-µ--ppm", "by-hand"];
    assert_eq!(anchors(text), expected);
}
