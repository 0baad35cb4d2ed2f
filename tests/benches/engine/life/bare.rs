//! The same life in bevy's world alone: without texts, matches, judging, a trace and a journal.

use super::{Fact, GIVEN, Left};
use bevy_ecs::{
    entity::Entity,
    query::With,
    system::{In, IntoSystem, Query, ReadOnlySystem},
    world::World,
};
use ecs_core::{On, bevy_ecs};
use std::hint::black_box;

/// As often as the engine does: it costs a little for each Component that there is.
const LIVES_NOTED_MAX: u32 = 64;

type Stage = Box<dyn ReadOnlySystem<In = On, Out = u64>>;
type Attach = fn(&mut World, Entity, u64);

/// A world, what is attached first, and what runs then: each reads the Component before its own.
pub(crate) struct Bare {
    world: World,
    given: Vec<Attach>,
    stages: Vec<(Stage, Attach)>,
    noted: u32,
}

fn attach<const AT: usize>(world: &mut World, entity: Entity, value: u64) {
    world.entity_mut(entity).insert(Fact::<AT>(value));
}

fn stage<const BEFORE: usize>(
    In(entity): On,
    before: Query<'_, '_, &Fact<BEFORE>, With<Left>>,
) -> u64 {
    before.get(entity).map_or(0, |Fact(before)| before + 1)
}

/// What attaches each Component; from the second list on with what runs before.
macro_rules! facts {
    ($world:ident, given $($given:literal)*, attached $($own:literal)*) => {
        (
            vec![$(attach::<$given> as Attach),*],
            vec![$({
                let mut stage: Stage = Box::new(IntoSystem::into_system(stage::<{ $own - 1 }>));
                stage.initialize(&mut $world);
                (stage, attach::<$own> as Attach)
            }),*],
        )
    };
}

impl Bare {
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        let (given, stages) = facts!(world, given 0 1 2 3 4 5 6 7 8, attached 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23);
        assert_eq!(given.len(), GIVEN);
        Self { world, given, stages, noted: 0 }
    }

    /// A whole life: as many Components and Systems as [`super::Life::live`] has.
    pub(crate) fn live(&mut self) {
        // In place of the list.
        let entity = self.world.spawn(Left(0)).id();
        for (attach, value) in self.given.iter().zip(0_u64..) {
            attach(&mut self.world, entity, value);
        }
        for (stage, attach) in &mut self.stages {
            let value = stage.run_readonly(entity, &self.world).unwrap();
            attach(&mut self.world, entity, black_box(value));
        }
        self.world.despawn(entity);
        self.noted += 1;
        if self.noted >= LIVES_NOTED_MAX {
            self.noted = 0;
            self.world.clear_trackers();
        }
    }
}
