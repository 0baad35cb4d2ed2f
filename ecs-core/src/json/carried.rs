//! JSON that still has the value beside it that it is written from.

use super::{Inner, Json, JsonText};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

/// A value, and its text once there is one.
pub(super) struct Written<V: ?Sized> {
    text: Text,
    carried: V,
}

enum Text {
    Known(JsonText),
    /// Written when somebody looks.
    Later(OnceLock<JsonText>),
}

/// A value that says how it is written.
pub(super) trait Carried: Send + Sync {
    fn value(&self) -> &dyn Any;

    fn write(&self) -> Json;
}

/// A value, and what writes it.
struct By<T>(T, fn(&T) -> Json);

impl<T: Any + Send + Sync> Carried for By<T> {
    fn value(&self) -> &dyn Any {
        &self.0
    }

    fn write(&self) -> Json {
        self.1(&self.0)
    }
}

impl Json {
    /// The JSON of a value of ours, and beside it the value: [`Json::read`] gives it back as it is.
    /// The text is written when somebody looks at it, on whichever thread.
    ///
    /// # Panics
    /// Then, if the value has a map whose keys aren't strings: our own mistake.
    /// ```
    /// # use ecs_core::Json;
    /// let json = Json::carrying(&vec![1_u8, 2]);
    /// assert_eq!((json.text(), json.read().unwrap()), ("[1,2]", vec![1_u8, 2]));
    /// assert_eq!(json.read::<Vec<u64>>().unwrap(), [1, 2], "from the text: it is another type");
    /// ```
    #[must_use]
    pub fn carrying<T: Serialize + Clone + Any + Send + Sync>(value: &T) -> Self {
        Self::value(Text::Later(OnceLock::new()), value.clone(), Self::of)
    }

    /// With the value beside it that this text was written from, and what wrote it.
    pub(crate) fn with<T: Any + Send + Sync>(self, value: T, write: fn(&T) -> Self) -> Self {
        Self::value(Text::Known(self.into_text()), value, write)
    }

    fn value<T>(text: Text, value: T, write: fn(&T) -> Self) -> Self
    where
        T: Any + Send + Sync,
    {
        Self(Inner::Value(Arc::new(Written { text, carried: By(value, write) })))
    }

    pub(super) fn kept(&self) -> &JsonText {
        match &self.0 {
            Inner::Text(text) => text,
            Inner::Value(it) => match &it.text {
                Text::Known(text) => text,
                Text::Later(text) => text.get_or_init(|| it.carried.write().into_text()),
            },
        }
    }

    /// The value that this is written from, if that is kept and of this type.
    pub(crate) fn carried<T: Any>(&self) -> Option<&T> {
        match &self.0 {
            Inner::Text(_) => None,
            Inner::Value(it) => it.carried.value().downcast_ref(),
        }
    }

    /// Whether both have the same text, not only the same meaning.
    pub(crate) fn is_same_text(&self, other: &Self) -> bool {
        self.kept().is_same(other.kept())
    }

    /// The text without the value: what is kept for long.
    pub(crate) fn plain(&self) -> Self {
        Self::from_text(self.kept().clone())
    }

    /// The text on its own.
    pub(super) fn into_text(self) -> JsonText {
        match self.0 {
            Inner::Text(text) => text,
            Inner::Value(_) => self.kept().clone(),
        }
    }

    /// The value of such a text.
    pub(super) fn from_text(text: JsonText) -> Self {
        Self(Inner::Text(text))
    }

    /// The text without the value where the text is written already; else as it is.
    pub(crate) fn light(&self) -> Self {
        let unwritten = match &self.0 {
            Inner::Text(_) => false,
            Inner::Value(it) => matches!(&it.text, Text::Later(text) if text.get().is_none()),
        };
        if unwritten { self.clone() } else { self.plain() }
    }

    /// Reads it as a Rust value; what it is written from is not read again.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read<T: DeserializeOwned + Clone + Any>(&self) -> Result<T, serde_json::Error> {
        self.carried().map_or_else(|| self.decode(), |value: &T| Ok(value.clone()))
    }
}
