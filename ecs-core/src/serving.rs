//! Who serves external Systems: each invocation is in the hands of one server at a time.
//!
//! Nothing of it is kept. After a restart there are no servers, and what is outstanding is given to
//! those who come.

mod servers;

pub(crate) use servers::{Lost, Open, Servers};

use crate::{
    Engine, EntityId, Error, ErrorObject,
    effect::Invoke,
    life::Life,
    method::{Caller, NOT_PERMITTED},
    quotas::Quota,
    registry::{Owner, permit_system},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Most invocations that one server may have at a time.
pub const AT_ONCE_MAX: u32 = 1_000;
/// So many where it doesn't say how many.
pub const AT_ONCE_DEFAULT: u32 = 64;
/// How often one invocation of a System may run out of time with a server, before the System has
/// not answered.
pub const TRIES_MAX: u32 = 3;

/// The number of a server, counted up since the engine began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerId(pub(crate) u64);

/// An invocation that goes to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whom it goes to.
    pub server: ServerId,
    /// What is to be done.
    pub invoke: Invoke,
}

/// A server, while this is kept. Once it is dropped, what the server has goes to others, at the
/// next [`Engine::look_who_serves`].
#[derive(Debug)]
pub struct Serving {
    server: ServerId,
    left: Arc<Left>,
    /// What it has taken away with it.
    taken: Vec<u64>,
}

impl Serving {
    /// Its number.
    #[must_use]
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// It leaves with these: they are its own until they are answered or run out of time.
    pub(crate) fn takes(&mut self, numbers: Vec<u64>) {
        self.taken = numbers;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.left.0.lock().unwrap_or_else(PoisonError::into_inner).push((self.server, taken));
    }
}

/// Servers that have left, each with what it has taken away, until that is noted.
#[derive(Debug, Default)]
pub(crate) struct Left(Mutex<Vec<(ServerId, Vec<u64>)>>);

impl Left {
    fn take(&self) -> Vec<(ServerId, Vec<u64>)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Engine {
    /// Begins to serve external Systems: from now on each of their invocations goes to one of those
    /// who serve it, in turn, `at_once` at a time ([`AT_ONCE_DEFAULT`] without it). First come
    /// those that are outstanding and that nobody has: out of [`Engine::take_deliveries`].
    /// ```
    /// # use ecs_core::{Caller, Engine, Json, Systems, Write, system};
    /// let mut app = Engine::new();
    /// app.add_external_system(system("acme:out").requires(["acme:go"]))?;
    /// let entity = app.new_entity();
    /// let list = Write::to(entity).attach(&Systems::listing(["acme:out"]));
    /// app.advance_with(entity, None, &[list.attach_json("acme:go", Json::yes())], &[])?;
    /// let first = app.serve(&Caller::owner(), &["acme:out".to_owned()], None).unwrap();
    /// assert_eq!(app.take_deliveries()[0].invoke.invocation, Some(1));
    /// let second = app.serve(&Caller::owner(), &["acme:out".to_owned()], None).unwrap();
    /// assert!(app.take_deliveries().is_empty(), "the first one has it");
    /// drop(first);
    /// app.look_who_serves();
    /// assert_eq!(app.take_deliveries()[0].server, second.server());
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// No System is named; one is not registered, or is run by the engine itself (−32602); one is
    /// another token's, or names a Component that the caller is not for (1502); there are as many
    /// servers as there may be (2208).
    pub fn serve(
        &mut self,
        caller: &Caller,
        systems: &[String],
        at_once: Option<u32>,
    ) -> Result<Serving, ErrorObject> {
        self.may_serve(caller, systems)?;
        self.look_who_serves();
        self.may_be_one_more(caller)?;
        let serving = self.enter(caller, systems, at_once.unwrap_or(AT_ONCE_DEFAULT))?;
        self.servers.is_told(serving.server);
        Ok(serving)
    }

    /// Refuses a server that would be one too many.
    fn may_be_one_more(&self, caller: &Caller) -> Result<(), Error> {
        let (all, own) = self.servers.told(caller.token.as_ref());
        self.within(Quota::Servers, all + 1)?;
        if caller.token.is_some() {
            self.within(Quota::TokenServers, own + 1)?;
        }
        Ok(())
    }

    /// The same for a server that looks itself what it has.
    pub(crate) fn enter(
        &mut self,
        caller: &Caller,
        systems: &[String],
        at_once: u32,
    ) -> Result<Serving, ErrorObject> {
        self.may_serve(caller, systems)?;
        self.look_who_serves();
        let (server, waited) = self.servers.enter((systems, at_once), caller);
        self.time_invocations(waited);
        let (left, taken) = (Arc::clone(&self.servers.left), Vec::new());
        Ok(Serving { server, left, taken })
    }

    /// Refuses what [`Engine::serve`] would.
    pub(crate) fn may_serve(&self, caller: &Caller, systems: &[String]) -> Result<(), ErrorObject> {
        if systems.is_empty() {
            return Err(ErrorObject::invalid("`systems`: name one System at least"));
        }
        self.check_registered(systems)?;
        for system in systems.iter().filter_map(|name| self.systems.named(name)) {
            if system.owner != Owner::External {
                let what = format!("System `{}` runs in the engine itself", system.def.system);
                return Err(ErrorObject::invalid(what));
            }
            permit_system(caller, system)?;
        }
        Ok(())
    }

    /// Whether servers have left since it was last looked.
    #[must_use]
    pub fn servers_left(&self) -> bool {
        !self.servers.left.is_empty()
    }

    /// Gives what those had who left to others.
    pub fn look_who_serves(&mut self) {
        for (server, taken) in self.servers.left.take() {
            let waiting = self.servers.leave(server, &taken);
            self.time_invocations(waiting);
        }
    }

    /// What was given to servers since the last call, in order: it may leave only once everything
    /// written before is durable. What is no longer outstanding, or was given to another since, is
    /// left out.
    #[must_use]
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        let given = self.servers.take_given().into_iter();
        given
            .filter_map(|(server, number, entity)| {
                let invoke = self.invocation(entity)?;
                (invoke.invocation == Some(number)).then_some(Delivery { server, invoke })
            })
            .collect()
    }

