//! Booking what the node has done since the backup.

use super::{Asked, ReconcileReport, Reconciliation, payment_of};
use crate::driver::{ASK_AGAIN_MS_FIRST, Driver, Question};
use ecs_systems::{
    port::{
        Books, Claim, HoldState, LedgerEntry, NodeError, NodeReply, NodeRequest, PartHold, PartKey,
        PartRecord, PartStatus, PaymentRef,
    },
    units::{Msat, NodeId, PaymentHash, ShortChannelId},
};
use std::collections::{BTreeMap, BTreeSet};

impl Driver {
    /// The balances, after all that was said of parts: everything is known that the node can say.
    pub(in crate::driver) fn take_balances_now(&mut self, reply: Result<NodeReply, NodeError>) {
        let now = self.now;
        let Some(asked) = &mut self.asked else { return self.take_balances_later(reply) };
        let channels = match reply {
            Ok(NodeReply::Balances { channels, .. }) => channels,
            other => {
                tracing::error!(target: "payflow::reconcile", ?other, "no balances: asked again");
                asked.again_at = Some(now.after_ms(ASK_AGAIN_MS_FIRST));
                return;
            }
        };
        let Some(asked) = self.asked.take() else { return };
        let report = self.book(*asked, &channels);
        self.perform_effects();
        self.reconciliation = Reconciliation::Blocked(report);
        self.open_if_known();
        self.go_on(now);
    }

    fn book(&mut self, asked: Asked, channels: &[(ShortChannelId, Msat)]) -> ReconcileReport {
        let mut report = ReconcileReport {
            // A node that lists nothing has nothing sent, or forgot all of it.
            forgotten: asked.has_gap || (asked.listed == 0 && !self.has_paid_nothing()),
            ..ReconcileReport::default()
        };
        self.book_incoming(&asked);
        self.begin(self.now);
        let Asked { found, said, .. } = asked;
        if report.forgotten {
            // Nothing that was found is booked: the next start must see the gap, too.
            report.found = found.iter().map(|record| record.key.payment_hash).collect();
            report.found.sort_unstable();
            report.found.dedup();
            return report;
        }
        self.open_new_channels(channels, &mut report);
        let groups = groups_of(found);
        let (late, mut over) = (self.book_known(&said), BTreeSet::new());
        for payment in self.open_payments().iter().map(|open| open.claim.payment) {
            if groups.iter().all(|(of, _)| *of != payment) {
                over.insert(payment);
            }
        }
        for payment in &over {
            self.end_if_over(payment);
        }
        for (payment, records) in &groups {
            report.found.push(payment.payment_hash);
            if let Err(why) = self.book_found(*payment, records) {
                report.troubles.push(format!("{}: {why}", payment.payment_hash));
            }
            self.end_if_over(payment);
        }
        report.found.sort_unstable();
        report.found.dedup();
        let of_found = groups.iter().flat_map(|(_, records)| records);
        let of_found = of_found.map(|record| (record.key, &record.status));
        let all = said.iter().map(|(key, status)| (*key, status)).chain(of_found);
        let unknown = all.filter(|(key, status)| {
            **status == PartStatus::Unknown && self.state_of(key) == Some(HoldState::Held)
        });
        report.unknown = unknown.map(|(key, _)| key).collect();
        report.uncompared = report.unknown.iter().filter_map(|key| self.channel_of(key)).collect();
        // What an unknown part holds is in the channel or not.
        for (channel, there) in channels {
            if !report.uncompared.contains(channel) {
                self.adjust(*channel, *there, &mut report);
            }
        }
        for (key, status) in late {
            self.take_late(key, &status);
        }
        report
    }

    /// Whether no part ever left, as the books know.
    fn has_paid_nothing(&self) -> bool {
        let books = self.engine.resource::<Books>();
        books.is_none_or(|books| books.0.balance_object().outgoing_total_msat == Msat::ZERO)
    }

    fn channel_of(&self, key: &PartKey) -> Option<ShortChannelId> {
        let Books(books) = self.engine.resource()?;
        let hold = books.part_hold(&payment_of(key), key.part_id).ok().flatten();
        hold.map(|hold| hold.short_channel_id)
    }

    fn state_of(&self, key: &PartKey) -> Option<HoldState> {
        let Books(books) = self.engine.resource()?;
        books.part(&payment_of(key), key.part_id).ok().flatten()
    }

    /// Books what became of the parts that the books have as open; those that are paid though the
    /// books have them as failed.
    fn book_known(&mut self, said: &BTreeMap<PartKey, PartStatus>) -> Vec<(PartKey, PartStatus)> {
        let mut late = Vec::new();
        for (key, status) in said {
            let is_paid = matches!(status, PartStatus::Paid { .. });
            if !self.book_status(*key, status)
                && is_paid
                && self.state_of(key) == Some(HoldState::Void)
            {
                late.push((*key, status.clone()));
            }
        }
        late
    }

