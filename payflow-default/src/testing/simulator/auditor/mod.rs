//! The auditor: it hears what the network says of itself, what crosses our border, and what
//! clients are told, and trusts none of the engine's pieces. Its arithmetic is its own.

mod arrivals;
mod border;
mod books;
mod codes;
mod end;
mod money;
mod payers;
mod words;

use super::{
    law::{Breach, Law},
    offers::Overpay,
};
use arrivals::Arrival;
pub(super) use codes::Asked;
use codes::Code;
use ecs_systems::{
    port::{HtlcId, PartKey},
    units::{BlockHeight, Msat, PaymentHash, ShortChannelId, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};
pub(super) use words::{Said, Told};

/// Most breaches of one law that are written down.
const BREACHES_MAX: usize = 3;

/// What a client wants of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) hash: PaymentHash,
    /// What the payee is to get.
    pub(super) amount_msat: u64,
    /// What fees may take.
    pub(super) fee_budget_msat: u64,
    /// Whether the payee is us.
    pub(super) to_ourselves: bool,
}

/// What counts for a paycode, as a client asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// `None`: any.
    pub(super) amount_msat: Option<u64>,
    pub(super) overpay: Overpay,
    /// Blocks that each HTLC must have left when it comes.
    pub(super) cltv: u32,
    /// Whether a complete set waits for a decision.
    pub(super) holds: bool,
    pub(super) expires_at: Timestamp,
}

/// A receipt that we issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    /// What its payer says that all parts sum to.
    pub(super) said_msat: u64,
}

/// One of our parts, as the network has it.
#[derive(Clone, Copy, Debug)]
struct Part {
    amount_msat: u64,
    sent_msat: u64,
    end: Option<bool>,
}

/// An HTLC that came in.
#[derive(Clone, Copy, Debug)]
struct Incoming {
    hash: PaymentHash,
    amount_msat: u64,
    expires: Option<BlockHeight>,
    word: bool,
    end: Option<bool>,
}

/// A payment, as it was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    status: String,
    fee_msat: Option<u64>,
    sent_msat: Option<u64>,
}

/// The auditor.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    breaches: Vec<Breach>,
    /// What was ours in each channel in the beginning.
    opening: BTreeMap<ShortChannelId, u64>,
    parts: BTreeMap<PartKey, Part>,
    incoming: BTreeMap<HtlcId, Incoming>,
    /// Hashes of which the first preimage has left.
    released: BTreeSet<PaymentHash>,
    receipts: BTreeMap<PaymentHash, Receipt>,
    /// Paycodes, and what came for them or for nothing.
    codes: BTreeMap<PaymentHash, Code>,
    arrivals: BTreeMap<HtlcId, Arrival>,
    /// Calls that wait for a paycode.
    waiters: BTreeMap<u32, PaymentHash>,
    /// What was said of paycodes that are paid, and of the HTLCs of paycodes, and is to be judged.
    said_paid: Vec<(PaymentHash, serde_json::Value)>,
    shown_parts: Vec<(PaymentHash, HtlcId, u64)>,
    /// HTLCs that were judged otherwise than before, and when.
    other_words: Vec<(HtlcId, Timestamp)>,
    /// Time in which the engine did not run, and how often that was.
    lost_ms: u64,
    disturbances: u32,
    disturbed_until: Timestamp,
    intents: BTreeMap<PaymentHash, Vec<Intent>>,
    /// Calls without an answer yet: whose payment, and since when.
    calls: BTreeMap<u32, (Intent, Timestamp)>,
    /// Payments as listed or asked for, by hash and Entity.
    views: BTreeMap<(PaymentHash, u64), View>,
    /// Hashes of which a caller was told that they are paid: fee and what left us.
    paid: BTreeMap<PaymentHash, Told>,
    /// Hashes of which a caller was told that its payment failed for good.
    failed: BTreeMap<PaymentHash, u32>,
    /// The height of the chain, as last seen.
    height: BlockHeight,
    /// The longest that a caller waited for the end of its payment.
    pub(super) longest_ms: u64,
}

impl Auditor {
    /// An auditor who knows what is ours in the beginning.
    pub(super) fn new(opening: Vec<(ShortChannelId, Msat)>) -> Self {
        let opening = opening.into_iter().map(|(channel, ours)| (channel, ours.0)).collect();
        Self { opening, ..Self::default() }
    }

    /// A law is broken.
    pub(super) fn breach(&mut self, law: Law, facts: String) {
        let before = self.breaches.iter().filter(|breach| breach.law == law).count();
        if before < BREACHES_MAX {
            self.breaches.push(Breach { law, facts });
        }
    }

    /// A law holds, or is broken with these facts.
    fn holds(&mut self, law: Law, does: bool, facts: impl FnOnce() -> String) {
        if !does {
            self.breach(law, facts());
        }
    }

    /// How many parts of ours there were.
    pub(super) fn parts(&self) -> u64 {
        self.parts.len() as u64
    }

    /// What was broken so far.
    pub(super) fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// A client is about to pay.
    pub(super) fn intends(&mut self, call: u32, intent: Intent, at: Timestamp) {
        self.wants(intent);
        self.calls.insert(call, (intent, at));
    }

    /// A payment is wanted, and nobody waits for its end.
    pub(super) fn wants(&mut self, intent: Intent) {
        self.intents.entry(intent.hash).or_default().push(intent);
    }

    /// The caller has gone, or was cut off: nobody answers it any more.
    pub(super) fn hung_up(&mut self, call: u32) {
        self.calls.remove(&call);
        self.waiters.remove(&call);
    }

    /// Whether a caller waits for the end of a payment.
    pub(super) fn waits(&self) -> bool {
        !self.calls.is_empty()
    }

    /// We issued a receipt, and it was acknowledged.
    pub(super) fn issued(&mut self, hash: PaymentHash, receipt: Receipt) {
        self.receipts.insert(hash, receipt);
    }

    /// The least that a client wanted the payee of a hash to get.
    fn least(&self, hash: &PaymentHash) -> Option<u64> {
        self.intents.get(hash)?.iter().map(|intent| intent.amount_msat).min()
    }

    /// The most that clients wanted for a hash: amount, and fee budget.
    fn most(&self, hash: &PaymentHash) -> Option<(u64, u64)> {
        let intents = self.intents.get(hash)?;
        let amount = intents.iter().map(|intent| intent.amount_msat).max()?;
        let budget = intents.iter().map(|intent| intent.fee_budget_msat).max()?;
        Some((amount, budget))
    }
}
