//! What of a network on a disk is over: it goes to a file of its own, and out of memory.

use crate::{
    flight::RemoteId,
    ours::OurPart,
    state::State,
    truth::{PaymentTruth, Truth},
};
use ecs_systems::{
    port::{HtlcId, PartKey},
    units::PaymentHash,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many of our parts, HTLCs offered to us and parts of others are remembered after their end,
/// each: 20 000. About an older part of ours our node says that nobody can say, and it takes the
/// same part for a new one; its payee refuses that, because the invoice was paid or has expired.
pub const REMEMBERED: usize = if cfg!(test) { 30 } else { 20_000 };
/// Invoices that have expired are looked for once in so many sales.
const SALES: u64 = 4_096;
/// How many bits tell old keys from new ones: 8 MiB.
const FILTER_BITS: usize = 1 << 26;

/// What really happened for a hash until nothing of it was on its way any more. There may be
/// several of a hash, one for each time it was tried: they add up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Over {
    pub(crate) hash: PaymentHash,
    pub(crate) truth: PaymentTruth,
}

/// What is over and still remembered, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Past {
    /// Our parts whose outcome was polled, by `created_index`.
    parts: VecDeque<u64>,
    incoming: VecDeque<HtlcId>,
    remotes: VecDeque<RemoteId>,
    /// How many entries the file of the past has.
    pub(crate) entries: u64,
    /// Those that are to be appended.
    #[serde(skip)]
    pub(crate) coming: Vec<Vec<u8>>,
    /// How many parts of a hash are on their way, ours and others'.
    #[serde(skip)]
    open: BTreeMap<PaymentHash, u32>,
}

/// Tells keys of parts that are over from keys that never were: a new key is taken for an old one
/// in less than one of 1 000 cases up to three million parts, an old one never for a new one.
#[derive(Debug)]
pub(crate) struct Ended(Vec<u64>);

impl Ended {
    pub(crate) fn new() -> Self {
        Self(vec![0; FILTER_BITS / 64])
    }

    /// The four bits of a key: the hash is as good as random.
    fn bits(key: &PartKey) -> [usize; 4] {
        let mix = key.group_id.0.rotate_left(32) ^ key.part_id.0;
        let mix = mix.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [0, 8, 16, 24].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&key.payment_hash.0[at..at + 8]);
            let mixed = (u64::from_be_bytes(word) ^ mix).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 38;
            usize::try_from(mixed).expect("26 bits fit") % FILTER_BITS
        })
    }

    pub(crate) fn add(&mut self, key: &PartKey) {
        for bit in Self::bits(key) {
            self.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    fn has(&self, key: &PartKey) -> bool {
        Self::bits(key).iter().all(|bit| self.0[bit / 64] & 1 << (bit % 64) != 0)
    }
}

impl Past {
    fn leaves(&mut self, hash: PaymentHash) {
        *self.open.entry(hash).or_default() += 1;
    }

    /// One part less is on its way.
    fn returns(&mut self, hash: PaymentHash) {
        if let Some(open) = self.open.get_mut(&hash) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&hash);
            }
        }
    }

    /// What happened for a hash goes to the file, if nothing of it is on its way.
    fn conclude(&mut self, hash: PaymentHash, truth: &mut Truth, ended: &mut Ended) {
        if self.open.contains_key(&hash) {
            return;
        }
        let Some(truth) = truth.payments.remove(&hash) else { return };
        truth.parts.keys().for_each(|key| ended.add(key));
        let over = Over { hash, truth };
        let entry = serde_json::to_vec(&over).expect("keys are text and numbers are finite");
        self.coming.push(entry);
        self.entries += 1;
    }
}

/// Adds what is newly over, and takes out what is no longer remembered.
fn remember<T>(over: &mut VecDeque<T>, new: T) -> Option<T> {
    over.push_back(new);
    if over.len() > REMEMBERED { over.pop_front() } else { None }
}

impl State {
    /// From now on only what is going on is kept in memory; the past is on the disk.
    pub(crate) fn keep_on_disk(&mut self) {
        self.truth.log = None;
        self.past = Some(Past::default());
        self.ended = Some(Ended::new());
    }

    /// The past of a snapshot.
    pub(crate) fn restore_past(&mut self, past: Option<Past>) {
        self.past = past;
        let hashes: Vec<_> = self.flights.values().map(|flight| flight.onion.hash).collect();
        if let Some(past) = &mut self.past {
            for hash in hashes {
                past.leaves(hash);
            }
        }
    }

    pub(crate) fn flight_begins(&mut self, hash: PaymentHash) {
        if let Some(past) = &mut self.past {
            past.leaves(hash);
        }
    }

    pub(crate) fn flight_ends(&mut self, hash: PaymentHash) {
        if let Some(past) = &mut self.past {
            past.returns(hash);
        }
        self.conclude_hash(hash);
    }

    pub(crate) fn conclude_hash(&mut self, hash: PaymentHash) {
        if let (Some(past), Some(ended)) = (&mut self.past, &mut self.ended) {
            past.conclude(hash, &mut self.truth, ended);
        }
    }

    /// Whether a part that is not remembered may have been.
    pub(crate) fn may_have_been(&self, key: &PartKey) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.has(key))
    }

    /// The outcome of a part of ours was polled for the first time.
    pub(crate) fn forget_parts(&mut self, created_index: u64) {
        let old = self.past.as_mut().and_then(|past| remember(&mut past.parts, created_index));
        let Some(key) = old.and_then(|old| self.ours.order.remove(&old)) else { return };
        let _: Option<OurPart> = self.ours.parts.remove(&key);
        self.ours.lost.remove(&key);
        self.ours.unknown_answers.remove(&key);
        self.ours.denials.remove(&key);
    }

    /// An HTLC that was offered to us is off the channel.
    pub(crate) fn forget_incoming(&mut self, htlc: HtlcId) {
        let old = self.past.as_mut().and_then(|past| remember(&mut past.incoming, htlc));
        if let Some(old) = old {
            self.ours.incoming.remove(&old);
        }
    }

    /// A part of another node is over.
    pub(crate) fn forget_remotes(&mut self, remote: RemoteId) {
        let old = self.past.as_mut().and_then(|past| remember(&mut past.remotes, remote));
        if let Some(old) = old {
            self.remotes.remove(&old);
        }
    }

    /// An invoice is paid: who pays it again is told what he is told of one that never was.
    pub(crate) fn forget_paid(&mut self, hash: PaymentHash) {
        if self.past.is_some() {
            self.invoices.remove(&hash);
        }
    }

    /// Now and then, invoices that have expired without a set being held for them go.
    pub(crate) fn forget_expired(&mut self) {
        if self.past.is_none() || !self.next_invoice.is_multiple_of(SALES) {
            return;
        }
        let (now, sets) = (self.now, &self.sets);
        self.invoices.retain(|hash, it| it.expires_at >= now || sets.contains_key(hash));
    }
}

#[cfg(test)]
mod tests;