    /// Channels that were opened since have what they have as an adjustment.
    fn open_new_channels(
        &mut self,
        channels: &[(ShortChannelId, Msat)],
        report: &mut ReconcileReport,
    ) {
        for (short_channel_id, _) in channels.iter().copied() {
            if !self.is_booked(short_channel_id) {
                let amount_msat = Msat::ZERO;
                let opening = LedgerEntry::Opening { short_channel_id, amount_msat };
                report.troubles.extend(self.keep_lines(&[opening]).err());
            }
        }
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
        let is_open = self.open_payments().iter().any(|open| open.claim.payment == payment);
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
                destination: destination.unwrap_or(NodeId([0; 33])),
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
            self.book_status(record.key, &record.status);
        }
        self.perform_effects();
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
            let there = self.booked_in(channel);
            self.keep_adjustment(channel, wanted.saturating_sub(there), true)?;
        }
        let books = self.engine.resource::<Books>();
        let available = books.map_or(Msat::ZERO, |books| books.0.available());
        let lacking = sent_msat.saturating_sub(available);
        let first = parts.first().map(|part| part.short_channel_id);
        first.map_or(Ok(()), |channel| self.keep_adjustment(channel, lacking, true))
    }

    fn booked_in(&self, channel: ShortChannelId) -> Msat {
        let books = self.engine.resource::<Books>();
        books.map_or(Msat::ZERO, |books| books.0.channel_available(channel))
    }

    /// A batch of its own; nothing where there is no difference.
    fn keep_adjustment(
        &mut self,
        short_channel_id: ShortChannelId,
        amount_msat: Msat,
        more: bool,
    ) -> Result<(), String> {
        if amount_msat == Msat::ZERO {
            return Ok(());
        }
        self.keep_lines(&[LedgerEntry::Adjust { short_channel_id, amount_msat, more }])
    }

    /// Makes the books say of a channel what the node says.
    pub(super) fn adjust(
        &mut self,
        channel: ShortChannelId,
        there: Msat,
        report: &mut ReconcileReport,
    ) {
        let booked = self.booked_in(channel);
        let (amount, more) = if there >= booked {
            (there.saturating_sub(booked), true)
        } else {
            (booked.saturating_sub(there), false)
        };
        if amount == Msat::ZERO {
            return;
        }
        tracing::warn!(target: "payflow::reconcile", %channel, %booked, %there, "channel adjusted");
        match self.keep_adjustment(channel, amount, more) {
            Ok(()) => report.adjusted.push((channel, booked, there)),
            Err(why) => {
                let what = format!("channel {channel}: {booked} booked, {there} there: {why}");
                report.troubles.push(what);
            }
        }
    }

    /// Something was heard of a part that the node could not tell of.
    pub(in crate::driver) fn note_known(&mut self, key: PartKey, status: &PartStatus) {
        let Reconciliation::Blocked(report) = &mut self.reconciliation else { return };
        if *status != PartStatus::Unknown && report.unknown.remove(&key) {
            self.open_if_known();
        }
    }

    /// Notes the books as reconciled, if the node has said all there is to say, or an operator
    /// accepts what it can't say. Never where the node has forgotten what it did.
    pub(super) fn open_if_known(&mut self) {
        let Reconciliation::Blocked(report) = &self.reconciliation else { return };
        let stands = report.forgotten
            || !report.troubles.is_empty()
            || (!report.unknown.is_empty() && !self.accepts_unknown);
        if stands {
            let unknown = report.unknown.len();
            let (forgotten, troubles) = (report.forgotten, &report.troubles);
            tracing::error!(
                target: "payflow::reconcile", unknown, forgotten, ?troubles, "not reconciled"
            );
            return;
        }
        if report.unknown.is_empty() && !report.uncompared.is_empty() {
            return self.ask(Question::BalancesNow, NodeRequest::Balances);
        }
        for channel in &report.uncompared {
            tracing::warn!(target: "payflow::reconcile", %channel, "never compared");
        }
        let hashes: BTreeSet<PaymentHash> =
            report.unknown.iter().map(|key| key.payment_hash).collect();
        let report = report.clone();
        self.begin(self.now);
        let accepted = hashes.into_iter().collect();
        if self.keep_lines(&[LedgerEntry::Reconciled { accepted }]).is_ok() {
            self.judge_books();
            self.reconciliation = Reconciliation::Done(report);
        }
        self.perform_effects();
    }
}

/// What the node has sent since, by attempt, each where its first part stands.
fn groups_of(found: Vec<PartRecord>) -> Vec<(PaymentRef, Vec<PartRecord>)> {
    let mut groups: Vec<(PaymentRef, Vec<PartRecord>)> = Vec::new();
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
