//! Units as text: on the wire, and as hexadecimal digits.

use serde::de::{Deserializer, Error, Visitor};
use std::{fmt, marker::PhantomData, str::FromStr};

/// The hexadecimal digits of `N / 2` bytes, in lower case.
pub(crate) struct Digits<const N: usize>([u8; N]);

impl<const N: usize> Digits<N> {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut digits = [0; N];
        hex::encode_to_slice(bytes, &mut digits).expect("N is twice their number");
        Self(digits)
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// Reads what was written as text.
pub(crate) fn read<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    from.deserialize_str(Text(PhantomData))
}

struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Implements `Serialize` and `Deserialize` through `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::text::read(from)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// Implements `Display`, `Debug`, `Serialize` and `Deserialize` of bytes as so many digits.
macro_rules! as_hex {
    ($type:ty, $digits:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(crate::text::Digits::<$digits>::of(&self.0).text())
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, out)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(crate::text::Digits::<$digits>::of(&self.0).text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::text::read(from)
            }
        }
    };
}
pub(crate) use as_hex;
