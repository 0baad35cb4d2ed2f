//! Row P1.

use crate::{
    components::{Amount, Cancel, FeeBudget, MaxDelay, MaxParts, Parent},
    effects::ChooseRoutes,
    pay::{
        limit::cancel::cancelled,
        plan::request::{Round, Target},
    },
    port::NodeView,
    refusal::{
        PAY_DESTINATION_INSUFFICIENT_CAPACITY, PAY_ROUTE_NOT_FOUND, PAY_ROUTE_TOO_EXPENSIVE,
        PAY_STOPPED_RETRYING, PAY_UNREACHABLE,
    },
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{Answer, EffectRequest, Entities, Inputs, On, Refusal, Step, SystemSpec};

/// Asks the planner.
pub const ROUTE: SystemSpec = SystemSpec {
    name: "lightningd:route",
    required: &[
        "lightningd:planning",
        "lightningd:amount",
        "lightningd:feebudget",
        "lightningd:maxdelay",
    ],
    disallowed: &["lightningd:plan", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:plan"],
    detaches: &[],
    refuses: &[
        PAY_ROUTE_NOT_FOUND,
        PAY_ROUTE_TOO_EXPENSIVE,
        PAY_UNREACHABLE,
        PAY_DESTINATION_INSUFFICIENT_CAPACITY,
        PAY_STOPPED_RETRYING,
    ],
    does: "asks the planner, which works elsewhere; its answer is a plan or why there is none. \
           Asks nothing once it is cancelled",
};

type Reads<'w> =
    (&'w Parent, &'w Amount, &'w FeeBudget, &'w MaxDelay, Option<&'w MaxParts>, Has<Cancel>);

pub(crate) fn route(
    In(entity): On,
    plans: Query<Reads<'_>>,
    payments: Query<Target>,
    entities: Res<Entities>,
    (node, inputs): (Res<NodeView>, Res<Inputs>),
) -> Answer {
    let (Parent(parent), amount, fee, delay, parts, is_cancelled) = plans.get(entity)?;
    if is_cancelled {
        return Err(cancelled());
    }
    let orphan = || Refusal::new(PAY_ROUTE_NOT_FOUND, "The payment this plan was for has ended");
    let payment = entities.get(*parent).and_then(|parent| payments.get(parent).ok());
    let round = Round {
        amount_msat: amount.0,
        fee_left_msat: fee.0,
        delay_left_blocks: delay.blocks(),
        parts_left: parts.map_or(1, |parts| parts.0.get()),
    };
    // Our channels are said when the routes are chosen: until then other payments take from them.
    let question = payment.ok_or_else(orphan)?.question(&round, &node, Vec::new(), &inputs);
    Ok(Step::wait().effect(EffectRequest::with_reply(&ChooseRoutes(question))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{
            Claimed, Exclude, FirstHop, InvoiceMinFinalCltv, InvoiceRoutes, LastHop, Nonce,
            Planning, RiskFactor, Told, ToldPolicy,
        },
        fixture::{AMOUNT, BUDGET, Bench, HUB, child, claim, here, payment, question, told},
    };
    use ecs_core::{Json, Write};
    use payecs_planner::{Exclusion, PlanRequest};
    use payecs_units::{Blocks, MicroPercent, Msat, ShortChannelId};
    use std::num::NonZeroU32;

    fn plan_entity() -> Write {
        here()
            .attach(&Planning)
            .attach(&Parent(payment()))
            .attach(&Amount(AMOUNT))
            .attach(&FeeBudget(BUDGET))
            .attach(&MaxDelay(NonZeroU32::new(2_016).unwrap()))
    }

    fn asked(parent: Write, plan: Write) -> PlanRequest {
        let mut bench = Bench::new().with(payment(), parent.attach(&Claimed(claim())));
        let ran = bench.run_on(child(), &ROUTE, plan);
        assert!(ran.names().is_empty(), "the answer attaches");
        let ChooseRoutes(question) = ran.effects[0].read().unwrap();
        question
    }

    #[test]
    fn what_nobody_says_has_a_default() {
        let defaults = PlanRequest { parts_max: 1, local: Vec::new(), ..question(AMOUNT) };
        assert_eq!(asked(here(), plan_entity()), defaults);
    }

    #[test]
    fn all_that_the_payment_says_is_asked() {
        let payment = here()
            .attach(&InvoiceMinFinalCltv(40))
            .attach(&InvoiceRoutes(vec![vec![]]))
            .attach(&Exclude(vec![Exclusion::Node(HUB)]))
            .attach(&RiskFactor(Json::of(&3)))
            .attach(&FirstHop(ShortChannelId(10)))
            .attach(&LastHop(HUB))
            .attach(&Nonce(Json::of(&format!("{:064x}", 0x1234_u64 << 48))));
        let plan = plan_entity()
            .attach(&MaxParts(NonZeroU32::new(7).unwrap()))
            .attach(&FeeBudget(Msat(3)))
            .attach(&MaxDelay(NonZeroU32::new(9).unwrap()));
        let expected = PlanRequest {
            fee_budget_msat: Msat(3),
            delay_max_blocks: Blocks(9),
            final_cltv_blocks: Blocks(42),
            parts_max: 7,
            risk_factor_micro_percent: MicroPercent(3_000_000),
            exclude: vec![Exclusion::Node(HUB)],
            hints: vec![vec![]],
            first_hop: Some(ShortChannelId(10)),
            last_hop: Some(HUB),
            seed: 0,
            local: Vec::new(),
            ..question(AMOUNT)
        };
        assert_eq!(asked(payment, plan), expected);
    }

    #[test]
    fn what_failed_parts_told_is_asked_with() {
        let payment = here().attach(&Told(told())).attach(&Exclude(vec![Exclusion::Node(HUB)]));
        let ToldPolicy { short_channel_id_dir, policy, .. } = told().policies.remove(0);
        let avoided = Exclusion::Channel(told().avoided[0]);
        let expected = PlanRequest {
            policies: vec![(short_channel_id_dir, policy)],
            exclude: vec![Exclusion::Node(HUB), avoided],
            parts_max: 1,
            local: Vec::new(),
            ..question(AMOUNT)
        };
        assert_eq!(asked(payment, plan_entity()), expected);
    }

    #[test]
    fn a_cancelled_plan_asks_nothing() {
        let mut bench = Bench::new().with(payment(), here().attach(&Claimed(claim())));
        let ran = bench.run_on(child(), &ROUTE, plan_entity().attach(&Cancel));
        assert_eq!((ran.code(), ran.kinds().len()), (Some(PAY_STOPPED_RETRYING), 0));
    }

    #[test]
    fn the_last_expiry_never_overflows() {
        let request = asked(here().attach(&InvoiceMinFinalCltv(u32::MAX)), plan_entity());
        assert_eq!(request.final_cltv_blocks, Blocks(u32::MAX));
    }

    #[test]
    fn a_plan_for_a_payment_that_has_ended_fails() {
        let ran = Bench::new().run_on(child(), &ROUTE, plan_entity());
        assert_eq!(ran.code(), Some(PAY_ROUTE_NOT_FOUND));
        assert!(ran.effects.is_empty());
    }
}
