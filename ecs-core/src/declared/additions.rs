//! What is put beside the Systems of the flow in the list that every Entity begins with.

use crate::{Engine, Error, delta::Change, systems::Systems};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Most Systems beside the flow: a list has room for more, of whoever makes an Entity.
pub const ADDITIONS_MAX: usize = 64;

/// The names that go right before or after others.
type Beside = BTreeMap<Arc<str>, Vec<Arc<str>>>;

/// Systems that stand in the default list beside those of the flow. Kept like Components: a restart
/// brings them back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Additions {
    /// Before all of the flow, in this order,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepend: Vec<Arc<str>>,
    /// and after all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub append: Vec<Arc<str>>,
    /// Right before one of the flow.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub before: Beside,
    /// Right after one of the flow.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub after: Beside,
}

impl Additions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every name of them, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let beside = self.before.values().chain(self.after.values()).flatten();
        self.prepend.iter().chain(&self.append).chain(beside)
    }

    /// The list that they make of a flow. What goes beside a System that the flow doesn't have goes
    /// before all of it: nobody's System is left out in silence.
    /// ```
    /// # use ecs_core::Additions;
    /// let beside = [("lightningd:plan".into(), vec!["acme:before".into()])];
    /// let additions = Additions {
    ///     prepend: vec!["acme:first".into()],
    ///     before: beside.into(),
    ///     ..Additions::default()
    /// };
    /// let list = additions.list(&["lightningd:policy".into(), "lightningd:plan".into()]);
    /// let expected = ["acme:first", "lightningd:policy", "acme:before", "lightningd:plan"];
    /// assert_eq!(list.iter().map(|name| &**name).collect::<Vec<_>>(), expected);
    /// ```
    #[must_use]
    pub fn list(&self, flow: &[Arc<str>]) -> Vec<Arc<str>> {
        let stray = |(name, _): &(&Arc<str>, &Vec<Arc<str>>)| !flow.contains(*name);
        let strays = self.before.iter().chain(&self.after).filter(stray);
        let mut list = self.prepend.clone();
        list.extend(strays.flat_map(|(_, names)| names.iter().cloned()));
        for name in flow {
            list.extend(self.before.get(name).into_iter().flatten().cloned());
            list.push(Arc::clone(name));
            list.extend(self.after.get(name).into_iter().flatten().cloned());
        }
        list.extend(self.append.iter().cloned());
        list
    }
}

impl Engine {
    /// Sets the flow: the list that `payecs_setdefaultsystems` writes, but for what is put beside
    /// it ([`Engine::set_additions`]).
    ///
    /// # Errors
    /// A System of it is not registered.
    pub fn set_default_systems(&mut self, names: &[&str]) -> Result<(), Error> {
        self.check_registered(names)?;
        self.flow = names.iter().map(|name| Arc::from(*name)).collect();
        self.put_additions(self.additions.clone());
        Ok(())
    }

    /// The list that `payecs_setdefaultsystems` writes.
    #[must_use]
    pub fn default_systems(&self) -> &[Arc<str>] {
        self.default_list.names().unwrap_or_default()
    }

    /// The same as a Component.
    #[must_use]
    pub fn default_list(&self) -> &Systems {
        &self.default_list
    }

    /// What stands in the default list beside the flow.
    #[must_use]
    pub fn additions(&self) -> &Additions {
        &self.additions
    }

    /// Puts other Systems beside the flow, in place of those that were there. Entities that have a
    /// list keep theirs.
    ///
    /// # Errors
    /// What [`Engine::check_additions`] refuses; nothing changes then.
    pub fn set_additions(&mut self, additions: Additions) -> Result<(), Error> {
        self.check_additions(&additions)?;
        if additions != self.additions {
            self.note(|| Change::Listed(Box::new(additions.clone())));
            self.put_additions(additions);
        }
        Ok(())
    }

    /// Refuses Systems that are not registered, that the flow has itself or that are named twice,
    /// places beside what the flow doesn't have, and too long a list.
    ///
    /// # Errors
    /// Which one, and why.
    pub fn check_additions(&self, additions: &Additions) -> Result<(), Error> {
        let mut seen = Vec::new();
        for name in additions.names() {
            self.check_registered(&[name])?;
            if self.flow.contains(name) {
                return Err(Error::Invalid(format!("System `{name}` is part of the flow already")));
            }
            if seen.contains(&name) {
                return Err(Error::Invalid(format!("System `{name}` is named twice")));
            }
            seen.push(name);
        }
        let places = additions.before.keys().chain(additions.after.keys());
        if let Some(stray) = places.into_iter().find(|name| !self.flow.contains(*name)) {
            return Err(Error::Invalid(format!("System `{stray}` is not part of the flow")));
        }
        if seen.len() > ADDITIONS_MAX {
            let what = format!("at most {ADDITIONS_MAX} Systems stand beside the flow");
            return Err(Error::Invalid(format!("{what}, got {}", seen.len())));
        }
        Ok(())
    }

    /// What was taken before is not judged again: an engine may have another flow than the one that
    /// took it, and a System that is missing is to be missed by whoever needs it.
    pub(crate) fn put_additions(&mut self, additions: Additions) {
        self.additions = additions;
        self.default_list = Systems::listing(self.additions.list(&self.flow));
    }
}
