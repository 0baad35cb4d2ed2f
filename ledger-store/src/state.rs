//! All that a batch reads, and changes at once when it is accepted.

use crate::dossier::Dossier;
use crate::entry::{Applied, EntryKey, Written};
use crate::guards::{self, Guards};
use crate::journal::{Booked, Changes, Circumstances, Journal};
use crate::late::{Late, LateOnes};
use crate::limit::Spend;
use crate::past::Past;
use crate::payment::Payment;
use crate::spends::Spends;
use ecs_systems::port::{LedgerEntry, LedgerError, PastEntry, PaymentRef};
use ecs_systems::units::{Msat, PaymentHash, Seconds, ShortChannelId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The books as they are in memory.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) journal: Journal,
    /// What has not ended; where nothing is folded, everything.
    pub(crate) open: BTreeMap<PaymentHash, Arc<Dossier>>,
    pub(crate) late: LateOnes,
    /// Every hash and idempotency key that was ever seen.
    pub(crate) guards: Guards,
    /// The hash that each idempotency key was last claimed for. Of what is neither open nor late
    /// the history tells it.
    pub(crate) keys: BTreeMap<String, PaymentHash>,
    /// Channels that were opened.
    pub(crate) openings: BTreeMap<ShortChannelId, Applied>,
    /// Payments that have something set aside.
    under_way: BTreeSet<PaymentRef>,
    pub(crate) spends: Spends,
    /// They are a backup's, and not reconciled with the node.
    pub(crate) is_backup: bool,
    pub(crate) past: Past,
    /// How many dossiers that are over are kept at hand; `None`: none is ever folded.
    pub(crate) late_max: Option<usize>,
    thawed: Slot,
}

/// The dossier that was thawed last, so that one question after the other about it is one thaw.
#[derive(Debug, Default)]
struct Slot(Mutex<Option<(PaymentHash, Arc<Dossier>)>>);

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Slot {
    fn get(&self, hash: &PaymentHash) -> Option<Arc<Dossier>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(of, _)| of == hash).map(|(_, dossier)| Arc::clone(dossier))
    }

    fn put(&self, thawed: Option<(PaymentHash, Arc<Dossier>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = thawed;
    }
}

impl State {
    /// Empty books.
    pub(crate) fn new(node: &str, past: Past, late_max: Option<usize>) -> Self {
        Self {
            journal: Journal::new(node),
            open: BTreeMap::new(),
            late: LateOnes::default(),
            guards: Guards::default(),
            keys: BTreeMap::new(),
            openings: BTreeMap::new(),
            under_way: BTreeSet::new(),
            spends: Spends::default(),
            is_backup: false,
            past,
            late_max,
            thawed: Slot::default(),
        }
    }

    /// What the books know of a hash, thawed if need be.
    ///
    /// # Errors
    /// The history is asked and can't tell.
    pub(crate) fn dossier(&self, hash: &PaymentHash) -> Result<Arc<Dossier>, LedgerError> {
        if let Some(open) = self.open.get(hash) {
            return Ok(Arc::clone(open));
        }
        if let Some(thawed) = self.thawed.get(hash) {
            return Ok(thawed);
        }
        let unreadable = |what| LedgerError::HistoryUnreadable { what };
        let lines = match self.late.get(hash) {
            Some(late) => late.lines().map_err(unreadable)?,
            None if !self.guards.contains(guards::of_hash(hash)) => return Ok(Arc::default()),
            None => self.past.told().lines_of(hash)?,
        };
        let dossier = Dossier::of(self.journal.node(), *hash, lines).map_err(unreadable)?;
        if !dossier.is_over() {
            return Err(unreadable(format!("what it has of {hash} has not ended")));
        }
        let dossier = Arc::new(dossier);
        self.thawed.put(Some((*hash, Arc::clone(&dossier))));
        Ok(dossier)
    }

    /// The hash that an idempotency key belongs to.
    ///
    /// # Errors
    /// The history is asked and can't tell.
    pub(crate) fn hash_of_key(&self, key: &str) -> Result<Option<PaymentHash>, LedgerError> {
        if let Some(hash) = self.keys.get(key) {
            return Ok(Some(*hash));
        }
        if !self.guards.contains(guards::of_key(key)) {
            return Ok(None);
        }
        Ok(self.past.told().payment_of_key(key)?.map(|payment| payment.payment_hash))
    }

