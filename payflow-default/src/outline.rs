//! What a list of Systems comes to, without running it: who requires, disallows and writes what,
//! what looks wrong, and drawings of it.
//!
//! The default flow is known without an engine; any other list needs to be told who is registered.

mod dot;
mod edges;
mod known;
mod mermaid;
mod warnings;

pub use known::{Known, Writes};
pub use warnings::Warning;

use crate::flow::DEFAULT_FLOW;
use ecs_systems::flow::ROWS;
use std::collections::{BTreeMap, BTreeSet};

/// What names of ours begin with; drawings and tables leave it out.
const PREFIX: &str = "lightningd:";

/// A name without `lightningd:`.
#[must_use]
pub fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// A part of the story that the default flow tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What does the invoice say?
    Decode,
    /// How much, at what cost, and is it allowed?
    Limit,
    /// Which way?
    Plan,
    /// Parts leave, and what failed is learned from.
    Send,
    /// One of two ends.
    Settle,
    /// What comes in.
    Receive,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Decode, Self::Limit, Self::Plan, Self::Send, Self::Settle, Self::Receive];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "Decode",
            Self::Limit => "Limit",
            Self::Plan => "Plan",
            Self::Send => "Send",
            Self::Settle => "Settle",
            Self::Receive => "Receive",
        }
    }
}

/// What kind of Entity a System of the default flow runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Payment,
    Plan,
    Part,
    Incoming,
}

/// Where a System of the default flow has its place in the story.
fn place_of(row: &str) -> (Phase, Kind) {
    // The last row of decoding, limiting, planning and sending.
    const LAST: [(u32, Phase); 4] =
        [(10, Phase::Decode), (28, Phase::Limit), (30, Phase::Plan), (32, Phase::Send)];
    match row.chars().next() {
        Some('P') => (Phase::Plan, Kind::Plan),
        Some('S') => (Phase::Send, Kind::Part),
        Some('R') => (Phase::Receive, Kind::Incoming),
        Some(_) | None => {
            let number = row.trim_end_matches(char::is_alphabetic).parse().unwrap_or(u32::MAX);
            let phase = LAST.iter().find(|(last, _)| number <= *last).map(|(_, phase)| *phase);
            (phase.unwrap_or(Phase::Settle), Kind::Payment)
        }
    }
}

/// A System of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What is known of it; `None`: nobody registered it.
    pub known: Option<Known>,
    /// Its phase: where the default flow has it, or else that of the System before it.
    pub phase: Phase,
    /// The kind of Entity that it is for, if the default flow has it.
    pub(crate) kind: Option<Kind>,
}

/// A list of Systems, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Those of the list.
    pub systems: Vec<Listed>,
    /// Those that are registered, and that the list doesn't name, by name.
    pub others: BTreeMap<String, Known>,
    /// The place of the System that ran last on the Entity that the list is of.
    pub current: Option<usize>,
    /// Components that are attached to that Entity, as far as Systems of the list require them.
    pub attached: BTreeSet<String>,
}

impl Outline {
    /// The default flow, as this program has it.
    /// ```
    /// # use payflow_default::outline::{Outline, Phase};
    /// let flow = Outline::default_flow();
    /// assert_eq!(flow.systems[0].name, "lightningd:generate_nonce");
    /// assert_eq!(flow.systems[0].phase, Phase::Decode);
    /// assert!(flow.warnings().is_empty());
    /// ```
    #[must_use]
    pub fn default_flow() -> Self {
        let known = ROWS.iter().map(|(_, spec)| (spec.name.to_owned(), Known::of(spec)));
        Self::of(DEFAULT_FLOW.iter().map(|name| (*name).to_owned()), &known.collect())
    }

    /// A list, and everything that is registered.
    #[must_use]
    pub fn of(
        names: impl IntoIterator<Item = String>,
        registered: &BTreeMap<String, Known>,
    ) -> Self {
        let rows: BTreeMap<&str, &str> = ROWS.iter().map(|(row, it)| (it.name, *row)).collect();
        let mut others = registered.clone();
        let mut systems: Vec<Listed> = Vec::new();
        for name in names {
            let row = rows.get(name.as_str()).map(|row| place_of(row));
            let before = systems.last().map_or(Phase::Decode, |before| before.phase);
            let (phase, kind) = row.map_or((before, None), |(phase, kind)| (phase, Some(kind)));
            others.remove(&name);
            let known = registered.get(&name).cloned();
            systems.push(Listed { name, known, phase, kind });
        }
        Self { systems, others, ..Self::default() }
    }

    /// The phases that the list has, in the order of the story, each with the places of its Systems
    /// in the list.
    #[must_use]
    pub fn phases(&self) -> Vec<(Phase, Vec<usize>)> {
        let all = Phase::ALL.into_iter().map(|phase| {
            let of = |(_, system): &(usize, &Listed)| system.phase == phase;
            let places = self.systems.iter().enumerate().filter(of).map(|(place, _)| place);
            (phase, places.collect::<Vec<usize>>())
        });
        all.filter(|(_, places)| !places.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests;
