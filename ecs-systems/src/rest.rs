//! What an Entity comes to that no System matches and that nothing is awaited for.

use crate::{
    components::{
        Claimed, Htlc, Part, PartFailure, PartSent, PartsOpen, Planning, PlanningEntity, Refusing,
        SelfAsked, Set,
    },
    port::{Failure, FailureCode, PayeeFailure},
};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{Entities, Error, ErrorObject, Failing, Rest, Write};

/// A claimed payment fails with 2201, a part that never left counts as failed, a set or HTLC is
/// refused; a payment whose part, plan or set is alive waits for it; anything else is stuck.
#[must_use]
pub fn at_rest(world: &World, entity: Entity) -> Rest {
    let entity = world.entity(entity);
    if entity.contains::<Set>() || entity.contains::<Htlc>() {
        let refusing = Refusing(PayeeFailure::DETAILS);
        return unless(entity.contains::<Refusing>(), Write::here().attach(&refusing));
    }
    if let Some(Part(part)) = entity.get::<Part>() {
        let over = entity.contains::<PartSent>() || entity.contains::<PartFailure>();
        let never_left = Failure::local(part.route.hops.first(), FailureCode::TemporaryNodeFailure);
        return unless(over, Write::here().attach(&PartFailure(never_left)));
    }
    let alive = |number| world.resource::<Entities>().get(number).is_some();
    let waits = entity.contains::<PartsOpen>()
        || entity.get::<PlanningEntity>().is_some_and(|plan| alive(plan.0))
        || entity.get::<SelfAsked>().is_some_and(|set| alive(set.0));
    if waits {
        return Rest::Waiting;
    }
    if entity.contains::<Failing>() {
        return Rest::Stuck;
    }
    if entity.contains::<Claimed>() || entity.contains::<Planning>() {
        let stuck = ErrorObject::from(Error::NoMatch);
        return Rest::Write(Write::here().attach(&Failing(stuck)));
    }
    Rest::Stuck
}

fn unless(done: bool, write: Write) -> Rest {
    if done { Rest::Waiting } else { Rest::Write(write) }
}

#[cfg(test)]
mod tests;
