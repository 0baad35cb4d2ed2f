//! Components and helpers that the tests share.

use bevy_ecs::component::Component;
use ecs_core::{
    Caller, ComponentSpec, Engine, EntityId, ErrorObject, Inputs, Json, Shape, Systems, WhenFrozen,
    WireComponent, Write, Writer,
};

/// Declares a Component that keeps its JSON.
macro_rules! component {
    ($(#[$doc:meta])* $name:ident, $value:ty, $spec:expr) => {
        $(#[$doc])*
        #[derive(Component, Clone, Debug, PartialEq, Eq)]
        #[component(storage = "SparseSet")]
        pub(crate) struct $name(pub(crate) $value);

        impl WireComponent for $name {
            const SPEC: ComponentSpec = $spec;

            fn from_json(json: &Json) -> Result<Self, Shape> {
                Ok(Self(json.decode()?))
            }

            fn to_json(&self) -> Json {
                Json::of(&self.0)
            }
        }
    };
}

/// A Component that callers write, as a number or as text; stored as a number.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(storage = "SparseSet")]
pub(crate) struct Amount(pub(crate) u64);

impl WireComponent for Amount {
    const SPEC: ComponentSpec = ComponentSpec::input("lightningd:amount", "an integer", "One.");

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(match json.as_str() {
            Some(text) => text.parse()?,
            None => json.decode()?,
        }))
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0)
    }
}

component! {
    /// A Component that the freeze leaves open.
    Label, String,
    ComponentSpec::input("lightningd:label", "a string", "A label.")
        .when_frozen(WhenFrozen::Allowed)
}
component! {
    /// A Component that freezes the Entity.
    Claim, bool, ComponentSpec::engine("lightningd:claim", "true", "A claim.").freezing()
}
component! {
    /// A Component that is never shown.
    Key, String, ComponentSpec::input("lightningd:key", "a string", "A key.").secret()
}
component! {
    /// A Component of any depth.
    Deep, Json, ComponentSpec::engine("lightningd:deep", "any", "Something deep.")
}

/// An engine that knows the Components of this file.
pub(crate) fn engine() -> Engine {
    let mut app = Engine::new();
    app.add_component::<Amount>();
    app.add_component::<Label>();
    app.add_component::<Claim>();
    app.add_component::<Key>();
    app.add_component::<Deep>();
    app.add_free_prefix("lightningd:free:");
    app
}

pub(crate) fn id(number: u32) -> EntityId {
    EntityId::new(number).expect("the tests count from 1")
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text).expect("the tests write JSON")
}

/// Makes an Entity with that list and these flags.
pub(crate) fn entity(app: &mut Engine, list: &[&str], flags: &[&str]) -> EntityId {
    let entity = app.new_entity();
    let write = Write::to(entity).attach(&Systems::listing(list));
    let write =
        flags.iter().fold(write, |write, flag| write.attach_json((*flag).to_owned(), json("1")));
    app.set_components(&Writer::Engine, &[write], &[]).expect("the tests write proper values");
    entity
}

/// Calls a method as the owner.
pub(crate) fn call(app: &mut Engine, method: &str, params: &str) -> Result<Json, ErrorObject> {
    let reply = app.call(&Caller::owner(), Inputs::default(), method, Some(&json(params)));
    reply.map(|reply| reply.now().expect("it takes no time"))
}

/// The code in an error Component of an Entity.
pub(crate) fn code_of(app: &Engine, entity: EntityId, name: &str) -> Option<i32> {
    Some(app.component(entity, name)?.decode::<ErrorObject>().ok()?.code)
}

/// The code of `lightningd:systems.error`.
pub(crate) fn recorded(app: &Engine, entity: EntityId) -> Option<i32> {
    let error = app.component(entity, "lightningd:systems")?.fields()?.remove("error")?;
    Some(error.decode::<ErrorObject>().ok()?.code)
}

/// The names of the Systems that ran on an Entity.
pub(crate) fn ran(app: &Engine, entity: EntityId) -> Vec<String> {
    app.trace(entity).into_iter().map(|entry| entry.system.to_string()).collect()
}

pub(crate) fn at(now_ms: u64) -> Inputs {
    Inputs { now_ms, ..Inputs::default() }
}
