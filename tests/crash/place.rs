//! Where the index of the ledger is, and what a death leaves of it.

use crate::journal::Death;
use ledger_store::LedgerHistory;
use payecs_index::{Backend as _, Index, MemoryBackend, SledBackend, State};
use payecs_journal::LedgerReader;
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

/// Longer than an index of these ledgers takes.
pub(crate) const AT_MOST: Duration = Duration::from_mins(1);

/// Where the index is.
pub(crate) enum Place {
    /// There is none, and the history says that it is being opened.
    Nowhere,
    Memory(MemoryBackend),
    /// What is left behind is copied while the index is open, as a kill would leave it.
    Sled(TempDir),
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryBackend::default())
    }

    pub(crate) fn sled() -> Self {
        Self::Sled(tempfile::tempdir().expect("there is room"))
    }

    /// Follows a ledger until the history has all that was there.
    pub(crate) fn follow(&self, history: &LedgerHistory, reader: LedgerReader) -> Option<Index> {
        let followed = match self {
            Self::Nowhere => return None,
            Self::Memory(backend) => history.follow(reader, backend.clone()),
            Self::Sled(dir) => history.follow(reader, SledBackend::new(dir.path().join("index"))),
        };
        let index = followed.expect("there is a thread");
        let all = |state: &State| matches!(state, State::Ready(_));
        let state = index.wait(AT_MOST, all);
        assert!(all(&state), "{state:?}");
        // Whatever a crash leaves of it is the beginning of what the ledger has.
        assert_eq!(index.rebuilt(), None);
        Some(index)
    }

    /// What is left of it; to be called while it is open.
    pub(crate) fn die(&mut self, death: Death) {
        if let Self::Sled(dir) = self {
            let left = tempfile::tempdir().expect("there is room");
            copy(dir.path(), left.path());
            *dir = left;
        }
        if matches!(death, Death::PowerLoss(seed) if seed % 3 == 0) {
            match self {
                Self::Nowhere => {}
                Self::Memory(backend) => *backend = MemoryBackend::default(),
                Self::Sled(dir) => {
                    let removed = SledBackend::new(dir.path().join("index")).remove();
                    removed.expect("nobody has it");
                }
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is readable").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            fs::create_dir(&to).expect("there is room");
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("there is room");
        }
    }
}
