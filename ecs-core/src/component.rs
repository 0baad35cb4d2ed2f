//! Components: named JSON facts about an Entity.

use crate::{Error, Json, life::Texts};
use bevy_ecs::{
    component::{Component, ComponentId},
    world::{EntityRef, EntityWorldMut, World},
};
use std::ops::Deref;

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The prefix whose names are documented; others belong to third parties.
pub const OWN_PREFIX: &str = "lightningd:";
/// Names that cannot be Components, because writes use them for something else.
const RESERVED: [&str; 2] = ["entity", "exact"];

/// Who may attach a Component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// Callers over RPC, plugins, and Systems.
    Callers,
    /// The default flow's Systems and the engine. Callers may detach it from a draft.
    Engine,
}

/// What becomes of a caller's write once the Entity is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFrozen {
    /// Refused with 2205.
    Refused,
    /// Goes through.
    Allowed,
    /// Is taken as a write of that other Component (detaching is refused).
    Becomes(&'static str),
}

/// What is documented of a Component.
/// ```
/// # use ecs_core::{ComponentSpec, WhenFrozen, Writable};
/// const KEY: ComponentSpec = ComponentSpec::engine("acme:key", "a string", "A key.")
///     .secret()
///     .when_frozen(WhenFrozen::Allowed);
/// assert!(KEY.secret && KEY.writable == Writable::Engine);
/// const CLAIM: ComponentSpec = ComponentSpec::input("acme:claim", "true", "Ours.").freezing();
/// assert!(CLAIM.freezes && CLAIM.when_frozen == WhenFrozen::Refused);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentSpec {
    /// Its name on the wire.
    pub name: &'static str,
    /// The JSON it takes, for errors and the reference.
    pub shape: &'static str,
    /// Who may attach it.
    pub writable: Writable,
    /// What the freeze does to it.
    pub when_frozen: WhenFrozen,
    /// Whether its presence freezes the Entity.
    pub freezes: bool,
    /// Left out of listings, traces, announcements and logs.
    pub secret: bool,
    /// What it means, with unit and rules.
    pub meaning: &'static str,
}

impl ComponentSpec {
    /// A Component that callers write and the freeze closes.
    #[must_use]
    pub const fn input(name: &'static str, shape: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            shape,
            writable: Writable::Callers,
            when_frozen: WhenFrozen::Refused,
            freezes: false,
            secret: false,
            meaning,
        }
    }

    /// A Component that only the engine attaches.
    #[must_use]
    pub const fn engine(name: &'static str, shape: &'static str, meaning: &'static str) -> Self {
        Self { writable: Writable::Engine, ..Self::input(name, shape, meaning) }
    }

    /// The same, but its presence freezes the Entity.
    #[must_use]
    pub const fn freezing(self) -> Self {
        Self { freezes: true, ..self }
    }

    /// The same, but never shown.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same, but with another fate once the Entity is frozen.
    #[must_use]
    pub const fn when_frozen(self, when_frozen: WhenFrozen) -> Self {
        Self { when_frozen, ..self }
    }
}

/// A value of another shape than the Component's; says in which way where the shape alone doesn't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape(pub Option<String>);

impl<E: std::error::Error> From<E> for Shape {
    fn from(error: E) -> Self {
        Self(Some(error.to_string()))
    }
}

/// A documented Component: a Rust type with a name and a codec.
///
/// `to_json` of what `from_json` read means the same as what was read; where only one text is
/// canonical, it is that text.
/// ```
/// use bevy_ecs::component::Component;
/// use ecs_core::{ComponentSpec, Engine, Json, Shape, WireComponent, Write, Writer};
///
/// #[derive(Component, Clone, Debug, PartialEq)]
/// #[component(storage = "SparseSet")]
/// struct Tip(u64);
///
/// impl WireComponent for Tip {
///     const SPEC: ComponentSpec = ComponentSpec::input("acme:tip", "an integer", "A tip.");
///     fn from_json(json: &Json) -> Result<Self, Shape> {
///         Ok(Self(json.decode()?))
///     }
///     fn to_json(&self) -> Json {
///         Json::of(&self.0)
///     }
/// }
///
/// let mut app = Engine::new();
/// app.add_component::<Tip>();
/// let entity = app.new_entity();
/// app.set_components(&Writer::Caller, &[Write::to(entity).attach(&Tip(7))], &[])?;
/// assert_eq!(app.get::<Tip>(entity), Some(&Tip(7)));
/// # Ok::<(), ecs_core::Error>(())
/// ```
pub trait WireComponent: Component + Clone {
    /// What is documented of it.
    const SPEC: ComponentSpec;

    /// Reads it.
    ///
    /// # Errors
    /// The value has another shape than the spec says.
    fn from_json(json: &Json) -> Result<Self, Shape>;

