//! Effects: what a System wants done outside, as data.

use crate::{Engine, EntityId, Json, delta::Change, write::Write};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::any::Any;

/// The number of an effect, counted up over the life of the engine; ties a reply to its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub u64);

/// An effect's body: what the driver does, and the kind that tells it apart.
pub trait EffectBody: Serialize + DeserializeOwned + Clone + Send + Sync + Any {
    /// The kind: `node:send_part`, `planner:plan`, …
    const KIND: &'static str;
}

/// How an effect ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// By a reply; until then the Entity is busy.
    Reply,
    /// At a time; the Entity is not busy.
    Timer {
        /// Milliseconds since 1970.
        at_ms: u64,
        /// What is written then.
        writes: Vec<Write>,
        /// Only if this Component is still attached; else nothing is written. Advanced is in any
        /// case.
        only_if: Option<String>,
    },
    /// At once: nobody waits for it.
    Notice,
}

/// Something to be done outside, once the record it is part of is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Its number.
    pub id: EffectId,
    /// The Entity it is done for.
    pub entity: EntityId,
    /// What is to be done.
    pub kind: String,
    /// How it ends.
    pub class: EffectClass,
    /// The details; [`Effect::read`] gives them their type.
    pub body: Json,
}

impl Effect {
    /// The body, if the effect is of that kind.
    #[must_use]
    pub fn read<B: EffectBody>(&self) -> Option<B> {
        (self.kind == B::KIND).then(|| self.body.read().ok()).flatten()
    }
}

/// What a System asks for, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRequest {
    pub(crate) kind: &'static str,
    pub(crate) class: EffectClass,
    pub(crate) body: Json,
    /// Whom it is for; `None`: the Entity that the System runs on.
    pub(crate) entity: Option<EntityId>,
}

impl EffectRequest {
    /// An effect that keeps the Entity busy until its reply.
    #[must_use]
    pub fn with_reply<B: EffectBody>(body: &B) -> Self {
        Self { kind: B::KIND, class: EffectClass::Reply, body: Json::carrying(body), entity: None }
    }

    /// An effect that nobody waits for.
    #[must_use]
    pub fn notice<B: EffectBody>(body: &B) -> Self {
        Self { kind: B::KIND, class: EffectClass::Notice, body: Json::carrying(body), entity: None }
    }

    /// A timer of that kind: at `at_ms` (milliseconds since 1970) `writes` are written, if
    /// `only_if` is attached then, and the Entity is advanced in any case.
    #[must_use]
    pub fn timer(kind: &'static str, at_ms: u64, writes: Vec<Write>, only_if: &str) -> Self {
        let class = EffectClass::Timer { at_ms, writes, only_if: Some(only_if.to_owned()) };
        Self { kind, class, body: Json::yes(), entity: None }
    }

    /// The same for another Entity, which may be one that the Step makes: its reply or timer is
    /// that one's.
    #[must_use]
    pub fn on(self, entity: EntityId) -> Self {
        Self { entity: Some(entity), ..self }
    }
}

/// An announcement of a System: kind `payecs_system_invoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// The System.
    pub system: String,
    /// Its number if the System is external: the answer must carry it, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<u64>,
    /// `entity` and the required Components, in registration order, secrets left out.
    pub entity: Json,
}

impl EffectBody for Invoke {
    const KIND: &'static str = "payecs_system_invoke";
}

/// The kind of the timer that ends an unanswered invocation.
pub const INVOCATION_TIMEOUT: &str = "payecs:invocation_timeout";

impl Engine {
    /// Gives an effect its number and hands it out.
    pub(crate) fn emit(&mut self, id: EntityId, request: EffectRequest) -> EffectId {
        let number = EffectId(self.next_effect);
        self.next_effect += 1;
        let effect = Effect {
            id: number,
            entity: id,
            kind: request.kind.to_owned(),
            class: request.class,
            body: request.body,
        };
        if effect.class != EffectClass::Notice
            && let Some(entity) = self.find(id)
        {
            let life = self.lives.of_mut(entity);
            life.outstanding.push(effect.clone());
            self.note(|| Change::Awaited(Box::new(effect.clone())));
        }
        self.effects.push(effect);
        number
    }

    pub(crate) fn cancel_timers(&mut self, id: EntityId, kind: &str) {
        if let Some(entity) = self.find(id) {
            let life = self.lives.of_mut(entity);
            let of_kind = |effect: &mut Effect| {
                effect.kind == kind && matches!(effect.class, EffectClass::Timer { .. })
            };
            let over: Vec<Effect> = life.outstanding.extract_if(.., of_kind).collect();
            for effect in over {
                self.note(|| Change::Over(id, effect.id));
            }
        }
    }
}
