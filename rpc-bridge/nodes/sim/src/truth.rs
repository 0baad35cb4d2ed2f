//! What really happened, by the network's own arithmetic.

use ecs_systems::{
    port::{Failure, FailureCode, HtlcId, PartKey},
    units::{Msat, NodeId, PaymentHash, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of the network's log. The log only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthRecord {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// We asked for a part that our node had not seen before.
    PartSubmitted {
        /// Which part.
        key: PartKey,
        /// What the payee is to get of it.
        amount_msat: Msat,
        /// What leaves us.
        sent_msat: Msat,
    },
    /// We asked for a part again but with another amount; nothing was done.
    PartRefused {
        /// Which part.
        key: PartKey,
        /// The amount asked for this time.
        amount_msat: Msat,
    },
    /// Our first channel gave `sent_msat` away for the preimage.
    PartPaid {
        /// Which part.
        key: PartKey,
        /// What left us.
        sent_msat: Msat,
    },
    /// The part's money is back with us, or never left.
    PartFailed {
        /// Which part.
        key: PartKey,
        /// Why, as far as we can know.
        failure: Failure,
    },
    /// A payee has an HTLC in hand and waits, for other parts or for its owner's word.
    Held {
        /// The payee.
        payee: NodeId,
        /// What it is locked to.
        payment_hash: PaymentHash,
        /// What it is worth.
        amount_msat: Msat,
    },
    /// A payee's channel gained `amount_msat`.
    Received {
        /// The payee.
        payee: NodeId,
        /// What it was locked to.
        payment_hash: PaymentHash,
        /// What was gained.
        amount_msat: Msat,
    },
    /// A payee gave an HTLC back.
    Rejected {
        /// The payee.
        payee: NodeId,
        /// What it was locked to.
        payment_hash: PaymentHash,
        /// What it was worth.
        amount_msat: Msat,
        /// What the payee said.
        failcode: FailureCode,
    },
    /// A node between earned a fee.
    Forwarded {
        /// The node.
        node: NodeId,
        /// For which hash.
        payment_hash: PaymentHash,
        /// What it keeps.
        fee_msat: Msat,
    },
    /// An HTLC was offered to us.
    Incoming {
        /// Which one.
        htlc: HtlcId,
        /// What it is locked to.
        payment_hash: PaymentHash,
        /// What it is worth.
        amount_msat: Msat,
    },
    /// An HTLC that was offered to us is off the channel.
    IncomingResolved {
        /// Which one.
        htlc: HtlcId,
        /// What it was locked to.
        payment_hash: PaymentHash,
        /// What it was worth.
        amount_msat: Msat,
        /// Whether the money is ours.
        settled: bool,
    },
    /// Our node restarted, or a new engine connected to it.
    Restarted,
}

/// How far one of our parts is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartState {
    /// Its money is locked.
    InFlight,
    /// Its money is gone.
    Paid,
    /// Its money is back.
    Failed(Failure),
}

/// What really became of one of our parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTruth {
    /// What the payee was to get of it.
    pub amount_msat: Msat,
    /// What leaves us, fees included.
    pub sent_msat: Msat,
    /// How far it is.
    pub state: PartState,
}

impl PartTruth {
    /// What the nodes between keep if it is paid.
    #[must_use]
    pub fn fee(&self) -> Msat {
        self.sent_msat.saturating_sub(self.amount_msat)
    }
}

/// What really happened for one hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTruth {
    /// What each node gained as payee.
    pub received_msat: BTreeMap<NodeId, Msat>,
    /// What payees hold at the moment and have neither taken nor given back.
    pub held_msat: Msat,
    /// How often a payee other than us took a complete set.
    #[serde(default)]
    pub sets_taken: u32,
    /// Our parts.
    #[serde(with = "crate::pairs")]
    pub parts: BTreeMap<PartKey, PartTruth>,
}

