//! Who goes on from what whom: one System attaches what another requires.

use super::{Listed, Outline};
use std::collections::BTreeMap;

/// Where an arrow begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// A System, by its place in the list.
    System(usize),
    /// A Component that many attach and many require, by its place in [`Edges::hubs`].
    Hub(usize),
}

/// The arrows of a drawing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    /// Components that stand in the drawing themselves, which saves arrows.
    pub(super) hubs: Vec<String>,
    /// From where to where, with the Components that an arrow between two Systems stands for.
    pub(super) arrows: BTreeMap<(End, End), Vec<String>>,
}

impl Edges {
    pub(super) fn of(outline: &Outline) -> Self {
        let mut edges = Self::default();
        let systems: Vec<(usize, &Listed)> = outline.systems.iter().enumerate().collect();
        let required = systems.iter().filter_map(|(_, system)| system.known.as_ref());
        let mut components: Vec<&String> = required.flat_map(|known| &known.required).collect();
        components.sort_unstable();
        components.dedup();
        for component in components {
            let pairs = pairs(&systems, component);
            edges.add(component, &pairs);
        }
        edges
    }

    fn add(&mut self, component: &str, pairs: &[(usize, usize)]) {
        let unique = |mut places: Vec<usize>| {
            places.sort_unstable();
            places.dedup();
            places
        };
        let from = unique(pairs.iter().map(|(from, _)| *from).collect());
        let to = unique(pairs.iter().map(|(_, to)| *to).collect());
        if pairs.len() <= from.len() + to.len() {
            for (from, to) in pairs {
                let arrow = (End::System(*from), End::System(*to));
                self.arrows.entry(arrow).or_default().push(component.to_owned());
            }
            return;
        }
        let hub = End::Hub(self.hubs.len());
        self.hubs.push(component.to_owned());
        let into = from.into_iter().map(|from| (End::System(from), hub));
        let out = to.into_iter().map(|to| (hub, End::System(to)));
        self.arrows.extend(into.chain(out).map(|arrow| (arrow, Vec::new())));
    }
}

/// The Systems that attach a Component, each with one that requires it on the same Entity.
fn pairs(systems: &[(usize, &Listed)], component: &str) -> Vec<(usize, usize)> {
    let meet = |from: &Listed, to: &Listed| match (from.kind, to.kind) {
        (Some(from), Some(to)) => from == to,
        (None, _) | (_, None) => true,
    };
    let attaches =
        |system: &Listed| system.known.as_ref().is_some_and(|known| known.attaches(component));
    let requires = |system: &Listed| {
        let mut names = system.known.iter().flat_map(|known| &known.required);
        names.any(|name| name == component)
    };
    let mut pairs = Vec::new();
    for (from, attacher) in systems.iter().filter(|(_, system)| attaches(system)) {
        for (to, other) in systems.iter().filter(|(_, system)| requires(system)) {
            if from != to && meet(attacher, other) {
                pairs.push((*from, *to));
            }
        }
    }
    pairs
}
