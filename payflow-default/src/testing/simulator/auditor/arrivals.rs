//! What others sent us: each HTLC judged as it arrives, by what was asked for, and held against
//! what the engine says of it later.

use super::{Auditor, Law, Terms};
use crate::testing::simulator::offers::Overpay;
use ecs_systems::{
    port::{FailureCode, HtlcId, IncomingHtlc},
    units::{BlockHeight, PaymentHash, Timestamp},
};

/// How long HTLCs that fit may wait for the rest of their set, and a refusal for its record, in
/// time in which the engine runs: 70 s, and a minute.
const WORD_WITHIN_MS: u64 = 130_000;
/// A hold ends so many blocks before its first HTLC expires.
const HOLD_ENDS_BLOCKS: u32 = 18;
/// A set that is here within this time is taken.
const TAKEN_WITHIN_MS: u64 = 60_000;

/// An HTLC of another node.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) hash: PaymentHash,
    pub(super) amount_msat: u64,
    pub(super) total_msat: u64,
    pub(super) expires: BlockHeight,
    pub(super) at: Timestamp,
    /// When the engine was to have given its word, in time in which it runs; known for a hold from
    /// its last blocks on.
    due_ms: Option<u64>,
    /// What is wrong with it.
    pub(super) flaw: Option<&'static str>,
    pub(super) word: Option<Word>,
    /// When it was off the channel.
    pub(super) resolved_at: Option<Timestamp>,
    /// How often the engine had been disturbed by then; `None`: it was just then.
    disturbances: Option<u32>,
    /// Blocks that it had left above those asked for.
    spare_blocks: u32,
}

/// What the engine said of an HTLC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) at: Timestamp,
    /// Its preimage left.
    pub(super) released: bool,
    /// How often the engine had been disturbed by then.
    disturbances: u32,
}

/// What is wrong with an HTLC, by what was asked for.
fn flaw(
    terms: &Terms,
    secret: &[u8; 32],
    htlc: &IncomingHtlc,
    height: BlockHeight,
) -> Option<&'static str> {
    let total = htlc.total_msat.0;
    let fits = terms.amount_msat.map_or(total > 0, |asked| {
        let most = match terms.overpay {
            Overpay::Bolt => asked.saturating_mul(2),
            Overpay::Exact => asked,
            Overpay::Any => u64::MAX,
        };
        (asked..=most).contains(&total)
    });
    if htlc.payment_secret.is_none_or(|shown| shown.0 != *secret) {
        return Some("the secret is not shown");
    }
    if !fits {
        return Some("the total is not what was asked for");
    }
    if htlc.amount_msat.0 == 0 {
        return Some("it is worth nothing");
    }
    let left = htlc.cltv_expiry.0.saturating_sub(height.0);
    (left < terms.cltv).then_some("it expires too soon")
}

impl Auditor {
    /// An HTLC came in, for the first time or again.
    pub(super) fn arrives(&mut self, htlc: &IncomingHtlc, at: Timestamp, height: BlockHeight) {
        let hash = htlc.payment_hash;
        if self.receipts.contains_key(&hash) || self.arrivals.contains_key(&htlc.htlc) {
            return;
        }
        let code = self.codes.get(&hash);
        let flaw = code.map_or(Some("nobody asked for it"), |code| {
            flaw(&code.terms, &code.secret, htlc, height)
        });
        let holds = flaw.is_none() && code.is_some_and(|code| code.terms.holds);
        let ran_ms = at.0.saturating_sub(self.lost_ms);
        let arrival = Arrival {
            hash,
            amount_msat: htlc.amount_msat.0,
            total_msat: htlc.total_msat.0,
            expires: htlc.cltv_expiry,
            at,
            due_ms: (!holds).then(|| ran_ms.saturating_add(WORD_WITHIN_MS)),
            flaw,
            word: None,
            resolved_at: None,
            disturbances: (at > self.disturbed_until).then_some(self.disturbances),
            spare_blocks: code.map_or(0, |code| {
                let left = htlc.cltv_expiry.0.saturating_sub(height.0);
                left.saturating_sub(code.terms.cltv)
            }),
        };
        self.arrivals.insert(htlc.htlc, arrival);
    }

