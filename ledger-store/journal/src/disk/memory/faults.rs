//! What goes wrong on a disk in memory, by plan.

use crate::disk::{Cause, DiskError, Operation};
use std::collections::BTreeMap;

/// What is to go wrong. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How much all files together may take, in bytes; what they take already counts.
    pub capacity_bytes: Option<u64>,
    /// Everything that would change the disk is refused.
    pub read_only: bool,
    /// Reads bring half of what was asked for.
    pub short_reads: bool,
    /// This operation fails once: the one with this number, counted from 1 since the plan was set.
    /// A write that fails has written half; a sync that fails forgets what it was to make durable.
    pub fail: Option<(Operation, u64)>,
    /// The words of the failure that `fail` asks for; a full disk when they are missing.
    pub words: Option<String>,
}

/// The faults, and what was asked for since they were set.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    faults: Faults,
    counts: BTreeMap<Operation, u64>,
}

impl Plan {
    pub(super) fn set(&mut self, faults: Faults) {
        *self = Self { faults, counts: BTreeMap::new() };
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(super) fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    /// Counts an operation and says whether it is to fail.
    pub(super) fn judge(&mut self, operation: Operation, file: &str) -> Result<(), DiskError> {
        let count = self.counts.entry(operation).or_default();
        *count = count.saturating_add(1);
        let error = |cause| Err(DiskError::new(operation, file, cause));
        if self.faults.read_only && changes(operation) {
            return error(Cause::ReadOnly);
        }
        if self.faults.fail == Some((operation, *count)) {
            return error(self.faults.words.clone().map_or(Cause::NoSpace, Cause::Other));
        }
        Ok(())
    }
}

fn changes(operation: Operation) -> bool {
    match operation {
        Operation::Open
        | Operation::Read
        | Operation::List
        | Operation::Sync
        | Operation::SyncDir
        | Operation::Lock => false,
        Operation::Create
        | Operation::Write
        | Operation::Truncate
        | Operation::Reserve
        | Operation::Rename
        | Operation::Remove
        | Operation::MakeDir => true,
    }
}
