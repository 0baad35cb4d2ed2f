//! Payments and sets that are over stay for a while, and are collected then: oldest first, some at
//! a time, each with everything that belongs to it.

use super::Driver;
use ecs_core::{Engine, Entities, EntityId, Failed, Systems, SystemsFinal};
use ecs_systems::{
    components::{Htlc, HtlcJoined, Parent, Part, Planning, Refused, Set, SetReceived, Settled},
    port::HtlcId,
    units::{Seconds, Timestamp},
};
use foldhash::HashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Most Entities that one poll collects, and most payments and sets it looks at.
pub const COLLECTED_PER_POLL_MAX: usize = 256;
/// How long after it was held up a payment or set is looked at again.
const HELD_UP_MS: u64 = 60_000;

/// How long what is over stays in the engine. The books keep it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end. 0: until the next poll.
    pub age: Seconds,
    /// Most payments that stay, and most of what others paid us; the oldest go first.
    pub finished_max: usize,
}

impl Retention {
    /// Nothing goes.
    pub const FOR_EVER: Self = Self { age: Seconds(u64::MAX), finished_max: usize::MAX };
}

impl Default for Retention {
    /// An hour, and 1 000.
    fn default() -> Self {
        Self { age: Seconds(3_600), finished_max: 1_000 }
    }
}

/// What goes together: a payment with its plans, parts and the set it pays itself by, or a set
/// over channels with its HTLCs, or an HTLC that joined none.
#[derive(Debug, Default)]
struct Group {
    /// All but the root, whose number the group has.
    members: BTreeSet<EntityId>,
    /// Those of all that are not over.
    live: BTreeSet<EntityId>,
    place: Place,
}

/// Where a group stands.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Something of it is not over.
    #[default]
    Nowhere,
    /// Over since then; in the line of payments, or of what others paid us.
    InLine(Line, Timestamp),
    /// Held up until then.
    Aside(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Payments,
    Incoming,
}

/// What is over, and what it consists of.
#[derive(Default)]
pub(super) struct Finished {
    retention: Retention,
    groups: HashMap<EntityId, Group>,
    /// The group of each that is no root.
    roots: HashMap<EntityId, EntityId>,
    payments: BTreeSet<(Timestamp, EntityId)>,
    incoming: BTreeSet<(Timestamp, EntityId)>,
    aside: BTreeSet<(Timestamp, EntityId)>,
    /// Entities that somebody outside waits for, and how many do.
    kept: BTreeMap<EntityId, u32>,
    /// HTLCs that are off their channel, and not collected yet.
    off: BTreeSet<HtlcId>,
}

impl fmt::Debug for Finished {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = (self.payments.len(), self.incoming.len(), self.aside.len());
        write!(
            out,
            "{} of {}, {lines:?}, {} off",
            self.groups.len(),
            self.roots.len(),
            self.off.len()
        )
    }
}

impl Finished {
    /// An Entity's list came or went, or the Entity is gone.
    fn note(&mut self, engine: &Engine, id: EntityId, now: Timestamp) {
        let before = self.roots.get(&id).copied().unwrap_or(id);
        let exists = engine.resource::<Entities>().is_some_and(|all| all.get(id).is_some());
        let root = if exists { root_of(engine, id) } else { before };
        if before != root || (!exists && root == id) {
            // Until it joined a set, an HTLC was on its own.
            self.leave(id);
            self.groups.remove(&id);
        }
        if !exists && root == id {
            return;
        }
        let group = self.groups.entry(root).or_default();
        if !exists {
            group.members.remove(&id);
            self.roots.remove(&id);
        } else if root != id {
            group.members.insert(id);
            self.roots.insert(id, root);
        }
        if engine.get::<Systems>(id).is_some() {
            group.live.insert(id);
        } else {
            group.live.remove(&id);
        }
        let over = group.live.is_empty();
        self.leave(root);
        if let Some(line) = line_of(engine, root).filter(|_| over) {
            self.enter(root, line, engine.ended_ms(root).map_or(now, Timestamp));
        }
    }

