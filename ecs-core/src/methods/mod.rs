//! The methods of the ECS itself, one file per theme.

mod entities;
mod components;
mod advance;
mod systems;
mod additions;
mod defaults;
mod check;
mod wait;
mod serve;
mod explain;
mod discover;

pub(crate) use check::CHECK;

use crate::method::{Kind, Method};

/// All of them.
pub(crate) const ALL: [&Method; 19] = [
    &entities::NEW_ENTITY,
    &entities::LIST_ENTITIES,
    &entities::DELETE_ENTITY,
    &components::GET_COMPONENTS,
    &components::SET_COMPONENTS,
    &advance::ADVANCE,
    &advance::TRACE,
    &systems::NEW_SYSTEM,
    &systems::REMOVE_SYSTEM,
    &systems::LIST_SYSTEMS,
    &defaults::GET_DEFAULT_SYSTEMS,
    &defaults::SET_DEFAULT_SYSTEMS,
    &additions::CHANGE_DEFAULT_SYSTEMS,
    &CHECK,
    &wait::WAIT,
    &serve::SERVE,
    &serve::INVOCATIONS,
    &explain::EXPLAIN,
    &discover::DISCOVER,
];

/// Those that a caller may call who is for some Components only: they read and write no others for
/// it.
pub(crate) const KEEP_TO_COMPONENTS: [&str; 14] = [
    entities::NEW_ENTITY.name,
    entities::LIST_ENTITIES.name,
    components::GET_COMPONENTS.name,
    components::SET_COMPONENTS.name,
    advance::ADVANCE.name,
    advance::TRACE.name,
    systems::NEW_SYSTEM.name,
    systems::REMOVE_SYSTEM.name,
    systems::LIST_SYSTEMS.name,
    defaults::GET_DEFAULT_SYSTEMS.name,
    CHECK.name,
    wait::WAIT.name,
    serve::SERVE.name,
    serve::INVOCATIONS.name,
];

const NAMES: Kind = Kind::TEXTS.saying("an array of at most 1000 component names, or one name");
const WRITES: Kind = Kind::OBJECTS.saying(
    "an array of objects, or one object: `entity`, optional `exact` (bool: detach everything else \
     first), and components by name (`null` detaches)",
);
const EXPECTED: Kind = Kind::OBJECTS.saying(
    "an array of objects, or one object: `entity`, optional `exact` (bool: nothing else is \
     attached), and components by name (`null`: absent)",
);
const INVOCATION: Kind = Kind::COUNT.saying("the number of the invocation this answers");

#[cfg(test)]
mod tests;
