//! What a caller believes of the state.

use crate::{Engine, Error, Json, names::Named, write::Expected};

impl Engine {
    /// Whether the state is as a caller believes.
    ///
    /// # Errors
    /// A name is no name (judged first), or the state is another (2244).
    pub(crate) fn check_expected(&self, expected: &[Expected]) -> Result<(), Error> {
        for (name, _) in expected.iter().flat_map(|wanted| &wanted.components) {
            self.names.look_up(name)?;
        }
        if expected.iter().all(|wanted| self.holds(wanted)) {
            Ok(())
        } else {
            Err(Error::Unexpected)
        }
    }

    fn holds(&self, wanted: &Expected) -> bool {
        let named = wanted.components.iter().all(|(name, value)| {
            let attached = self.component(wanted.entity, name);
            match value.as_ref().filter(|value| !value.is_null()) {
                None => attached.is_none(),
                Some(value) => attached.is_some_and(|attached| {
                    attached == *value || Some(attached) == self.canonical(name, value)
                }),
            }
        });
        let only = || {
            let known = |name: &str| wanted.components.iter().any(|(known, _)| known == name);
            self.components(wanted.entity).iter().all(|(name, _)| known(name))
        };
        named && (!wanted.exact || only())
    }

    /// A value as it would be stored; `None`: the Component doesn't take it.
    fn canonical(&self, name: &str, value: &Json) -> Option<Json> {
        match self.names.find(name) {
            Some(Named::Typed(typed)) => (typed.decode)(value).ok().map(|(canonical, _)| canonical),
            Some(Named::Foreign(_)) | None => Some(value.clone()),
        }
    }
}