    /// Notes the engine's word on an HTLC. What is refused at sight is refused at once, whatever is
    /// wrong.
    fn says(&mut self, htlc: HtlcId, released: bool, at: Timestamp) {
        let word = Word { at, released, disturbances: self.disturbances };
        let Some(arrival) = self.arrivals.get_mut(&htlc) else { return };
        let before = arrival.word;
        let word = *arrival.word.get_or_insert(word);
        let is_calm = Some(word.disturbances) == arrival.disturbances;
        let (flaw, since) = (arrival.flaw, arrival.at);
        if before.is_some_and(|before| before.released != released) {
            self.other_words.push((htlc, at));
        }
        let is_late = flaw.is_some() && is_calm && word.at != since;
        self.holds(Law::RefusedAlike, !is_late, || {
            format!("{htlc:?} was given back {} ms later: {flaw:?}", word.at.0 - since.0)
        });
    }

    /// The preimage of an HTLC leaves: the whole set must be here, fit, and be decided about.
    pub(super) fn releases(&mut self, htlc: HtlcId, at: Timestamp) {
        let Some(arrival) = self.arrivals.get(&htlc).cloned() else { return };
        let (hash, total) = (arrival.hash, arrival.total_msat);
        let waits = |it: &&Arrival| {
            it.hash == hash && it.total_msat == total && it.flaw.is_none() && {
                it.word.is_none_or(|word| word.released)
            }
        };
        let set = || self.arrivals.values().filter(waits);
        let got: u128 = set().map(|it| u128::from(it.amount_msat)).sum();
        let first = set().map(|it| it.at).min();
        let wrong = match self.codes.get(&hash) {
            None => Some("nobody asked for it"),
            Some(code) if arrival.flaw.is_some() || code.is_over() => {
                Some(arrival.flaw.unwrap_or("it was told to be over"))
            }
            Some(_) if got < u128::from(total) => Some("its set is not whole"),
            Some(code) if first.is_none_or(|first| first >= code.terms.expires_at) => {
                Some("its set began too late")
            }
            Some(code) if code.terms.holds && !code.decided => Some("nobody has decided"),
            Some(_) => None,
        };
        self.holds(Law::WholeSet, wrong.is_none(), || {
            let wrong = wrong.unwrap_or_default();
            format!("{htlc:?} of {hash} is taken: {wrong}; {got} msat of {total} are here")
        });
        self.says(htlc, true, at);
    }

    /// An HTLC is given back. `None`: to the node, as it is not ours.
    pub(super) fn gives_back(&mut self, htlc: HtlcId, why: Option<FailureCode>, at: Timestamp) {
        let Some(flaw) = self.arrivals.get(&htlc).map(|arrival| arrival.flaw) else { return };
        let alike = match why {
            None | Some(FailureCode::IncorrectOrUnknownPaymentDetails) => true,
            Some(why) => why == FailureCode::MppTimeout && flaw.is_none(),
        };
        let told = why.map(FailureCode::name);
        self.holds(Law::RefusedAlike, alike, || {
            format!("{htlc:?} was given back with {told:?}: {flaw:?}")
        });
        self.says(htlc, false, at);
    }

    /// Time in which the engine does not run, or can keep nothing.
    pub(in crate::testing::simulator) fn loses(&mut self, milliseconds: u64) {
        self.lost_ms = self.lost_ms.saturating_add(milliseconds);
        self.disturbances += 1;
    }

