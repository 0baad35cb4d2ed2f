//! What Entities are among others, for the names and the tree of spans.

use crate::components::{Htlc, MainPayment, Parent, Part, Planning, Set};
use bevy_ecs::{entity::Entity, world::World};
use ecs_core::trace::Kin;

/// A payment, or its plan, part, set or HTLC; anything else is an `entity`.
#[must_use]
pub fn kin(world: &World, entity: Entity) -> Kin {
    let entity = world.entity(entity);
    let kinds = [
        (entity.contains::<Planning>(), "plan"),
        (entity.contains::<Part>(), "part"),
        (entity.contains::<Set>(), "set"),
        (entity.contains::<Htlc>(), "htlc"),
        (entity.contains::<MainPayment>(), "payment"),
    ];
    let kind = kinds.iter().find(|(is_it, _)| *is_it).map_or("entity", |(_, kind)| *kind);
    Kin { kind, parent: entity.get::<Parent>().map(|parent| parent.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PaymentSystems, fixture::sample};
    use ecs_core::{Engine, EntityId, Plugin as _, Write, Writer};

    #[test]
    fn each_kind_of_entity_has_its_name_and_children_their_parent() {
        let mut app = Engine::new();
        PaymentSystems::default().build(&mut app).unwrap();
        for (name, kind) in [
            ("lightningd:planning", "plan"),
            ("lightningd:part", "part"),
            ("lightningd:set", "set"),
            ("lightningd:htlc", "htlc"),
            ("lightningd:main-payment", "payment"),
            ("lightningd:label", "entity"),
        ] {
            let write = Write::to(app.new_entity()).attach_json(name, sample(name));
            let write = write.attach(&Parent(EntityId::FIRST));
            let id = write.entity.unwrap();
            app.set_components(&Writer::Engine, &[write], &[]).unwrap();
            let entity = app.resource::<ecs_core::Entities>().unwrap().get(id).unwrap();
            assert_eq!(app.kin_of(entity), Kin { kind, parent: Some(EntityId::FIRST) }, "{name}");
        }
    }
}
