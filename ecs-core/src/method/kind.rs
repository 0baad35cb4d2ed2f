//! What parameters take.

use crate::{EntityId, Json};

/// Most strings in one parameter.
pub const TEXTS_MAX: usize = 1_000;

/// What a parameter takes: in words, as JSON Schema, and as a test.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// In words, for errors and the reference.
    pub shape: &'static str,
    /// As JSON Schema, for programs.
    pub schema: &'static str,
    /// Whether a value is of this kind. Of one that is, a method may still refuse what it says.
    pub fits: fn(&Json) -> bool,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
}

/// A parameter that must be given.
#[must_use]
pub const fn required(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: true }
}

/// A parameter that may be left out; `null` stands for that.
#[must_use]
pub const fn optional(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: false }
}

impl Kind {
    /// The number of an Entity.
    pub const ENTITY: Self = Self {
        shape: "an entity id: an integer from 1 to 4294967295, or the same as a string",
        schema: r#"{"oneOf":[{"type":"integer","minimum":1,"maximum":4294967295},
            {"type":"string","pattern":"^[0-9]+$"}]}"#,
        fits: |json| json.decode::<EntityId>().is_ok(),
    };
    /// Text.
    pub const TEXT: Self = Self {
        shape: "a string",
        schema: r#"{"type":"string"}"#,
        fits: |json| json.as_str().is_some(),
    };
    /// `true` or `false`.
    pub const FLAG: Self = Self {
        shape: "true or false",
        schema: r#"{"type":"boolean"}"#,
        fits: |json| json.decode::<bool>().is_ok(),
    };
    /// A number from 0 to 2⁶⁴−1.
    pub const COUNT: Self = Self {
        shape: "an integer from 0",
        schema: r#"{"type":"integer","minimum":0,"maximum":18446744073709551615}"#,
        fits: |json| json.decode::<u64>().is_ok(),
    };
    /// Several strings, or one.
    pub const TEXTS: Self = Self {
        shape: "an array of at most 1000 strings, or one string",
        schema: r#"{"oneOf":[{"type":"string"},
            {"type":"array","maxItems":1000,"items":{"type":"string"}}]}"#,
        fits: |json| {
            let several = || json.texts().is_some_and(|texts| texts.len() <= TEXTS_MAX);
            json.as_str().is_some() || several()
        },
    };
    /// Several objects, or one.
    pub const OBJECTS: Self = Self {
        shape: "an array of objects, or one object",
        schema: r#"{"oneOf":[{"type":"array","items":{"type":"object"}},{"type":"object"}]}"#,
        fits: |json| json.text().starts_with(['{', '[']),
    };
    /// One object.
    pub const OBJECT: Self = Self {
        shape: "an object",
        schema: r#"{"type":"object"}"#,
        fits: |json| json.text().starts_with('{'),
    };

    /// The same, said more exactly.
    /// ```
    /// # use ecs_core::Kind;
    /// const LABEL: Kind = Kind::TEXT.saying("a label");
    /// assert_eq!(LABEL.shape, "a label");
    /// ```
    #[must_use]
    pub const fn saying(self, shape: &'static str) -> Self {
        Self { shape, ..self }
    }
}
