//! What a payment has tried.

use super::told::{Attempts, Tried};
use crate::{
    components::{Parent, Part, PartFailure, Reservation},
    policy::Policy,
};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::{EntityId, Id};

/// Most parts that are told of: the last ones.
const PARTS_MAX: usize = 100;

/// The rounds, and the parts that failed as far as their Entities are there: as long as the payment
/// is.
pub(super) fn attempts(world: &World, entity: Entity, id: EntityId) -> Attempts {
    let facts = world.get::<Reservation>(entity).map(|reserved| reserved.0);
    let rounds_max = world.get_resource::<Policy>().map(|policy| policy.rounds_max);
    Attempts {
        rounds: Some(facts.map_or(0, |facts| facts.rounds)),
        rounds_max,
        parts_failed: facts.map_or(0, |facts| facts.parts_failed.into()),
        parts: parts(world, id),
    }
}

/// By the number of the part.
fn parts(world: &World, payment: EntityId) -> Vec<Tried> {
    let Some(mut failed) = world.try_query::<(&Id, &Parent, &Part, &PartFailure)>() else {
        return Vec::new();
    };
    let ours = failed.iter(world).filter(|(_, parent, ..)| parent.0 == payment);
    let mut tried: Vec<Tried> = ours
        .map(|(Id(entity), _, Part(part), PartFailure(failure))| Tried {
            entity: *entity,
            part_id: part.key.part_id,
            amount_msat: part.route.amount(),
            fee_msat: part.route.fee(),
            failcode: failure.failcode.number(),
            failure: failure.failcode.name(),
            erring_index: failure.erring_index,
            erring_node: failure.erring_node,
            short_channel_id_dir: failure.erring_channel,
        })
        .collect();
    tried.sort_by_key(|tried| tried.part_id);
    tried.drain(..tried.len().saturating_sub(PARTS_MAX));
    tried
}
