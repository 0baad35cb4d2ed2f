//! Faults on demand: each is written down in advance and strikes at the same place every time.

use crate::state::{Event, State};
use ecs_systems::{
    port::{FailureCode, PartKey},
    units::{Msat, NodeId, PaymentHash, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Script {
    /// The node is offline from now on: who would forward to it answers with `failcode`
    /// (`unknown_next_peer` as Core Lightning does, or `temporary_channel_failure`); what is on its
    /// way to it, answers included, waits.
    Offline {
        /// The node.
        node: NodeId,
        /// When it is back; absent: not before [`Script::Online`].
        until: Option<Timestamp>,
        /// What its peers say meanwhile.
        failcode: FailureCode,
    },
    /// The node is back.
    Online {
        /// The node.
        node: NodeId,
    },
    /// The node fails the next HTLC that it would forward.
    FailNext {
        /// The node.
        node: NodeId,
        /// What it says.
        failcode: FailureCode,
    },
    /// The node keeps the next HTLC that reaches it until then.
    KeepNext {
        /// The node.
        node: NodeId,
        /// When it goes on.
        until: Timestamp,
    },
    /// The next failure that the node causes arrives unreadable.
    GarbleNext {
        /// The node.
        node: NodeId,
    },
    /// The payee of this hash keeps the complete set until then (a hold invoice).
    HoldSet {
        /// The hash.
        payment_hash: PaymentHash,
        /// When it releases the preimage.
        until: Timestamp,
    },
    /// Nobody says what became of this part until it is asked for or our node restarts.
    LoseOutcome {
        /// The part.
        key: PartKey,
    },
    /// Our node answers the next `times` questions about this part with `Unknown`.
    AnswerUnknown {
        /// The part.
        key: PartKey,
        /// How often.
        times: u32,
    },
    /// Once this part is paid, our node takes so much more for it out of its first channel, or all
    /// that is left there, and says so.
    Overspend {
        /// The part.
        key: PartKey,
        /// How much more.
        excess_msat: Msat,
    },
    /// Our node says that this part failed when it is paid, and the truth not before then.
    FailThenPay {
        /// The part.
        key: PartKey,
        /// When it says that the part is paid.
        until: Timestamp,
    },
}

impl Script {
    /// The node it is about, if it is about one.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Offline { node, .. }
            | Self::Online { node }
            | Self::FailNext { node, .. }
            | Self::KeepNext { node, .. }
            | Self::GarbleNext { node } => Some(*node),
            Self::HoldSet { .. }
            | Self::LoseOutcome { .. }
            | Self::AnswerUnknown { .. }
            | Self::Overspend { .. }
            | Self::FailThenPay { .. } => None,
        }
    }
}

/// What a node is scripted to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tricks {
    /// While it is offline: what its peers say.
    pub(crate) offline: Option<FailureCode>,
    /// And when it is back, if that is known.
    pub(crate) offline_until: Option<Timestamp>,
    pub(crate) fail_next: VecDeque<FailureCode>,
    pub(crate) keep_next: VecDeque<Timestamp>,
    pub(crate) garble_next: u32,
}

impl State {
    /// Takes a script whose node is number `node`, where it has one.
    pub(crate) fn follow(&mut self, script: Script, node: Option<usize>) {
        match (script, node) {
            (Script::Offline { until, failcode, .. }, Some(node)) => {
                self.peers[node].tricks.offline = Some(failcode);
                self.view_is_old = true;
                self.peers[node].tricks.offline_until = until;
                if let Some(until) = until {
                    self.schedule(until, Event::Online { node });
                }
            }
            (Script::Online { .. }, Some(node)) => self.come_online(node),
            (Script::FailNext { failcode, .. }, Some(node)) => {
                self.peers[node].tricks.fail_next.push_back(failcode);
            }
            (Script::KeepNext { until, .. }, Some(node)) => {
                self.peers[node].tricks.keep_next.push_back(until);
            }
            (Script::GarbleNext { .. }, Some(node)) => self.peers[node].tricks.garble_next += 1,
            (Script::HoldSet { payment_hash, until }, _) => {
                self.holds.insert(payment_hash, until);
            }
            (Script::LoseOutcome { key }, _) => {
                self.ours.lost.insert(key);
            }
            (Script::AnswerUnknown { key, times }, _) => {
                self.ours.unknown_answers.insert(key, times);
            }
            (Script::Overspend { key, excess_msat }, _) => {
                self.ours.overspends.insert(key, excess_msat);
            }
            (Script::FailThenPay { key, until }, _) => {
                self.ours.denials.insert(key, until);
            }
            (
                Script::Offline { .. }
                | Script::Online { .. }
                | Script::FailNext { .. }
                | Script::KeepNext { .. }
                | Script::GarbleNext { .. },
                None,
            ) => {}
        }
    }

    /// The node is back unless a later script keeps it away for longer.
    pub(crate) fn come_online_if_due(&mut self, node: usize) {
        if self.peers[node].tricks.offline_until.is_some_and(|until| until <= self.now) {
            self.come_online(node);
        }
    }

    /// What waited for the node reaches it now.
    pub(crate) fn come_online(&mut self, node: usize) {
        self.peers[node].tricks.offline = None;
        self.view_is_old = true;
        self.peers[node].tricks.offline_until = None;
        for event in std::mem::take(&mut self.peers[node].parked) {
            self.schedule(self.now, event);
        }
    }

    /// Until when the node keeps an HTLC that has just reached it, if it does.
    pub(crate) fn kept_until(&mut self, node: usize) -> Option<Timestamp> {
        if let Some(until) = self.peers[node].tricks.keep_next.pop_front() {
            return Some(until);
        }
        let faults = self.settings.faults;
        let is_us = node == self.ours.node;
        (!is_us && self.rng.chance(faults.stuck_ppm)).then(|| self.now.after(faults.stuck_for))
    }

    /// Whether the node is in trouble just now, and what it says.
    pub(crate) fn trouble(&mut self, node: usize) -> Option<FailureCode> {
        if let Some(failcode) = self.peers[node].tricks.fail_next.pop_front() {
            return Some(failcode);
        }
        let chance = self.settings.faults.temporary_node_failure_ppm;
        self.rng.chance(chance).then_some(FailureCode::TemporaryNodeFailure)
    }

    /// Whether a failure that the node causes arrives unreadable.
    pub(crate) fn garbles(&mut self, node: usize) -> bool {
        let scripted = &mut self.peers[node].tricks.garble_next;
        if *scripted > 0 {
            *scripted -= 1;
            return true;
        }
        self.rng.chance(self.settings.faults.unreadable_ppm)
    }
}

#[cfg(test)]
mod tests;
