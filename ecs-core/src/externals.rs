//! External Systems: registered, said more of, and taken away.

use crate::{
    Engine, Error,
    declared::Declared,
    delta::Change,
    quotas::Quota,
    registry::{Body, Owner, Registered},
    system::SystemDef,
};
use std::{collections::BTreeSet, sync::Arc};

impl Engine {
    /// Registers an external System: it is announced, and its answer is an advance.
    ///
    /// # Errors
    /// The name is taken by another, it requires nothing, or a name is no name.
    pub fn add_external_system(&mut self, def: SystemDef) -> Result<(), Error> {
        self.register_external(def, None, Declared::default())
    }

    /// The same with a timeout of its own, in milliseconds; that given last holds.
    ///
    /// # Errors
    /// See [`Engine::add_external_system`].
    pub fn add_external_system_for(
        &mut self,
        def: SystemDef,
        timeout_ms: u64,
    ) -> Result<(), Error> {
        self.register_external(def, Some(timeout_ms), Declared::default())
    }

    /// Registers an external System, and notes what holds of it now; what is not given stays. Given
    /// to another token it is no longer served by those who may not, and what is outstanding goes
    /// to its new servers.
    ///
    /// # Errors
    /// See [`Engine::add_external_system`].
    pub fn register_external(
        &mut self,
        def: SystemDef,
        timeout_ms: Option<u64>,
        declared: Declared,
    ) -> Result<(), Error> {
        self.judge_external(&def)?;
        let before = self.systems.named(&def.system).map(|system| system.declared.token.clone());
        let external = self.systems.add_external(def, timeout_ms, declared, &mut self.names)?;
        let (name, token) = (Arc::clone(&external.0.system), external.2.token.clone());
        self.note(|| Change::Registered(Box::new(external)));
        if before.is_some_and(|before| before != token) {
            self.hand_over(&name, token.as_ref());
        }
        Ok(())
    }

    /// Refuses what [`Engine::register_external`] would.
    pub(crate) fn judge_external(&mut self, def: &SystemDef) -> Result<(), Error> {
        self.systems.judge_external(def, &mut self.names)?;
        if self.has_system(&def.system) {
            return Ok(());
        }
        let names = def.required.iter().chain(&def.disallowed);
        let new: BTreeSet<_> = names.filter(|name| self.names.find(name).is_none()).collect();
        if !new.is_empty() {
            self.within(Quota::Names, (self.names.mark() + new.len()) as u64)?;
        }
        self.within(Quota::Systems, self.systems.count() as u64 + 1)?;
        if let Some(token) = &self.calling {
            let is_its = |system: &&Registered| system.declared.token.as_deref() == Some(token);
            let count = self.systems.iter().filter(is_its).count() as u64;
            self.within(Quota::TokenSystems, count + 1)?;
        }
        Ok(())
    }

    /// Takes an external System away. What awaits it fails with 2203; a list that names it is as
    /// one with a name that was never registered. Nobody serves it any more, also if another of
    /// its name is registered: who may serve that one is judged anew.
    /// ```
    /// # use ecs_core::{Engine, system};
    /// let mut app = Engine::new();
    /// app.add_external_system(system("acme:out").requires(["acme:go"]))?;
    /// app.remove_external_system("acme:out")?;
    /// assert_eq!(app.remove_external_system("acme:out").unwrap_err().code(), -32602);
    /// app.add_external_system(system("acme:out").requires(["acme:other"]))?;
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is none of that name, or it runs in the engine itself (−32602).
    pub fn remove_external_system(&mut self, name: &str) -> Result<(), Error> {
        self.check_removable(name)?;
        self.systems.remove_external(name);
        self.note(|| Change::Unregistered(name.to_owned()));
        self.look_who_serves();
        for id in self.servers.forget(name) {
            self.fail_invocation(id, format!("System `{name}` was removed."));
        }
        self.run();
        Ok(())
    }

    /// Refuses what [`Engine::remove_external_system`] would.
    pub(crate) fn check_removable(&self, name: &str) -> Result<(), Error> {
        self.check_registered(&[name])?;
        match self.systems.named(name) {
            Some(system) if system.owner != Owner::External => {
                Err(Error::Invalid(format!("System `{name}` runs in the engine itself")))
            }
            Some(_) if self.additions.names().any(|other| **other == *name) => {
                Err(Error::Invalid(format!(
                    "System `{name}` stands in the default list: take it out there first, with \
                     payecs_changedefaultsystems"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// How long an external System may take, in milliseconds, and be without a server.
    pub(crate) fn times_of(&self, name: &str) -> Option<(u64, Option<u64>)> {
        let system = self.systems.named(name)?;
        match system.body {
            Body::External { timeout_ms } => Some((timeout_ms, system.declared.grace_ms)),
            Body::Here(_) => None,
        }
    }
}
