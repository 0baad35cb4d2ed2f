//! Which server has which invocation.

use super::{Left, ServerId};
use crate::{Caller, EntityId, Scope};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All servers, and all invocations that are outstanding.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    all: BTreeMap<ServerId, Server>,
    by_system: BTreeMap<Arc<str>, BTreeSet<ServerId>>,
    open: BTreeMap<u64, Open>,
    /// Those that nobody has, by System.
    idle: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// What was given to servers that are told of it, and was not taken out yet.
    given: Vec<(ServerId, u64)>,
    /// Servers that are told of what they are given and have lost all that they served, not taken
    /// out yet.
    dismissed: Vec<ServerId>,
    next_server: u64,
    /// Counts what is given.
    turn: u64,
    pub(super) left: Arc<Left>,
}

#[derive(Debug)]
struct Server {
    systems: BTreeSet<Arc<str>>,
    at_once: usize,
    has: BTreeSet<u64>,
    /// When it was given something last.
    turn: u64,
    /// Whether it is told of what it is given. Else it looks itself.
    is_told: bool,
    /// A System that it served and can't serve any more.
    lost: Option<Lost>,
    /// The token that it came with.
    token: Option<Arc<str>>,
    /// Whether it may serve what is another token's.
    serves_all: bool,
}

/// Why a System is no longer served by whoever served it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was removed.
    Removed(Arc<str>),
    /// It is another token's now.
    Given(Arc<str>),
}

impl Server {
    fn has_room(&self) -> bool {
        self.has.len() < self.at_once
    }
}

/// Who has an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    Server(ServerId),
    /// A server that has left with it.
    Away,
}

/// An invocation that is outstanding.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    entity: EntityId,
    system: Arc<str>,
    holder: Holder,
    /// How often it was tried, this time included.
    pub(crate) tries: u32,
    /// Servers that had it in vain.
    had: BTreeSet<ServerId>,
}

impl Open {
    /// An invocation that nobody had yet.
    pub(crate) fn first(entity: EntityId, system: &str) -> Self {
        let (holder, had) = (Holder::Nobody, BTreeSet::new());
        Self { entity, system: system.into(), holder, tries: 1, had }
    }

    /// The same once more.
    pub(crate) fn again(mut self) -> Self {
        if let Holder::Server(server) = self.holder {
            self.had.insert(server);
        }
        Self { holder: Holder::Nobody, tries: self.tries + 1, ..self }
    }
}

impl Servers {
    /// A server comes, and is given what it serves and nobody has. Answers also what waited while
    /// nobody served it.
    pub(super) fn enter(
        &mut self,
        (systems, at_once): (&[String], u32),
        caller: &Caller,
    ) -> (ServerId, Vec<EntityId>) {
        let id = ServerId(self.next_server);
        self.next_server += 1;
        let systems: BTreeSet<Arc<str>> = systems.iter().map(|name| name.as_str().into()).collect();
        let unserved = systems.iter().filter(|system| !self.is_served(system));
        let waited = unserved.flat_map(|system| self.idle_of(system)).collect();
        for system in &systems {
            self.by_system.entry(Arc::clone(system)).or_default().insert(id);
        }
        let server = Server {
            systems,
            at_once: usize::try_from(at_once).unwrap_or(usize::MAX),
            has: BTreeSet::new(),
            turn: 0,
            is_told: false,
            lost: None,
            token: caller.token.clone(),
            serves_all: caller.may(Scope::Admin),
        };
        self.all.insert(id, server);
        self.fill(id);
        (id, waited)
    }

    /// From now on a server is told of what it is given, and of what it has.
    pub(super) fn is_told(&mut self, id: ServerId) {
        if let Some(server) = self.all.get_mut(&id) {
            server.is_told = true;
            self.given.extend(server.has.iter().map(|number| (id, *number)));
        }
    }

    /// How many are told of what they are given, and how many of these came with that token.
    pub(super) fn told(&self, token: Option<&Arc<str>>) -> (u64, u64) {
        let told = || self.all.values().filter(|server| server.is_told);
        let own = told().filter(|server| server.token.as_ref() == token);
        (told().count() as u64, own.count() as u64)
    }

