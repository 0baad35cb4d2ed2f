//! What is said of an external System when it is registered, besides its match.

mod additions;

pub use additions::{ADDITIONS_MAX, Additions};

use crate::system::SystemDef;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest name of an owner.
pub const OWNER_BYTES_MAX: usize = 128;

/// What whoever registers an external System says of it. What is left out stays as it was said
/// before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    /// Who runs it, in a name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The token of whoever registered it: only who comes with it serves it, says more of it, or
    /// takes it away. `None`: the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Arc<str>>,
    /// How long it may be without a server, in milliseconds, before what nobody has fails; without
    /// it as long as it may take to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Components that it reads beside those it requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
    /// Components that it attaches or detaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<String>>,
}

/// An external System: its match, how long it may take in milliseconds, and what else is said of
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct External(pub SystemDef, pub u64, #[serde(default)] pub Declared);

/// Components with which a System ends its match whatever it requires: they end the Entity.
const ENDS: [&str; 3] = ["lightningd:systems", "lightningd:failing", "lightningd:error"];

impl Declared {
    /// The same, with what is said now.
    pub(crate) fn update(&mut self, now: Self) {
        let Self { owner, token, grace_ms, reads, writes } = now;
        self.token = token.or(self.token.take());
        self.owner = owner.or(self.owner.take());
        self.grace_ms = grace_ms.or(self.grace_ms);
        self.reads = reads.or(self.reads.take());
        self.writes = writes.or(self.writes.take());
    }

    /// Why a System that writes no more than it says goes on matching what it was run on.
    /// ```
    /// # use ecs_core::{Declared, system};
    /// let tip = system("acme:tip").requires(["acme:go"]).disallows(["acme:tipped"]);
    /// let nothing = Declared::default();
    /// let writing = |name: &str| Declared { writes: Some(vec![name.into()]), ..nothing.clone() };
    /// assert_eq!(writing("acme:tipped").warning(&tip), None);
    /// assert!(writing("acme:other").warning(&tip).is_some());
    /// assert_eq!(nothing.warning(&tip), None, "nothing is said");
    /// ```
    #[must_use]
    pub fn warning(&self, def: &SystemDef) -> Option<String> {
        let writes = self.writes.as_ref()?;
        let ends = |name: &String| {
            let mut named = def.required.iter().chain(&def.disallowed);
            named.any(|other| other == name) || ENDS.contains(&name.as_str())
        };
        if writes.iter().any(ends) {
            return None;
        }
        let name = &def.system;
        Some(format!(
            "System `{name}` writes nothing that it requires or disallows, so that it goes on \
             matching, and its Entity ends in 2202."
        ))
    }
}
