//! What is known of a registered System.

use ecs_core::{Json, SystemSpec};
use ecs_systems::flow::ROWS;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a System writes to the Entity that it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writes {
    /// One of the default flow.
    Told {
        /// What it may attach.
        attaches: Vec<String>,
        /// What it may detach.
        detaches: Vec<String>,
        /// Whether it may fail the Entity.
        refuses: bool,
    },
    /// What whoever registered it says that it attaches or detaches.
    Declared(Vec<String>),
    /// Nothing is said.
    Unknown,
}

/// A System as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The Components that must be attached.
    pub required: Vec<String>,
    /// The Components that must be absent.
    pub disallowed: Vec<String>,
    /// Whose it is: `payecs` for the default flow's.
    pub owner: String,
    /// What it writes.
    pub writes: Writes,
}

/// The owner of the default flow's Systems.
pub(crate) const OURS: &str = "payecs";

/// What `payecs_listsystems` says of a System, as far as it is needed here.
#[derive(Deserialize)]
struct Registered {
    system: String,
    required: Vec<String>,
    disallowed: Vec<String>,
    owner: String,
    builtin: bool,
    #[serde(default)]
    writes: Option<Vec<String>>,
}

impl Known {
    /// A System of the default flow.
    #[must_use]
    pub fn of(spec: &SystemSpec) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (attaches, detaches) = (owned(spec.attaches), owned(spec.detaches));
        Self {
            required: owned(spec.required),
            disallowed: owned(spec.disallowed),
            owner: OURS.to_owned(),
            writes: Writes::Told { attaches, detaches, refuses: !spec.refuses.is_empty() },
        }
    }

    /// Everything that is registered, from the answer of `payecs_listsystems`. What a built-in
    /// System writes is known only if this program has the same. `None`: it is no such answer.
    #[must_use]
    pub fn all(answer: &Json) -> Option<BTreeMap<String, Self>> {
        #[derive(Deserialize)]
        struct Answer {
            systems: Vec<Registered>,
        }
        let Answer { systems } = answer.decode().ok()?;
        Some(systems.into_iter().map(Self::registered).collect())
    }

    fn registered(it: Registered) -> (String, Self) {
        let Registered { system, required, disallowed, owner, builtin, writes } = it;
        let ours = ROWS.iter().find(|(_, spec)| builtin && spec.name == system);
        let ours = ours.map(|(_, spec)| Self::of(spec));
        let same = ours.filter(|it| it.required == required && it.disallowed == disallowed);
        let writes = match (same, writes) {
            (Some(same), _) => same.writes,
            (None, Some(writes)) => Writes::Declared(writes),
            (None, None) => Writes::Unknown,
        };
        (system, Self { required, disallowed, owner, writes })
    }

    /// Whether it may attach a Component, as far as anybody says so. `invoice:FIELD` stands for
    /// each field of an invoice.
    pub(crate) fn attaches(&self, component: &str) -> bool {
        let stands_for = |name: &String| {
            let any = name.rsplit_once(':').filter(|(_, last)| ["FIELD", "TYPE"].contains(last));
            any.is_some_and(|(prefix, _)| {
                component.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(':'))
            })
        };
        match &self.writes {
            Writes::Told { attaches, .. } => {
                attaches.iter().any(|name| name == component || stands_for(name))
            }
            Writes::Declared(writes) => writes.iter().any(|name| name == component),
            Writes::Unknown => false,
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.owner == OURS
    }
}