    fn enter(&mut self, root: EntityId, line: Line, at: Timestamp) {
        self.line(line).insert((at, root));
        if let Some(group) = self.groups.get_mut(&root) {
            group.place = Place::InLine(line, at);
        }
    }

    fn leave(&mut self, root: EntityId) {
        let Some(group) = self.groups.get_mut(&root) else { return };
        match std::mem::take(&mut group.place) {
            Place::Nowhere => {}
            Place::InLine(line, at) => {
                self.line(line).remove(&(at, root));
            }
            Place::Aside(at) => {
                self.aside.remove(&(at, root));
            }
        }
    }

    fn put_aside(&mut self, root: EntityId, until: Timestamp) {
        self.leave(root);
        self.aside.insert((until, root));
        if let Some(group) = self.groups.get_mut(&root) {
            group.place = Place::Aside(until);
        }
    }

    fn line(&mut self, line: Line) -> &mut BTreeSet<(Timestamp, EntityId)> {
        match line {
            Line::Payments => &mut self.payments,
            Line::Incoming => &mut self.incoming,
        }
    }

    /// When a group of one line is due; the past where there are too many.
    fn due(&self, line: &BTreeSet<(Timestamp, EntityId)>) -> Option<(Timestamp, EntityId)> {
        let (at, root) = *line.first()?;
        let too_many = line.len() > self.retention.finished_max;
        Some((if too_many { at } else { at.after(self.retention.age) }, root))
    }

    /// How many payments are over.
    pub(super) fn payments(&self) -> usize {
        self.payments.len()
    }

    /// When something is to be collected, or looked at again; `None`: nothing, or never.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let lines = [&self.payments, &self.incoming].map(|line| self.due(line));
        let aside = self.aside.first().copied();
        let all = lines.into_iter().chain([aside]).flatten();
        all.map(|(at, _)| at).min().filter(|at| at.0 < u64::MAX)
    }

    fn next_due(&self, now: Timestamp) -> Option<EntityId> {
        let lines = [&self.payments, &self.incoming].map(|line| self.due(line));
        lines.into_iter().flatten().find(|(at, _)| *at <= now).map(|(_, root)| root)
    }

    /// Up to `most` of a group, its root last.
    fn take(&mut self, root: EntityId, most: usize) -> Vec<EntityId> {
        let Some(group) = self.groups.get_mut(&root) else { return Vec::new() };
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(member) = group.members.pop_first()
        {
            self.roots.remove(&member);
            taken.push(member);
        }
        if taken.len() < most {
            self.leave(root);
            self.groups.remove(&root);
            taken.push(root);
        }
        taken
    }

    /// The Entities of a group.
    fn all_of(&self, root: EntityId) -> impl Iterator<Item = EntityId> {
        let members = self.groups.get(&root).map(|group| group.members.iter().copied());
        members.into_iter().flatten().chain([root])
    }
}

impl Driver {
    /// Says how long what is over stays; at once for what is over already. By default, see
    /// [`Retention`].
    pub fn retain(&mut self, retention: Retention) {
        self.finished.retention = retention;
    }

    /// Keeps an Entity, and what it belongs to, until [`Driver::release`] was called as often:
    /// somebody waits for it, or reads it. Not kept over a restart.
    pub fn keep(&mut self, id: EntityId) {
        *self.finished.kept.entry(id).or_default() += 1;
    }

    /// Undoes one [`Driver::keep`].
    pub fn release(&mut self, id: EntityId) {
        if let Some(times) = self.finished.kept.get_mut(&id) {
            *times -= 1;
            if *times == 0 {
                self.finished.kept.remove(&id);
            }
        }
    }

    /// Looks at what came or went in the last command.
    pub(super) fn note_finished(&mut self) {
        for id in self.engine.take_listed() {
            self.finished.note(&self.engine, id, self.now);
        }
    }