    /// Once the network's log is read as far as it goes: what was judged twice, and differently.
    /// What is off its channel may be: it may have been forgotten when it is shown once more, and
    /// nothing comes of it.
    pub(super) fn judges_other_words(&mut self) {
        for (htlc, at) in std::mem::take(&mut self.other_words) {
            let resolved_at = self.arrivals.get(&htlc).and_then(|it| it.resolved_at);
            let is_over = resolved_at.is_some_and(|resolved| resolved < at);
            self.holds(Law::SettledOnce, is_over, || {
                format!("{htlc:?} was judged otherwise at {at}")
            });
        }
    }

    /// The disk is full until then, or nearly: what is said waits for its record.
    pub(in crate::testing::simulator) fn is_full_until(&mut self, until: Timestamp) {
        self.disturbed_until = self.disturbed_until.max(until);
    }

    /// Whether an HTLC may be taken, as far as is known.
    pub(super) fn may_be_taken(&self, htlc: &HtlcId) -> bool {
        let fits = |it: &Arrival| it.flaw.is_none() && it.word.is_none_or(|word| word.released);
        self.arrivals.get(htlc).is_none_or(fits)
    }

    /// Whether HTLCs wait for a word for too long, where our node sees that height.
    pub(in crate::testing::simulator) fn looks_at_waiting(
        &mut self,
        now: Timestamp,
        height: BlockHeight,
    ) {
        let ran_ms = now.0.saturating_sub(self.lost_ms);
        let waits = self.arrivals.iter_mut().filter(|(_, it)| it.word.is_none());
        let mut late = None;
        for (htlc, arrival) in waits {
            let is_near = height.0.saturating_add(HOLD_ENDS_BLOCKS) >= arrival.expires.0;
            if is_near && arrival.due_ms.is_none() {
                arrival.due_ms = Some(ran_ms.saturating_add(WORD_WITHIN_MS));
            }
            if arrival.due_ms.is_some_and(|due| due < ran_ms) {
                late = Some((*htlc, arrival.clone()));
            }
        }
        self.holds(Law::WordInTime, late.is_none(), || format!("no word yet on {late:?}"));
    }

    /// At rest: what came whole and in time was taken.
    pub(super) fn judges_arrivals(&mut self) {
        let hashes: Vec<_> = self.codes.keys().copied().collect();
        let refused = hashes.into_iter().find(|hash| self.is_wrongly_refused(hash));
        self.holds(Law::TakenIfWhole, refused.is_none(), || {
            format!("a set for {refused:?} was whole, and was not taken")
        });
    }

    /// Whether something was certainly to be taken, and was not: where nobody decides about it, and
    /// all that came for it is one set.
    fn is_wrongly_refused(&self, hash: &PaymentHash) -> bool {
        let Some(code) = self.codes.get(hash) else { return false };
        let mut set: Vec<_> = self.arrivals.values().filter(|it| it.hash == *hash).collect();
        set.retain(|it| it.flaw.is_none());
        set.sort_by_key(|it| it.at);
        let (Some(first), Some(last)) = (set.first(), set.last()) else { return false };
        let is_one = set.iter().all(|it| it.total_msat == first.total_msat);
        let sum: u128 = set.iter().map(|it| u128::from(it.amount_msat)).sum();
        let words = || set.iter().filter_map(|it| it.word);
        let ends = words().map(|word| word.at).max().unwrap_or(last.at);
        let is_calm = words().all(|word| Some(word.disturbances) == first.disturbances);
        // What came again after a crash may have come too late then.
        let began = if is_calm { first.at } else { ends };
        let has_time = is_calm || set.iter().all(|it| it.spare_blocks > 1);
        let gathered_ms = if is_calm { last.at } else { ends }.0.saturating_sub(first.at.0);
        let is_quick = has_time && gathered_ms < TAKEN_WITHIN_MS;
        let is_due = is_one && is_quick && sum >= u128::from(first.total_msat);
        let may_be = code.terms.holds || code.given_up || began >= code.terms.expires_at;
        let taken = set.iter().any(|it| it.word.is_some_and(|word| word.released));
        is_due && !may_be && !taken
    }
}
