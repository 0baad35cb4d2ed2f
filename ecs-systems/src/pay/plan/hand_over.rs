//! Rows P2 and P3.

use crate::{
    components::{
        Amount, Attempt, FeeBudget, MaxDelay, MaxParts, PaidPreimage, Parent, Planned,
        PlanningEntity,
    },
    refusal::Asked,
};
use bevy_ecs::prelude::{Entity, Has, In, Query, Res};
use ecs_core::{Answer, Entities, EntityId, Failing, Id, On, Step, SystemSpec, Systems, Write};

/// Gives the plan to the payment.
pub const HAND_OVER: SystemSpec = SystemSpec {
    name: "lightningd:hand_over",
    required: &["lightningd:planning", "lightningd:plan"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:planning", "lightningd:plan", "lightningd:systems"],
    refuses: &[],
    does: "gives the plan to its payment, if that still waits for it; the plan Entity ends",
};

/// Whether a payment still waits for a plan.
type Waits<'w> = (&'w PlanningEntity, Has<Failing>, Has<PaidPreimage>, Has<Planned>, Has<Systems>);

pub(crate) fn hand_over(
    In(entity): On,
    plans: Query<(&Id, &Parent, &Planned)>,
    payments: Query<Waits<'_>>,
    entities: Res<Entities>,
) -> Answer {
    let (Id(id), Parent(parent), plan) = plans.get(entity)?;
    let ended = Step::stop().write(Write::end(*id));
    if !waits(*id, entities.get(*parent), &payments) {
        return Ok(ended);
    }
    Ok(ended.write(Write::to(*parent).attach(plan)).wake(*parent))
}

/// Gives the failure to the payment.
pub const HAND_OVER_FAILURE: SystemSpec = SystemSpec {
    name: "lightningd:hand_over_failure",
    required: &["lightningd:planning", "lightningd:failing"],
    disallowed: &[],
    attaches: &[],
    detaches: &["lightningd:planning", "lightningd:failing", "lightningd:systems"],
    refuses: &[],
    does: "fails the payment as the plan failed, with what was asked of the planner, if it still \
           waits for it; the plan Entity ends",
};

/// A plan that was not found, and what was asked for.
type Unfound<'w> = (&'w Id, &'w Parent, &'w Failing, Option<Question<'w>>, Option<&'w MaxParts>);
type Question<'w> = (&'w Amount, &'w FeeBudget, &'w MaxDelay);

pub(crate) fn hand_over_failure(
    In(entity): On,
    plans: Query<Unfound<'_>>,
    payments: Query<Waits<'_>>,
    entities: Res<Entities>,
) -> Answer {
    let (Id(id), Parent(parent), Failing(error), question, parts) = plans.get(entity)?;
    let ended = Step::stop().write(Write::end(*id));
    if !waits(*id, entities.get(*parent), &payments) {
        return Ok(ended);
    }
    let asked = question.map(|(amount, fee, delay)| Asked {
        amount_msat: amount.0,
        fee_left_msat: fee.0,
        delay_left_blocks: delay.blocks(),
        parts_left: parts.map_or(1, |parts| parts.0.get()),
    });
    let failing = Failing(match asked {
        Some(asked) => asked.beside(error.clone()),
        None => error.clone(),
    });
    let failed = Write::to(*parent).attach(&failing).detach::<PlanningEntity>().detach::<Attempt>();
    Ok(ended.write(failed).wake(*parent))
}

fn waits(plan: EntityId, parent: Option<Entity>, payments: &Query<Waits<'_>>) -> bool {
    parent.and_then(|parent| payments.get(parent).ok()).is_some_and(
        |(waited_for, failing, paid, planned, active)| {
            waited_for.0 == plan && !failing && !paid && !planned && active
        },
    )
}

#[cfg(test)]
mod tests;
