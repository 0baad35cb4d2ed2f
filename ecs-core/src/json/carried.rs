//! JSON that still has the value beside it that it was written from.

use super::Json;
use serde::{Serialize, de::DeserializeOwned};
use std::{any::Any, sync::Arc};

impl Json {
    /// The JSON of a value of ours, and beside it the value: [`Json::read`] gives it back as it is.
    ///
    /// # Panics
    /// If the value has a map whose keys aren't strings: our own mistake.
    /// ```
    /// # use ecs_core::Json;
    /// let json = Json::carrying(&vec![1_u8, 2]);
    /// assert_eq!((json.text(), json.read().unwrap()), ("[1,2]", vec![1_u8, 2]));
    /// assert_eq!(json.read::<Vec<u64>>().unwrap(), [1, 2], "from the text: it is another type");
    /// ```
    #[must_use]
    pub fn carrying<T: Serialize + Clone + Any + Send + Sync>(value: &T) -> Self {
        Self::of(value).with(value.clone())
    }

    /// With the value beside it that this text was written from.
    pub(crate) fn with<T: Any + Send + Sync>(self, value: T) -> Self {
        Self { carried: Some(Arc::new(value)), ..self }
    }

    /// The value that this text was written from, if that is kept and of this type.
    pub(crate) fn carried<T: Any>(&self) -> Option<&T> {
        self.carried.as_deref()?.downcast_ref()
    }

    /// Whether both have the same text, not only the same meaning.
    pub(crate) fn is_same_text(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.raw, &other.raw) || self.text() == other.text()
    }

    /// The text without the value: what is kept for long.
    pub(crate) fn plain(&self) -> Self {
        Self { raw: Arc::clone(&self.raw), carried: None }
    }

    /// Reads it as a Rust value; what it was written from is not read again.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read<T: DeserializeOwned + Clone + Any>(&self) -> Result<T, serde_json::Error> {
        self.carried().map_or_else(|| self.decode(), |value: &T| Ok(value.clone()))
    }
}
