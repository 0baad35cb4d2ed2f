//! Signed checkpoints: whether each is signed, and by whom.

use payecs_journal::{Checkpoint, Disk, Head, TrustedKeys, Verify as _, checkpoints};
use serde::Serialize;
use std::collections::BTreeSet;

/// The checkpoints of a ledger.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) count: usize,
    /// Who signed, as public keys.
    pub(super) keys: BTreeSet<String>,
}

/// Goes through the checkpoints. `keys` are those whose signature counts; where none is given, each
/// must be signed by the key that it names. What the ledger must begin with comes back.
pub(super) fn look(
    disk: &dyn Disk,
    keys: &[String],
    faults: &mut Vec<String>,
) -> (Option<Found>, Vec<Head>) {
    let found = match checkpoints(disk) {
        Ok(found) if found.is_empty() && keys.is_empty() => return (None, Vec::new()),
        Ok(found) => found,
        Err(error) => {
            faults.push(error.to_string());
            return (None, Vec::new());
        }
    };
    let signed_by: BTreeSet<String> = found.iter().map(|it| it.key_id.clone()).collect();
    let given: BTreeSet<String> = keys.iter().cloned().collect();
    let key_ids = if given.is_empty() { signed_by.clone() } else { given };
    for key in key_ids.difference(&signed_by) {
        faults.push(format!("there is no checkpoint that {key} signed"));
    }
    let trusted = TrustedKeys { key_ids };
    for Checkpoint { head, at_seconds, key_id, signature } in &found {
        let digest = Checkpoint::digest(head, *at_seconds, key_id);
        if !trusted.verify(key_id, digest, signature) {
            let count = head.count;
            faults.push(format!(
                "the checkpoint at {count} entries says that {key_id} signed it: it did not, or \
                 its key was not given"
            ));
        }
    }
    let heads = found.iter().map(|checkpoint| checkpoint.head).collect();
    (Some(Found { count: found.len(), keys: signed_by }), heads)
}
