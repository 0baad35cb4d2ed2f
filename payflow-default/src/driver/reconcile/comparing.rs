//! Comparing the channels with the books, and noting the books as reconciled.

use super::{Asked, ReconcileReport, Reconciliation};
use crate::driver::{ASK_AGAIN_MS_FIRST, Driver, Question};
use ecs_core::Write;
use ecs_systems::{
    port::{Books, HoldState, LedgerEntry, NodeError, NodeReply, NodeRequest, PartKey, PartStatus},
    units::{Msat, PaymentHash, ShortChannelId},
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
        let forgotten = self.has_forgotten();
        let Some(mut asked) = self.asked.take() else { return };
        let booking = asked.booking.take().unwrap_or_default();
        let mut report = booking.report;
        self.begin(now);
        if forgotten {
            report.unexplained = self.unexplained(&asked, &channels);
        } else {
            self.compare(asked.said, &channels, &mut report);
        }
        self.perform_effects();
        self.reconciliation = Reconciliation::Blocked(report);
        self.open_if_known();
        self.go_on(now);
    }

    fn compare(
        &mut self,
        said: BTreeMap<PartKey, PartStatus>,
        channels: &[(ShortChannelId, Msat)],
        report: &mut ReconcileReport,
    ) {
        for (channel, _) in channels {
            report.troubles.extend(self.open_channel(*channel).err());
        }
        let unknown = std::mem::take(&mut report.unknown).into_iter();
        report.unknown = unknown.filter(|key| self.is_held(key)).collect();
        report.uncompared = report.unknown.iter().filter_map(|key| self.channel_of(key)).collect();
        // What an unknown part holds is in the channel or not.
        for (channel, there) in channels {
            if !report.uncompared.contains(channel) {
                self.adjust(*channel, *there, report);
            }
        }
        // Parts that are paid though the books have them as failed.
        for (key, status) in said {
            self.take_late(key, &status);
        }
    }

    /// The channels that don't have what the books come to with all that the node lists.
    fn unexplained(
        &self,
        asked: &Asked,
        channels: &[(ShortChannelId, Msat)],
    ) -> Vec<(ShortChannelId, Msat, Msat)> {
        let mut left = BTreeMap::<ShortChannelId, Msat>::new();
        for record in &asked.found {
            let sum = left.entry(record.short_channel_id).or_default();
            *sum = Msat(sum.0.saturating_add(record.sent_msat.0));
        }
        let all = channels.iter().map(|(channel, there)| {
            let left = left.get(channel).copied().unwrap_or_default();
            (*channel, self.booked_in(*channel).saturating_sub(left), *there)
        });
        all.filter(|(_, expected, there)| expected != there).collect()
    }

    pub(super) fn booked_in(&self, channel: ShortChannelId) -> Msat {
        let books = self.engine.resource::<Books>();
        books.map_or(Msat::ZERO, |books| books.0.channel_available(channel))
    }

    /// The channel of a part that the books know.
    fn channel_of(&self, key: &PartKey) -> Option<ShortChannelId> {
        let Books(books) = self.engine.resource()?;
        let hold = books.part_hold(&super::payment_of(key), key.part_id).ok().flatten();
        hold.map(|hold| hold.short_channel_id)
    }

    /// Whether the books have a part as open.
    pub(in crate::driver) fn is_held(&self, key: &PartKey) -> bool {
        let books = self.engine.resource::<Books>();
        let state = books.and_then(|it| it.0.part(&super::payment_of(key), key.part_id).ok()?);
        state == Some(HoldState::Held)
    }

    /// A batch of its own; nothing where there is no difference.
    pub(super) fn keep_adjustment(
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
    pub(in crate::driver) fn note_known(&mut self, key: &PartKey) {
        let Reconciliation::Blocked(report) = &mut self.reconciliation else { return };
        if report.unknown.remove(key) {
            self.open_if_known();
        }
    }

    /// Notes the books as reconciled, if the node has said all there is to say, or an operator
    /// accepts what it can't say, or may have forgotten.
    pub(super) fn open_if_known(&mut self) {
        let Reconciliation::Blocked(report) = &self.reconciliation else { return };
        let stands = report.is_closed_by_a_gap()
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
        let forgotten = report.decision.clone();
        if self.keep_lines(&[LedgerEntry::Reconciled { accepted, forgotten }]).is_ok() {
            if let Some((entity, _)) = self.followed() {
                self.write(&[Write::end(entity)]);
            }
            self.judge_books();
            self.reconciliation = Reconciliation::Done(report);
        }
        self.perform_effects();
    }
}
