//! A list as a graph for Graphviz.

use super::{
    Known, Outline,
    edges::{Edges, End},
    short,
};
use std::fmt::Write as _;

impl Outline {
    /// A graph in the language of Graphviz, with the arrows of [`Outline::mermaid`]. What each
    /// System requires and disallows is its tooltip.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut out = "digraph flow {\n  rankdir=TB;\n  node [shape=box];\n".to_owned();
        for (phase, places) in self.phases() {
            let _ = writeln!(out, "  subgraph cluster_{} {{", phase.name());
            let _ = writeln!(out, "    label={};", quoted(phase.name()));
            for place in places {
                let _ = writeln!(out, "    s{place} [{}];", self.looks(place));
            }
            out.push_str("  }\n");
        }
        let edges = Edges::of(self);
        for (hub, component) in edges.hubs.iter().enumerate() {
            let label = quoted(short(component));
            let _ = writeln!(out, "  c{hub} [shape=ellipse, label={label}];");
        }
        for ((from, to), components) in &edges.arrows {
            let names: Vec<&str> = components.iter().map(|it| short(it)).collect();
            let (from, to) = (id(*from), id(*to));
            let label = format!(" [label={}]", quoted(&names.join(", ")));
            let label = if names.is_empty() { "" } else { label.as_str() };
            let _ = writeln!(out, "  {from} -> {to}{label};");
        }
        out.push_str("}\n");
        out
    }

    fn looks(&self, place: usize) -> String {
        let system = &self.systems[place];
        let label = quoted(&format!("{} {}", place + 1, short(&system.name)));
        let style = match &system.known {
            None => ", style=dashed",
            Some(known) if !known.is_ours() => ", penwidth=3",
            Some(_) => "",
        };
        let current = if self.current == Some(place) { ", peripheries=2" } else { "" };
        let tip = system.known.as_ref().map_or_else(|| "not registered".to_owned(), tip);
        format!("label={label}, tooltip={}{style}{current}", quoted(&tip))
    }
}

fn tip(known: &Known) -> String {
    let list = |names: &[String]| {
        let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    format!("requires {}; disallows {}", list(&known.required), list(&known.disallowed))
}

fn id(end: End) -> String {
    match end {
        End::System(place) => format!("s{place}"),
        End::Hub(hub) => format!("c{hub}"),
    }
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
