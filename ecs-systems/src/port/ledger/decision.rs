//! What an operator took on.

use serde::{Deserialize, Serialize};

/// A decision that only a person can take. It stands in the books for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who took it.
    pub who: String,
    /// Why, in his words.
    pub why: String,
}
