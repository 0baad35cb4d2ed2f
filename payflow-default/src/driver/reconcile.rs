//! Going on from a backup: before anything else is done, the node is asked what happened since.
//!
//! First every part that the node knows is listed, and those that the books have as open are asked
//! about; meanwhile nothing of the restored state runs. Then what the books lack is booked, the
//! channels are compared, and the books are noted as reconciled. Only that opens the intake.
//!
//! Each command looks at one page of the list, or books some parts: calls are answered in between.

mod booking;
mod comparing;
mod incoming;
mod listing;
mod taking;
mod uncompared;

use super::{Driver, Question};
use booking::Booking;
use ecs_core::{Write, Writer};
use ecs_systems::{
    components::FollowedFacts,
    policy::Intake,
    port::{
        Books, Decision, HoldState, HtlcId, NodeEvent, NodeRequest, OpenPayment, PartKey,
        PartRecord, PartStatus, PaymentRef,
    },
    units::{Msat, PaymentHash, ShortChannelId, Timestamp},
};
use incoming::Probe;
use listing::PAGE;
use std::collections::{BTreeMap, BTreeSet};

/// How far an engine that goes on from a backup has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reconciliation {
    /// The books are no backup's.
    #[default]
    None,
    /// The node is being asked what it knows.
    Asking {
        /// How many parts of its list were read.
        listed: u64,
        /// When that began.
        since: Timestamp,
    },
    /// All of the list was read; what the books lack is booked.
    Booking {
        /// How many parts of the list were read.
        listed: u64,
        /// How many of them the books lacked.
        found: u64,
        /// How many of these are booked.
        booked: u64,
        /// When the node was first asked.
        since: Timestamp,
    },
    /// Something is open that only the node can say: nothing new is taken on.
    Blocked(ReconcileReport),
    /// The books know what the node knows: new work is taken on.
    Done(ReconcileReport),
}

/// What a reconciliation found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Hashes that were not in the books and had been paid, or were in flight.
    pub found: Vec<PaymentHash>,
    /// Channels that had another amount than was booked: what was booked, and what there is.
    pub adjusted: Vec<(ShortChannelId, Msat, Msat)>,
    /// Parts of which the node can't say what became of them. They are asked about again and
    /// again; their hashes stay claimed.
    pub unknown: BTreeSet<PartKey>,
    /// The channels of these parts. They are compared once all of them are known; never, where an
    /// operator accepts them.
    pub uncompared: BTreeSet<ShortChannelId>,
    /// The node's list has a gap: it has forgotten parts, and nobody can tell whether it sent them
    /// since the backup. What they paid can't be learned.
    pub forgotten: bool,
    /// Who accepts that, and why; as it was said when booking began, be it before a crash.
    pub decision: Option<Decision>,
    /// Where parts are forgotten and nobody has accepted that: channels that don't have what the
    /// books and the list come to, what that is, and what there is. None: nothing points to a
    /// forgotten payment; it is no proof, as what came in may have made up for what left.
    pub unexplained: Vec<(ShortChannelId, Msat, Msat)>,
    /// What could not be booked, as sentences.
    pub troubles: Vec<String>,
}

impl ReconcileReport {
    /// Whether parts are forgotten and nobody has accepted that.
    fn is_closed_by_a_gap(&self) -> bool {
        self.forgotten && self.decision.is_none()
    }
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// When the node was first asked.
    since: Timestamp,
    /// The last of the node's list that was looked at.
    after: u64,
    listed: u64,
    /// What a start before this one has booked.
    followed: Option<FollowedFacts>,
    /// Since the last that the books know, the node has sent parts that it doesn't list.
    has_gap: bool,
    is_listed: bool,
    /// Parts that the books don't know, and that have not failed, until they are booked.
    found: Vec<PartRecord>,
    /// What was last heard of parts that are not over in the books, or not as the node says.
    said: BTreeMap<PartKey, PartStatus>,
    /// Parts that were asked about.
    awaited: BTreeSet<PartKey>,
    /// Whether the HTLCs that wait for our word were all shown.
    incoming_listed: bool,
    /// Those that were.
    shown: BTreeSet<HtlcId>,
    /// HTLCs on which our word was said again, and which are not off their channels yet.
    words: BTreeSet<HtlcId>,
    /// What is said of those among them that nobody had decided on at the backup.
    probes: BTreeMap<HtlcId, Probe>,
    /// HTLCs that are off their channels, and whether their money is ours.
    resolved: BTreeMap<HtlcId, bool>,
    /// What is being booked, once all the above is known.
    booking: Option<Booking>,
    /// When to ask again what was not answered, or to go on booking.
    again_at: Option<Timestamp>,
}