    /// A server has left. What it has taken away stays its own; what else it has goes to others.
    /// Answers what waits and nobody serves any more.
    pub(super) fn leave(&mut self, id: ServerId, taken: &[u64]) -> Vec<EntityId> {
        let Some(server) = self.all.remove(&id) else { return Vec::new() };
        for system in &server.systems {
            if let Some(servers) = self.by_system.get_mut(system) {
                servers.remove(&id);
                if servers.is_empty() {
                    self.by_system.remove(system);
                }
            }
        }
        for number in server.has {
            let Some(open) = self.open.get_mut(&number) else { continue };
            if taken.contains(&number) {
                open.holder = Holder::Away;
                continue;
            }
            open.had.insert(id);
            open.holder = Holder::Nobody;
            self.give(number);
        }
        let unserved = server.systems.iter().filter(|system| !self.is_served(system));
        unserved.flat_map(|system| self.idle_of(system)).collect()
    }

    /// An invocation is outstanding.
    pub(super) fn open(&mut self, number: u64, open: Open) {
        self.open.insert(number, open);
        self.give(number);
    }

    /// An invocation is over; its server has room for another.
    pub(crate) fn close(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        match open.holder {
            Holder::Nobody => self.no_longer_idle(&open.system, number),
            Holder::Away => {}
            Holder::Server(id) => {
                if let Some(server) = self.all.get_mut(&id) {
                    server.has.remove(&number);
                }
                self.fill(id);
            }
        }
        Some(open)
    }

    /// Whether somebody serves a System.
    pub(crate) fn is_served(&self, system: &str) -> bool {
        self.by_system.contains_key(system)
    }

    /// How many serve a System.
    pub(crate) fn count(&self, system: &str) -> usize {
        self.by_system.get(system).map_or(0, BTreeSet::len)
    }

    /// Nobody serves a System any more. Answers the Entities that await an answer of it.
    pub(crate) fn forget(&mut self, system: &str) -> Vec<EntityId> {
        for id in self.by_system.remove(system).into_iter().flatten() {
            self.lose(id, system, Lost::Removed);
        }
        let of_it = self.open.values().filter(|open| *open.system == *system);
        of_it.map(|open| open.entity).collect()
    }

    /// A System is that token's now: who may not serve it any more doesn't. Answers the Entities
    /// that await an answer of it which nobody has who may still give it.
    pub(super) fn hand_over(&mut self, system: &str, token: Option<&Arc<str>>) -> Vec<EntityId> {
        let serving = self.by_system.get(system).into_iter().flatten().copied();
        let may = |id: &ServerId| self.all[id].serves_all || self.all[id].token.as_ref() == token;
        let (stay, go): (BTreeSet<ServerId>, BTreeSet<ServerId>) = serving.partition(may);
        for id in go {
            self.lose(id, system, Lost::Given);
        }
        let keeps = |open: &&Open| matches!(open.holder, Holder::Server(id) if stay.contains(&id));
        let of_it = self.open.values().filter(|open| *open.system == *system);
        let ids = of_it.filter(|open| !keeps(open)).map(|open| open.entity).collect();
        if stay.is_empty() {
            self.by_system.remove(system);
        } else {
            self.by_system.insert(system.into(), stay);
        }
        ids
    }

    /// A server does not serve a System any more.
    fn lose(&mut self, id: ServerId, system: &str, why: fn(Arc<str>) -> Lost) {
        let Some(server) = self.all.get_mut(&id) else { return };
        server.lost = server.systems.take(system).map(why).or(server.lost.take());
        if server.is_told && server.systems.is_empty() {
            self.dismissed.push(id);
        }
    }

    /// Those who are told and have lost everything they served since the last call.
    pub(super) fn take_dismissed(&mut self) -> Vec<ServerId> {
        let dismissed = std::mem::take(&mut self.dismissed);
        dismissed.into_iter().filter(|id| self.all.contains_key(id)).collect()
    }

