use super::*;

/// A System of a third party that says what it writes.
fn external(required: &[&str], disallowed: &[&str], writes: Option<&[&str]>) -> Known {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Known {
        required: owned(required),
        disallowed: owned(disallowed),
        owner: "acme".to_owned(),
        writes: writes.map_or(Writes::Unknown, |names| Writes::Declared(owned(names))),
    }
}

/// A list of these, among the default flow's Systems.
fn listing(names: &[&str], others: &[(&str, Known)]) -> Outline {
    let known = ROWS.iter().map(|(_, spec)| (spec.name.to_owned(), Known::of(spec)));
    let others = others.iter().map(|(name, known)| ((*name).to_owned(), known.clone()));
    Outline::of(names.iter().map(|name| (*name).to_owned()), &known.chain(others).collect())
}

fn said(outline: &Outline) -> Vec<String> {
    outline.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn every_row_has_the_place_that_the_story_gives_it() {
    for (row, place) in [
        ("1", (Phase::Decode, Kind::Payment)),
        ("10", (Phase::Decode, Kind::Payment)),
        ("11", (Phase::Limit, Kind::Payment)),
        ("28b", (Phase::Limit, Kind::Payment)),
        ("29", (Phase::Plan, Kind::Payment)),
        ("P2", (Phase::Plan, Kind::Plan)),
        ("32", (Phase::Send, Kind::Payment)),
        ("S4", (Phase::Send, Kind::Part)),
        ("34", (Phase::Settle, Kind::Payment)),
        ("R9a", (Phase::Receive, Kind::Incoming)),
    ] {
        assert_eq!(place_of(row), place, "{row}");
    }
    let flow = Outline::default_flow();
    let drawn: usize = flow.phases().iter().map(|(_, places)| places.len()).sum();
    assert_eq!(drawn, DEFAULT_FLOW.len(), "each System stands in one phase");
    assert_eq!(flow.phases().len(), Phase::ALL.len());
}

#[test]
fn what_is_wrong_with_a_list_is_said_in_its_order() {
    let tip = external(&["acme:go"], &["acme:tipped"], Some(&["acme:tipped"]));
    let list =
        ["lightningd:policy", "acme:tip", "acme:tpi", "acme:tip", "lightningd:generate_nonce"];
    assert_eq!(
        said(&listing(&list, &[("acme:tip", tip)])),
        [
            "`policy` requires `preapproved`, which `preapprove` would attach: not in this list, \
             so it never matches",
            "`acme:tip` requires `acme:go`, which no System of this list says it attaches: a \
             caller has to",
            "`acme:tpi` is not registered; `acme:tip`?",
            "`acme:tip` is listed twice: only its first place counts",
        ]
    );
}

#[test]
fn a_system_that_cannot_run_or_end_is_told_of() {
    let both = external(&["acme:a"], &["acme:a"], None);
    let first = external(&["acme:a"], &["acme:b"], Some(&["acme:b"]));
    let second = external(&["acme:a", "acme:c"], &["acme:b", "acme:d"], Some(&["acme:d"]));
    let goes_on = external(&["acme:d"], &[], Some(&["acme:e", "acme:a", "acme:c"]));
    let all = [("x:both", both), ("x:first", first), ("x:second", second), ("x:on", goes_on)];
    let said = said(&listing(&["x:both", "x:first", "x:second", "x:on"], &all));
    assert_eq!(said[0], "`x:both` requires and disallows `acme:a`: it never matches");
    assert_eq!(said[1], "`x:second` never runs: `x:first` before it matches wherever it does");
    assert!(said[2].starts_with("System `x:on` writes nothing that it requires"), "{said:?}");
    assert_eq!(said.len(), 3, "{said:?}");
}

#[test]
fn what_is_attached_or_might_be_is_not_missed() {
    let flow = ["lightningd:policy"];
    let mut one = listing(&flow, &[]);
    assert_eq!(one.warnings().len(), 1);
    one.attached.insert("lightningd:preapproved".to_owned());
    assert_eq!(one.warnings(), []);
    let quiet = external(&["acme:go"], &["acme:done"], None);
    assert_eq!(said(&listing(&["acme:x"], &[("acme:x", quiet)])), [""; 0], "it may write anything");
}

#[test]
fn a_third_partys_system_stands_in_the_phase_of_the_one_before_it() {
    let tip = external(&["lightningd:amount"], &["acme:tipped"], Some(&["acme:tipped"]));
    let names = ["lightningd:split_partial", "acme:tip"];
    let outline = listing(&names, &[("acme:tip", tip)]);
    assert_eq!(outline.systems[1].phase, Phase::Limit);
    let drawn = outline.mermaid();
    for line in [
        "flowchart TB",
        "  subgraph Limit[\"Limit\"]",
        "    s1[\"2 acme:tip\"]",
        "  s0 -->|\"amount\"| s1",
        "  classDef other stroke-width:3px",
        "  class s1 other",
    ] {
        assert!(drawn.lines().any(|it| it == line), "{line}:\n{drawn}");
    }
    let dot = outline.dot();
    assert!(dot.contains("s1 [label=\"2 acme:tip\", tooltip=\"requires amount;"), "{dot}");
    assert!(dot.contains("s0 -> s1 [label=\"amount\"];") && dot.contains("penwidth=3"), "{dot}");
}

#[test]
fn names_cannot_end_a_drawings_text() {
    let name = "acme:#1<b>*&`";
    let outline = listing(&[name], &[]);
    assert!(outline.mermaid().contains("s0[\"1 acme:#35;1#60;b#62;#42;#38;#96;\"]"));
    assert!(outline.mermaid().contains("class s0 unknown"));
    assert!(outline.dot().contains("style=dashed"));
}

#[test]
fn many_to_many_goes_through_the_component_and_saves_arrows() {
    let flow = Outline::default_flow();
    let edges = edges::Edges::of(&flow);
    assert!(edges.hubs.iter().any(|hub| hub == "lightningd:refusing"), "{:?}", edges.hubs);
    assert!(edges.arrows.len() < 80, "{} arrows", edges.arrows.len());
    let systems = |end: &edges::End| match end {
        edges::End::System(place) => *place < flow.systems.len(),
        edges::End::Hub(hub) => *hub < edges.hubs.len(),
    };
    assert!(edges.arrows.keys().all(|(from, to)| systems(from) && systems(to)));
}
