//! Payments for laws and tests: everything is derived from small numbers.

use ecs_core::EntityId;
use ecs_systems::port::{Claim, HtlcId, LedgerEntry, PartHold, PaymentRef, SetRef, SetShare};
use ecs_systems::units::{GroupId, Msat, NodeId, PartId, Preimage, ShortChannelId};

/// The preimage with that number.
#[must_use]
pub fn preimage(number: u8) -> Preimage {
    Preimage([number; 32])
}

/// The payment of the hash with that number by that group.
#[must_use]
pub fn payment(number: u8, group: u64) -> PaymentRef {
    PaymentRef { payment_hash: preimage(number).hash(), group_id: GroupId(group) }
}

/// The channel `<number>x0x0`.
#[must_use]
pub fn channel(number: u16) -> ShortChannelId {
    ShortChannelId(u64::from(number) << 40)
}

/// The Entity that pays; it belongs to the hash, so 0 and 1 are the Entities 1 and 2.
#[must_use]
pub fn entity(number: u8) -> EntityId {
    EntityId::new(u32::from(number).saturating_add(1)).expect("it is 1 or more")
}

/// A channel opens.
#[must_use]
pub fn opening(number: u16, msat: u64) -> LedgerEntry {
    LedgerEntry::Opening { short_channel_id: channel(number), amount_msat: Msat(msat) }
}

/// What [`claim`] claims.
#[must_use]
pub fn claimed(number: u8, group: u64, msat: u64) -> Claim {
    Claim {
        payment: payment(number, group),
        entity: entity(number),
        destination: NodeId([2; 33]),
        amount_msat: Msat(msat),
        idempotency_key: None,
        request: None,
    }
}

/// A claim on that hash by that group.
#[must_use]
pub fn claim(number: u8, group: u64, msat: u64) -> LedgerEntry {
    LedgerEntry::Claim(claimed(number, group, msat))
}

/// A reservation without limits.
#[must_use]
pub fn reserve(payment: PaymentRef, msat: u64, fee_budget_msat: u64) -> LedgerEntry {
    LedgerEntry::Reserve {
        payment,
        amount_msat: Msat(msat),
        fee_budget_msat: Msat(fee_budget_msat),
        label: None,
        limits: Vec::new(),
    }
}

/// Parts as (part, channel, amount in msat, fee in msat).
#[must_use]
pub fn dispatch(payment: PaymentRef, parts: &[(u64, u16, u64, u64)]) -> LedgerEntry {
    let hold = |(part, number, msat, fee_msat): &(u64, u16, u64, u64)| PartHold {
        part_id: PartId(*part),
        short_channel_id: channel(*number),
        amount_msat: Msat(*msat),
        fee_msat: Msat(*fee_msat),
    };
    LedgerEntry::Dispatch { payment, parts: parts.iter().map(hold).collect() }
}

/// A part arrived for that fee.
#[must_use]
pub fn post(payment: PaymentRef, part: u64, fee_msat: u64) -> LedgerEntry {
    let (part_id, fee_msat) = (PartId(part), Msat(fee_msat));
    LedgerEntry::PostPart { payment, part_id, fee_msat, circular: false }
}

/// A part that went around arrived for that fee.
#[must_use]
pub fn around(payment: PaymentRef, part: u64, fee_msat: u64) -> LedgerEntry {
    let (part_id, fee_msat) = (PartId(part), Msat(fee_msat));
    LedgerEntry::PostPart { payment, part_id, fee_msat, circular: true }
}

/// A part failed.
#[must_use]
pub fn void(payment: PaymentRef, part: u64) -> LedgerEntry {
    LedgerEntry::VoidPart { payment, part_id: PartId(part) }
}

/// A part that arrived cost so much more than was held.
#[must_use]
pub fn overspend(payment: PaymentRef, part: u64, msat: u64) -> LedgerEntry {
    let (part_id, amount_msat) = (PartId(part), Msat(msat));
    LedgerEntry::Overspend { payment, part_id, amount_msat, circular: false }
}

/// A part that failed arrived for that fee.
#[must_use]
pub fn late(payment: PaymentRef, part: u64, fee_msat: u64) -> LedgerEntry {
    let (part_id, fee_msat) = (PartId(part), Msat(fee_msat));
    LedgerEntry::LatePart { payment, part_id, fee_msat, circular: false }
}

/// The payment of the hash with that number turns out paid.
#[must_use]
pub fn prove(number: u8, group: u64) -> LedgerEntry {
    LedgerEntry::Prove { payment: payment(number, group), preimage: preimage(number) }
}

/// The payment of the hash with that number is complete.
#[must_use]
pub fn complete(number: u8, group: u64, fee_msat: u64) -> LedgerEntry {
    LedgerEntry::Complete {
        payment: payment(number, group),
        preimage: preimage(number),
        fee_msat: Msat(fee_msat),
        successful_parts: 1,
        failed_parts: 0,
        amount_msat: None,
    }
}

/// The payment failed.
#[must_use]
pub fn fail(payment: PaymentRef) -> LedgerEntry {
    LedgerEntry::Fail { payment, answer: None }
}

/// The set on Entity 9 that is locked to the hash with that number.
#[must_use]
pub fn set(number: u8) -> SetRef {
    let set = EntityId::new(9).expect("it is not 0");
    SetRef { payment_hash: preimage(number).hash(), set }
}

/// HTLCs of a set as (channel, amount in msat, own part in msat); their numbers count up from 0.
#[must_use]
pub fn shares(htlcs: &[(u16, u64, u64)]) -> Vec<SetShare> {
    let share = |(id, (number, msat, own)): (u64, &(u16, u64, u64))| SetShare {
        htlc: HtlcId { short_channel_id: channel(*number), id },
        amount_msat: Msat(*msat),
        own_msat: Msat(*own),
    };
    (0..).zip(htlcs).map(share).collect()
}

/// The preimage of a set leaves; the payer is that of its own shares.
#[must_use]
pub fn settle_set(number: u8, htlcs: &[(u16, u64, u64)], payer: Option<PaymentRef>) -> LedgerEntry {
    LedgerEntry::SettleSet { set: set(number), htlcs: shares(htlcs), payer }
}

/// All HTLCs of a set are ours.
#[must_use]
pub fn claim_set(number: u8) -> LedgerEntry {
    LedgerEntry::ClaimSet { set: set(number), lost: Vec::new(), paid: None }
}