    /// The Entities that await an answer of a System and whose invocation nobody has.
    fn idle_of(&self, system: &str) -> Vec<EntityId> {
        let idle = self.idle.get(system).into_iter().flatten();
        idle.map(|number| self.open[number].entity).collect()
    }

    /// All Entities that await an answer of a System.
    pub(crate) fn awaiting(&self) -> Vec<EntityId> {
        self.open.values().map(|open| open.entity).collect()
    }

    /// Whether nobody has an invocation, and nobody serves its System.
    pub(crate) fn is_lost(&self, number: u64) -> bool {
        self.open
            .get(&number)
            .is_none_or(|open| open.holder == Holder::Nobody && !self.is_served(&open.system))
    }

    /// Whether somebody had it, and another may have it.
    pub(super) fn has_another(&self, open: &Open) -> bool {
        let had_by = match open.holder {
            Holder::Nobody => return false,
            Holder::Away => None,
            Holder::Server(id) => Some(id),
        };
        let mut all = self.by_system.get(&open.system).into_iter().flatten();
        all.any(|id| Some(*id) != had_by && !open.had.contains(id) && self.all[id].has_room())
    }

    pub(super) fn holds(&self, server: ServerId, number: u64) -> bool {
        self.open.get(&number).is_some_and(|open| open.holder == Holder::Server(server))
    }

    pub(super) fn held_by(&self, server: ServerId) -> Vec<EntityId> {
        let has = self.all.get(&server).map(|server| &server.has).into_iter().flatten();
        has.filter_map(|number| self.open.get(number)).map(|open| open.entity).collect()
    }

    /// A System that a server can't serve any more.
    pub(super) fn lost_by(&self, server: ServerId) -> Option<&Lost> {
        self.all.get(&server)?.lost.as_ref()
    }

    pub(super) fn take_given(&mut self) -> Vec<(ServerId, u64, EntityId)> {
        let given = std::mem::take(&mut self.given).into_iter();
        given
            .filter(|(server, number)| self.holds(*server, *number))
            .filter_map(|(server, number)| Some((server, number, self.open.get(&number)?.entity)))
            .collect()
    }

    /// Nothing is outstanding any more.
    pub(super) fn forget_all(&mut self) {
        self.open.clear();
        self.idle.clear();
        self.given.clear();
        self.all.values_mut().for_each(|server| server.has.clear());
    }

    /// Gives an invocation that nobody has to the server whose turn it is: one with room that was
    /// given something longest ago. Those that had it in vain come last.
    fn give(&mut self, number: u64) {
        let Some(open) = self.open.get(&number) else { return };
        let servers = self.by_system.get(&open.system).into_iter().flatten();
        let with_room = servers.filter(|id| self.all[id].has_room());
        let next = with_room.min_by_key(|id| (open.had.contains(id), self.all[id].turn, **id));
        if let Some(id) = next.copied() {
            self.hand(number, id);
        } else {
            let system = Arc::clone(&open.system);
            self.idle.entry(system).or_default().insert(number);
        }
    }

    /// Gives a server that has room what nobody has, the oldest first.
    fn fill(&mut self, id: ServerId) {
        while let Some(server) = self.all.get(&id).filter(|server| server.has_room()) {
            let idle = server.systems.iter().filter_map(|system| self.idle.get(system)?.first());
            let Some(number) = idle.min().copied() else { return };
            let system = Arc::clone(&self.open[&number].system);
            self.no_longer_idle(&system, number);
            self.hand(number, id);
        }
    }

    fn hand(&mut self, number: u64, id: ServerId) {
        let (Some(open), Some(server)) = (self.open.get_mut(&number), self.all.get_mut(&id)) else {
            return;
        };
        open.holder = Holder::Server(id);
        self.turn += 1;
        server.turn = self.turn;
        server.has.insert(number);
        if server.is_told {
            self.given.push((id, number));
        }
    }

    fn no_longer_idle(&mut self, system: &Arc<str>, number: u64) {
        if let Some(idle) = self.idle.get_mut(system) {
            idle.remove(&number);
            if idle.is_empty() {
                self.idle.remove(system);
            }
        }
    }
}

#[cfg(test)]
mod tests;
