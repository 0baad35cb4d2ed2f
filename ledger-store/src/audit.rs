//! The books, gone through from the ledger's entries alone.

use crate::chart::Account;
use crate::journal::Circumstances;
use crate::memory::MemoryLedger;
use crate::places::{Reader, Reread};
use crate::state::State;
use crate::verify::Auditor;
use ecs_core::Json;
use ecs_systems::port::{
    Balance, History, HistoryError, Ledger, LedgerError, PastEntry, PaymentRef,
};
use ecs_systems::units::PaymentHash;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many entries fit.
    pub entries: u64,
    /// How many postings they come to.
    pub postings: u64,
    /// How many hashes have a payment or set that has not ended.
    pub open: usize,
    /// How many fingerprints of hashes and idempotency keys there are.
    pub guards: usize,
    /// What every account sums to after the last that fits.
    pub balances: BTreeMap<String, Balance>,
    /// The first entry that does not fit, and why: what is before it holds, and nothing behind it
    /// was looked at.
    pub fault: Option<AuditFault>,
    /// In what the image of the books differs from the ledger, as sentences. Empty: in nothing, or
    /// none was given, or its place was not reached.
    pub differs: Vec<String>,
}

/// An entry that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// Its index in the ledger.
    pub index: u64,
    /// Why it does not fit, as a sentence.
    pub why: String,
}

/// Goes through the ledger of `node`: each entry must be one that books take after those before it,
/// and its postings must keep every invariant, recomputed by other means. `image` is what books
/// that leave their history to others wrote after some entry; it must say the same as the ledger up
/// to there.
///
/// Memory holds what has not ended, what the image has, and a few bytes for each hash and key.
#[must_use]
pub fn audit(node: &str, reader: &Arc<dyn Reader>, image: Option<&Json>) -> Audit {
    let places = Arc::new(Reread::told(Arc::clone(reader)));
    let books = MemoryLedger::over(node, Arc::<Reread>::clone(&places), 0);
    let imaged = image.map(|image| {
        let mut books = MemoryLedger::over(node, Arc::new(Nothing), usize::MAX);
        books.restore(image).map(|()| books)
    });
    let (auditor, found) = (Auditor::new(node), Audit::default());
    let mut going = Going { books, places, auditor, imaged: None, found };
    match imaged.transpose() {
        Ok(imaged) => going.imaged = imaged,
        Err(why) => going.found.differs.push(why),
    }
    let fault = going.through(&**reader).err();
    let Going { books, mut found, .. } = going;
    found.balances = books.state().journal.named_accounts();
    found.open = books.state().open.len();
    found.guards = books.state().guards.count();
    found.fault = fault.map(|why| AuditFault { index: found.entries, why });
    found
}

/// Tells nothing: what is compared is there already.
#[derive(Debug)]
struct Nothing;

impl History for Nothing {
    fn known(&self) -> u64 {
        0
    }

    fn lines_of(&self, _: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        Ok(Vec::new())
    }

    fn payment_of_key(&self, _: &str) -> Result<Option<PaymentRef>, HistoryError> {
        Ok(None)
    }
}

/// An audit under way.
struct Going {
    books: MemoryLedger,
    places: Arc<Reread>,
    auditor: Auditor,
    /// What the image says, until it was compared.
    imaged: Option<MemoryLedger>,
    found: Audit,
}

impl Going {
    fn through(&mut self, reader: &dyn Reader) -> Result<(), String> {
        for entry in reader.read_from(0)? {
            let entry = entry?;
            if entry.index != self.found.entries {
                return Err(format!("entry {} is in its place", entry.index));
            }
            self.compare_image()?;
            self.take(&entry).map_err(|error| error.to_string())?;
            self.found.entries = self.found.entries.saturating_add(1);
        }
        self.compare_image()?;
        if let Some(imaged) = &self.imaged {
            let (image, ledger) = (imaged.state().journal.batches(), self.found.entries);
            let what = format!("the image has {image} entries, the ledger {ledger}");
            self.found.differs.push(what);
        }
        self.compare_sums()
    }

    fn take(&mut self, entry: &PastEntry) -> Result<(), LedgerError> {
        let circumstances = Circumstances { entity: entry.entity, at: entry.at };
        let postings = self.books.take(&entry.lines, circumstances)?;
        let node = self.books.node_name();
        postings.iter().try_for_each(|it| self.auditor.see(&it.posting(node)))?;
        let count = u64::try_from(postings.len()).unwrap_or(u64::MAX);
        self.found.postings = self.found.postings.saturating_add(count);
        self.places.note(entry);
        Ok(())
    }

    /// Compares the image, where it is of this place.
    fn compare_image(&mut self) -> Result<(), String> {
        let here = self.found.entries;
        let Some(imaged) = self.imaged.take_if(|it| it.state().journal.batches() == here) else {
            return Ok(());
        };
        self.found.differs = differences(self.books.state(), imaged.state());
        self.compare_sums()
    }

    fn compare_sums(&self) -> Result<(), String> {
        let counters = self.books.state().journal.named_accounts();
        let sums = self.auditor.compare(&counters).and_then(|()| self.books.verify());
        sums.map_err(|error| error.to_string())
    }
}

/// In what an image differs from the ledger.
fn differences(ours: &State, theirs: &State) -> Vec<String> {
    let mut differs = Vec::new();
    let [ledger, image] = [ours, theirs].map(|state| state.journal.accounts());
    for account in ledger.keys().chain(image.keys()).collect::<BTreeSet<&Account>>() {
        let [ledger, image] = [ours, theirs].map(|it| it.journal.balance(*account));
        if ledger != image {
            let account = account.of(ours.journal.node());
            differs.push(format!("{account}: {ledger:?} by the ledger, {image:?} by the image"));
        }
    }
    let hashes: BTreeSet<&PaymentHash> = ours.open.keys().chain(theirs.open.keys()).collect();
    for hash in hashes {
        let lines = [ours, theirs].map(|it| it.open.get(hash).map(|it| &*it.lines));
        if lines[0] != lines[1] {
            let [ledger, image] = lines.map(|it| it.map_or(0, <[PastEntry]>::len));
            differs.push(format!(
                "what has not ended of {hash}: {ledger} entries by the ledger, {image} other ones \
                 by the image"
            ));
        }
    }
    if ours.guards != theirs.guards {
        let [ledger, image] = [ours, theirs].map(|it| it.guards.count());
        differs.push(format!("{ledger} guards by the ledger, {image} other ones by the image"));
    }
    differs
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may overflow: then they fail")]
mod tests;
