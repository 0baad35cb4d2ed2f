//! When everything is at rest: what must have ended has, and all accounts agree.

use super::{
    Auditor, Law,
    words::{hash_in, number},
};
use ecs_systems::units::{GroupId, Msat, PaymentHash, ShortChannelId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Auditor {
    /// No caller waits any more.
    pub(in crate::testing::simulator) fn finds_callers_answered(&mut self) {
        let waiting = self.calls.iter().next().map(|(call, waits)| (*call, *waits));
        self.holds(Law::EndsInTime, waiting.is_none(), || {
            format!("nobody has answered yet: {waiting:?}")
        });
        let waiting = self.waiters.iter().next().map(|(call, hash)| (*call, *hash));
        self.holds(Law::EndsInTime, waiting.is_none(), || {
            format!("who waits for a paycode is not answered yet: {waiting:?}")
        });
    }

    /// Nothing is under way any more.
    pub(in crate::testing::simulator) fn finds_rest(&mut self, in_flight: usize) {
        self.holds(Law::EndsInTime, in_flight == 0, || format!("{in_flight} parts in flight"));
    }

    /// What is ours changed by what was paid and received, and by nothing else.
    pub(in crate::testing::simulator) fn counts(&mut self, ours: &[(ShortChannelId, Msat)]) {
        let sum = |parts: &mut dyn Iterator<Item = u64>| parts.map(i128::from).sum::<i128>();
        let before = sum(&mut self.opening.values().copied());
        let now = sum(&mut ours.iter().map(|(_, ours)| ours.0));
        let paid = self.parts.values().filter(|part| part.end == Some(true));
        let spent = sum(&mut paid.map(|part| part.sent_msat));
        let came = self.incoming.values().filter(|it| it.end == Some(true));
        let got = sum(&mut came.map(|it| it.amount_msat));
        self.holds(Law::MoneyIsWhole, before - spent + got == now, || {
            format!("{before} msat less {spent} paid and {got} received is not {now}")
        });
    }

    /// Every receipt was settled with all that its payer said it would get, or not at all; and
    /// with no HTLC more than that took.
    pub(in crate::testing::simulator) fn judges_receipts(&mut self) {
        let mut settled: BTreeMap<PaymentHash, (u64, u64)> = BTreeMap::new();
        for incoming in self.incoming.values().filter(|it| it.end == Some(true)) {
            let (sum, largest) = settled.entry(incoming.hash).or_default();
            *sum += incoming.amount_msat;
            *largest = incoming.amount_msat.max(*largest);
        }
        for (hash, (got, largest)) in settled {
            if self.codes.contains_key(&hash) {
                continue;
            }
            let said = self.receipts.get(&hash).map(|receipt| receipt.said_msat);
            let fits = said.is_some_and(|said| got >= said && got - largest < said);
            self.holds(Law::SettledOnce, fits, || {
                format!("{hash} was to get {said:?} msat and was settled with {got}")
            });
        }
    }

    /// Payments as they are listed, each against what really happened.
    pub(in crate::testing::simulator) fn reads_list(&mut self, pays: &[Value]) {
        let mut listed = BTreeSet::new();
        for payment in pays {
            self.is_told(payment);
            let Some(hash) = hash_in(payment) else { continue };
            let (group, entity) = (GroupId(number(payment, "groupid")), number(payment, "entity"));
            listed.insert((hash, entity));
            self.judge_listed((hash, group, entity), payment);
        }
        let known = self.views.keys().copied();
        let gone: Vec<_> = known.filter(|key| !listed.contains(key)).collect();
        for (hash, entity) in gone {
            let view = self.views.get(&(hash, entity)).cloned();
            self.breach(Law::Durable, format!("{hash} is listed no more, and was {view:?}"));
        }
        self.judge_told();
    }

    fn judge_listed(&mut self, key: (PaymentHash, GroupId, u64), payment: &Value) {
        let (hash, group, entity) = key;
        let (amount, sent) = self.paid_msat(&hash, Some(group));
        let Some(view) = self.views.get(&(hash, entity)).cloned() else { return };
        let to_ourselves = self.is_to_ourselves(&hash);
        let said = u128::from(view.sent_msat.unwrap_or_default());
        let agrees = match view.status.as_str() {
            "complete" => sent == said || (to_ourselves && sent == 0),
            "failed" => sent == 0,
            _ => false,
        };
        let least = self.least(&hash).map_or(0, u128::from);
        let in_full = view.status != "complete" || to_ourselves || amount >= least;
        self.holds(Law::PaidInFull, in_full, || {
            format!("its payee really got {amount} msat of {least}: {payment}")
        });
        let law = if view.status == "pending" { Law::EndsInTime } else { Law::ToldTheTruth };
        self.holds(law, agrees, || format!("{sent} msat really left us for {payment}"));
    }

    fn is_to_ourselves(&self, hash: &PaymentHash) -> bool {
        self.intents.get(hash).is_some_and(|all| all.iter().any(|it| it.to_ourselves))
    }

    /// What callers were told of ends, against what really happened.
    fn judge_told(&mut self) {
        let paid: Vec<_> = self.paid.iter().map(|(hash, told)| (*hash, *told)).collect();
        for (hash, told) in paid {
            let (amount, sent) = self.paid_msat(&hash, None);
            let fee = sent.saturating_sub(amount);
            let agrees = sent == u128::from(told.sent_msat) && fee == u128::from(told.fee_msat);
            let to_ourselves = self.is_to_ourselves(&hash) && sent == 0 && told.fee_msat == 0;
            self.holds(Law::ToldTheTruth, agrees || to_ourselves, || {
                format!("{hash}: told {told:?}, and {sent} msat left us for {amount}")
            });
        }
        let failed: Vec<_> = self.failed.iter().map(|(hash, times)| (*hash, *times)).collect();
        for (hash, times) in failed {
            let wanted = self.intents.get(&hash).map_or(0, Vec::len);
            let (_, sent) = self.paid_msat(&hash, None);
            let all_failed = times as usize == wanted;
            self.holds(Law::ToldTheTruth, !all_failed || sent == 0, || {
                format!("{hash}: all {times} callers were told that it failed, {sent} msat left us")
            });
        }
    }
}
