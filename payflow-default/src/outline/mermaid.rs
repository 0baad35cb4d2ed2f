//! A list as a Mermaid flowchart.

use super::{
    Outline,
    edges::{Edges, End},
    short,
};
use std::fmt::Write as _;

impl Outline {
    /// A Mermaid flowchart: a box for each phase with its Systems in order, and an arrow from each
    /// System that attaches a Component to those that require it on the same Entity.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart TB\n".to_owned();
        let phases = self.phases();
        for (phase, places) in &phases {
            let _ = writeln!(out, "  subgraph {0}[\"{0}\"]", phase.name());
            for place in places {
                let name = escaped(short(&self.systems[*place].name));
                let _ = writeln!(out, "    s{place}[\"{} {name}\"]", place + 1);
            }
            out.push_str("  end\n");
        }
        let edges = Edges::of(self);
        for (hub, component) in edges.hubs.iter().enumerate() {
            let _ = writeln!(out, "  c{hub}([\"{}\"])", escaped(short(component)));
        }
        for ((from, to), components) in &edges.arrows {
            let names: Vec<String> = components.iter().map(|it| escaped(short(it))).collect();
            let (from, to) = (id(*from), id(*to));
            let label = format!("|\"{}\"|", names.join(", "));
            let label = if names.is_empty() { "" } else { label.as_str() };
            let _ = writeln!(out, "  {from} -->{label} {to}");
        }
        self.mermaid_classes(&mut out);
        out
    }

    /// How Systems look that are not the default flow's, and the one that ran last.
    fn mermaid_classes(&self, out: &mut String) {
        let is_other = |place: &usize| {
            self.systems[*place].known.as_ref().is_some_and(|known| !known.is_ours())
        };
        let is_unknown = |place: &usize| self.systems[*place].known.is_none();
        let all = 0..self.systems.len();
        for (class, look, places) in [
            ("other", "stroke-width:3px", all.clone().filter(is_other).collect::<Vec<_>>()),
            ("unknown", "stroke-dasharray:4", all.filter(is_unknown).collect()),
            ("current", "font-weight:bold", self.current.into_iter().collect()),
        ] {
            if !places.is_empty() {
                let ids: Vec<String> = places.iter().map(|place| format!("s{place}")).collect();
                let _ = writeln!(out, "  classDef {class} {look}");
                let _ = writeln!(out, "  class {} {class}", ids.join(","));
            }
        }
    }
}

fn id(end: End) -> String {
    match end {
        End::System(place) => format!("s{place}"),
        End::Hub(hub) => format!("c{hub}"),
    }
}

/// A name in a quoted text: what would end it, or be taken for markup, as an entity.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '#' | '"' | '<' | '>' | '&' | '`' | '*' => {
                let _ = write!(out, "#{};", u32::from(char));
            }
            other => out.push(other),
        }
    }
    out
}
