//! Whether a store is what its log comes to.

use crate::{
    error::StoreError,
    extract::{Extractor, key},
    follower::Progress,
    source::Source,
    store::{ALL_KEYS, Content, Order, Standing, Store},
};
use payecs_journal::Head;

/// How many keys are read at once when a store is looked through.
const CHECK_KEYS: usize = 4_096;
/// How many entries pass between two words of progress.
const PROGRESS_EVERY: u64 = 4_096;

/// Why a store or its log is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The store is not what the log comes to: it can be removed and built again.
    #[error("{0}")]
    Index(String),
    /// The log can't be read; a store that is built again would lack the same.
    #[error("{0}")]
    Log(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Index(error.to_string())
    }
}

impl From<payecs_journal::Error> for Fault {
    fn from(error: payecs_journal::Error) -> Self {
        Self::Log(error.to_string())
    }
}

/// Compares every entry of a log with a store, as far as that is: each is found by all its names
/// with their values, and nothing else is. How far the store is; `progress` hears how far the
/// comparison is.
///
/// # Errors
/// [`Fault::Index`] with the first difference, or [`Fault::Log`].
pub fn compare(
    store: &dyn Store,
    source: &dyn Source,
    extractor: &Extractor,
    progress: &mut dyn FnMut(Progress),
) -> Result<Progress, Fault> {
    let Standing { head, content, .. } = judge(store, source, extractor)?;
    let end = Progress { applied: head.count, of: source.count() };
    let mut expected = Content::default();
    let most = usize::try_from(head.count).unwrap_or(usize::MAX);
    for (index, stored) in (0..).zip(source.read(0)?.take(most)) {
        let stored = stored?;
        let named = (extractor.names)(index, &stored.payload);
        let unread = |why| Fault::Log(format!("entry {index} of the ledger: {why}"));
        for (name, value) in named.map_err(unread)? {
            let key = key(&name, index);
            if store.get(&key)?.as_ref() != Some(&value) {
                let what = format!("entry {index} of the ledger is not found by all its names");
                return Err(Fault::Index(what));
            }
            expected.add(&key, &value);
        }
        if index % PROGRESS_EVERY == 0 {
            progress(Progress { applied: index, of: head.count });
        }
    }
    let found = look_through(store, &mut || true)?.unwrap_or_default();
    for (what, has) in [("has", found), ("says that it has", content)] {
        if has != expected {
            let (has, expected) = (has.keys, expected.keys);
            return Err(Fault::Index(format!("it {what} {has} keys, the ledger's are {expected}")));
        }
    }
    Ok(end)
}

/// What is in a store, if it is of that log; what an empty one has.
pub(crate) fn judge(
    store: &dyn Store,
    source: &dyn Source,
    extractor: &Extractor,
) -> Result<Standing, Fault> {
    let of_no_use = |why: String| Err(Fault::Index(why));
    let id = source.id();
    let Some(standing) = store.standing()? else {
        let head = Head { id, count: 0, hash: [0; 32] };
        return Ok(Standing { format: extractor.format, head, content: Content::default() });
    };
    let Standing { format, head, .. } = standing;
    if format != extractor.format {
        let ours = extractor.format;
        return of_no_use(format!("it has format {format}, this program writes {ours}"));
    }
    if head.id != id {
        return of_no_use(format!("it is of the ledger {}, not of {id}", head.id));
    }
    let count = source.count();
    if head.count > count {
        let has = head.count;
        return of_no_use(format!("it has {has} entries and the ledger {count}"));
    }
    let Some(last) = head.count.checked_sub(1) else { return Ok(standing) };
    let stored = source.read(last)?.next().transpose()?;
    if stored.is_none_or(|stored| stored.entry.hash != head.hash) {
        return of_no_use(format!("its entry {last} is not that of the ledger"));
    }
    Ok(standing)
}

/// What all keys come to; `None` when it was not to go on.
pub(crate) fn look_through(
    store: &dyn Store,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Content>, StoreError> {
    let mut found = Content::default();
    let mut from = ALL_KEYS.start.to_vec();
    while go_on() {
        let pairs = store.range(&from..ALL_KEYS.end, Order::Up, CHECK_KEYS)?;
        for (key, value) in &pairs {
            found.add(key, value);
        }
        let Some((last, _)) = pairs.last() else { return Ok(Some(found)) };
        from = [last.as_slice(), &[0]].concat();
    }
    Ok(None)
}
