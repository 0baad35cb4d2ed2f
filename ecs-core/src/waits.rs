//! Waiting for a time, or for other Entities: `lightningd:wake_at` and `lightningd:join`.

use crate::{
    Engine, EntityId, Error, Json,
    component::{ComponentSpec, Shape, WireComponent},
    effect::{Effect, EffectRequest},
    inputs::Entities,
    systems::Systems,
    time::{parse_utc, utc_text},
    write::Write,
};
use bevy_ecs::{component::Component, entity::Entity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most Entities that one join waits for.
pub const JOINED_MAX: usize = 100;
/// Farthest moment to be woken at: a day ahead.
pub const WAKE_AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The kind of the timer behind `lightningd:wake_at`.
const WAKE_TIMER: &str = "payecs:wake_at";

/// A moment to be advanced at, in milliseconds since 1970.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub struct WakeAt(pub u64);

impl WireComponent for WakeAt {
    const SPEC: ComponentSpec = ComponentSpec::input(
        "lightningd:wake_at",
        "RFC 3339 time",
        "When it passes it is detached, and the Entity is advanced; until then a draft may \
         rest. At most a day ahead; a moment in the past is now.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        json.as_str().and_then(|text| parse_utc(&text)).map(Self).ok_or_else(Shape::default)
    }

    fn to_json(&self) -> Json {
        Json::of(&utc_text(self.0))
    }
}

/// How many of the joined Entities must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JoinMode {
    /// All of them, or any one.
    Named(JoinAllOrAny),
    /// That many, from 1 to as many as there are.
    Count(u16),
}

/// The modes that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinAllOrAny {
    /// Every one.
    All,
    /// One is enough.
    Any,
}

/// Other Entities that are waited for.
#[derive(Component, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[component(storage = "SparseSet")]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Which.
    pub entities: BTreeSet<EntityId>,
    /// How many of them.
    pub mode: JoinMode,
}

impl Join {
    fn needed(&self) -> usize {
        match self.mode {
            JoinMode::Named(JoinAllOrAny::All) => self.entities.len(),
            JoinMode::Named(JoinAllOrAny::Any) => 1,
            JoinMode::Count(count) => usize::from(count),
        }
    }
}

impl WireComponent for Join {
    const SPEC: ComponentSpec = ComponentSpec::input(
        "lightningd:join",
        "object: `entities` array of 1 to 100 ids, `mode` `all`, `any` or how many",
        "When so many of those Entities have ended (have no `lightningd:systems`), it is \
         detached, `lightningd:join:done` lists them, and the Entity is advanced; until then a \
         draft may rest.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        let join: Self = json.decode()?;
        let count = join.entities.len();
        if !(1..=JOINED_MAX).contains(&count) {
            return Err(Shape(Some(format!("{count} entities"))));
        }
        if !(1..=count).contains(&join.needed()) {
            return Err(Shape(Some(format!("{} of {count} entities", join.needed()))));
        }
        Ok(join)
    }

    fn to_json(&self) -> Json {
        Json::of(self)
    }
}

/// The Entities whose end met the last join.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub struct JoinDone(pub BTreeSet<EntityId>);

impl WireComponent for JoinDone {
    const SPEC: ComponentSpec = ComponentSpec::engine(
        "lightningd:join:done",
        "array of ids",
        "Which of the joined Entities had ended when `lightningd:join` was met.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(json.decode()?))
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0)
    }
}

/// Who waits for whom.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// The Entities with a join, by each Entity they wait for.
    joining: BTreeMap<EntityId, BTreeSet<EntityId>>,
    /// For each Entity with a join, whom it was last seen to wait for.
    joined: BTreeMap<EntityId, BTreeSet<EntityId>>,
}

impl Waits {
    fn follow(&mut self, id: EntityId, join: Option<&Join>) {
        for target in self.joined.remove(&id).into_iter().flatten() {
            if let Some(waiting) = self.joining.get_mut(&target) {
                waiting.remove(&id);
                if waiting.is_empty() {
                    self.joining.remove(&target);
                }
            }
        }
        let Some(join) = join else { return };
        for target in &join.entities {
            self.joining.entry(*target).or_default().insert(id);
        }
        self.joined.insert(id, join.entities.clone());
    }
}

