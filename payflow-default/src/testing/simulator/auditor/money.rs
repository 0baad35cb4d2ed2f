//! What really happened, by the network's own log.

use super::{Auditor, Incoming, Law, Part};
use ecs_systems::{
    port::PartKey,
    units::{GroupId, PaymentHash},
};
use node_sim::{Fact, TruthRecord};
use std::collections::BTreeSet;

impl Auditor {
    /// Reads on in the network's log.
    pub(in crate::testing::simulator) fn reads(&mut self, records: Vec<TruthRecord>) {
        for record in records {
            self.read(&record);
        }
    }

    fn read(&mut self, record: &TruthRecord) {
        match &record.fact {
            Fact::PartSubmitted { key, amount_msat, sent_msat } => {
                let (amount_msat, sent_msat) = (amount_msat.0, sent_msat.0);
                self.parts.insert(*key, Part { amount_msat, sent_msat, end: None });
            }
            Fact::PartPaid { key, sent_msat } => self.part_paid(*key, sent_msat.0),
            Fact::PartFailed { key, .. } => {
                if let Some(part) = self.parts.get_mut(key) {
                    part.end = Some(false);
                }
            }
            Fact::PartRefused { key, amount_msat } => {
                let what = format!("part {key:?} was asked for again with {amount_msat}");
                self.breach(Law::PaidOnce, what);
            }
            Fact::Incoming { htlc, payment_hash, amount_msat } => {
                let was = self.incoming.get(htlc).copied();
                let incoming = Incoming {
                    hash: *payment_hash,
                    amount_msat: amount_msat.0,
                    expires: was.and_then(|was| was.expires),
                    word: was.is_some_and(|was| was.word),
                    end: None,
                };
                self.incoming.insert(*htlc, incoming);
            }
            Fact::IncomingResolved { htlc, settled, .. } => {
                let Some(incoming) = self.incoming.get_mut(htlc) else { return };
                incoming.end = Some(*settled);
                if let Some(arrival) = self.arrivals.get_mut(htlc) {
                    arrival.resolved_at = Some(record.at);
                }
                let (has_word, hash) = (incoming.word, incoming.hash);
                self.holds(Law::IncomingMargin, has_word, || {
                    format!("{htlc:?} of {hash} timed out without a word of ours")
                });
            }
            Fact::Held { .. }
            | Fact::Received { .. }
            | Fact::Rejected { .. }
            | Fact::Forwarded { .. }
            | Fact::Restarted => {}
        }
    }

    fn part_paid(&mut self, key: PartKey, sent_msat: u64) {
        if let Some(part) = self.parts.get_mut(&key) {
            part.end = Some(true);
            part.sent_msat = sent_msat;
        }
        let hash = key.payment_hash;
        let groups = self.paying_groups(&hash);
        let (amount, sent) = self.paid_msat(&hash, None);
        let most = self.most(&hash);
        let (most, budget) = most.map_or((0, 0), |(most, budget)| (most.into(), budget.into()));
        self.holds(Law::PaidOnce, groups.len() <= 1, || {
            format!("{hash} was paid by groups {groups:?}")
        });
        self.holds(Law::PaidOnce, amount <= most, || {
            format!("{hash}: the payee got {amount} msat of {most}")
        });
        let fee = sent.saturating_sub(amount);
        self.holds(Law::FeeWithinBudget, fee <= budget, || {
            format!("{hash}: {fee} msat of fees, and a budget of {budget}")
        });
    }

    /// The groups that paid something of a hash.
    pub(super) fn paying_groups(&self, hash: &PaymentHash) -> BTreeSet<GroupId> {
        let paid = self.parts_of(hash).filter(|(_, part)| part.end == Some(true));
        paid.map(|(key, _)| key.group_id).collect()
    }

    /// What of a hash was paid, by one group or by all: what payees got, and what left us.
    pub(super) fn paid_msat(&self, hash: &PaymentHash, group: Option<GroupId>) -> (u128, u128) {
        let paid = self.parts_of(hash).filter(|(key, part)| {
            part.end == Some(true) && group.is_none_or(|group| group == key.group_id)
        });
        paid.fold((0, 0), |(amount, sent), (_, part)| {
            (amount + u128::from(part.amount_msat), sent + u128::from(part.sent_msat))
        })
    }

    fn parts_of<'a>(
        &'a self,
        hash: &'a PaymentHash,
    ) -> impl Iterator<Item = (&'a PartKey, &'a Part)> {
        let first = PartKey {
            payment_hash: *hash,
            group_id: GroupId(0),
            part_id: ecs_systems::units::PartId(0),
        };
        let from = self.parts.range(first..);
        from.take_while(|(key, _)| key.payment_hash == *hash)
    }
}
