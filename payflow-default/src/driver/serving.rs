//! Servers of external Systems that are told of their invocations.

use super::Driver;
use ecs_core::{Caller, Delivery, Engine, ErrorObject, Invoke, ServerId, Serving};
use ecs_systems::units::Timestamp;
use std::{collections::BTreeMap, fmt};

/// Where the invocations of one server go.
pub trait Outlet: Send {
    /// Takes one.
    fn give(&self, invoke: Invoke);

    /// Whether nobody is behind it any more, or it could not take all that it was given.
    fn is_gone(&self) -> bool;

    /// Nothing more comes: all that its server served was removed, or is another token's. What it
    /// was given and not answered is no longer its own.
    fn end(self: Box<Self>, why: ErrorObject);
}

/// Those who are told.
#[derive(Default)]
pub(super) struct Served(BTreeMap<ServerId, (Serving, Box<dyn Outlet>)>);

impl fmt::Debug for Served {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Served").field(&self.0.len()).finish()
    }
}

impl Driver {
    /// Begins to serve external Systems, as [`Engine::serve`] has it: what the server is given goes
    /// through the outlet once it is kept, until that is gone. Then what it has goes to others.
    ///
    /// # Errors
    /// As [`Engine::serve`].
    pub fn serve(
        &mut self,
        now: Timestamp,
        (caller, systems, at_once): (&Caller, &[String], Option<u32>),
        outlet: Box<dyn Outlet>,
    ) -> Result<(), ErrorObject> {
        self.begin(now);
        let serving = self.engine.serve(caller, systems, at_once)?;
        self.served.0.insert(serving.server(), (serving, outlet));
        self.perform_effects();
        Ok(())
    }

    /// How many servers are told of their invocations.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.served.0.len()
    }

    /// Hands on what is still with that server.
    pub(super) fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for Delivery { server, invoke } in deliveries {
            let number = invoke.invocation.unwrap_or_default();
            if let Some((_, outlet)) = self.served.0.get(&server)
                && self.engine.has_invocation(server, number)
            {
                outlet.give(invoke);
            }
        }
    }

    /// Tells servers that have lost all that they served.
    pub(super) fn dismiss(&mut self, dismissed: Vec<(ServerId, ErrorObject)>) {
        for (server, why) in dismissed {
            if let Some((_, outlet)) = self.served.0.remove(&server) {
                outlet.end(why);
            }
        }
    }

    /// What those had who are gone goes to others.
    pub(super) fn let_servers_leave(&mut self) {
        self.served.0.retain(|_, (_, outlet)| !outlet.is_gone());
        while self.engine.servers_left() {
            self.command(self.now, Engine::look_who_serves);
            self.let_waiters_look();
        }
    }
}
