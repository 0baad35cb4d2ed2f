//! Rows S2 and S3.

use crate::{
    components::{
        Circular, Claimed, Exposure, FailedPart, OpenPart, PaidParts, PaidPreimage, Parent, Part,
        PartFacts, PartFailure, PartSent, PartSpent, PartsFailed, PartsOpen, PartsPaid,
        Reservation, Told,
    },
    effects::{Contradiction, Contradicts, Learn, PartEnded},
    pay::{
        limit::exposure::{Parts, exposure},
        send::told::draw_of,
    },
    port::{Books, Failure, LedgerEntry, LedgerError, Lesson, PaymentRef},
    records::RecordEntry,
    refusal::{from_ledger, overflow},
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, EffectRequest, Entities, EntityId, Inputs, On, Refusal, Step, SystemSpec, Systems,
    Write,
};
use payecs_units::{Msat, PartId, Timestamp};

/// A part arrived.
pub const PART_PAID: SystemSpec = SystemSpec {
    name: "lightningd:part_paid",
    required: &["lightningd:part", "lightningd:preimage"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "posts this part, with what the node took beyond what was held, and gives the preimage \
           to its payment, in one record",
};

type Paid<'w> = (&'w Part, &'w Parent, &'w PaidPreimage, Option<&'w PartSpent>);
type Payment<'w> = (
    &'w Claimed,
    &'w PartsOpen,
    Option<&'w PartsPaid>,
    Option<&'w PartsFailed>,
    &'w Reservation,
    Has<Circular>,
    Has<Exposure>,
);

