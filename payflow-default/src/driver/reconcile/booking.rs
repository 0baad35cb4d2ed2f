//! Booking what the node has done since the backup, some parts with each command.
//!
//! What a command books is one record, with how far the books follow the node's list then. A start
//! after a crash asks anew: what the node has forgotten meanwhile leaves a gap, unless it was
//! booked.

use super::{ReconcileReport, held_parts, payment_of};
use crate::driver::Driver;
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Followed, FollowedFacts},
    port::{Books, Claim, LedgerEntry, PartHold, PartKey, PartRecord, PartStatus, PaymentRef},
    units::{Msat, NodeId, ShortChannelId},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// After so many parts the next command goes on; those of one attempt are booked together.
pub(super) const BOOKED_PER_COMMAND: usize = 100;

/// Whom a payment is booked for of which the node doesn't know whom it paid: an id that no key has.
const NOBODY: NodeId = {
    let mut bytes = [0; 33];
    bytes[0] = 2;
    NodeId(bytes)
};

/// The parts of one attempt that the backup does not know.
type Group = (PaymentRef, Vec<PartRecord>);

/// What is booked, and what is left to be.
#[derive(Debug, Default)]
pub(super) struct Booking {
    /// Payments that the backup has as under way.
    known: VecDeque<PaymentRef>,
    /// What it lacks, each where its first part stands in the node's list.
    groups: VecDeque<Group>,
    /// The attempts of these.
    pending: BTreeSet<PaymentRef>,
    /// How many parts the backup lacks.
    pub(super) found: u64,
    /// How many of them are booked.
    pub(super) booked: u64,
    /// The place of the first that could not be.
    stuck_at: Option<u64>,
    pub(super) report: ReconcileReport,
}

enum Work {
    Known(PaymentRef),
    Found(Group),
}

impl Booking {
    fn next(&mut self) -> Option<Work> {
        let known = self.known.pop_front().map(Work::Known);
        known.or_else(|| self.groups.pop_front().map(Work::Found))
    }

    /// The place before the first part that is not booked; `None`: all are.
    fn booked_to(&self) -> Option<u64> {
        let next = self.groups.front().and_then(|(_, records)| records.first());
        let place = self.stuck_at.or(next.map(|record| record.created_index));
        place.map(|place| place.saturating_sub(1))
    }
}

impl Driver {
    /// Books what is next; whether nothing was left. First what came in, alone.
    pub(super) fn book_some(&mut self) -> bool {
        let mut parts = 0;
        if self.asked.as_ref().is_some_and(|asked| asked.booking.is_none()) {
            self.begin_booking();
            parts = BOOKED_PER_COMMAND;
        }
        self.begin(self.now);
        while parts < BOOKED_PER_COMMAND
            && let Some(work) = self.booking().and_then(Booking::next)
        {
            parts += match work {
                Work::Known(payment) => self.book_of_backup(&payment),
                Work::Found(group) => self.book_group(group),
            };
        }
        self.note_followed();
        self.perform_effects();
        self.note_progress();
        if let Some(asked) = &mut self.asked
            && parts > 0
        {
            asked.again_at = Some(self.now);
        }
        parts == 0
    }

    fn booking(&mut self) -> Option<&mut Booking> {
        self.asked.as_mut().and_then(|asked| asked.booking.as_mut())
    }

    fn begin_booking(&mut self) {
        let known = self.open_payments().iter().map(|open| open.claim.payment).collect();
        let has_paid = !self.has_paid_nothing();
        let accepted = self.accepts_forgotten.clone();
        let Some(asked) = &mut self.asked else { return };
        // A node that lists nothing has nothing sent, or forgot all of it.
        let has_gap = asked.has_forgotten() || (asked.listed == 0 && has_paid);
        // A gap that was accepted may lie before what is booked since: it is seen no more.
        let before = asked.followed.as_ref().and_then(|followed| followed.forgotten.clone());
        let forgotten = has_gap || before.is_some();
        let decision = if has_gap { accepted } else { before };
        let hashes: BTreeSet<_> = asked.found.iter().map(|it| it.key.payment_hash).collect();
        let found = hashes.into_iter().collect();
        let closed = forgotten && decision.is_none();
        let report = ReconcileReport { found, forgotten, decision, ..ReconcileReport::default() };
        let mut booking = Booking { known, report, ..Booking::default() };
        booking.found = asked.found.len() as u64;
        if !closed {
            booking.groups = groups_of(std::mem::take(&mut asked.found)).into();
            booking.pending = booking.groups.iter().map(|(payment, _)| *payment).collect();
        }
        asked.booking = Some(booking);
        self.book_incoming();
    }

