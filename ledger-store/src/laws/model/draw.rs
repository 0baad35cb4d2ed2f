//! Entries good and bad, drawn from numbers.

use super::{
    super::fixture::{
        channel, claimed, complete, dispatch, fail, opening, payment, post, preimage, reserve, void,
    },
    Model,
};
use ecs_systems::port::LedgerEntry;
use ecs_systems::units::{Msat, PartId};

/// A small generator (splitmix64), so that a law replays on any machine.
#[derive(Debug)]
pub(in crate::laws) struct Draw(u64);

impl Draw {
    pub(in crate::laws) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::laws) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn small(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(bound.into())).expect("it is below the bound")
    }
}

impl Model {
    pub(super) fn draw_entry(&mut self, draw: &mut Draw) -> LedgerEntry {
        let number = draw.small(3);
        let latest = self.latest(number).map_or(0, |attempt| attempt.claim.payment.group_id.0);
        let paying = payment(number, if draw.below(20) == 0 { draw.below(4) } else { latest });
        let part = self.draw_part(number, draw);
        let msat = draw.below(900);
        if draw.below(12) == 0 && !self.accepted.is_empty() {
            let place = draw.below(u64::try_from(self.accepted.len()).expect("it fits"));
            return self.accepted[usize::try_from(place).expect("it fits")].clone();
        }
        if draw.below(4) == 0 {
            return self.draw_set(draw);
        }
        let (payment, part_id, circular) = (paying, PartId(part), draw.below(4) == 0);
        match draw.below(23) {
            0 => opening(u16::from(draw.small(4)), 1_000 * (1 + draw.below(2))),
            1 | 2 => LedgerEntry::Claim(claimed(number, latest + draw.below(2), 900)),
            3 | 4 => reserve(paying, 1 + msat, draw.below(60)),
            5..=7 => {
                let parts: Vec<_> = (1..=1 + draw.below(3))
                    .map(|more| {
                        let channel = u16::from(draw.small(4));
                        (self.parts + more, channel, draw.below(400), draw.below(9))
                    })
                    .collect();
                dispatch(paying, &parts)
            }
            8 | 9 => post(paying, part, draw.below(9)),
            10 => LedgerEntry::PostPart {
                payment: paying,
                part_id: PartId(part),
                fee_msat: Msat(draw.below(9)),
                circular: true,
            },
            11 | 12 => void(paying, part),
            13 => LedgerEntry::SelfPay { payment: paying, amount_msat: Msat(msat), paid: None },
            14 => complete(number, paying.group_id.0, draw.below(9)),
            15 => {
                let amount_msat = Msat(draw.below(600));
                LedgerEntry::Overspend { payment, part_id, amount_msat, circular }
            }
            16 | 17 => {
                let fee_msat = Msat(draw.below(30));
                LedgerEntry::LatePart { payment, part_id, fee_msat, circular }
            }
            20 | 21 => LedgerEntry::Adjust {
                short_channel_id: channel(u16::from(draw.small(4))),
                amount_msat: Msat(draw.below(300)),
                more: draw.below(2) == 0,
            },
            22 if draw.below(2) == 0 => LedgerEntry::Backup,
            22 if draw.below(2) == 0 => {
                LedgerEntry::FailDraft { hash: Some(paying.payment_hash), answer: None }
            }
            22 => LedgerEntry::Reconciled { accepted: Vec::new(), forgotten: None },
            18 => LedgerEntry::Prove { payment, preimage: preimage(number) },
            _ => fail(paying),
        }
    }

    /// A part of the latest payment of that hash, mostly.
    fn draw_part(&self, number: u8, draw: &mut Draw) -> u64 {
        let parts = self.latest(number).map(|it| &it.parts).filter(|it| !it.is_empty());
        match parts {
            Some(parts) if draw.below(8) > 0 => {
                let count = u64::try_from(parts.len()).expect("it fits");
                let place = usize::try_from(draw.below(count)).expect("it fits");
                parts.keys().nth(place).map_or(1, |part| part.0)
            }
            _ => 1 + draw.below(self.parts + 1),
        }
    }
}
