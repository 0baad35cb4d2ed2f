//! The methods of the ECS itself, one file per theme.

mod entities;
mod components;
mod advance;
mod systems;
mod defaults;

use crate::method::Method;

/// All of them.
pub(crate) const ALL: [&Method; 11] = [
    &entities::NEW_ENTITY,
    &entities::LIST_ENTITIES,
    &entities::DELETE_ENTITY,
    &components::GET_COMPONENTS,
    &components::SET_COMPONENTS,
    &advance::ADVANCE,
    &advance::TRACE,
    &systems::NEW_SYSTEM,
    &systems::LIST_SYSTEMS,
    &defaults::GET_DEFAULT_SYSTEMS,
    &defaults::SET_DEFAULT_SYSTEMS,
];

const ENTITY: &str = "an entity id: an integer from 1 to 4294967295, or the same as a string";
const NAMES: &str = "an array of component names, or one name";
const WRITES: &str = "an array of objects, or one object: `entity`, optional `exact` (bool: detach \
                      everything else first), and components by name (`null` detaches)";
const EXPECTED: &str = "an array of objects, or one object: `entity`, optional `exact` (bool: \
                        nothing else is attached), and components by name (`null`: absent)";
const INVOCATION: &str = "the number of the invocation this answers";

#[cfg(test)]
mod tests;
