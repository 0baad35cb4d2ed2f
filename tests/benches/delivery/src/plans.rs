//! One plan that nothing was known before.

use crate::{
    question::{Ask, Planner, Question, Reason, Stopwatch},
    replay::{Strictness, flaw},
};
use payecs_planner::Graph;
use serde::Serialize;

/// What a planner answered to the whole of a payment.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// CPU time of the thread.
    pub cpu_ns: u64,
    /// Routes; 0 where there is no plan.
    pub parts: u64,
    /// Of all routes.
    pub fee_msat: u64,
    /// Why there is no plan.
    pub reason: Option<Reason>,
    /// The first rule that a route breaks.
    pub flaw: Option<String>,
}

impl Planned {
    /// Whether there is a plan, and one that keeps every rule.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.reason.is_none() && self.flaw.is_none()
    }
}

/// Plans a payment once, knowing nothing.
pub fn plan_once<P: Planner>(
    planner: &P,
    graph: &Graph,
    question: &Question,
    strictness: Strictness,
) -> Planned {
    let ask = Ask::all(question);
    let (mut watch, mut payment) = (Stopwatch::default(), planner.begin(question));
    let answer = planner.plan(&mut payment, &ask, &mut watch);
    let mut told =
        Planned { cpu_ns: watch.taken_ns(), parts: 0, fee_msat: 0, reason: None, flaw: None };
    match answer {
        Err(reason) => told.reason = Some(reason),
        Ok(routes) => {
            told.parts = routes.len() as u64;
            told.fee_msat = routes.iter().map(|route| route.fee().0).sum();
            told.flaw = flaw(graph, question, &routes, &ask, strictness);
        }
    }
    told
}
