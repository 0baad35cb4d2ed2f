//! Everything the books know of one hash.

use crate::chart::PostingKey;
use crate::entry::{Applied, EntryKey, SetState, Writer, Written};
use crate::journal::{Booked, Circumstances, Journal};
use crate::payment::{Part, Payment};
use ecs_systems::port::{ClaimState, PastEntry, PaymentRef, PostingState, SetRef};
use ecs_systems::units::{GroupId, PartId, PaymentHash};
use litemap::LiteMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was paid, or tried to be, for one hash, and what came in for it. It follows from its lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dossier {
    /// Every attempt to pay.
    pub(crate) payments: LiteMap<GroupId, Payment>,
    /// The claim that counts: the complete one; without one the latest.
    pub(crate) latest: Option<GroupId>,
    /// The latest claim with each idempotency key.
    pub(crate) keys: LiteMap<String, GroupId>,
    pub(crate) applied: LiteMap<EntryKey, Applied>,
    /// Sets that were held or settled.
    pub(crate) sets: LiteMap<SetRef, SetState>,
    postings: Vec<Arc<Booked>>,
    places: LiteMap<PostingKey, usize>,
    /// What it follows from: of each batch the lines of this hash.
    pub(crate) lines: Vec<PastEntry>,
}

impl Dossier {
    /// The dossier that these entries lead to; lines of other hashes are passed over. Nothing is
    /// asked that was asked when they were taken: limits, what was there, and other hashes.
    ///
    /// # Errors
    /// The first that does not fit, as a sentence.
    pub(crate) fn of(
        node: &str,
        hash: PaymentHash,
        past: impl IntoIterator<Item = PastEntry>,
    ) -> Result<Self, String> {
        let journal = Journal::new(node);
        let dossier = Self::go_on(&journal, hash, Arc::default(), past)?;
        Ok(Arc::unwrap_or_clone(dossier))
    }

    /// The same where it has led to this dossier so far, by the entries before these.
    ///
    /// # Errors
    /// As [`Dossier::of`].
    pub(crate) fn go_on(
        journal: &Journal,
        hash: PaymentHash,
        mut dossier: Arc<Self>,
        past: impl IntoIterator<Item = PastEntry>,
    ) -> Result<Arc<Self>, String> {
        for entry in past {
            let circumstances = Circumstances { entity: entry.entity, at: entry.at };
            let mut writer =
                Writer::again(journal, (hash, Arc::clone(&dossier)), entry.index, circumstances);
            for line in entry.lines.iter().filter(|line| line.payment_hash() == Some(hash)) {
                let fault = |error| format!("entry {} does not fit: {error}", entry.index);
                writer.write(line).map_err(fault)?;
            }
            let (changes, mut written) = writer.into_changes();
            drop(std::mem::take(&mut written.loaded));
            let dossier = Arc::make_mut(&mut dossier);
            let lines = written.booked.remove(&hash).unwrap_or_default();
            dossier.take(hash, &mut written);
            for posting in changes.postings {
                dossier.add(Arc::new(posting));
            }
            dossier.note(PastEntry { lines, ..entry });
        }
        Ok(dossier)
    }

    /// Takes over what a batch wrote for this hash, but for postings and lines.
    pub(crate) fn take(&mut self, hash: PaymentHash, written: &mut Written) {
        let of_hash = |payment: &PaymentRef, _: &mut _| payment.payment_hash == hash;
        for (payment, paying) in taken(&mut written.payments, of_hash) {
            self.payments.insert(payment.group_id, paying);
        }
        self.latest = written.latest.remove(&hash).map(|it| it.group_id).or(self.latest);
        for (key, payment) in &written.keys {
            if payment.payment_hash == hash {
                self.keys.insert(key.clone(), payment.group_id);
            }
        }
        self.applied.extend(taken(&mut written.applied, |key, _| key.hash() == Some(hash)));
        self.sets.extend(taken(&mut written.sets, |set, _| set.payment_hash == hash));
    }

    /// Adds a posting.
    pub(crate) fn add(&mut self, posting: Arc<Booked>) {
        self.places.insert(posting.key, self.postings.len());
        self.postings.push(posting);
    }

    /// Adds what it follows from, if that is anything.
    pub(crate) fn note(&mut self, entry: PastEntry) {
        if !entry.lines.is_empty() {
            self.lines.push(entry);
        }
    }

    /// The postings, in the order in which they were written.
    pub(crate) fn postings(&self) -> &[Arc<Booked>] {
        &self.postings
    }

    /// One of them.
    pub(crate) fn posting(&self, key: &PostingKey) -> Option<&Booked> {
        self.places.get(key).and_then(|place| self.postings.get(*place)).map(|found| &**found)
    }

    /// The postings that are pending.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = &Booked> {
        let resolved: BTreeSet<PostingKey> =
            self.postings.iter().filter_map(|it| it.pending).collect();
        self.postings.iter().map(|it| &**it).filter(move |posting| {
            posting.state == PostingState::Pending && !resolved.contains(&posting.key)
        })
    }

    /// The claim that counts, with its payment.
    pub(crate) fn counting(&self) -> Option<&Payment> {
        self.payments.get(&self.latest?)
    }

    /// A part that was dispatched.
    pub(crate) fn part(&self, group_id: GroupId, part_id: PartId) -> Option<&Part> {
        self.payments.get(&group_id)?.parts.get(&part_id)
    }

    /// Whether all of it has ended: nothing changes any more unless a node contradicts itself, or
    /// the hash is paid anew.
    pub(crate) fn is_over(&self) -> bool {
        let ended = |paying: &Payment| paying.state != ClaimState::Open;
        self.payments.values().all(ended) && self.sets.values().all(SetState::is_over)
    }
}

/// Takes out of a map what fits.
fn taken<K: Ord, V>(map: &mut BTreeMap<K, V>, fits: impl FnMut(&K, &mut V) -> bool) -> Vec<(K, V)> {
    map.extract_if(.., fits).collect()
}
