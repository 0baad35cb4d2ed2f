//! Row 29.

use crate::{
    components::{
        Attempt, AttemptFacts, Deadline, HeightAwaited, InvoiceExpiresAt, MaxDelay, MaxParts,
        PartsOpen, PartsPaid, Reservation, ReservationFacts,
    },
    effects::HEIGHT_TIMER,
    pay::{
        decode::{expiry::expired, target::MAXPARTS_DEFAULT},
        limit::defaults::MAXDELAY_BLOCKS_DEFAULT,
    },
    policy::{Intake, Policy},
    port::NodeView,
    refusal::{
        INTAKE_CLOSED, PAY_INVOICE_EXPIRED, PAY_STOPPED_RETRYING, PAY_UNSPECIFIED_ERROR, overflow,
    },
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Inputs, On, Refusal, Step, SystemSpec};
use payecs_units::{Blocks, Msat, Timestamp};
use serde_json::json;

/// An invoice that expires sooner is not attempted: its payee could refuse the parts.
pub const EXPIRY_MARGIN_SECONDS: u64 = 10;
/// No attempt is made while the node's last block is older: expiries would be counted from a stale
/// height.
pub const HEIGHT_AGE_MS_MAX: u64 = 30 * 60 * 1_000;

/// Starts a round.
pub const START_ATTEMPT: SystemSpec = SystemSpec {
    name: "lightningd:start_attempt",
    required: &["lightningd:reservation", "lightningd:remaining"],
    disallowed: &["lightningd:attempt", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:attempt"],
    detaches: &["lightningd:height:awaited"],
    refuses: &[PAY_STOPPED_RETRYING, PAY_INVOICE_EXPIRED, PAY_UNSPECIFIED_ERROR, INTAKE_CLOSED],
    does: "starts a round, if time, expiry, rounds, the intake and the node's state allow one; \
           waits while our node doesn't see the height that the payee sees",
};

type Reads<'w> = (
    &'w Reservation,
    Option<&'w Deadline>,
    Option<&'w InvoiceExpiresAt>,
    Option<&'w PartsOpen>,
    Option<&'w PartsPaid>,
    Option<&'w MaxParts>,
    Option<&'w MaxDelay>,
    Option<&'w HeightAwaited>,
);

pub(crate) fn start_attempt(
    In(entity): On,
    payments: Query<Reads<'_>>,
    node: Res<NodeView>,
    (policy, intake): (Res<Policy>, Res<Intake>),
    inputs: Res<Inputs>,
) -> Answer {
    let (Reservation(facts), deadline, expiry, open, paid, parts, delay, awaited) =
        payments.get(entity)?;
    let now_ms = inputs.now_ms;
    check_time(deadline.map(|deadline| deadline.0), expiry.map(|expiry| expiry.0), now_ms)?;
    check_rounds(facts, &policy)?;
    intake.check_claimed()?;
    check_node(&node, now_ms)?;
    if awaited.is_some_and(|awaited| node.height < awaited.0) {
        return Ok(Step::wait());
    }
    let open_count = open.map_or(0, |open| open.0.len());
    let parts_max = parts.map_or(MAXPARTS_DEFAULT, |parts| parts.0).get();
    let parts_left = parts_max.saturating_sub(u32::try_from(open_count).unwrap_or(u32::MAX));
    if parts_left == 0 {
        return Ok(Step::wait());
    }
    let attempt = AttemptFacts {
        n: facts.rounds + 1,
        fee_left_msat: fee_left(facts, open, paid).ok_or_else(|| overflow("The sum of fees"))?,
        delay_left_blocks: delay.map_or(Blocks(MAXDELAY_BLOCKS_DEFAULT.get()), MaxDelay::blocks),
        parts_left,
    };
    let step = Step::advance().attach(&Attempt(attempt));
    Ok(match awaited {
        None => step,
        Some(_) => step.detach::<HeightAwaited>().cancel_timers(HEIGHT_TIMER),
    })
}

fn check_time(
    deadline: Option<Timestamp>,
    expires_at: Option<u64>,
    now_ms: u64,
) -> Result<(), Refusal> {
    if let Some(deadline) = deadline.filter(|deadline| now_ms >= deadline.0) {
        return Err(Refusal::new(PAY_STOPPED_RETRYING, "Time is up: no further attempt is made")
            .with_data(&json!({ "deadline": deadline })));
    }
    match expires_at {
        Some(at) if now_ms >= at.saturating_mul(1_000) => Err(expired(at, now_ms)),
        Some(at) if too_late_for(at, now_ms) => Err(expires_too_soon(at, now_ms)),
        _ => Ok(()),
    }
}

/// Code 207: it still holds, but not for long enough.
fn expires_too_soon(expires_at: u64, now_ms: u64) -> Refusal {
    let why = format!("Invoice expires within {EXPIRY_MARGIN_SECONDS} seconds: ask for a new one");
    Refusal { message: why, ..expired(expires_at, now_ms) }
}

/// Whether less than the margin is left.
fn too_late_for(expires_at: u64, now_ms: u64) -> bool {
    let left_ms = expires_at.saturating_mul(1_000).saturating_sub(now_ms);
    left_ms < EXPIRY_MARGIN_SECONDS * 1_000
}

fn check_rounds(facts: &ReservationFacts, policy: &Policy) -> Result<(), Refusal> {
    if facts.rounds < policy.rounds_max {
        return Ok(());
    }
    Err(rounds_used_up(facts.rounds))
}

/// Code 209: every round was tried.
pub(crate) fn rounds_used_up(rounds: u32) -> Refusal {
    Refusal::new(
        PAY_UNSPECIFIED_ERROR,
        format!("{rounds} rounds of planning did not get it through"),
    )
    .with_data(&json!({ "rounds": rounds }))
}

fn check_node(node: &NodeView, now_ms: u64) -> Result<(), Refusal> {
    let age_ms = now_ms.saturating_sub(node.height_at.0);
    if node.synced && age_ms <= HEIGHT_AGE_MS_MAX {
        return Ok(());
    }
    let height = node.height.0;
    Err(Refusal::new(
        PAY_UNSPECIFIED_ERROR,
        format!("The node is not up to date: block {height}, {} s old", age_ms / 1_000),
    )
    .with_data(&json!({ "synced": node.synced, "height": height, "height_at": node.height_at })))
}

/// The budget less the fees of parts that are out or arrived; zero where they reached it. `None`:
/// their sum is above 2⁶⁴−1 msat.
fn fee_left(
    facts: &ReservationFacts,
    open: Option<&PartsOpen>,
    paid: Option<&PartsPaid>,
) -> Option<Msat> {
    let open = open.map_or(Some(Msat::ZERO), PartsOpen::fees)?;
    let paid = paid.map_or(Msat::ZERO, |paid| paid.0.fee_msat);
    Some(facts.fee_budget_msat.saturating_sub(open.checked_add(paid)?))
}

#[cfg(test)]
mod tests;
