//! From a question to a plan, or to why there is none.

mod refuse;
mod allow;
mod shadow;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod optimum;
#[cfg(test)]
mod dear;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod complaints;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
#[cfg(test)]
mod layered;

use crate::cost::probability_ppm;
use crate::net::Net;
use crate::path::joint_neg_ln_micro;
use crate::split::{Ask, solve, solve_cheaply};
use crate::weights::Weights;
use crate::{Graph, HOPS_MAX, Knowledge, NoPlan, NoPlanReason, Plan, PlanRequest};

/// Routes that together deliver exactly the amount asked for, within every limit of the request.
///
/// One route where one will do. Where none carries the amount, or only with a chance below 60 %,
/// the cheapest flow in several parts: counting fees, delay, what may fail and the number of parts.
/// Where equal units don't add up to one, few parts along the widest paths. The answer depends on
/// the arguments alone.
///
/// # Errors
/// [`NoPlan`]: the first cause that applies, in the order of [`NoPlanReason`](crate::NoPlanReason),
/// with what could go instead. A request for nothing, or in no part, is
/// [`NoPlanReason::NoRoute`](crate::NoPlanReason::NoRoute).
pub fn plan(graph: &Graph, knowledge: &Knowledge, request: &PlanRequest) -> Result<Plan, NoPlan> {
    if request.policies.is_empty() && !request.layer.changes_graph() {
        return plan_over(graph, knowledge, request);
    }
    plan_over(&graph.as_told(request), knowledge, request)
}

fn plan_over(graph: &Graph, knowledge: &Knowledge, request: &PlanRequest) -> Result<Plan, NoPlan> {
    let (net, ask) = (Net::new(graph, knowledge, request), ask_of(request));
    if ask.amount.0 == 0 || ask.parts_max == 0 {
        return Err(refuse::empty());
    }
    let Some(paths) = solve(&net, ask, Weights::of(&net)) else {
        let allow = allow::in_the_way(graph, knowledge, request);
        let cause = refuse::explain(&net, ask);
        let longer = PlanRequest { hops_max: HOPS_MAX, ..request.clone() };
        let is_too_long = cause.reason == NoPlanReason::NoRoute
            && cause.parts_needed.is_none()
            && request.hops_max < HOPS_MAX
            && solve_cheaply(&Net::new(graph, knowledge, &longer), ask).is_some();
        return Err(if is_too_long {
            NoPlan { reason: NoPlanReason::TooLong, cut: Vec::new(), allow, ..cause }
        } else {
            NoPlan { allow, ..cause }
        });
    };
    let chance = joint_neg_ln_micro(&net, &paths).map_or(0, probability_ppm);
    let mut routes: Vec<_> = paths.iter().map(|path| path.to_route(&net)).collect();
    if request.shadow && !net.is_circle() {
        shadow::cast(graph, request, &mut routes);
    }
    Ok(Plan { routes, probability_ppm: chance, knowledge_version: knowledge.version() })
}

/// What the request asks for.
fn ask_of(request: &PlanRequest) -> Ask {
    Ask {
        amount: request.amount_msat,
        fee_max: request.fee_budget_msat,
        delay_max: request.delay_max_blocks,
        parts_max: usize::try_from(request.parts_max).unwrap_or(usize::MAX),
    }
}