    /// Looks at every Entity: after a restart.
    pub(super) fn find_finished(&mut self) {
        for id in self.engine.entities() {
            self.finished.note(&self.engine, id, self.now);
        }
    }

    /// An HTLC is off its channel: its Entity has nothing more to say.
    pub(super) fn note_off(&mut self, htlc: HtlcId) {
        if self.htlcs.contains_key(&htlc) {
            self.finished.off.insert(htlc);
        }
    }

    /// Collects some of what is due, as one command.
    pub(super) fn collect_finished(&mut self) {
        let mut gone = Vec::new();
        for _ in 0..COLLECTED_PER_POLL_MAX {
            let most = COLLECTED_PER_POLL_MAX - gone.len();
            self.look_again();
            let Some(root) = self.finished.next_due(self.now).filter(|_| most > 0) else { break };
            if self.is_held_up(root) {
                self.finished.put_aside(root, self.now.after_ms(HELD_UP_MS));
            } else {
                gone.extend(self.finished.take(root, most));
            }
        }
        if gone.is_empty() {
            return;
        }
        for id in &gone {
            if let Some(Htlc(incoming)) = self.engine.get(*id) {
                self.htlcs.remove(&incoming.htlc);
                self.words.forget(&incoming.htlc);
                self.finished.off.remove(&incoming.htlc);
            }
        }
        tracing::debug!(target: "payflow::driver", entities = gone.len(), "collected");
        self.begin(self.now);
        self.engine.collect(gone);
        self.perform_effects();
    }

    /// What was put aside stands in line again when its time has come.
    fn look_again(&mut self) {
        while let Some((_, root)) = self.finished.aside.first().filter(|it| it.0 <= self.now) {
            let root = *root;
            self.finished.note(&self.engine, root, self.now);
        }
    }

    /// Whether something of a group may still be asked for or say something. Our word on an HTLC
    /// of which it is not known whether it is off its channel is said again.
    fn is_held_up(&mut self, root: EntityId) -> bool {
        let mut held_up = false;
        let mut unsaid = Vec::new();
        for id in self.finished.all_of(root) {
            let waited_for = self.engine.is_joined(id) || self.finished.kept.contains_key(&id);
            held_up |= waited_for || self.engine.is_busy(id);
            let htlc = self.engine.get(id).map(|Htlc(incoming)| incoming.htlc);
            unsaid.extend(htlc.filter(|htlc| !self.finished.off.contains(htlc)));
        }
        held_up |= !unsaid.is_empty();
        unsaid.retain(|htlc| !self.words.is_watched(htlc));
        for htlc in unsaid {
            self.say_once_kept(htlc);
        }
        held_up
    }
}

/// The payment or set that an Entity goes with.
fn root_of(engine: &Engine, id: EntityId) -> EntityId {
    let set_of_ours = || engine.get::<Set>(id).is_some() && engine.get::<SetReceived>(id).is_none();
    let child =
        engine.get::<Part>(id).is_some() || engine.get::<Planning>(id).is_some() || set_of_ours();
    let parent = engine.get::<Parent>(id).filter(|_| child).map(|parent| parent.0);
    parent.or_else(|| engine.get::<HtlcJoined>(id).map(|set| set.0)).unwrap_or(id)
}

/// Where something that has no list any more stands in line; `None`: it is not over.
fn line_of(engine: &Engine, root: EntityId) -> Option<Line> {
    if engine.get::<Set>(root).is_some() || engine.get::<Htlc>(root).is_some() {
        let over = engine.get::<Settled>(root).is_some() || engine.get::<Refused>(root).is_some();
        return over.then_some(Line::Incoming);
    }
    let over = engine.get::<SystemsFinal>(root).is_some() || engine.get::<Failed>(root).is_some();
    over.then_some(Line::Payments)
}