    /// Writes it.
    fn to_json(&self) -> Json;
}

/// Puts an already decoded value onto an Entity.
pub(crate) type Insertion = Box<dyn FnOnce(&mut EntityWorldMut<'_>) + Send + Sync>;

/// A value in its canonical text, and what puts it onto an Entity.
pub(crate) type Decoded = (Json, Insertion);

/// A documented Component as an engine handles it, without its type.
#[derive(Clone, Copy)]
pub(crate) struct TypedComponent {
    /// Its number in the engine's world.
    pub(crate) id: ComponentId,
    codec: &'static Codec,
}

/// What is the same of a documented Component in every engine.
pub(crate) struct Codec {
    pub(crate) spec: ComponentSpec,
    pub(crate) decode: fn(&Json) -> Result<Decoded, Shape>,
    /// Whether the value beside a text is of this type.
    pub(crate) is_carried: fn(&Json) -> bool,
    /// Puts the value beside a text onto an Entity.
    pub(crate) insert_carried: fn(&Json, &mut EntityWorldMut<'_>),
    pub(crate) remove: fn(&mut EntityWorldMut<'_>),
    get: fn(EntityRef<'_>) -> Option<Json>,
}

impl Deref for TypedComponent {
    type Target = Codec;

    fn deref(&self) -> &'static Codec {
        self.codec
    }
}

impl TypedComponent {
    pub(crate) fn of<C: WireComponent>(world: &mut World) -> Self {
        Self { id: world.register_component::<C>(), codec: Codec::of::<C>() }
    }

    /// What is attached to an Entity with these texts, as it was written.
    pub(crate) fn text(&self, entity: EntityRef<'_>, texts: &Texts) -> Option<Json> {
        texts.get(self.id).cloned().or_else(|| (self.get)(entity))
    }
}

impl Codec {
    const fn of<C: WireComponent>() -> &'static Self {
        &Self {
            spec: C::SPEC,
            decode: |json| {
                let value = C::from_json(json)?;
                Ok((value.to_json(), insertion(value)))
            },
            is_carried: |json| {
                let carried = json.carried::<C>().is_some();
                debug_assert!(
                    !carried
                        || C::from_json(&json.plain())
                            .is_ok_and(|it| it.to_json().is_same_text(json)),
                    "`{}` reads what it has written: {json}",
                    C::SPEC.name
                );
                carried
            },
            insert_carried: |json, entity| {
                entity.insert(json.carried::<C>().expect("asked before").clone());
            },
            remove: |entity| {
                entity.remove::<C>();
            },
            get: |entity| entity.get::<C>().map(C::to_json),
        }
    }
}

fn insertion<C: WireComponent>(value: C) -> Insertion {
    Box::new(move |entity| {
        entity.insert(value);
    })
}

/// Judges a Component's name.
/// ```
/// # use ecs_core::check_name;
/// assert!(check_name("acme:x").is_ok());
/// assert!(check_name("exact").is_err(), "reserved");
/// ```
///
/// # Errors
/// Empty, longer than [`NAME_BYTES_MAX`], reserved, or with a quote, backslash or control
/// character.
pub fn check_name(name: &str) -> Result<(), Error> {
    let flaw = if name.is_empty() {
        "is empty"
    } else if name.len() > NAME_BYTES_MAX {
        "is longer than 128 bytes"
    } else if RESERVED.contains(&name) {
        "is reserved"
    } else if name.chars().any(|char| matches!(char, '"' | '\\') || char.is_control()) {
        "has a quote, a backslash or a control character"
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(Error::Invalid(format!("component name `{}` {flaw}", shown.escape_debug())))
}

/// Refuses a value that a Component doesn't take, naming what was expected and what came.
pub(crate) fn misshapen(spec: &ComponentSpec, json: &Json, shape: &Shape) -> Error {
    let came = if spec.secret { "something else".to_owned() } else { shortened(json.text()) };
    let why = shape.0.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    Error::Invalid(format!("`{}`: expected {}, got {came}{why}", spec.name, spec.shape))
}

fn shortened(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_characters_and_length() {
        for (name, good) in [
            ("acme:x", true),
            ("lightningd:invoice:type:bolt11 invoice", true),
            ("ü", true),
            ("", false),
            ("entity", false),
            ("exact", false),
            ("a\"b", false),
            ("a\\b", false),
            ("a\nb", false),
            ("a\u{7f}b", false),
        ] {
            assert_eq!(check_name(name).is_ok(), good, "{name:?}");
        }
        assert!(check_name(&"n".repeat(128)).is_ok());
        assert!(check_name(&"n".repeat(129)).is_err());
    }
}
