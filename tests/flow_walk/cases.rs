//! The cases that a walk must come by, and the situations in which they are.

use crate::{
    incoming::Came,
    machine::{Fate, Machine},
    received,
};
use ecs_core::{EntityId, Systems};
use ecs_systems::components::{
    ApprovalAsked, Cancel, Circular, Claimed, Deadline, HeightAwaited, Overpay, Parent, Refused,
    Replayed, Reservation, Set, Total,
};

/// Case and situation: the walk of the one sees the other.
pub(crate) const CASES: [(&str, &str); 45] = [
    ("paid", "fixed amount"),
    ("paid", "amount chosen"),
    ("refused", "no amount at all"),
    ("refused", "both amounts"),
    ("overpaid", "both amounts, overpaid"),
    ("a part of the whole is paid", "partial"),
    ("a second round", "fixed amount"),
    ("paid in parts", "fixed amount"),
    ("a height is waited for", "fixed amount"),
    ("paid after a height was waited for", "fixed amount"),
    ("expired between rounds", "expires under way"),
    ("time is up while parts are out", "fixed amount"),
    ("cancelled while parts are out", "fixed amount"),
    ("paid before", "replay"),
    ("under way twice", "concurrent"),
    ("paid", "to self"),
    ("parts of a circle are out", "circular"),
    ("a circle is closed", "circular"),
    ("a circle is closed in parts", "circular"),
    ("a part of a circle waits for the other", "circular"),
    ("a set is out of time", "circular"),
    ("a set is given back", "circular, one part"),
    ("a preimage that was to leave stays", "circular, one part"),
    ("a preimage leaves for nothing", "circular, one part"),
    ("a set is out of time", "circular, too little"),
    ("a set is tried again", "circular, too little"),
    ("an operator is asked", "approval"),
    ("paid before", "written to when paid before"),
    ("closed before the claim", "closed intake"),
    ("closed while parts are out", "closed intake"),
    ("closed while a preimage leaves", "closed intake, circular"),
    ("others pay", "received"),
    ("others pay in parts", "received"),
    ("a part of it is lost", "received"),
    ("a wrong HTLC is refused", "received"),
    ("others pay beside a wrong HTLC", "received"),
    ("a set is out of time", "received"),
    ("others pay after a set was given back", "received"),
    ("a whole set is too old", "received"),
    ("what was held is taken", "received, held"),
    ("what was held is given back", "received, held"),
    ("a set is cancelled", "received, held"),
    ("a set that began in time is taken", "received, expires"),
    ("an expired receipt is not paid", "received, expires"),
    ("a third party rejects", "rejects received lightningd:set:complete"),
];

/// The cases that are seen in a state.
pub(crate) fn seen(machine: &Machine) -> Vec<&'static str> {
    let app = &machine.app;
    let out = machine.env.offers.values().any(|offer| offer.fate == Fate::Open);
    let paid = machine.env.offers.values().filter(|offer| offer.fate == Fate::Paid).count();
    let came = |came: Came| machine.env.htlcs.iter().filter(|it| it.came == came).count();
    let back = came(Came::Ours);
    let was_refused = |set: &EntityId| {
        app.get::<Set>(*set).is_some()
            && app.get::<Parent>(*set).is_some()
            && app.get::<Refused>(*set).is_some()
    };
    let withdrawn = app.entities().iter().any(was_refused);
    let closed = machine.env.closed.is_some();
    let mut seen = Vec::new();
    for payment in machine.env.payments.iter().copied() {
        let (end, now_ms) = (machine.end_of(payment), machine.env.now_ms);
        let late = app.get::<Deadline>(payment).is_some_and(|it| it.0.0 <= now_ms);
        let rounds = app.get::<Reservation>(payment).map_or(0, |it| it.0.rounds);
        let runs = app.get::<Systems>(payment).is_some();
        let awaits = app.get::<HeightAwaited>(payment).is_some();
        let complete = end == Some(0);
        let cases = [
            (complete, "paid"),
            (end == Some(-32602), "refused"),
            (complete && app.get::<Overpay>(payment).is_some(), "overpaid"),
            (complete && app.get::<Total>(payment).is_some(), "a part of the whole is paid"),
            (rounds > 1, "a second round"),
            (complete && paid > 1, "paid in parts"),
            (awaits && runs, "a height is waited for"),
            (complete && machine.env.blocks == 1, "paid after a height was waited for"),
            (end == Some(207) && !machine.env.offers.is_empty(), "expired between rounds"),
            (late && out && runs, "time is up while parts are out"),
            (out && app.get::<Cancel>(payment).is_some(), "cancelled while parts are out"),
            (complete && app.get::<Replayed>(payment).is_some(), "paid before"),
            (end == Some(200) && app.get::<Claimed>(payment).is_none(), "under way twice"),
            (out && app.get::<Circular>(payment).is_some(), "parts of a circle are out"),
            (complete && back > 0, "a circle is closed"),
            (complete && back > 1, "a circle is closed in parts"),
            (came(Came::Waits) > 0 && out, "a part of a circle waits for the other"),
            (came(Came::TimedOut) > 0, "a set is out of time"),
            (came(Came::TimedOut) > 0 && came(Came::Waits) > 0, "a set is tried again"),
            (came(Came::Refused) > 0 && runs, "a set is given back"),
            (withdrawn, "a preimage that was to leave stays"),
            (complete && came(Came::Lost) > 0, "a preimage leaves for nothing"),
            (app.get::<ApprovalAsked>(payment).is_some(), "an operator is asked"),
            (closed && app.get::<Claimed>(payment).is_none(), "closed before the claim"),
            (closed && out, "closed while parts are out"),
            (closed && back + came(Came::Released) > 0, "closed while a preimage leaves"),
        ];
        seen.extend(cases.into_iter().filter(|(is, _)| *is).map(|(_, case)| case));
    }
    if machine.situation.payers.is_some() {
        seen.extend(received::cases(machine));
    }
    seen
}
