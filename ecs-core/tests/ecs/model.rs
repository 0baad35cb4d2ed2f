//! The ECS against a model of it: maps of numbers, and Systems as arms of a match.

mod wire;

use crate::common::{call, engine};
use ecs_core::{Delta, Engine, Json, On, Step, system};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    test_runner::Config,
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::collections::BTreeMap;

/// Components whose values the model keeps as numbers.
const NAMES: [&str; 5] = ["acme:a", "acme:b", "acme:halted", "acme:mark", "lightningd:amount"];
/// Systems by number; the last is registered by nobody.
const SYSTEMS: [&str; 4] = ["acme:mark", "acme:swap", "acme:halt", "acme:gone"];
const ENTITIES_MAX: u32 = 4;
const INVALID_LIST: &str = "Invalid `lightningd:systems`: invalid or absent `systems` field.";
const UNREGISTERED: &str =
    "Invalid `lightningd:systems`: `systems` array contains unregistered system: acme:gone";

type Values = BTreeMap<&'static str, u64>;

/// What the model keeps of `lightningd:systems`.
#[derive(Clone, Debug, Default)]
struct List {
    systems: Option<Vec<usize>>,
    current: Option<usize>,
    error: Option<(i32, &'static str)>,
}

#[derive(Clone, Debug, Default)]
struct Entity {
    values: Values,
    list: Option<List>,
}

#[derive(Clone, Debug)]
struct Model {
    entities: BTreeMap<u32, Entity>,
    next: u32,
    /// What the last transition answers: a code, or 0.
    code: i32,
    /// The number that the last transition gives out.
    given: Option<u32>,
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    None,
    Name,
    Engine,
    Shape,
}

/// What a write does to the list.
#[derive(Clone, Debug)]
enum ListChange {
    Keep,
    Detach,
    Attach(Vec<usize>),
}

#[derive(Clone, Debug)]
struct Change {
    entity: u32,
    exact: bool,
    values: BTreeMap<&'static str, Option<u64>>,
    list: ListChange,
    flaw: Flaw,
}

#[derive(Clone, Debug)]
struct Wanted {
    entity: u32,
    exact: bool,
    values: BTreeMap<&'static str, Option<u64>>,
    /// Which of the texts of a number is sent.
    variant: usize,
}

#[derive(Clone, Debug)]
enum Transition {
    New,
    Set { writes: Vec<Change>, expected: Vec<Wanted> },
    Advance(u32),
    Delete(u32),
}

impl Model {
    fn expects(&self, wanted: &Wanted) -> bool {
        let nothing = Entity::default();
        let entity = self.entities.get(&wanted.entity).unwrap_or(&nothing);
        wanted.values.iter().all(|(name, value)| entity.values.get(name) == value.as_ref())
            && (!wanted.exact
                || entity.list.is_none()
                    && entity.values.keys().all(|name| wanted.values.contains_key(name)))
    }

    fn write(&mut self, change: &Change) {
        let attaches = change.values.values().any(Option::is_some)
            || matches!(change.list, ListChange::Attach(_));
        if !attaches && !self.entities.contains_key(&change.entity) {
            return;
        }
        let entity = self.entities.entry(change.entity).or_default();
        if change.exact {
            *entity = Entity::default();
        }
        for (name, value) in &change.values {
            match value {
                Some(value) => entity.values.insert(*name, *value),
                None => entity.values.remove(name),
            };
        }
        match &change.list {
            ListChange::Keep => {}
            ListChange::Detach => entity.list = None,
            ListChange::Attach(systems) => {
                entity.list = Some(List { systems: Some(systems.clone()), ..List::default() });
            }
        }
    }

    fn set(&mut self, writes: &[Change], expected: &[Wanted]) -> i32 {
        if !expected.iter().all(|wanted| self.expects(wanted)) {
            return 2244;
        }
        if writes.iter().any(|write| !matches!(write.flaw, Flaw::None)) {
            return -32602;
        }
        for (at, write) in writes.iter().enumerate() {
            self.write(write);
            // What is cleared for good is over at once, what else is empty at the end.
            let again = |later: &Change| later.entity == write.entity && !later.is_nothing();
            if write.is_clear() && !writes[at + 1..].iter().any(again) {
                self.entities.remove(&write.entity);
            }
            self.pass_live();
        }
        self.entities.retain(|_, entity| !entity.values.is_empty() || entity.list.is_some());
        0
    }

