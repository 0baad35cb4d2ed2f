//! Rows S2 and S3.

use crate::{
    components::{
        Circular, Claimed, FailedPart, OpenPart, PaidParts, PaidPreimage, Parent, Part, PartFacts,
        PartFailure, PartSent, PartSpent, PartsFailed, PartsOpen, PartsPaid, Reservation,
    },
    effects::{Learn, PartEnded},
    port::{Failure, LedgerEntry, Lesson, PaymentRef},
    records::RecordEntry,
    refusal::overflow,
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, EffectRequest, Entities, EntityId, On, Refusal, Step, SystemSpec, Systems, Write,
};
use payecs_units::{Msat, PartId};

/// A part arrived.
pub const PART_PAID: SystemSpec = SystemSpec {
    name: "lightningd:part_paid",
    required: &["lightningd:part", "lightningd:preimage"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "posts this part and gives the preimage to its payment, in one record",
};

type Paid<'w> = (&'w Part, &'w Parent, &'w PaidPreimage, Option<&'w PartSpent>);
type Payment<'w> = (
    &'w Claimed,
    &'w PartsOpen,
    Option<&'w PartsPaid>,
    Option<&'w PartsFailed>,
    &'w Reservation,
    Has<Circular>,
);

pub(crate) fn part_paid(
    In(entity): On,
    parts: Query<Paid<'_>>,
    payments: Query<Payment<'_>>,
    entities: Res<Entities>,
) -> Answer {
    let (Part(part), Parent(parent), preimage, spent) = parts.get(entity)?;
    let (_, open, paid, _, _, circular) = payment_of(*parent, &payments, &entities)?;
    let (mine, others) = take(open, part.key.part_id, *parent)?;
    let fee_msat = fee_spent(&mine, spent.map(|spent| spent.0));
    let earlier = paid
        .map_or(PaidParts { count: 0, amount_msat: Msat::ZERO, fee_msat: Msat::ZERO }, |paid| {
            paid.0
        });
    let sum = |left: Msat, right| left.checked_add(right).ok_or_else(|| overflow("What was paid"));
    let paid = PartsPaid(PaidParts {
        count: earlier.count + 1,
        amount_msat: sum(earlier.amount_msat, mine.amount_msat)?,
        fee_msat: sum(earlier.fee_msat, fee_msat)?,
    });
    let payment = left_open(Write::to(*parent), others).attach(&paid).attach(preimage);
    let entry = LedgerEntry::PostPart {
        payment: reference(part),
        part_id: part.key.part_id,
        fee_msat,
        circular,
    };
    Ok(Step::stop()
        .detach::<Systems>()
        .write(payment)
        .wake(*parent)
        .keep(&entry)
        .effect(EffectRequest::notice(&Learn(Lesson::Paid(part.route.clone()))))
        .effect(EffectRequest::notice(&ended(*parent, part, None))))
}

/// What the part really cost: what left us less what arrived, at most what was held. A node that
/// says it spent more is believed only in the log.
fn fee_spent(part: &OpenPart, spent: Option<Msat>) -> Msat {
    let Some(spent) = spent else { return part.fee_msat };
    let fee = spent.saturating_sub(part.amount_msat);
    if fee > part.fee_msat {
        tracing::error!(
            target: "payflow::send", part_id = %part.part_id, fee_msat = fee.0,
            held_msat = part.fee_msat.0, "node says it overspent"
        );
    }
    fee.min(part.fee_msat)
}

/// A part failed.
pub const PART_FAILED: SystemSpec = SystemSpec {
    name: "lightningd:part_failed",
    required: &["lightningd:part", "lightningd:part:failure"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "voids this part and tells its payment, in one record",
};

type Failed<'w> = (&'w Part, &'w Parent, &'w PartFailure, Has<PartSent>);

pub(crate) fn part_failed(
    In(entity): On,
    parts: Query<Failed<'_>>,
    payments: Query<Payment<'_>>,
    entities: Res<Entities>,
) -> Answer {
    let (Part(part), Parent(parent), PartFailure(failure), sent) = parts.get(entity)?;
    let (_, open, _, failed, reservation, _) = payment_of(*parent, &payments, &entities)?;
    let (mine, others) = take(open, part.key.part_id, *parent)?;
    let mut failed = failed.map(|failed| failed.0.clone()).unwrap_or_default();
    failed.push(FailedPart {
        part_id: mine.part_id,
        amount_msat: mine.amount_msat,
        permanent: failure.is_permanent(part.route.hops.len()),
        failure: failure.clone(),
    });
    let mut facts = reservation.0;
    facts.parts_failed += 1;
    let payment = left_open(Write::to(*parent), others)
        .attach(&PartsFailed(failed))
        .attach(&Reservation(facts));
    let entry = LedgerEntry::VoidPart { payment: reference(part), part_id: part.key.part_id };
    let step = Step::stop()
        .detach::<Systems>()
        .write(payment)
        .wake(*parent)
        .keep(&entry)
        .effect(EffectRequest::notice(&ended(*parent, part, Some(failure.clone()))));
    if !sent {
        return Ok(step);
    }
    let lesson = Lesson::Failed(part.route.clone(), failure.clone());
    Ok(step.effect(EffectRequest::notice(&Learn(lesson))))
}

fn payment_of<'q>(
    parent: EntityId,
    payments: &'q Query<'_, '_, Payment<'_>>,
    entities: &Entities,
) -> Result<<Payment<'q> as bevy_ecs::query::QueryData>::Item<'q, 'q>, Refusal> {
    let gone = || Refusal::invalid(format!("payment {parent} of this part is gone"));
    Ok(payments.get(entities.get(parent).ok_or_else(gone)?)?)
}

/// The part, and the others that are open.
fn take(
    open: &PartsOpen,
    part_id: PartId,
    parent: EntityId,
) -> Result<(OpenPart, Vec<OpenPart>), Refusal> {
    let (mine, others): (Vec<OpenPart>, Vec<OpenPart>) =
        open.0.iter().copied().partition(|part| part.part_id == part_id);
    let unknown = || Refusal::invalid(format!("part {part_id} is not open at payment {parent}"));
    Ok((*mine.first().ok_or_else(unknown)?, others))
}

fn left_open(write: Write, others: Vec<OpenPart>) -> Write {
    if others.is_empty() { write.detach::<PartsOpen>() } else { write.attach(&PartsOpen(others)) }
}

fn reference(part: &PartFacts) -> PaymentRef {
    PaymentRef { payment_hash: part.key.payment_hash, group_id: part.key.group_id }
}

fn ended(parent: EntityId, part: &PartFacts, failure: Option<Failure>) -> PartEnded {
    let status = if failure.is_none() { "success" } else { "failure" };
    PartEnded { entity: parent, key: part.key, status: status.to_owned(), failure }
}

#[cfg(test)]
mod tests;
