//! The sets of the model: what comes in.

use super::{Draw, Model, Phase};
use crate::laws::fixture::{channel, entity, payment, preimage};
use ecs_systems::port::{HtlcId, LedgerEntry, PaymentRef, SetRef, SetShare};
use ecs_systems::units::Msat;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(super) enum ModelSet {
    Held(Vec<SetShare>),
    Settling(Vec<SetShare>, Option<PaymentRef>),
    Over,
}

impl Model {
    /// Something that happens to one of a few sets; own shares are of the latest payment.
    pub(super) fn draw_set(&self, draw: &mut Draw) -> LedgerEntry {
        let number = draw.small(3);
        let payment_hash = preimage(number).hash();
        let set = SetRef { payment_hash, set: entity(draw.small(2)) };
        let paying = self.latest(number).map(|attempt| attempt.claim.payment);
        let payer = paying.filter(|_| draw.below(2) == 0);
        let payer = payer.or_else(|| (draw.below(20) == 0).then(|| payment(number, 9)));
        let htlcs: Vec<SetShare> = (0..=draw.below(2))
            .map(|id| SetShare {
                htlc: HtlcId {
                    short_channel_id: channel(u16::from(draw.small(4))),
                    id: id * draw.below(8).min(1),
                },
                amount_msat: Msat(draw.below(300)),
                own_msat: Msat(if payer.is_some() { draw.below(200) } else { 0 }),
            })
            .collect();
        match draw.below(8) {
            0 => LedgerEntry::HoldSet { set, htlcs },
            1..=3 => LedgerEntry::SettleSet { set, htlcs, payer },
            4..=6 => {
                let lost = match self.sets.get(&set) {
                    Some(ModelSet::Settling(there, _)) if draw.below(4) == 0 => {
                        there.iter().take(1).map(|share| share.htlc).collect()
                    }
                    Some(_) | None => Vec::new(),
                };
                LedgerEntry::ClaimSet { set, lost, paid: None }
            }
            _ => LedgerEntry::VoidSet { set },
        }
    }

    /// Whether an entry of a set is to be accepted.
    pub(super) fn allows_set(
        &self,
        set: &SetRef,
        settled: Option<(&[SetShare], Option<PaymentRef>)>,
        held: Option<&[SetShare]>,
    ) -> bool {
        let state = self.sets.get(set);
        if let Some(htlcs) = held {
            return state.is_none() && is_sound(htlcs);
        }
        let Some((htlcs, payer)) = settled else {
            return matches!(state, Some(ModelSet::Settling(..)));
        };
        let own: u64 = htlcs.iter().map(|share| share.own_msat.0).sum();
        let within = htlcs.iter().all(|share| share.own_msat <= share.amount_msat);
        let payer_fits = match payer {
            Some(payer) => own > 0 && self.open(&payer).is_some(),
            None => own == 0,
        };
        let fresh = matches!(state, None | Some(ModelSet::Held(_)));
        fresh && is_sound(htlcs) && within && payer_fits
    }

    /// Whether anything of a set is pending.
    pub(super) fn has_pending(&self, set: &SetRef) -> bool {
        matches!(self.sets.get(set), Some(ModelSet::Held(_) | ModelSet::Settling(..)))
    }

    pub(super) fn settle_set(&mut self, set: SetRef, htlcs: &[SetShare], of: Option<PaymentRef>) {
        if let Some(payer) = of {
            self.attempt_mut(&payer).settling += 1;
        }
        self.sets.insert(set, ModelSet::Settling(htlcs.to_vec(), of));
    }

    /// Everything of a set is over; what is not in `lost` is ours.
    pub(super) fn end_set(&mut self, set: SetRef, claimed: bool, lost: &[HtlcId]) {
        let before = self.sets.insert(set, ModelSet::Over);
        let Some(ModelSet::Settling(htlcs, payer)) = before else { return };
        if let Some(payer) = payer {
            self.attempt_mut(&payer).settling -= 1;
        }
        for share in htlcs.iter().filter(|share| claimed && !lost.contains(&share.htlc)) {
            *self.channels.entry(share.htlc.short_channel_id).or_default() += share.amount_msat.0;
            self.incoming += share.amount_msat.0 - share.own_msat.0;
            if let Some(payer) = payer {
                self.attempt_mut(&payer).around -= i128::from(share.own_msat.0);
            }
        }
    }

    /// What is held, or about to be income.
    pub(super) fn pending_incoming(&self) -> u64 {
        let of_set = |set: &ModelSet| match set {
            ModelSet::Held(htlcs) => htlcs.iter().map(|it| it.amount_msat.0).sum::<u64>(),
            ModelSet::Settling(htlcs, _) => {
                htlcs.iter().map(|it| it.amount_msat.0 - it.own_msat.0).sum()
            }
            ModelSet::Over => 0,
        };
        self.sets.values().map(of_set).sum()
    }

    /// A payment ends: what went around and what came back is made even.
    pub(super) fn end(&mut self, payment: &PaymentRef, failed: bool) {
        let attempt = self.attempt_mut(payment);
        attempt.phase = Phase::Over { failed };
        attempt.rest = 0;
        let around = std::mem::take(&mut attempt.around);
        let amount = u64::try_from(around.unsigned_abs()).expect("amounts here are small");
        if around > 0 {
            self.outgoing += amount;
        } else {
            self.incoming += amount;
        }
    }
}

fn is_sound(htlcs: &[SetShare]) -> bool {
    let different: BTreeSet<HtlcId> = htlcs.iter().map(|share| share.htlc).collect();
    different.len() == htlcs.len() && htlcs.iter().all(|share| share.amount_msat.0 > 0)
}
