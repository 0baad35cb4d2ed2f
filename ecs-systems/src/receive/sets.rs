//! The sets there are, by hash: for whoever looks at one receipt, and for those who wait.

use crate::{components::Set, port::Receipts};
use bevy_ecs::{lifecycle::HookContext, resource::Resource, world::DeferredWorld};
use ecs_core::{EntityId, Id, Systems};
use payecs_units::PaymentHash;
use std::collections::BTreeMap;

/// The Entities of all sets, ended ones too while they are there. It follows from the Components:
/// each set that is attached or detached is noted, also while a state is brought back.
#[derive(Resource, Debug, Default)]
pub struct Sets {
    by_hash: BTreeMap<PaymentHash, Vec<EntityId>>,
    changes: u64,
}

impl Sets {
    /// Those of a hash, in the order in which they came.
    #[must_use]
    pub fn of(&self, payment_hash: &PaymentHash) -> &[EntityId] {
        self.by_hash.get(payment_hash).map_or(&[], Vec::as_slice)
    }

    /// All of them, by hash.
    pub fn all(&self) -> impl Iterator<Item = EntityId> {
        self.by_hash.values().flatten().copied()
    }

    /// A number that is another one after a set came, was held or was refused.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

/// The list of a set: that of what opens it, behind the Systems that the receipt asks for.
pub(crate) fn list_of(
    receipts: &dyn Receipts,
    payment_hash: &PaymentHash,
    systems: &Systems,
) -> Systems {
    let prepend = receipts.facts(payment_hash).map(|facts| facts.prepend).unwrap_or_default();
    if prepend.is_empty() {
        return systems.clone();
    }
    systems.with_names(prepend.iter().chain(systems.names().unwrap_or_default()))
}

pub(crate) fn note_change(mut world: DeferredWorld<'_>, _: HookContext) {
    if let Some(mut sets) = world.get_resource_mut::<Sets>() {
        sets.changes = sets.changes.wrapping_add(1);
    }
}

pub(crate) fn note_set(mut world: DeferredWorld<'_>, context: HookContext) {
    let Some((hash, id)) = named(&world, &context) else { return };
    if let Some(mut sets) = world.get_resource_mut::<Sets>() {
        let of_hash = sets.by_hash.entry(hash).or_default();
        if !of_hash.contains(&id) {
            of_hash.push(id);
        }
        sets.changes = sets.changes.wrapping_add(1);
    }
}

pub(crate) fn forget_set(mut world: DeferredWorld<'_>, context: HookContext) {
    let Some((hash, id)) = named(&world, &context) else { return };
    let Some(mut sets) = world.get_resource_mut::<Sets>() else { return };
    sets.changes = sets.changes.wrapping_add(1);
    if let Some(of_hash) = sets.by_hash.get_mut(&hash) {
        of_hash.retain(|other| *other != id);
        if of_hash.is_empty() {
            sets.by_hash.remove(&hash);
        }
    }
}

fn named(world: &DeferredWorld<'_>, context: &HookContext) -> Option<(PaymentHash, EntityId)> {
    let Set(facts) = world.get::<Set>(context.entity)?;
    Some((facts.payment_hash, world.get::<Id>(context.entity)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PaymentSystems, receive::fixture::set};
    use ecs_core::{Engine, Plugin, Write, Writer};

    fn engine() -> Engine {
        let mut app = Engine::new();
        PaymentSystems::default().build(&mut app).unwrap();
        app
    }

    fn write(app: &mut Engine, write: Write) {
        app.set_components(&Writer::Engine, &[write], &[]).unwrap();
    }

    fn of(app: &Engine) -> &[EntityId] {
        app.resource::<Sets>().unwrap().of(&set().0.payment_hash)
    }

    #[test]
    fn every_set_is_found_by_its_hash_until_it_is_gone_also_after_a_restart() {
        let mut app = engine();
        let ids = [app.new_entity(), app.new_entity()];
        for id in [ids[0], ids[1], ids[0]] {
            write(&mut app, Write::to(id).attach(&set()));
        }
        assert_eq!(of(&app), ids);
        let mut other = engine();
        other.restore(&app.snapshot()).unwrap();
        assert_eq!(of(&other), ids);
        write(&mut app, Write::to(ids[0]).detach::<Set>());
        assert_eq!(of(&app), &ids[1..]);
        app.collect([ids[1]]);
        assert!(of(&app).is_empty() && app.resource::<Sets>().unwrap().by_hash.is_empty());
    }
}