    /// Books what became of the open parts of a payment that the backup knows; how much work it
    /// was.
    fn book_of_backup(&mut self, payment: &PaymentRef) -> usize {
        let Some(open) = self.open_payment(payment) else { return 1 };
        let held: Vec<PartKey> = held_parts(&open).collect();
        for key in &held {
            let Some(asked) = &mut self.asked else { continue };
            if let Some(status) = asked.said.remove(key) {
                self.book_said(*key, &status);
            }
        }
        self.end_if_booked(payment);
        held.len().saturating_add(1)
    }

    /// Books the parts of an attempt that the backup lacks; how much work it was.
    fn book_group(&mut self, (payment, mut records): Group) -> usize {
        for record in &mut records {
            let said = self.asked.as_mut().and_then(|asked| asked.said.remove(&record.key));
            record.status = said.unwrap_or_else(|| record.status.clone());
        }
        let booked = self.book_found(payment, &records);
        if let Some(booking) = self.booking() {
            booking.pending.remove(&payment);
            booking.booked = booking.booked.saturating_add(records.len() as u64);
            if let Err(why) = booked {
                booking.report.troubles.push(format!("{}: {why}", payment.payment_hash));
                let place = records.first().map(|record| record.created_index);
                booking.stuck_at = booking.stuck_at.or(place);
            }
        }
        self.end_if_booked(&payment);
        records.len()
    }

    /// A word on a part that the books have as open, after its turn; whether it was one.
    pub(super) fn hear_booked(&mut self, key: PartKey, status: &PartStatus) -> bool {
        if !self.is_held(&key) {
            return false;
        }
        self.begin(self.now);
        self.book_said(key, status);
        self.end_if_booked(&payment_of(&key));
        self.perform_effects();
        true
    }

    fn book_said(&mut self, key: PartKey, status: &PartStatus) {
        self.book_status(key, status);
        if let Some(Booking { report, .. }) = self.booking() {
            if *status == PartStatus::Unknown {
                report.unknown.insert(key);
            } else {
                report.unknown.remove(&key);
            }
        }
    }

    /// Ends a payment that nothing of is out any more, once all of it is booked.
    fn end_if_booked(&mut self, payment: &PaymentRef) {
        let pending = self.booking().is_some_and(|booking| booking.pending.contains(payment));
        if !pending {
            self.end_if_over(payment);
        }
    }

    /// Where a start before this one, or this one, has noted how far the books follow the list.
    pub(super) fn followed(&self) -> Option<(EntityId, FollowedFacts)> {
        let engine = &self.engine;
        let facts = |id: EntityId| engine.get::<Followed>(id).map(|it| (id, it.0.clone()));
        engine.entities().into_iter().find_map(facts)
    }

    /// Notes how far the books follow the node's list, in the record that takes them there.
    fn note_followed(&mut self) {
        let Some(asked) = &self.asked else { return };
        let Some(booking) = asked.booking.as_ref().filter(|booking| booking.booked > 0) else {
            return;
        };
        let listed_to = asked.after;
        let booked_to = booking.booked_to().unwrap_or(listed_to);
        let forgotten = booking.report.decision.clone();
        let facts = FollowedFacts { booked_to, listed_to, forgotten };
        let known = self.followed();
        if known.as_ref().is_none_or(|(_, before)| *before != facts) {
            let entity = known.map_or_else(|| self.engine.new_entity(), |(entity, _)| entity);
            self.write(&[Write::to(entity).attach(&Followed(facts))]);
        }
    }

    /// Whether no part ever left, as the books know.
    fn has_paid_nothing(&self) -> bool {
        let books = self.engine.resource::<Books>();
        books.is_none_or(|books| books.0.balance_object().outgoing_total_msat == Msat::ZERO)
    }

