//! What stands behind a port, at one moment.

use ecs_core::Json;
use std::{fmt, sync::Arc};

/// What somebody behind a port has at one moment: taken quickly, and written down later on any
/// thread.
#[derive(Clone)]
pub struct PartImage(Arc<dyn Fn() -> Json + Send + Sync>);

impl PartImage {
    /// An image; `write` is what brings it back.
    pub fn new(write: impl Fn() -> Json + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// What it is brought back from. The work is done in this call.
    #[must_use]
    pub fn json(&self) -> Json {
        (self.0)()
    }
}

impl fmt::Debug for PartImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PartImage(…)")
    }
}
