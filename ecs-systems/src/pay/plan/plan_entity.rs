//! Row 30.

use crate::components::{
    Amount, Attempt, Exclude, FeeBudget, MaxDelay, MaxParts, Parent, Planning, PlanningEntity,
    Remaining, RiskFactor, Status,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Entities, Id, On, Refusal, Step, SystemSpec, Systems, Write};
use std::num::NonZeroU32;

/// Opens a plan Entity.
pub const PLAN: SystemSpec = SystemSpec {
    name: "lightningd:plan",
    required: &["lightningd:attempt", "lightningd:remaining"],
    disallowed: &[
        "lightningd:planning-entity",
        "lightningd:plan",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:planning-entity", "lightningd:status"],
    detaches: &[],
    refuses: &[],
    does: "opens a plan Entity for what remains, with what is left of fee, delay and parts",
};

type Reads<'w> =
    (&'w Id, &'w Attempt, &'w Remaining, &'w Systems, Option<&'w RiskFactor>, Option<&'w Exclude>);

pub(crate) fn plan(In(entity): On, payments: Query<Reads<'_>>, entities: Res<Entities>) -> Answer {
    let (id, Attempt(attempt), remaining, systems, risk, exclude) = payments.get(entity)?;
    let number = entities.free().next().ok_or_else(|| Refusal::invalid("no entity id is free"))?;
    let parts = NonZeroU32::new(attempt.parts_left).unwrap_or(NonZeroU32::MIN);
    let delay = NonZeroU32::new(attempt.delay_left_blocks.0).unwrap_or(NonZeroU32::MIN);
    let opened = Write::to(number)
        .attach(&Planning)
        .attach(&Parent(id.0))
        .attach(systems)
        .attach(&Amount(remaining.0))
        .attach(&FeeBudget(attempt.fee_left_msat))
        .attach(&MaxDelay(delay))
        .attach(&MaxParts(parts))
        .attach_some(risk)
        .attach_some(exclude);
    Ok(Step::wait()
        .attach(&PlanningEntity(number))
        .attach(&Status::planning())
        .write(opened)
        .wake(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::AttemptFacts,
        fixture::{AMOUNT, Bench, child, here, sample},
    };
    use payecs_units::{Blocks, Msat};

    fn attempt(parts_left: u32, delay: u32) -> Attempt {
        let delay_left_blocks = Blocks(delay);
        Attempt(AttemptFacts { n: 3, fee_left_msat: Msat(77), delay_left_blocks, parts_left })
    }

    #[test]
    fn the_plan_entity_gets_what_remains_and_what_is_left() {
        let (risk, exclude) = ("lightningd:riskfactor", "lightningd:exclude");
        let mut bench = Bench::new();
        let write = here()
            .attach(&attempt(5, 144))
            .attach(&Remaining(AMOUNT))
            .attach_json(risk, sample(risk))
            .attach_json(exclude, sample(exclude));
        let ran = bench.run(&PLAN, write);
        assert_eq!(ran.names(), ["planning-entity", "status"]);
        assert_eq!(ran.attached("planning-entity"), Some("2"));
        assert_eq!(ran.attached("status"), Some("\"planning\""));
        for (name, text) in [
            ("planning", "true"),
            ("parent", "1"),
            ("amount", "\"100000msat\""),
            ("feebudget", "\"77msat\""),
            ("maxdelay", "144"),
            ("maxparts", "5"),
            ("riskfactor", "10"),
            ("exclude", sample(exclude).text()),
        ] {
            assert_eq!(ran.attached_to(child(), name), Some(text), "{name}");
        }
        assert_eq!(ran.names_on(child()).len(), 9, "and the list");
        assert!(bench.app.is_frozen(child()), "from birth");
        assert_eq!(bench.woken()[0], child());
    }

    #[test]
    fn nothing_left_counts_as_one_where_one_is_the_least() {
        let mut bench = Bench::new();
        bench.run(&PLAN, here().attach(&attempt(0, 0)).attach(&Remaining(AMOUNT)));
        assert_eq!(bench.app.get::<MaxParts>(child()).unwrap().0.get(), 1);
        assert_eq!(bench.app.get::<MaxDelay>(child()).unwrap().0.get(), 1);
        assert!(bench.app.get::<Exclude>(child()).is_none());
    }
}
