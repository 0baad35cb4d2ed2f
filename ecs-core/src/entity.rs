//! Entities: numbers that Components are attached to.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, num::NonZeroU32, str::FromStr};

/// The number of an Entity: 1 to 2³²−1. In JSON an integer; a decimal string is read too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(NonZeroU32);

/// What the place asks for, in every message that refuses an id.
const EXPECTED: &str = "an entity id: an integer from 1 to 4294967295";

impl EntityId {
    /// The first id that is given out.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The id with that number; `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The next id, back to 1 after the last.
    /// ```
    /// # use ecs_core::EntityId;
    /// assert_eq!(EntityId::new(u32::MAX).unwrap().next(), EntityId::FIRST);
    /// ```
    #[must_use]
    pub fn next(self) -> Self {
        self.0.checked_add(1).map_or(Self::FIRST, Self)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A text or number that is no [`EntityId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}")]
pub struct EntityIdError;

impl FromStr for EntityId {
    type Err = EntityIdError;

    fn from_str(text: &str) -> Result<Self, EntityIdError> {
        if text.starts_with('+') {
            return Err(EntityIdError);
        }
        text.parse().map(Self).map_err(|_| EntityIdError)
    }
}

impl Serialize for EntityId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.get())
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = EntityId;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<EntityId, E> {
                let id = u32::try_from(number).ok().and_then(EntityId::new);
                id.ok_or_else(|| E::custom(EntityIdError))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EntityId, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_integers_or_decimal_strings_from_1_to_the_last_u32() {
        for (json, id) in [
            ("1", Some(1)),
            ("\"1\"", Some(1)),
            ("4294967295", Some(u32::MAX)),
            ("\"4294967295\"", Some(u32::MAX)),
            ("0", None),
            ("\"0\"", None),
            ("-1", None),
            ("1.0", None),
            ("1.5", None),
            ("4294967296", None),
            ("\"+1\"", None),
            ("\" 1\"", None),
            ("\"\"", None),
            ("true", None),
            ("[1]", None),
        ] {
            let read = serde_json::from_str::<EntityId>(json).ok().map(EntityId::get);
            assert_eq!(read, id, "{json}");
        }
    }
}