    /// Whether a server has an invocation now.
    #[must_use]
    pub fn has_invocation(&self, server: ServerId, number: u64) -> bool {
        self.servers.holds(server, number)
    }

    /// What a server has that looks itself, the oldest first.
    pub(crate) fn held_by(&self, server: ServerId) -> Vec<Invoke> {
        let entities = self.servers.held_by(server).into_iter();
        entities.filter_map(|entity| self.invocation(entity)).collect()
    }

    /// Why a server need not wait any longer: a System that it serves was removed, or is another
    /// token's.
    pub(crate) fn why_gone(&self, server: ServerId) -> Option<ErrorObject> {
        Some(match self.servers.lost_by(server)? {
            Lost::Removed(name) => {
                let what = format!("System `{name}` was removed: ask again once it is registered");
                ErrorObject::invalid(what)
            }
            Lost::Given(name) => {
                let what = format!("Not permitted: System `{name}` was given to another token.");
                ErrorObject::new(NOT_PERMITTED, what)
            }
        })
    }

    /// Servers that are told of what they are given and, since the last call, have lost all the
    /// Systems that they served: each with why the last one went. Nothing more is given to them.
    #[must_use]
    pub fn take_dismissed(&mut self) -> Vec<(ServerId, ErrorObject)> {
        let dismissed = self.servers.take_dismissed().into_iter();
        dismissed.filter_map(|server| Some((server, self.why_gone(server)?))).collect()
    }

    /// A System is another token's now. Who may not serve it any more is given no more of it; what
    /// is outstanding begins anew, under another number, so that only its new servers answer it.
    /// Whoever may still serve it keeps what it has.
    pub(crate) fn hand_over(&mut self, name: &str, token: Option<&Arc<str>>) {
        self.look_who_serves();
        for id in self.servers.hand_over(name, token) {
            self.invoke_anew(id);
        }
        self.run();
    }

    /// An invocation has begun: a server is looked for.
    pub(crate) fn open_invocation(&mut self, id: EntityId, open: Open) {
        if let Some(number) = self.current_invocation(id).map(|invocation| invocation.number) {
            self.look_who_serves();
            self.servers.open(number, open);
        }
    }

    /// The invocation of an Entity that is gone is nobody's.
    pub(crate) fn forget_invocation(&mut self, id: EntityId) {
        if let Some(number) = self.current_invocation(id).map(|invocation| invocation.number) {
            self.servers.close(number);
        }
    }

    /// Whether an invocation that ran out of time may go to another server.
    pub(crate) fn may_try_again(&self, id: EntityId, open: &Open) -> bool {
        let Some(entity) = self.find(id) else { return false };
        let now_ms = self.now_ms();
        let is_late = (self.deadline)(&self.world, entity).is_some_and(|end| end <= now_ms);
        !is_late
            && !self.is_unwanted(id)
            && open.tries < TRIES_MAX
            && self.servers.has_another(open)
    }

    /// Looks through the state for what is outstanding: after a restore.
    pub(crate) fn find_invocations(&mut self) {
        self.servers.forget_all();
        for id in self.entities() {
            let Some(invocation) = self.current_invocation(id) else { continue };
            let (number, open) = (invocation.number, Open::first(id, &invocation.system));
            self.servers.open(number, open);
        }
    }

    /// What an Entity awaits of an external System that is no longer there.
    pub(crate) fn fail_invocation(&mut self, id: EntityId, why: String) {
        let Some((invocation, _)) = self.take_invocation(id) else { return };
        self.mute(id, &invocation.system);
        self.fail(id, &invocation.system, Error::SystemFailed(why).into());
    }

    pub(crate) fn life_of(&self, id: EntityId) -> Option<&Life> {
        Some(self.lives.of(self.find(id)?))
    }
}