impl PaymentTruth {
    /// Adds what happened for the same hash at another time.
    pub fn add(&mut self, other: Self) {
        for (payee, amount) in other.received_msat {
            let sum = self.received_msat.entry(payee).or_default();
            *sum = Msat(sum.0 + amount.0);
        }
        self.held_msat = Msat(self.held_msat.0 + other.held_msat.0);
        self.sets_taken += other.sets_taken;
        self.parts.extend(other.parts);
    }

    /// What all payees together gained.
    #[must_use]
    pub fn received_in_all(&self) -> Msat {
        Msat(self.received_msat.values().map(|amount| amount.0).sum())
    }

    /// What our settled parts took from us, fees included.
    #[must_use]
    pub fn spent(&self) -> Msat {
        let settled = self.parts.values().filter(|part| part.state == PartState::Paid);
        Msat(settled.map(|part| part.sent_msat.0).sum())
    }

    /// What our parts in flight have locked, fees included.
    #[must_use]
    pub fn in_flight(&self) -> Msat {
        let out = self.parts.values().filter(|part| part.state == PartState::InFlight);
        Msat(out.map(|part| part.sent_msat.0).sum())
    }
}

/// The log, and what it comes to for each hash.
#[derive(Debug)]
pub(crate) struct Truth {
    /// Absent where the network is kept on a disk.
    pub(crate) log: Option<Vec<TruthRecord>>,
    pub(crate) payments: BTreeMap<PaymentHash, PaymentTruth>,
}

impl Default for Truth {
    fn default() -> Self {
        Self { log: Some(Vec::new()), payments: BTreeMap::new() }
    }
}

impl Truth {
    pub(crate) fn record(&mut self, at: Timestamp, fact: Fact) {
        self.count(&fact);
        if let Some(log) = &mut self.log {
            log.push(TruthRecord { at, fact });
        }
    }

    /// A remote payee released the preimage for a complete set.
    pub(crate) fn taken(&mut self, hash: PaymentHash) {
        self.payment(hash).sets_taken += 1;
    }

    fn payment(&mut self, hash: PaymentHash) -> &mut PaymentTruth {
        self.payments.entry(hash).or_default()
    }

    fn count(&mut self, fact: &Fact) {
        match fact {
            Fact::PartSubmitted { key, amount_msat, sent_msat } => {
                let part = PartTruth {
                    amount_msat: *amount_msat,
                    sent_msat: *sent_msat,
                    state: PartState::InFlight,
                };
                self.payment(key.payment_hash).parts.insert(*key, part);
            }
            Fact::PartPaid { key, sent_msat } => {
                self.conclude(*key, PartState::Paid).sent_msat = *sent_msat;
            }
            Fact::PartFailed { key, failure } => {
                self.conclude(*key, PartState::Failed(failure.clone()));
            }
            Fact::Held { payment_hash, amount_msat, .. } => {
                let held = &mut self.payment(*payment_hash).held_msat;
                *held = Msat(held.0 + amount_msat.0);
            }
            Fact::Received { payee, payment_hash, amount_msat } => {
                let payment = self.payment(*payment_hash);
                payment.held_msat = payment.held_msat.saturating_sub(*amount_msat);
                let sum = payment.received_msat.entry(*payee).or_default();
                *sum = Msat(sum.0 + amount_msat.0);
            }
            Fact::Rejected { payment_hash, amount_msat, .. } => {
                let payment = self.payment(*payment_hash);
                payment.held_msat = payment.held_msat.saturating_sub(*amount_msat);
            }
            Fact::PartRefused { .. }
            | Fact::Forwarded { .. }
            | Fact::Incoming { .. }
            | Fact::IncomingResolved { .. }
            | Fact::Restarted => {}
        }
    }

    fn conclude(&mut self, key: PartKey, state: PartState) -> &mut PartTruth {
        let part = self.payment(key.payment_hash).parts.get_mut(&key);
        let part = part.expect("a part is submitted before it is final");
        part.state = state;
        part
    }
}