    /// A channel that was opened since has what it has as an adjustment.
    pub(super) fn open_channel(&mut self, short_channel_id: ShortChannelId) -> Result<(), String> {
        if self.is_booked(short_channel_id) {
            return Ok(());
        }
        self.keep_lines(&[LedgerEntry::Opening { short_channel_id, amount_msat: Msat::ZERO }])
    }

    /// Claims a hash for what the node has paid for it since the backup, or has in flight, and
    /// books its parts.
    fn book_found(&mut self, payment: PaymentRef, records: &[PartRecord]) -> Result<(), String> {
        let sum = |of: fn(&PartRecord) -> Msat| Msat::sum(records.iter().map(of));
        let amount_msat = sum(|record| record.amount_msat).ok_or("its amounts overflow")?;
        let sent_msat = sum(|record| record.sent_msat).ok_or("its amounts overflow")?;
        let fee_budget_msat = sent_msat.saturating_sub(amount_msat);
        let parts: Vec<PartHold> = records.iter().map(hold_of).collect();
        self.make_room(&parts, sent_msat)?;
        let is_open = self.open_payment(&payment).is_some();
        let (label, limits) = (None, Vec::new());
        let reserve = LedgerEntry::Reserve { payment, amount_msat, fee_budget_msat, label, limits };
        let dispatch = LedgerEntry::Dispatch { payment, parts };
        let lines = if is_open {
            let alone = vec![dispatch.clone()];
            let books = self.engine.resource::<Books>();
            let fits = books.is_some_and(|it| it.0.check(&alone, None, self.now).is_ok());
            if fits { alone } else { vec![reserve, dispatch] }
        } else {
            let destination = records.iter().find_map(|record| record.destination);
            let claim = LedgerEntry::Claim(Claim {
                payment,
                entity: self.engine.new_entity(),
                destination: destination.unwrap_or(NOBODY),
                amount_msat,
                idempotency_key: None,
                request: None,
            });
            // On its own, so that the hash is not paid again, whatever becomes of the rest.
            self.keep_lines(&[claim])?;
            vec![reserve, dispatch]
        };
        self.keep_lines(&lines)?;
        for record in records {
            self.book_said(record.key, &record.status);
        }
        Ok(())
    }

    /// The money of parts that were found has left or is held, whatever the books had there.
    fn make_room(&mut self, parts: &[PartHold], sent_msat: Msat) -> Result<(), String> {
        let mut wanted = BTreeMap::<ShortChannelId, Msat>::new();
        for part in parts {
            let sum = wanted.entry(part.short_channel_id).or_default();
            let more = part.amount_msat.checked_add(part.fee_msat);
            *sum = more.and_then(|more| sum.checked_add(more)).ok_or("its amounts overflow")?;
        }
        for (channel, wanted) in wanted {
            self.open_channel(channel)?;
            let there = self.booked_in(channel);
            self.keep_adjustment(channel, wanted.saturating_sub(there), true)?;
        }
        let books = self.engine.resource::<Books>();
        let available = books.map_or(Msat::ZERO, |books| books.0.available());
        let lacking = sent_msat.saturating_sub(available);
        let first = parts.first().map(|part| part.short_channel_id);
        first.map_or(Ok(()), |channel| self.keep_adjustment(channel, lacking, true))
    }
}

/// What the node has sent since, by attempt, each where its first part stands.
fn groups_of(found: Vec<PartRecord>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = BTreeMap::new();
    for record in found {
        let payment = payment_of(&record.key);
        let place = *places.entry(payment).or_insert_with(|| {
            groups.push((payment, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(record);
    }
    groups
}

fn hold_of(record: &PartRecord) -> PartHold {
    let sent_msat = match record.status {
        PartStatus::Paid { spent_msat, .. } => spent_msat.max(record.sent_msat),
        PartStatus::Failed(_)
        | PartStatus::InFlight
        | PartStatus::NeverArrived
        | PartStatus::Unknown => record.sent_msat,
    };
    PartHold {
        part_id: record.key.part_id,
        short_channel_id: record.short_channel_id,
        amount_msat: record.amount_msat,
        fee_msat: sent_msat.saturating_sub(record.amount_msat),
    }
}
