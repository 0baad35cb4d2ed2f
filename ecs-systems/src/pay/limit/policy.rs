//! Rows 24 and 25.

use crate::{
    components::{Amount, Approval, ApprovalAsked, FeeBudget, PolicyPassed, Question},
    effects::APPROVAL_TIMER,
    policy::Policy,
    refusal::{POLICY_REFUSED, overflow},
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, EffectRequest, Failing, Inputs, On, Refusal, Step, SystemSpec, Write};
use payecs_units::{Msat, Timestamp};
use serde_json::json;

/// Applies the operator's policy.
pub const POLICY: SystemSpec = SystemSpec {
    name: "lightningd:policy",
    required: &["lightningd:preapproved"],
    disallowed: &[
        "lightningd:policy:passed",
        "lightningd:approval:asked",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:policy:passed", "lightningd:approval:asked"],
    detaches: &[],
    refuses: &[POLICY_REFUSED],
    does: "passes, refuses, or asks an operator and rests until there is an answer",
};

pub(crate) fn policy(
    In(entity): On,
    amounts: Query<(&Amount, &FeeBudget)>,
    policy: Res<Policy>,
    inputs: Res<Inputs>,
) -> Answer {
    let (Amount(amount), FeeBudget(budget)) = amounts.get(entity)?;
    let spend = amount.checked_add(*budget).ok_or_else(|| overflow("Amount and fee budget"))?;
    if let Some(max) = policy.payment_max_msat.filter(|max| spend > *max) {
        return Err(above_limit(spend, max));
    }
    let Some(above_msat) = policy.ask_above_msat.filter(|above| spend > *above) else {
        return Ok(Step::advance().attach(&PolicyPassed));
    };
    let until = Timestamp(inputs.now_ms).after(policy.approval_timeout);
    let question = Question { requested_msat: spend, above_msat, until };
    let silence = Refusal::new(POLICY_REFUSED, "No operator approved the payment in time")
        .with_data(&json!({ "until": until, "requested": spend }));
    let asked = <ApprovalAsked as ecs_core::WireComponent>::SPEC.name;
    let writes = vec![Write::here().attach(&Failing(silence))];
    Ok(Step::advance().attach(&ApprovalAsked(question)).effect(EffectRequest::timer(
        APPROVAL_TIMER,
        until.0,
        writes,
        asked,
    )))
}

fn above_limit(spend: Msat, max: Msat) -> Refusal {
    Refusal::new(
        POLICY_REFUSED,
        format!("One payment may spend {max}, this one could spend {spend}"),
    )
    .with_data(&json!({ "limit": "payment_max", "used": 0, "requested": spend, "max": max,
            "resets_at": null }))
}

/// Takes an operator's word.
pub const APPROVE: SystemSpec = SystemSpec {
    name: "lightningd:approve",
    required: &["lightningd:approval:asked", "lightningd:approval"],
    disallowed: &["lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:policy:passed"],
    detaches: &["lightningd:approval:asked", "lightningd:approval"],
    refuses: &[POLICY_REFUSED],
    does: "takes an operator's word",
};

pub(crate) fn approve(In(entity): On, words: Query<&Approval>) -> Answer {
    match words.get(entity)? {
        Approval(true) => Ok(Step::advance()
            .attach(&PolicyPassed)
            .detach::<ApprovalAsked>()
            .detach::<Approval>()
            .cancel_timers(APPROVAL_TIMER)),
        Approval(false) => Err(Refusal::new(POLICY_REFUSED, "An operator refused the payment")),
    }
}

#[cfg(test)]
mod tests;
