//! Row 33.

use crate::{
    components::{
        Amount, Claimed, FeePaid, Invoice, LedgerRef, PaidPreimage, PartsPaid, PayHash, Replayed,
        Reservation, Status,
    },
    effects::{APPROVAL_TIMER, HEIGHT_TIMER, PaySuccess},
    port::{EntryId, LedgerEntry, PaymentRef},
    records::RecordEntry,
    refusal::LEDGER_INVARIANT,
};
use bevy_ecs::prelude::{Has, In, Query};
use ecs_core::{
    Answer, EffectRequest, Failing, Id, On, Refusal, Step, SystemSpec, Systems, SystemsFinal,
    WireComponent,
};
use payecs_units::Msat;

/// Ends a payment that is paid.
pub const SETTLE: SystemSpec = SystemSpec {
    name: "lightningd:settle",
    required: &["lightningd:main-payment", "lightningd:preimage"],
    disallowed: &["lightningd:parts:open", "lightningd:parts:failed", "lightningd:self:asked"],
    attaches: &[
        "lightningd:fee",
        "lightningd:status",
        "lightningd:ledger",
        "lightningd:systems:final",
    ],
    detaches: &["lightningd:systems", "lightningd:failing"],
    refuses: &[],
    does: "checks the preimage, gives back what is left of the reservation, and ends the payment",
};

type Reads<'w> = (
    &'w Id,
    &'w Systems,
    &'w PaidPreimage,
    &'w PayHash,
    Option<&'w Claimed>,
    Option<&'w PartsPaid>,
    Option<&'w FeePaid>,
    Option<&'w Amount>,
    Option<&'w Invoice>,
    Option<&'w Reservation>,
    Has<Replayed>,
);

pub(crate) fn settle(In(entity): On, payments: Query<Reads<'_>>) -> Answer {
    let (id, systems, preimage, hash, claim, paid, fee, amount, invoice, reservation, replayed) =
        payments.get(entity)?;
    if preimage.0.hash() != hash.0 {
        let why = format!("The preimage is not that of {}", hash.0);
        return Err(Refusal::new(LEDGER_INVARIANT, why));
    }
    let fee_msat = match (replayed, paid, fee) {
        (true, _, Some(FeePaid(fee))) => *fee,
        (_, paid, _) => paid.map_or(Msat::ZERO, |paid| paid.0.fee_msat),
    };
    // A payee who is paid by others too may have enough before all of ours has arrived.
    let arrived = paid.map(|paid| paid.0.amount_msat);
    let amount_msat = arrived.or(amount.map(|amount| amount.0)).unwrap_or_default();
    let paid = paid.map(|paid| paid.0).unwrap_or_default();
    let success = PaySuccess {
        entity: id.0,
        payment_hash: hash.0,
        bolt11: invoice.map(|invoice| invoice.text().into_owned()),
        amount_msat,
        fee_msat,
        overspent_msat: paid.overspent_msat,
        unbooked_msat: paid.unbooked_msat,
        successful_parts: paid.count,
        failed_parts: reservation.map_or(0, |reservation| reservation.0.parts_failed),
    };
    let step = Step::stop()
        .attach(&FeePaid(fee_msat))
        .attach(&Status::complete())
        .attach(&SystemsFinal(systems.to_json()))
        .detach::<Systems>()
        .detach::<Failing>()
        .cancel_timers(APPROVAL_TIMER)
        .cancel_timers(HEIGHT_TIMER)
        .effect(EffectRequest::notice(&success));
    if replayed {
        return Ok(step);
    }
    let nobody = || Refusal::invalid("a preimage without a claim");
    let payment = claim.ok_or_else(nobody)?.0.claim.payment;
    let PaySuccess { successful_parts, failed_parts, .. } = success;
    let (preimage, amount_msat) = (preimage.0, Some(amount_msat));
    let entry = LedgerEntry::Complete {
        payment,
        preimage,
        fee_msat,
        successful_parts,
        failed_parts,
        amount_msat,
    };
    Ok(step.attach(&LedgerRef(reference_of(&payment))).keep(&entry))
}

/// How the books name the payment: hash and group.
pub(crate) fn reference_of(payment: &PaymentRef) -> EntryId {
    EntryId(format!("{}/{}", payment.payment_hash, payment.group_id))
}

#[cfg(test)]
mod tests;
