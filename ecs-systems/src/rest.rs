//! What an Entity comes to that no System matches and that nothing is awaited for.

use crate::{
    components::{
        Claimed, Htlc, PaidPreimage, Part, PartFailure, PartSent, PartsOpen, Planning,
        PlanningEntity, Refusing, SelfAsked, Set,
    },
    port::{Failure, FailureCode, PayeeFailure},
};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{Entities, Error, ErrorObject, Failing, Rest, Write};

/// A claimed payment fails with 2201, a part that never left counts as failed, a set or HTLC is
/// refused; a payment whose part, plan or set is alive waits for it; anything else is stuck, also a
/// part that has its outcome and a set that is refused, which only their own Systems can end.
#[must_use]
pub fn at_rest(world: &World, entity: Entity) -> Rest {
    let entity = world.entity(entity);
    if entity.contains::<Set>() || entity.contains::<Htlc>() {
        let refused = entity.contains::<Refusing>();
        let refuse = Write::here().attach(&Refusing(PayeeFailure::DETAILS));
        return if refused { Rest::Stuck } else { Rest::Write(refuse) };
    }
    if let Some(Part(part)) = entity.get::<Part>() {
        if entity.contains::<PartFailure>() || entity.contains::<PaidPreimage>() {
            return Rest::Stuck;
        }
        if entity.contains::<PartSent>() {
            return Rest::Waiting;
        }
        let never_left = Failure::local(part.route.hops.first(), FailureCode::TemporaryNodeFailure);
        return Rest::Write(Write::here().attach(&PartFailure(never_left)));
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

#[cfg(test)]
mod tests;
