//! The Entities that are measured: their Components and Systems.

mod bare;

pub(crate) use bare::Bare;

use bevy_ecs::{
    component::Component,
    system::{In, Query},
};
use ecs_core::{
    Answer, ComponentSpec, Engine, EntityId, Inputs, Json, On, Shape, Step, SystemDef, Systems,
    WireComponent, Write, Writer, bevy_ecs,
};
use std::{borrow::Cow, hint::black_box};

/// How long a list is where only one System of it matches: as that of a payment.
const LIST_LENGTH: usize = 20;
/// What a caller attaches beside the list, and what Systems attach: with the list, 25 Components.
const GIVEN: usize = 9;
const STAGES: usize = 15;
const NAMES: [&str; GIVEN + STAGES] = [
    "acme:a", "acme:b", "acme:c", "acme:d", "acme:e", "acme:f", "acme:g", "acme:h", "acme:i",
    "acme:1", "acme:2", "acme:3", "acme:4", "acme:5", "acme:6", "acme:7", "acme:8", "acme:9",
    "acme:10", "acme:11", "acme:12", "acme:13", "acme:14", "acme:15",
];

/// So many steps are left.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(storage = "SparseSet")]
struct Left(u32);

impl WireComponent for Left {
    const SPEC: ComponentSpec = ComponentSpec::engine("acme:left", "an integer", "Steps to take.");

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(json.decode()?))
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0)
    }
}

/// The Component of that place in `NAMES`.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(storage = "SparseSet")]
struct Fact<const AT: usize>(u64);

impl<const AT: usize> WireComponent for Fact<AT> {
    const SPEC: ComponentSpec = ComponentSpec::input(NAMES[AT], "an integer", "A number.");

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(json.decode()?))
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0)
    }
}

fn count_down(In(entity): On, left: Query<'_, '_, &Left>) -> Answer {
    let Left(left) = left.get(entity)?;
    let step = if *left > 1 { Step::advance() } else { Step::wait() };
    Ok(step.attach(&Left(left - 1)))
}

/// Reads the Component before its own, and attaches its own.
fn stage<const BEFORE: usize, const OWN: usize>(
    In(entity): On,
    before: Query<'_, '_, &Fact<BEFORE>>,
) -> Answer {
    let Fact(before) = before.get(entity)?;
    let step = if OWN + 1 == NAMES.len() { Step::wait() } else { Step::advance() };
    Ok(step.attach(&Fact::<OWN>(before + 1)))
}

fn system_def(name: &str, required: &'static str, disallowed: &'static str) -> SystemDef {
    SystemDef {
        system: name.into(),
        required: vec![Cow::Borrowed(required)],
        disallowed: vec![Cow::Borrowed(disallowed)],
    }
}

/// Adds each Component, and behind those that are given the System that attaches it.
macro_rules! facts {
    ($engine:ident, $names:ident, given $($given:literal)*, attached $($own:literal)*) => {
        $($engine.add_component::<Fact<$given>>();)*
        $(
            $engine.add_component::<Fact<$own>>();
            let def = system_def(&format!("acme:stage{}", $own), NAMES[$own - 1], NAMES[$own]);
            $names.push(def.system.to_string());
            $engine.add_system(def, stage::<{ $own - 1 }, $own>).unwrap();
        )*
    };
}

/// An engine whose changes are noted, and its lists.
pub(crate) struct Life {
    engine: Engine,
    countdown: Systems,
    stages: Systems,
    now_ms: u64,
}

impl Life {
    pub(crate) fn new() -> Self {
        let mut engine = Engine::new();
        engine.add_component::<Left>();
        let mut stages = Vec::new();
        facts!(engine, stages, given 0 1 2 3 4 5 6 7 8, attached 9 10 11 12 13 14 15 16 17 18 19 20
            21 22 23);
        let mut countdown = Vec::new();
        for name in &NAMES[..LIST_LENGTH - 1] {
            let def = system_def(&format!("{name}:other"), name, Left::SPEC.name);
            countdown.push(def.system.to_string());
            engine.add_system(def, |_: On| Ok(Step::wait())).unwrap();
        }
        let def = system_def("acme:count_down", Left::SPEC.name, NAMES[0]);
        countdown.push(def.system.to_string());
        engine.add_system(def, count_down).unwrap();
        engine.record_changes(true);
        let (countdown, stages) = (Systems::listing(&countdown), Systems::listing(&stages));
        Self { engine, countdown, stages, now_ms: 0 }
    }

    /// One command; its change is taken as a journal takes it.
    fn command<R>(&mut self, command: impl FnOnce(&mut Engine) -> R) -> R {
        self.now_ms += 1;
        self.engine.begin(Inputs { now_ms: self.now_ms, ..Inputs::default() });
        let answer = command(&mut self.engine);
        black_box(self.engine.take_delta().expect("each command changes something"));
        answer
    }

    /// An Entity that takes steps, once it is given how many.
    pub(crate) fn counter(&mut self) -> EntityId {
        let list = self.countdown.clone();
        self.command(|engine| {
            let entity = engine.new_entity();
            let write = Write::to(entity).attach(&list);
            engine.set_components(&Writer::Engine, &[write], &[]).unwrap();
            entity
        })
    }

    /// Lets it take so many.
    pub(crate) fn steps(&mut self, entity: EntityId, steps: u32) {
        self.command(|engine| {
            let write = Write::to(entity).attach(&Left(steps));
            engine.set_components(&Writer::Engine, &[write], &[]).unwrap();
            engine.advance(entity, None).unwrap();
            assert_eq!(engine.get::<Left>(entity), Some(&Left(0)), "all were taken");
        });
    }

    /// Takes an Entity away.
    pub(crate) fn end(&mut self, entity: EntityId) {
        let end = [Write::end(entity)];
        self.command(|engine| engine.set_components(&Writer::Engine, &end, &[]).unwrap());
    }

    /// A whole life: given, advanced to its rest, gone.
    pub(crate) fn live(&mut self) {
        let mut write = Write::here().attach(&self.stages);
        for (name, at) in NAMES[..GIVEN].iter().zip(0_u64..) {
            write = write.attach_json(*name, Json::of(&at));
        }
        let entity = self.command(|engine| {
            let entity = engine.new_entity();
            write.entity = Some(entity);
            engine.set_components(&Writer::Caller, &[write], &[]).unwrap();
            entity
        });
        self.command(|engine| {
            engine.advance(entity, None).unwrap();
            assert!(engine.get::<Fact<{ NAMES.len() - 1 }>>(entity).is_some(), "the last stage");
        });
        self.end(entity);
    }

    /// An Entity with five Components.
    pub(crate) fn five(&mut self, number: u64) {
        let write = |entity| {
            Write::to(entity)
                .attach_json("acme:text", Json::of("what somebody wrote"))
                .attach_json("acme:number", Json::of(&number))
                .attach_json("acme:flag", Json::yes())
                .attach_json("acme:list", Json::of(&[1, 2, 3]))
                .attach_json("acme:hex", Json::of("ff00ff00ff00ff00"))
        };
        self.command(|engine| {
            let entity = engine.new_entity();
            engine.set_components(&Writer::Caller, &[write(entity)], &[]).unwrap();
        });
    }
}