    fn pass_live(&mut self) {
        while self.entities.contains_key(&self.next) {
            self.next += 1;
        }
    }

    fn advance(&mut self, id: u32) -> i32 {
        let Some(entity) = self.entities.get_mut(&id) else { return 2200 };
        let mut first = true;
        loop {
            let list = entity.list.get_or_insert_default();
            let found = match &list.systems {
                None => Err((2200, INVALID_LIST)),
                Some(systems) => found(systems, &entity.values),
            };
            match found {
                Err(error) => {
                    list.error = Some(error);
                    return if first { error.0 } else { 0 };
                }
                Ok(position) => {
                    (list.current, list.error) = (Some(position), None);
                    let system = list.systems.as_ref().map_or(0, |systems| systems[position]);
                    if !runs(system, &mut entity.values) {
                        return 0;
                    }
                    first = false;
                }
            }
        }
    }

    /// All Entities, as `payecs_listentities` answers them.
    fn listing(&self) -> Json {
        Json::object([(
            "entities",
            Json::array(self.entities.iter().map(|(id, entity)| {
                let id = ("entity", Json::of(id));
                let list = entity.list.iter().map(|list| ("lightningd:systems", list.json()));
                let values = entity.values.iter().map(|(name, value)| (*name, Json::of(value)));
                Json::object(std::iter::once(id).chain(list).chain(values))
            })),
        )])
    }
}

/// The position of the first System that matches.
fn found(systems: &[usize], values: &Values) -> Result<usize, (i32, &'static str)> {
    let has = |name: &str| values.contains_key(name);
    for (position, system) in systems.iter().enumerate() {
        let matches = match system {
            0 => has("lightningd:amount") && !has("acme:mark"),
            1 => has("acme:a") && !has("acme:b"),
            2 => has("acme:mark") && has("acme:b") && !has("acme:halted"),
            _ => return Err((2200, UNREGISTERED)),
        };
        if matches {
            return Ok(position);
        }
    }
    Err((2201, "No systems match, cannot advance."))
}

/// What a System does; whether the Entity goes on.
fn runs(system: usize, values: &mut Values) -> bool {
    match system {
        0 => {
            values.insert("acme:mark", 7);
            true
        }
        1 => {
            values.remove("acme:a");
            values.insert("acme:b", 1);
            true
        }
        _ => {
            values.insert("acme:halted", 7);
            false
        }
    }
}

/// The same Systems as the engine runs them.
fn with_systems() -> Engine {
    let seven = || Json::of(&7);
    let mut app = engine();
    let mark = system("acme:mark").requires(["lightningd:amount"]).disallows(["acme:mark"]);
    app.add_payment_system(
        mark,
        move |_: On| Ok(Step::advance().attach_json("acme:mark", seven())),
    )
    .expect("a new name");
    let swap = system("acme:swap").requires(["acme:a"]).disallows(["acme:b"]);
    app.add_payment_system(swap, |_: On| {
        Ok(Step::advance().detach_name("acme:a").attach_json("acme:b", Json::of(&1)))
    })
    .expect("a new name");
    let halt = system("acme:halt").requires(["acme:mark", "acme:b"]).disallows(["acme:halted"]);
    app.add_payment_system(halt, move |_: On| Ok(Step::wait().attach_json("acme:halted", seven())))
        .expect("a new name");
    app
}

fn changes() -> impl Strategy<Value = Change> {
    let values = btree_map(select(&NAMES[..]), option::weighted(0.8, 0_u64..3), 0..4);
    let list = prop_oneof![
        5 => Just(ListChange::Keep),
        1 => Just(ListChange::Detach),
        4 => vec(0_usize..4, 0..5).prop_map(ListChange::Attach),
    ];
    let flaw = prop_oneof![
        20 => Just(Flaw::None),
        1 => Just(Flaw::Name),
        1 => Just(Flaw::Engine),
        1 => Just(Flaw::Shape),
    ];
    (1..=ENTITIES_MAX, prop::bool::weighted(0.2), values, list, flaw).prop_map(
        |(entity, exact, values, list, flaw)| Change { entity, exact, values, list, flaw },
    )
}

/// Half of what is expected is what is there.
fn wanted(state: &Model) -> impl Strategy<Value = Wanted> + use<> {
    let entities = state.entities.clone();
    let values = btree_map(select(&NAMES[..]), option::of(0_u64..3), 0..3);
    (1..=ENTITIES_MAX, any::<bool>(), any::<bool>(), values, 0_usize..4).prop_map(
        move |(entity, truthful, exact, mut values, variant)| {
            if truthful && let Some(present) = entities.get(&entity) {
                values = present.values.iter().map(|(name, value)| (*name, Some(*value))).collect();
            }
            Wanted { entity, exact, values, variant }
        },
    )
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self { entities: BTreeMap::new(), next: 1, code: 0, given: None }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let id = 1..=ENTITIES_MAX;
        prop_oneof![
            1 => Just(Transition::New),
            5 => (vec(changes(), 0..4), vec(wanted(state), 0..2))
                .prop_map(|(writes, expected)| Transition::Set { writes, expected }),
            4 => id.clone().prop_map(Transition::Advance),
            1 => id.prop_map(Transition::Delete),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        state.given = None;
        state.code = match transition {
            Transition::New => {
                state.given = Some(state.next);
                state.next += 1;
                state.pass_live();
                0
            }
            Transition::Set { writes, expected } => state.set(writes, expected),
            Transition::Advance(id) => state.advance(*id),
            Transition::Delete(id) => {
                if state.entities.remove(id).is_some() {
                    0
                } else {
                    2204
                }
            }
        };
        state
    }
}

struct Checked;

/// The engine, and another that only ever hears what changed.
struct Pair {
    app: Engine,
    follower: Engine,
}

impl StateMachineTest for Checked {
    type SystemUnderTest = Pair;
    type Reference = Model;

