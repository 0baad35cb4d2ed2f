//! From what the engine announces to what can be told of a payment.

use ecs_core::{EntityId, Invoke, Json};
use ecs_systems::{
    components::PartFacts,
    effects::{PartEnded, PartStarted},
    flow::ROWS,
    planner::Route,
    port::Failure,
    units::{Msat, PartId, Timestamp},
};
use payflow_default::shell::Notice;
use serde::Serialize;
use std::collections::BTreeMap;

/// The part of the flow that a System belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Decode,
    Limit,
    Plan,
    Send,
    Settle,
    Receive,
    /// A line in the books, written by the System before it.
    Ledger,
    /// Not of the default flow.
    Other,
}

impl Phase {
    /// By the System's row in the flow's table.
    pub(crate) fn of(system: &str) -> Self {
        let row = ROWS.iter().find(|(_, spec)| spec.name == system).map(|(row, _)| *row);
        let Some(row) = row else {
            return if system.starts_with("ledger:") { Self::Ledger } else { Self::Other };
        };
        match (row.as_bytes()[0], row.parse::<u32>()) {
            (b'P', _) | (_, Ok(29 | 30)) => Self::Plan,
            (b'S', _) | (_, Ok(31 | 32)) => Self::Send,
            (b'R', _) => Self::Receive,
            (_, Ok(0..=10)) => Self::Decode,
            (_, Ok(11..=28)) => Self::Limit,
            _ => Self::Settle,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Limit => "limit",
            Self::Plan => "plan",
            Self::Send => "send",
            Self::Settle => "settle",
            Self::Receive => "receive",
            Self::Ledger => "ledger",
            Self::Other => "other",
        }
    }
}

/// What an Entity stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Payment,
    Plan,
    Part,
    /// HTLCs that pay a receipt of ours.
    Set,
}

/// A System that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) entity: EntityId,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    pub(crate) system: String,
    /// Its number if the System is external.
    pub(crate) invocation: Option<u64>,
    /// What it required, without secrets.
    pub(crate) matched: BTreeMap<String, Json>,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Fired(Fired),
    PartStarted { started: PartStarted, route: Route },
    PartEnded { part: Box<Part>, ended: Box<PartEnded> },
}

/// A part, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    #[serde(rename = "partid")]
    pub(crate) id: PartId,
    pub(crate) amount_msat: Msat,
    pub(crate) fee_msat: Msat,
    pub(crate) route: Route,
    pub(crate) state: PartState,
    pub(crate) failure: Option<Failure>,
}

/// How far a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartState {
    InFlight,
    Paid,
    Failed,
}

/// What was told of one payment so far.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// When it began.
    pub(crate) began: Timestamp,
    /// Systems that fired.
    pub(crate) systems: u32,
    /// Plans that were asked for.
    pub(crate) rounds: u32,
    /// Its parts, in the order in which they were planned.
    pub(crate) parts: BTreeMap<PartId, Part>,
    roles: BTreeMap<EntityId, Role>,
    /// What the payment opens with the System that fired last on it.
    opens: Role,
}

impl Story {
    pub(crate) fn new(began: Timestamp, payment: EntityId) -> Self {
        let (roles, parts) = (BTreeMap::from([(payment, Role::Payment)]), BTreeMap::new());
        Self { began, systems: 0, rounds: 0, parts, roles, opens: Role::Plan }
    }

    /// Milliseconds of the network's time since it began.
    pub(crate) fn at_ms(&self, at: Timestamp) -> u64 {
        at.0.saturating_sub(self.began.0)
    }

    /// Takes a notice; `None` for one that is not told.
    pub(crate) fn hear(&mut self, notice: &Notice) -> Option<Beat> {
        if let Some(invoke) = notice.effect.read::<Invoke>() {
            return Some(Beat::Fired(self.fired(notice.effect.entity, invoke)));
        }
        if let Some(started) = notice.effect.read::<PartStarted>() {
            let route = self.parts.get(&started.key.part_id)?.route.clone();
            return Some(Beat::PartStarted { started, route });
        }
        let ended = notice.effect.read::<PartEnded>()?;
        let part = self.parts.get_mut(&ended.key.part_id)?;
        part.failure.clone_from(&ended.failure);
        part.state = if part.failure.is_some() { PartState::Failed } else { PartState::Paid };
        Some(Beat::PartEnded { part: Box::new(part.clone()), ended: Box::new(ended) })
    }

    fn fired(&mut self, entity: EntityId, invoke: Invoke) -> Fired {
        let mut matched = invoke.entity.fields().unwrap_or_default();
        matched.remove("entity");
        let role = *self.roles.entry(entity).or_insert(self.opens);
        match invoke.system.as_str() {
            "lightningd:plan" => self.opens = Role::Plan,
            "lightningd:dispatch" => self.opens = Role::Part,
            "lightningd:self_pay" => self.opens = Role::Set,
            _ => {}
        }
        self.systems += 1;
        self.rounds += u32::from(invoke.system == "lightningd:route");
        let part = matched.get("lightningd:part").and_then(|json| json.decode().ok());
        if let Some(PartFacts { key, route, .. }) = part {
            self.parts.entry(key.part_id).or_insert_with(|| Part {
                id: key.part_id,
                amount_msat: route.amount(),
                fee_msat: route.fee(),
                route,
                state: PartState::InFlight,
                failure: None,
            });
        }
        let phase = Phase::of(&invoke.system);
        let Invoke { system, invocation, .. } = invoke;
        Fired { entity, role, phase, system, invocation, matched }
    }

    pub(crate) fn parts_in(&self, state: PartState) -> impl Iterator<Item = &Part> {
        self.parts.values().filter(move |part| part.state == state)
    }

    pub(crate) fn count(&self, state: PartState) -> usize {
        self.parts_in(state).count()
    }

    /// Fees of parts that are out or arrived.
    pub(crate) fn fees(&self) -> Msat {
        let counted = self.parts.values().filter(|part| part.state != PartState::Failed);
        Msat::sum(counted.map(|part| part.fee_msat)).expect("fees are within their budget")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_of_the_flow_has_a_phase_and_others_have_none() {
        for (system, phase) in [
            ("lightningd:generate_nonce", Phase::Decode),
            ("lightningd:accept_invoice", Phase::Decode),
            ("lightningd:invoice_amount_msat", Phase::Limit),
            ("lightningd:stop_on_cancel", Phase::Limit),
            ("lightningd:start_attempt", Phase::Plan),
            ("lightningd:hand_over", Phase::Plan),
            ("lightningd:dispatch", Phase::Send),
            ("lightningd:part_failed", Phase::Send),
            ("lightningd:learn", Phase::Send),
            ("lightningd:finish_error", Phase::Settle),
            ("lightningd:settle_set", Phase::Receive),
            ("ledger:reserve", Phase::Ledger),
            ("acme:greet", Phase::Other),
        ] {
            assert_eq!(Phase::of(system), phase, "{system}");
        }
    }
}
