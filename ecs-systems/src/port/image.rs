//! What stands behind a port, at one moment.

use ecs_core::Json;
use serde::Serialize;
use serde_json::value::RawValue;
use std::{fmt, io, sync::Arc};

/// What somebody behind a port has at one moment: taken quickly, and written down later on any
/// thread.
#[derive(Clone)]
pub struct PartImage(Arc<Write>);

type Write = dyn Fn(&mut dyn io::Write) -> io::Result<()> + Send + Sync;

impl PartImage {
    /// An image; `write` writes the JSON that brings it back, piece by piece where there is much.
    ///
    /// ```
    /// use ecs_systems::port::PartImage;
    ///
    /// let image = PartImage::new(|to| Ok(write!(to, "[1,2]")?));
    /// assert_eq!(image.json().text(), "[1,2]");
    /// ```
    pub fn new(
        write: impl Fn(&mut dyn io::Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(write))
    }

    /// The image of what `state` gives, which is written as a whole.
    pub fn of<T: Serialize>(state: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self::new(move |to| Ok(serde_json::to_writer(to, &state())?))
    }

    /// Writes what it is brought back from. The work is done in this call.
    ///
    /// # Errors
    /// What `to` refuses.
    pub fn write(&self, to: &mut dyn io::Write) -> io::Result<()> {
        (self.0)(to)
    }

    /// What it is brought back from, in memory as a whole.
    ///
    /// # Panics
    /// What it writes is no JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        let mut bytes = Vec::new();
        self.write(&mut bytes).expect("memory refuses nothing");
        let json: Box<RawValue> = serde_json::from_slice(&bytes).expect("an image is JSON");
        Json::of(&json)
    }
}

impl fmt::Debug for PartImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PartImage(…)")
    }
}