    fn init_test(_: &Model) -> Pair {
        let mut app = with_systems();
        app.record_changes(true);
        Pair { app, follower: with_systems() }
    }

    fn apply(mut pair: Pair, model: &Model, transition: Transition) -> Pair {
        let app = &mut pair.app;
        let answer = match &transition {
            Transition::New => call(app, "payecs_newentity", "[]"),
            Transition::Set { writes, expected } => {
                let writes: Vec<String> = writes.iter().map(Change::text).collect();
                let expected: Vec<String> = expected.iter().map(Wanted::text).collect();
                let params = format!("[[{}],[{}]]", writes.join(","), expected.join(","));
                call(app, "payecs_setcomponents", &params)
            }
            Transition::Advance(id) => call(app, "payecs_advance", &format!("[{id}]")),
            Transition::Delete(id) => {
                call(app, "payecs_delentity", &format!("{{\"entity\":{id}}}"))
            }
        };
        assert_eq!(answer.as_ref().map_or_else(|error| error.code, |_| 0), model.code);
        if let (Some(given), Ok(answer)) = (model.given, &answer) {
            assert_eq!(answer.text(), format!("{{\"entity\":{given}}}"));
        }
        if let Some(delta) = app.take_delta() {
            let text = serde_json::to_string(&delta).expect("a delta is JSON");
            let read: Delta = serde_json::from_str(&text).expect("what was written is read");
            assert_eq!(read, delta);
            pair.follower.apply_delta(&read).expect("its own delta");
        }
        pair
    }

    fn check_invariants(Pair { app, follower }: &Pair, model: &Model) {
        assert_eq!(follower.snapshot(), app.snapshot());
        let mut other = with_systems();
        let kept = app.snapshot();
        other.restore(&kept).expect("its own snapshot");
        assert_eq!(other.snapshot(), kept);
        let listed = call(&mut other, "payecs_listentities", "[]").expect("no filter");
        let wanted = model.listing();
        assert!(listed == wanted, "{listed}\nbut the model has\n{wanted}");
        for (id, entity) in &model.entities {
            let names = Json::of(&NAMES);
            let read = call(&mut other, "payecs_getcomponents", &format!("[{id},{names}]"));
            let read = read.expect("proper names").fields().expect("an object");
            for name in NAMES {
                let value = entity.values.get(name).map_or_else(Json::null, Json::of);
                assert_eq!(read[name], value, "{name} of {id}");
            }
        }
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 128, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_engine_never_differs_from_the_model(sequential 1..40 => Checked);
}