impl Engine {
    /// Judges what can only be judged knowing the state: how far ahead a moment is, and whether
    /// the Entities of a join exist, did, or are made by the same `writes`.
    pub(crate) fn check_wait(
        &self,
        id: EntityId,
        name: &str,
        json: &Json,
        writes: &[Write],
    ) -> Result<(), Error> {
        if name == WakeAt::SPEC.name
            && let Ok(WakeAt(at_ms)) = WakeAt::from_json(json)
        {
            let now_ms = self.now_ms;
            if at_ms > now_ms.saturating_add(WAKE_AHEAD_MS_MAX) {
                return Err(Error::Invalid(format!("`{name}`: more than a day ahead")));
            }
        }
        if name == Join::SPEC.name
            && let Ok(join) = Join::from_json(json)
        {
            let makes = |other| writes.iter().any(|write| write.makes(other));
            let unknown = |other: &&EntityId| !self.was_made(**other) && !makes(**other);
            if join.entities.contains(&id) {
                return Err(Error::Invalid(format!("`{name}`: entity {id} can't wait for itself")));
            }
            if let Some(other) = join.entities.iter().find(unknown) {
                return Err(Error::Invalid(format!("`{name}`: there was no entity {other} yet")));
            }
        }
        Ok(())
    }

    /// Sets the timers and meets the joins that follow from a change of these Entities.
    pub(crate) fn follow_waits(&mut self, mut changed: Vec<EntityId>) {
        changed.sort_unstable();
        changed.dedup();
        let mut asking: BTreeSet<EntityId> = BTreeSet::new();
        for id in changed {
            self.follow_list(id);
            self.follow_wake_at(id);
            let join = self.get::<Join>(id).cloned();
            self.waits.follow(id, join.as_ref());
            asking.extend(join.is_some().then_some(id));
            asking.extend(self.waits.joining.get(&id).into_iter().flatten());
        }
        for id in asking {
            self.meet_join(id);
        }
    }

    /// The timer is as `lightningd:wake_at` says.
    fn follow_wake_at(&mut self, id: EntityId) {
        let wanted = self.get::<WakeAt>(id).map(|at| at.0);
        if wanted == self.timer_ms(id, WAKE_TIMER) {
            return;
        }
        self.cancel_timers(id, WAKE_TIMER);
        if let Some(at_ms) = wanted {
            let writes = vec![Write::to(id).detach::<WakeAt>()];
            let timer = EffectRequest::timer(WAKE_TIMER, at_ms, writes, WakeAt::SPEC.name);
            self.emit(id, timer);
        }
    }

    fn meet_join(&mut self, id: EntityId) {
        let Some(join) = self.get::<Join>(id) else { return };
        let ended =
            |other: &&EntityId| self.was_made(**other) && self.get::<Systems>(**other).is_none();
        let done: BTreeSet<EntityId> = join.entities.iter().filter(ended).copied().collect();
        if done.len() < join.needed() {
            return;
        }
        let write = Write::to(id).detach::<Join>().attach(&JoinDone(done));
        self.write_as_engine(id, &[write]);
        self.wake(id);
    }

    /// Whether an Entity has that number, or had.
    fn was_made(&self, id: EntityId) -> bool {
        let entities = self.world.resource::<Entities>();
        id < entities.next || entities.get(id).is_some()
    }

    /// Whether something will happen to an Entity by itself. A moment to be woken at and a join let
    /// a draft rest, a join only where it doesn't wait for the Entity itself in the end; neither
    /// holds up what is frozen.
    pub(crate) fn awaits(&self, id: EntityId, entity: Entity) -> bool {
        let world = self.world.entity(entity);
        let life = self.lives.of(entity);
        let frozen = self.is_frozen(id);
        let counts = |effect: &Effect| !frozen || effect.kind != WAKE_TIMER;
        life.invocation.is_some()
            || life.outstanding.iter().any(counts)
            || (world.contains::<Join>() && !frozen && !self.waits_for_itself(id))
    }

    /// Whether another Entity's join waits for this one.
    #[must_use]
    pub fn is_joined(&self, id: EntityId) -> bool {
        self.waits.joining.contains_key(&id)
    }

    /// An Entity is gone: its join is met by nobody.
    pub(crate) fn forget_join(&mut self, id: EntityId) {
        self.waits.follow(id, None);
    }

    fn waits_for_itself(&self, id: EntityId) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(next) = open.pop() {
            for target in self.waits.joined.get(&next).into_iter().flatten().copied() {
                if target == id {
                    return true;
                }
                if seen.insert(target) {
                    open.push(target);
                }
            }
        }
        false
    }

    /// Who waits for whom, from the Components alone: after a restore.
    pub(crate) fn find_waits(&mut self) {
        self.waits = Waits::default();
        for id in self.entities() {
            let join = self.get::<Join>(id).cloned();
            self.waits.follow(id, join.as_ref());
        }
    }
}
