//! Row S4.

use super::part_end::{contradicts, reference, with_part};
use crate::{
    components::{
        Circular, PaidParts, PaidPreimage, Parent, Part, PartSpent, PartsPaid, Remaining,
    },
    effects::Contradicts,
    port::{Books, ClaimState, LedgerEntry, LedgerError},
    records::RecordEntry,
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{Answer, Entities, Inputs, On, Refusal, Step, SystemSpec, Systems, Write};
use payecs_units::{Msat, Timestamp};

/// A part that the node had said failed is paid.
pub const PART_LATE: SystemSpec = SystemSpec {
    name: "lightningd:part_late",
    required: &["lightningd:part", "lightningd:part:failure", "lightningd:preimage"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "books a part that had failed and is paid after all, makes its hash count as paid, and \
           gives the preimage to its payment and to any other that pays the same hash",
};

type Late<'w> = (&'w Part, &'w Parent, &'w PaidPreimage, Option<&'w PartSpent>);
type Payment<'w> = (Has<Systems>, Has<Circular>, Option<&'w PartsPaid>, Option<&'w Remaining>);

pub(crate) fn part_late(
    In(entity): On,
    parts: Query<Late<'_>>,
    payments: Query<Payment<'_>>,
    entities: Res<Entities>,
    books: Res<Books>,
    inputs: Res<Inputs>,
) -> Answer {
    let (Part(part), Parent(parent), preimage, spent) = parts.get(entity)?;
    let gone = || Refusal::invalid(format!("payment {parent} of this part is gone"));
    let known = entities.get(*parent).ok_or_else(gone)?;
    let (runs, circular, paid, remaining) = payments.get(known)?;
    let amount_msat = part.route.amount();
    let left_us = spent.map_or(part.route.sent(), |spent| spent.0).max(amount_msat);
    let fee_msat = left_us.saturating_sub(amount_msat);
    let (payment, part_id) = (reference(part), part.key.part_id);
    let late = LedgerEntry::LatePart { payment, part_id, fee_msat, circular };
    let prove = LedgerEntry::Prove { payment, preimage: preimage.0 };
    let check =
        |batch: &[LedgerEntry]| books.0.check(batch, Some(*parent), Timestamp(inputs.now_ms)).err();
    let (lines, refused) = lines_for(late, (!runs).then_some(prove), check);
    let cost = match &refused {
        None => PaidParts { amount_msat, fee_msat, ..PaidParts::default() },
        Some(_) => PaidParts { amount_msat, unbooked_msat: left_us, ..PaidParts::default() },
    };
    let paid = PartsPaid(with_part(paid, &cost)?);
    let told = Write::to(*parent).attach(&paid).attach(preimage);
    let left = remaining.filter(|_| runs).map(|left| left.0.saturating_sub(amount_msat));
    let what = Contradicts::PaidAfterFailed;
    let mut step = lines
        .iter()
        .fold(Step::stop().detach::<Systems>(), Step::keep)
        .write(with_remaining(told, left))
        .effect(contradicts(*parent, part, what, left_us, refused.as_ref()));
    if runs {
        step = step.wake(*parent);
    }
    let running = |id| entities.get(id).is_some_and(|it| payments.get(it).is_ok_and(|it| it.0));
    Ok(match books.0.claim(&payment.payment_hash) {
        Ok(Some((other, ClaimState::Open))) if other.entity != *parent && running(other.entity) => {
            step.write(Write::to(other.entity).attach(preimage)).wake(other.entity)
        }
        _ => step,
    })
}

/// What the books take of a late part and of the proof that its ended payment is paid: both; else
/// the proof, so that the hash is not paid again; and why not both.
pub fn lines_for(
    late: LedgerEntry,
    prove: Option<LedgerEntry>,
    check: impl Fn(&[LedgerEntry]) -> Option<LedgerError>,
) -> (Vec<LedgerEntry>, Option<LedgerError>) {
    let proof = Vec::from_iter(prove);
    let both = [proof.clone(), vec![late]].concat();
    match check(&both) {
        None => (both, None),
        Some(refused) if check(&proof).is_none() => (proof, Some(refused)),
        Some(refused) => (Vec::new(), Some(refused)),
    }
}

fn with_remaining(write: Write, left: Option<Msat>) -> Write {
    match left {
        None => write,
        Some(Msat::ZERO) => write.detach::<Remaining>(),
        Some(left) => write.attach(&Remaining(left)),
    }
}

#[cfg(test)]
mod tests;