impl Driver {
    /// How far an engine that goes on from a backup has come.
    #[must_use]
    pub fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }

    /// From now on parts of which the node can't say what became of them don't keep the intake of a
    /// backup closed. Their hashes stay claimed, so that nothing is paid twice: they are never
    /// written off, and asked about for ever. To be called before [`Driver::resume`].
    pub fn accept_unknown(&mut self) {
        self.accepts_unknown = true;
    }

    /// From now on a gap in the node's list doesn't keep the intake of a backup closed: somebody
    /// knows that the node was cleaned up, or takes on that a payment of which nobody knows any
    /// more may be paid a second time. What is found is booked, what the channels then lack or have
    /// in excess is adjusted, and the decision stands in the books. To be called before
    /// [`Driver::resume`]; it says nothing about the backup after this one.
    pub fn accept_forgotten(&mut self, decision: Decision) {
        self.accepts_forgotten = Some(decision);
    }

    /// Whether the node may have forgotten what it did since the backup, and nobody has accepted
    /// that.
    pub(super) fn has_forgotten(&self) -> bool {
        let asked = self.asked.as_ref().and_then(|asked| asked.booking.as_ref());
        match &self.reconciliation {
            Reconciliation::Blocked(report) => report.is_closed_by_a_gap(),
            Reconciliation::None
            | Reconciliation::Asking { .. }
            | Reconciliation::Booking { .. }
            | Reconciliation::Done(_) => asked.is_some_and(|it| it.report.is_closed_by_a_gap()),
        }
    }

    /// Begins to ask. Whatever a payment of the backup meant to do next, it no longer does.
    pub(super) fn begin_reconciling(&mut self, now: Timestamp) {
        self.begin(now);
        self.know_htlcs();
        self.take_over();
        self.perform_effects();
        let followed = self.followed().map(|(_, facts)| facts);
        self.asked = Some(Box::new(Asked { since: self.now, followed, ..Asked::default() }));
        self.note_progress();
        tracing::warn!(target: "payflow::reconcile", "a backup's books: the node is asked");
        self.ask_on();
    }

    /// Does the next step: asks for a page of parts, then for the HTLCs that wait for our word;
    /// books some of what was found; asks for the balances.
    fn ask_on(&mut self) {
        let Some(asked) = &mut self.asked else { return };
        asked.again_at = None;
        if !asked.is_listed {
            let after = asked.after;
            self.ask(Question::Parts, NodeRequest::ListParts { after, limit: PAGE });
        } else if !asked.awaited.is_empty() || !asked.words.is_empty() {
            // Who knows is asked again and again.
        } else if !asked.incoming_listed {
            asked.shown.clear();
            self.ask(Question::Incoming, NodeRequest::ListIncoming);
        } else if self.book_some() {
            self.ask(Question::BalancesNow, NodeRequest::Balances);
        }
    }

    /// Shows how far it is.
    fn note_progress(&mut self) {
        let Some(asked) = &self.asked else { return };
        let Asked { listed, since, .. } = **asked;
        self.reconciliation = match &asked.booking {
            None => Reconciliation::Asking { listed, since },
            Some(Booking { found, booked, .. }) => {
                let (found, booked) = (*found, *booked);
                Reconciliation::Booking { listed, found, booked, since }
            }
        };
        tracing::info!(target: "payflow::reconcile", progress = ?self.reconciliation, "asking");
        let intake = self.intake();
        self.engine.insert_resource(Intake { parts_read: listed, ..intake });
    }

    /// When there is something to be asked again.
    pub(super) fn reconcile_at(&self) -> Option<Timestamp> {
        self.asked.as_ref().map_or(self.compare_at, |asked| asked.again_at)
    }

    /// Asks again, once it is time.
    pub(super) fn ask_on_if_due(&mut self) {
        if self.reconcile_at().is_none_or(|at| at > self.now) {
            return;
        }
        if self.compare_at.take().is_some() {
            self.ask(Question::BalancesNow, NodeRequest::Balances);
        }
        self.ask_on();
    }

    /// What the node tells while it is being asked; the event, if it is for others.
    pub(super) fn hear_while_asking(&mut self, event: NodeEvent) -> Option<NodeEvent> {
        let Some(asked) = &mut self.asked else { return Some(event) };
        match event {
            NodeEvent::Part { key, status } => {
                self.hear_part(key, status);
                None
            }
            // They are shown again once everything is known.
            NodeEvent::Incoming(incoming) => {
                asked.shown.insert(incoming.htlc);
                None
            }
            event @ NodeEvent::HtlcResolved { .. } => Some(event),
            NodeEvent::ViewChanged => {
                self.refresh_view();
                None
            }
            other @ (NodeEvent::Reply { .. } | NodeEvent::GraphChanged(_)) => Some(other),
        }
    }

    /// What the node says of a part.
    fn hear_part(&mut self, key: PartKey, status: PartStatus) {
        let is_booked = self.asked.as_ref().is_some_and(|asked| asked.booking.is_some());
        if is_booked && (self.take_orphan(key, &status) || self.hear_booked(key, &status)) {
            return;
        }
        let Some(asked) = &mut self.asked else { return };
        asked.said.insert(key, status);
        if asked.awaited.remove(&key) && asked.awaited.is_empty() {
            self.ask_on();
        }
    }

    pub(super) fn open_payments(&self) -> Vec<OpenPayment> {
        self.engine.resource::<Books>().map(|books| books.0.open_payments()).unwrap_or_default()
    }

    pub(super) fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment> {
        self.engine.resource::<Books>().and_then(|books| books.0.open_payment(payment))
    }

    /// Writes what the engine must take.
    pub(super) fn write(&mut self, writes: &[Write]) {
        if let Err(error) = self.engine.set_components(&Writer::Engine, writes, &[]) {
            tracing::error!(target: "payflow::driver", %error, "own write refused");
        }
    }
}

/// The attempt that a part is of.
pub(super) fn payment_of(key: &PartKey) -> PaymentRef {
    PaymentRef { payment_hash: key.payment_hash, group_id: key.group_id }
}

/// The parts of a payment that are out, as the books have them.
pub(super) fn held_parts(payment: &OpenPayment) -> impl Iterator<Item = PartKey> {
    let PaymentRef { payment_hash, group_id } = payment.claim.payment;
    let held = payment.parts.iter().filter(|(_, state)| *state == HoldState::Held);
    held.map(move |(hold, _)| PartKey { payment_hash, group_id, part_id: hold.part_id })
}

#[cfg(test)]
mod tests;