pub(crate) fn part_paid(
    In(entity): On,
    parts: Query<Paid<'_>>,
    payments: Query<Payment<'_>>,
    (all, entities): (Parts<'_, '_, '_>, Res<Entities>),
    books: Res<Books>,
    inputs: Res<Inputs>,
) -> Answer {
    let (Part(part), Parent(parent), preimage, spent) = parts.get(entity)?;
    let (_, open, paid, _, _, circular, told) = payment_of(*parent, &payments, &entities)?;
    let (mine, others) = take(open, part.key.part_id, *parent)?;
    let (fee_msat, excess) = fee_spent(&mine, spent.map(|spent| spent.0));
    let (payment, part_id) = (reference(part), part.key.part_id);
    let post = LedgerEntry::PostPart { payment, part_id, fee_msat, circular };
    let over = LedgerEntry::Overspend { payment, part_id, amount_msat: excess, circular };
    let step = Step::stop()
        .detach::<Systems>()
        .wake(*parent)
        .keep(&post)
        .effect(EffectRequest::notice(&Learn(Lesson::Paid(part.route.clone()))))
        .effect(EffectRequest::notice(&ended(*parent, part, None)));
    let mut cost = PaidParts { amount_msat: mine.amount_msat, fee_msat, ..PaidParts::default() };
    let step = if excess == Msat::ZERO {
        step
    } else {
        let refused = books.0.check(&[post, over.clone()], Some(*parent), Timestamp(inputs.now_ms));
        let refused = refused.err();
        cost.overspent_msat = excess;
        let booked = if refused.is_none() { &mut cost.fee_msat } else { &mut cost.unbooked_msat };
        *booked = booked.checked_add(excess).ok_or_else(|| overflow("A fee"))?;
        let step = if refused.is_none() { step.keep(&over) } else { step };
        step.effect(contradicts(*parent, part, Contradicts::Overspent, excess, refused.as_ref()))
    };
    let paid = PartsPaid(with_part(paid, &cost)?);
    let still = told.then(|| exposure(&others, &all, &entities));
    let payment = left_open(Write::to(*parent), others).attach_some(still.as_ref());
    Ok(step.write(payment.attach(&paid).attach(preimage)))
}

/// What the part really cost, what left us less what arrived: as much of it as was held, and what
/// is above that.
fn fee_spent(part: &OpenPart, spent: Option<Msat>) -> (Msat, Msat) {
    let fee = spent.map_or(part.fee_msat, |spent| spent.saturating_sub(part.amount_msat));
    (fee.min(part.fee_msat), fee.saturating_sub(part.fee_msat))
}

/// What arrived so far with one part more. What only the node says is counted up to 2⁶⁴−1 msat.
///
/// # Errors
/// A sum of what is booked is above 2⁶⁴−1 msat.
pub(super) fn with_part(
    earlier: Option<&PartsPaid>,
    part: &PaidParts,
) -> Result<PaidParts, Refusal> {
    let earlier = earlier.map(|paid| paid.0).unwrap_or_default();
    let sum = |left: Msat, right| left.checked_add(right).ok_or_else(|| overflow("What was paid"));
    let told = |left: Msat, right: Msat| Msat(left.0.saturating_add(right.0));
    Ok(PaidParts {
        count: earlier.count + 1,
        amount_msat: sum(earlier.amount_msat, part.amount_msat)?,
        fee_msat: sum(earlier.fee_msat, part.fee_msat)?,
        overspent_msat: told(earlier.overspent_msat, part.overspent_msat),
        unbooked_msat: told(earlier.unbooked_msat, part.unbooked_msat),
    })
}

/// Says, and logs, that the node contradicts the books.
pub(super) fn contradicts(
    entity: EntityId,
    part: &PartFacts,
    what: Contradicts,
    amount_msat: Msat,
    refused: Option<&LedgerError>,
) -> EffectRequest {
    let key = part.key;
    tracing::error!(
        target: "payflow::send", %entity, payment_hash = %key.payment_hash, ?what,
        part_id = %key.part_id, amount_msat = amount_msat.0,
        unbooked = refused.map(tracing::field::display), "node contradicts the books"
    );
    let unbooked = refused.map(from_ledger);
    EffectRequest::notice(&Contradiction { entity, key, what, amount_msat, unbooked })
}

/// A part failed.
pub const PART_FAILED: SystemSpec = SystemSpec {
    name: "lightningd:part_failed",
    required: &["lightningd:part", "lightningd:part:failure"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "voids this part and tells its payment, in one record; what its failure tells of a \
           channel's terms counts for this payment alone, and one that can't be read makes it \
           avoid a hop that is drawn",
};

type Failed<'w> = (&'w Part, &'w Parent, &'w PartFailure, Has<PartSent>);

pub(crate) fn part_failed(
    In(entity): On,
    parts: Query<Failed<'_>>,
    payments: Query<Payment<'_>>,
    lessons: Query<&Told>,
    (all, entities): (Parts<'_, '_, '_>, Res<Entities>),
    inputs: Res<Inputs>,
) -> Answer {
    let (Part(part), Parent(parent), PartFailure(failure), sent) = parts.get(entity)?;
    let (_, open, _, failed, reservation, _, told) = payment_of(*parent, &payments, &entities)?;
    let (mine, others) = take(open, part.key.part_id, *parent)?;
    let mut failed = failed.map(|failed| failed.0.clone()).unwrap_or_default();
    let hops = part.route.hops.len();
    let awaits_height = failure.height_ahead(hops, part.height);
    failed.push(FailedPart {
        part_id: mine.part_id,
        amount_msat: mine.amount_msat,
        permanent: failure.is_permanent(hops) && awaits_height.is_none(),
        awaits_height,
        failure: failure.clone(),
    });
    let lesson = entities.get(*parent).and_then(|parent| lessons.get(parent).ok());
    let lesson = sent.then(|| learned(lesson, part, failure, &inputs)).flatten();
    let mut facts = reservation.0;
    facts.parts_failed += 1;
    let still = told.then(|| exposure(&others, &all, &entities));
    let payment = left_open(Write::to(*parent), others)
        .attach_some(still.as_ref())
        .attach_some(lesson.as_ref())
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

/// What its payment is told with this failure; `None`: nothing new.
fn learned(
    earlier: Option<&Told>,
    part: &PartFacts,
    failure: &Failure,
    inputs: &Inputs,
) -> Option<Told> {
    let mut told = earlier.map(|told| told.0.clone()).unwrap_or_default();
    let draw = draw_of(&inputs.entropy, part.key.part_id);
    told.take(&part.route, failure, draw).then_some(Told(told))
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

pub(super) fn reference(part: &PartFacts) -> PaymentRef {
    PaymentRef { payment_hash: part.key.payment_hash, group_id: part.key.group_id }
}

fn ended(parent: EntityId, part: &PartFacts, failure: Option<Failure>) -> PartEnded {
    let status = if failure.is_none() { "success" } else { "failure" };
    PartEnded { entity: parent, key: part.key, status: status.to_owned(), failure }
}

#[cfg(test)]
mod tests;
