//! An Entity Component System spoken in JSON: it knows no money and no Lightning.
//!
//! An [`Entity`](EntityId) is a number that Components are attached to; a Component is a named JSON
//! value; a System matches on which Components are present and absent, and answers with a [`Step`]:
//! what it wants written, and what it wants done outside. [`Engine::advance`] runs the first System
//! of the Entity's list that matches, and again from the top, until the Entity rests.
//!
//! ```
//! use ecs_core::{Engine, Json, On, Step, Systems, Write, Writer, system};
//!
//! let mut app = Engine::new();
//! app.add_payment_system(
//!     system("acme:greet").requires(["acme:name"]).disallows(["acme:greeted"]),
//!     |_: On| Ok(Step::advance().attach_json("acme:greeted", Json::yes())),
//! )?;
//! let entity = app.new_entity();
//! let write = Write::to(entity)
//!     .attach(&Systems::listing(["acme:greet"]))
//!     .attach_json("acme:name", Json::of("Ada"));
//! app.set_components(&Writer::Caller, &[write], &[])?;
//! app.advance(entity, None)?;
//! assert_eq!(app.component(entity, "acme:greeted"), Some(Json::yes()));
//! # Ok::<(), ecs_core::Error>(())
//! ```

/// What Systems read by: `ecs_core::bevy_ecs::prelude::{In, Query, Res}`, so that who writes one
/// needs no version of it to keep in step. Its derives want the crate by its own name.
pub use bevy_ecs;

mod entity;
mod json;
mod error;
mod component;
mod names;
mod life;
mod systems;
mod effect;
mod write;
mod system;
mod declared;
mod registry;
mod dispatch;
mod inputs;
mod time;
pub mod trace;
mod queue;
mod engine;
mod read;
mod command;
mod commit;
mod advance;
mod resting;
mod quotas;
mod waits;
mod externals;
mod invoke;
mod serving;
pub mod method;
mod args;
mod methods;
mod plugin;
mod snapshot;
mod delta;

pub use self::{args::Args, args::Fields, system::SystemSpec, system::system};
pub use self::{dispatch::LISTS_MAX, names::FOREIGN_NAMES_MAX, names::did_you_mean};
pub use self::{effect::Invoke, life::Given, life::Id, plugin::Plugin, registry::Owner};
pub use self::{entity::EntityId, entity::EntityIdError, inputs::Entities, inputs::Inputs};
pub use self::{snapshot::EntityState, snapshot::Image, snapshot::Snapshot, system::SystemDef};
pub use advance::{LIFE_MS_MAX, STEPS_PER_ADVANCE_MAX, STEPS_PER_LIFE_MAX};
pub use component::{
    ComponentSpec, NAME_BYTES_MAX, OWN_PREFIX, Shape, WhenFrozen, WireComponent, Writable,
    check_name,
};
pub use declared::{ADDITIONS_MAX, Additions, Declared, External, OWNER_BYTES_MAX};
pub use delta::{Change, Delta, Line, Notes};
pub use effect::{Effect, EffectBody, EffectClass, EffectId, EffectRequest, INVOCATION_TIMEOUT};
pub use engine::{AtRest, Deadline, Engine, Keeper, Rest, Unwanted};
pub use error::{Error, ErrorObject, INTERNAL, INVALID_PARAMS, METHOD_NOT_FOUND, Refusal};
pub use json::{JSON_DEPTH_MAX, Json, JsonError, NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX};
pub use method::explainer::{Explainer, Recall, Recalled};
pub use method::{Caller, Kind, Method, NOT_PERMITTED, Param, Reply, Scope, optional, required};
pub use quotas::{QUOTA_REACHED, Quota, QuotaReached, QuotaTooHigh, Quotas};
pub use serving::{AT_ONCE_DEFAULT, AT_ONCE_MAX, Delivery, ServerId, Serving, TRIES_MAX};
pub use system::{Answer, Next, On, SYSTEM_NAMES_MAX, SYSTEM_TIMEOUT_MS, SYSTEMS_MAX, Step};
pub use systems::{Failed, Failing, LIST_LENGTH_MAX, ListProgress, Systems, SystemsFinal};
pub use trace::{ENDED_TRACES_MAX, TRACE_LENGTH_MAX, TraceEntry};
pub use waits::{JOINED_MAX, Join, JoinAllOrAny, JoinDone, JoinMode, WAKE_AHEAD_MS_MAX, WakeAt};
pub use write::{Expected, Name, Record, Write, Writer};
