//! Going on from a backup: before anything else is done, the node is asked what happened since.
//!
//! First every part that the node knows is listed, and those that the books have as open are asked
//! about; meanwhile nothing of the restored state runs. Then what the books lack is booked, the
//! channels are compared, and the books are noted as reconciled. Only that opens the intake.

mod booking;
mod incoming;
mod taking;
mod uncompared;

use super::{ASK_AGAIN_MS_FIRST, Driver, Question};
use ecs_core::{Write, Writer};
use ecs_systems::{
    port::{
        Books, HoldState, HtlcId, LedgerError, NodeError, NodeEvent, NodeReply, NodeRequest,
        OpenPayment, PartKey, PartRecord, PartStatus, PaymentRef,
    },
    units::{Msat, PaymentHash, ShortChannelId, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};

/// Parts in one page of the node's list.
const PAGE: u32 = 1_000;

/// How far an engine that goes on from a backup has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reconciliation {
    /// The books are no backup's.
    #[default]
    None,
    /// The node is being asked; so many parts of its list are looked at.
    Asking {
        /// How many.
        listed: u64,
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
    /// The node has forgotten parts that it sent since the backup: what they paid can't be learned.
    pub forgotten: bool,
    /// What could not be booked, as sentences.
    pub troubles: Vec<String>,
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The last of the node's list that was looked at.
    after: u64,
    listed: u64,
    /// Since the last that the books know, the node has sent parts that it doesn't list.
    has_gap: bool,
    is_listed: bool,
    /// Parts that the books don't know, and that have not failed; in the node's order.
    found: Vec<PartRecord>,
    /// What was last heard of parts.
    said: BTreeMap<PartKey, PartStatus>,
    /// Parts that were asked about.
    awaited: BTreeSet<PartKey>,
    /// Whether the HTLCs that wait for our word were all shown.
    incoming_listed: bool,
    /// Those that were.
    shown: BTreeSet<HtlcId>,
    /// HTLCs on which our word was said again, and which are not off their channels yet.
    words: BTreeSet<HtlcId>,
    /// HTLCs that are off their channels, and whether their money is ours.
    resolved: BTreeMap<HtlcId, bool>,
    /// When to ask again what was not answered.
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

    /// Whether the node has forgotten what it did since the backup.
    pub(super) fn has_forgotten(&self) -> bool {
        matches!(&self.reconciliation, Reconciliation::Blocked(report) if report.forgotten)
    }

    /// Begins to ask. Whatever a payment of the backup meant to do next, it no longer does.
    pub(super) fn begin_reconciling(&mut self, now: Timestamp) {
        self.begin(now);
        self.know_htlcs();
        self.take_over();
        self.perform_effects();
        self.asked = Some(Box::default());
        self.reconciliation = Reconciliation::Asking { listed: 0 };
        tracing::warn!(target: "payflow::reconcile", "a backup's books: the node is asked");
        self.ask_on();
    }

    /// Asks for the next that is not known: a page of parts, then the HTLCs that wait for our word,
    /// then the balances.
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
        } else {
            self.ask(Question::BalancesNow, NodeRequest::Balances);
        }
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
                asked.hear(key, status);
                if asked.awaited.remove(&key) && asked.awaited.is_empty() {
                    self.ask_on();
                }
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

    /// A page of the node's list.
    pub(super) fn take_parts_listed(&mut self, reply: Result<NodeReply, NodeError>) {
        let looked_at = match reply {
            Ok(NodeReply::Parts(records)) => {
                let known: Result<Vec<_>, _> = records.iter().map(|it| self.known(it)).collect();
                known.map(|known| (records, known)).map_err(|error| error.to_string())
            }
            Ok(_) => Err("the answer belongs to another question".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let now = self.now;
        let Some(asked) = &mut self.asked else { return };
        let (records, known) = match looked_at {
            Ok(looked_at) => looked_at,
            Err(why) => {
                tracing::error!(target: "payflow::reconcile", why, "no list of parts: asked again");
                asked.again_at = Some(now.after_ms(ASK_AGAIN_MS_FIRST));
                return;
            }
        };
        asked.is_listed = records.is_empty();
        for (record, known) in records.into_iter().zip(known) {
            asked.take(record, known);
        }
        self.reconciliation = Reconciliation::Asking { listed: asked.listed };
        if asked.is_listed {
            self.ask_about_open_parts();
        }
        self.ask_on();
    }

    /// What the books have of a part that the node lists.
    fn known(&self, record: &PartRecord) -> Result<Option<HoldState>, LedgerError> {
        let Some(Books(books)) = self.engine.resource() else { return Ok(None) };
        books.part(&payment_of(&record.key), record.key.part_id)
    }

    /// The parts that the books have as open and of which nothing was heard.
    fn ask_about_open_parts(&mut self) {
        let open = self.open_payments();
        let held = open.iter().flat_map(held_parts);
        let Some(asked) = &mut self.asked else { return };
        let keys: Vec<PartKey> = held.filter(|key| !asked.said.contains_key(key)).collect();
        asked.awaited.extend(keys.iter().copied());
        for key in keys {
            self.asking.watch(key, self.now);
            self.offer(NodeRequest::AskPart(key));
        }
    }

    pub(super) fn open_payments(&self) -> Vec<OpenPayment> {
        self.engine.resource::<Books>().map(|books| books.0.open_payments()).unwrap_or_default()
    }

    /// Writes what the engine must take.
    pub(super) fn write(&mut self, writes: &[Write]) {
        if let Err(error) = self.engine.set_components(&Writer::Engine, writes, &[]) {
            tracing::error!(target: "payflow::driver", %error, "own write refused");
        }
    }
}

impl Asked {
    fn take(&mut self, record: PartRecord, known: Option<HoldState>) {
        self.listed += 1;
        let follows = self.after.checked_add(1) == Some(record.created_index);
        // What was sent before a part of the backup is in the backup.
        self.has_gap = known.is_none() && (self.has_gap || !follows);
        self.after = self.after.max(record.created_index);
        match (known, &record.status) {
            (Some(_), _) => drop(self.said.insert(record.key, record.status)),
            (None, PartStatus::Failed(_) | PartStatus::NeverArrived) => {}
            (None, PartStatus::Paid { .. } | PartStatus::InFlight | PartStatus::Unknown) => {
                self.found.push(record);
            }
        }
    }

    fn hear(&mut self, key: PartKey, status: PartStatus) {
        match self.found.iter_mut().find(|record| record.key == key) {
            Some(record) => record.status = status,
            None => drop(self.said.insert(key, status)),
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
