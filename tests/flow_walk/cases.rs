//! The cases that a walk must come by, and the situations in which they are.

use crate::machine::{Fate, Machine};
use ecs_core::Systems;
use ecs_systems::components::{
    ApprovalAsked, Cancel, Circular, Claimed, Deadline, Overpay, Replayed, Reservation, Total,
};

/// Case and situation: the walk of the one sees the other.
pub(crate) const CASES: [(&str, &str); 17] = [
    ("paid", "fixed amount"),
    ("paid", "amount chosen"),
    ("refused", "no amount at all"),
    ("refused", "both amounts"),
    ("overpaid", "both amounts, overpaid"),
    ("a part of the whole is paid", "partial"),
    ("a second round", "fixed amount"),
    ("paid in parts", "fixed amount"),
    ("expired between rounds", "expires under way"),
    ("time is up while parts are out", "fixed amount"),
    ("cancelled while parts are out", "fixed amount"),
    ("paid before", "replay"),
    ("under way twice", "concurrent"),
    ("paid", "to self"),
    ("parts of a circle are out", "circular"),
    ("an operator is asked", "approval"),
    ("paid before", "written to when paid before"),
];

/// The cases that are seen in a state.
pub(crate) fn seen(machine: &Machine) -> Vec<&'static str> {
    let app = &machine.app;
    let out = machine.env.offers.values().any(|offer| offer.fate == Fate::Open);
    let paid = machine.env.offers.values().filter(|offer| offer.fate == Fate::Paid).count();
    let mut seen = Vec::new();
    for payment in machine.env.payments.iter().copied() {
        let (end, now_ms) = (machine.end_of(payment), machine.env.now_ms);
        let late = app.get::<Deadline>(payment).is_some_and(|it| it.0.0 <= now_ms);
        let rounds = app.get::<Reservation>(payment).map_or(0, |it| it.0.rounds);
        let runs = app.get::<Systems>(payment).is_some();
        let complete = end == Some(0);
        let cases = [
            (complete, "paid"),
            (end == Some(-32602), "refused"),
            (complete && app.get::<Overpay>(payment).is_some(), "overpaid"),
            (complete && app.get::<Total>(payment).is_some(), "a part of the whole is paid"),
            (rounds > 1, "a second round"),
            (complete && paid > 1, "paid in parts"),
            (end == Some(207) && !machine.env.offers.is_empty(), "expired between rounds"),
            (late && out && runs, "time is up while parts are out"),
            (out && app.get::<Cancel>(payment).is_some(), "cancelled while parts are out"),
            (complete && app.get::<Replayed>(payment).is_some(), "paid before"),
            (end == Some(200) && app.get::<Claimed>(payment).is_none(), "under way twice"),
            (out && app.get::<Circular>(payment).is_some(), "parts of a circle are out"),
            (app.get::<ApprovalAsked>(payment).is_some(), "an operator is asked"),
        ];
        seen.extend(cases.into_iter().filter(|(is, _)| *is).map(|(_, case)| case));
    }
    seen
}