    /// The payments that have something set aside.
    pub(crate) fn payments_under_way(&self) -> impl Iterator<Item = &Payment> {
        self.under_way
            .iter()
            .filter_map(|it| self.open.get(&it.payment_hash)?.payments.get(&it.group_id))
    }

    /// What was spent within `window` before `now`, and what is dated later than `now`.
    pub(crate) fn spends_since(
        &self,
        window: Seconds,
        now: Timestamp,
    ) -> impl Iterator<Item = &Spend> {
        self.spends.since(Timestamp(now.0.saturating_sub(window.0.saturating_mul(1_000))))
    }

    /// Takes over what a batch came to; its postings.
    pub(crate) fn apply(
        &mut self,
        batch: &[LedgerEntry],
        circumstances: Circumstances,
        changes: Changes,
        mut written: Written,
    ) -> Vec<Arc<Booked>> {
        let Circumstances { entity, at } = circumstances;
        let index = self.journal.batches();
        let postings = self.journal.apply(changes);
        if let Past::Memory(memory) = &mut self.past {
            memory.postings.extend(postings.iter().cloned());
            let lines = batch.to_vec();
            memory.entries.push(Arc::new(PastEntry { index, at, entity, lines }));
        }
        self.thawed.put(None);
        self.is_backup = written.is_backup.unwrap_or(self.is_backup);
        for paying in written.payments.values() {
            self.note_set_aside(paying);
        }
        written.spends.drain(..).for_each(|spend| self.spends.add(spend));
        for (key, payment) in &written.keys {
            self.guards.insert(guards::of_key(key));
            self.keys.insert(key.clone(), payment.payment_hash);
        }
        for (hash, lines) in std::mem::take(&mut written.booked) {
            let entry = PastEntry { index, at, entity, lines };
            self.change(hash, entry, &mut written, &postings);
        }
        for (key, applied) in written.applied {
            if let EntryKey::Opening(channel) = key {
                self.openings.insert(channel, applied);
            }
        }
        if let Some(most) = self.late_max {
            self.spends.prune(at);
            self.forget(most);
        }
        postings
    }

    /// Changes the dossier of one hash.
    fn change(
        &mut self,
        hash: PaymentHash,
        entry: PastEntry,
        written: &mut Written,
        postings: &[Arc<Booked>],
    ) {
        let loaded = written.loaded.remove(&hash);
        // The one in the map first, so that it is changed in place where nobody shares it.
        let mut dossier = match self.open.remove(&hash) {
            Some(open) => {
                drop(loaded);
                open
            }
            None => loaded.unwrap_or_default(),
        };
        let changing = Arc::make_mut(&mut dossier);
        changing.take(hash, written);
        let of_hash = |it: &&Arc<Booked>| it.payment().is_some_and(|it| it.payment_hash == hash);
        postings.iter().filter(of_hash).for_each(|posting| changing.add(Arc::clone(posting)));
        changing.note(entry);
        self.hold(hash, dossier);
    }

    /// Holds a dossier as what it is: open, or late. Nothing else may be known of its hash.
    pub(crate) fn hold(&mut self, hash: PaymentHash, dossier: Arc<Dossier>) {
        self.guards.insert(guards::of_hash(&hash));
        if self.late_max.is_some() && dossier.is_over() {
            self.late.put(Arc::new(Late::of(hash, &dossier)));
            self.thawed.put(Some((hash, dossier)));
        } else {
            self.late.remove(&hash);
            self.open.insert(hash, dossier);
        }
    }

    /// Lets go of late dossiers above the most, as far as the history has them.
    fn forget(&mut self, most: usize) {
        let known = self.past.told().known();
        while let Some(cold) = self.late.pop_cold(most, known) {
            for key in &cold.keys {
                // The same request may have been made again, for another hash.
                if self.keys.get(key) == Some(&cold.payment_hash) {
                    self.keys.remove(key);
                }
            }
        }
    }

    /// Damages the books, for tests.
    #[cfg(test)]
    pub(crate) fn forget_under_way(&mut self, payment: &PaymentRef) {
        self.under_way.remove(payment);
    }

    /// Counts a payment as under way, or no longer.
    pub(crate) fn note_set_aside(&mut self, paying: &Payment) {
        if paying.set_aside() == Msat::ZERO {
            self.under_way.remove(&paying.claim.payment);
        } else {
            self.under_way.insert(paying.claim.payment);
        }
    }
}
