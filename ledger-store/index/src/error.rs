//! Why a store can't do what it was asked to.

use std::any::Any;

/// Why a store can't do what it was asked to. Of a batch, nothing is in it then. The index can be
/// removed and built again from the ledger log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The system refuses: no room, no permission, or somebody else has it.
    #[error("the index can't be used: {why}")]
    Refused {
        /// In the words of the backend.
        why: String,
    },
    /// What is stored is not as it was written.
    #[error("the index is damaged: {why}")]
    Damaged {
        /// In the words of the backend.
        why: String,
    },
    /// The backend panicked, as it may on damaged files.
    #[error("the index's backend panicked: {why}")]
    Panicked {
        /// The words of the panic.
        why: String,
    },
}

impl StoreError {
    /// The system refuses.
    #[must_use]
    pub fn refused(why: &impl ToString) -> Self {
        Self::Refused { why: why.to_string() }
    }

    /// What is stored is not as it was written.
    #[must_use]
    pub fn damaged(why: &impl ToString) -> Self {
        Self::Damaged { why: why.to_string() }
    }

    /// What a caught panic left.
    #[must_use]
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::Panicked { why: text.unwrap_or("it left no words").to_owned() }
    }
}
