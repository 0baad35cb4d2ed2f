//! Rows P2 and P3.

use crate::components::{Attempt, PaidPreimage, Parent, Planned, PlanningEntity};
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
    does: "fails the payment as the plan failed, if it still waits for it; the plan Entity ends",
};

pub(crate) fn hand_over_failure(
    In(entity): On,
    plans: Query<(&Id, &Parent, &Failing)>,
    payments: Query<Waits<'_>>,
    entities: Res<Entities>,
) -> Answer {
    let (Id(id), Parent(parent), failing) = plans.get(entity)?;
    let ended = Step::stop().write(Write::end(*id));
    if !waits(*id, entities.get(*parent), &payments) {
        return Ok(ended);
    }
    let failed = Write::to(*parent).attach(failing).detach::<PlanningEntity>().detach::<Attempt>();
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
