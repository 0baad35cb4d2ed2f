//! Row 31.

use crate::{
    components::{
        Amount, Attempt, OpenPart, Parent, Part, PartFacts, PartsOpen, Planned, PlanningEntity,
        Remaining, Reservation, ReservationFacts, Status,
    },
    pay::plan::{
        attempt::rounds_used_up,
        request::{Round, Target},
    },
    policy::{GraphView, Intake, Policy},
    port::{Books, LedgerEntry, NodeView, PartHold, PartKey},
    records::RecordEntry,
    refusal::{INTAKE_CLOSED, PAY_UNSPECIFIED_ERROR},
};
use bevy_ecs::{
    prelude::{In, Query, Res},
    query::QueryData,
};
use ecs_core::{
    Answer, Entities, EntityId, Id, Inputs, On, Refusal, Step, SystemSpec, Systems, Write,
};
use payecs_planner::{Graph, Route, check};
use payecs_units::{BlockHeight, Msat, PartId};

/// Makes parts of a plan.
pub const DISPATCH: SystemSpec = SystemSpec {
    name: "lightningd:dispatch",
    required: &["lightningd:plan", "lightningd:remaining"],
    disallowed: &["lightningd:failing", "lightningd:preimage"],
    attaches: &[
        "lightningd:parts:open",
        "lightningd:remaining",
        "lightningd:reservation",
        "lightningd:status",
    ],
    detaches: &[
        "lightningd:plan",
        "lightningd:attempt",
        "lightningd:planning-entity",
        "lightningd:remaining",
    ],
    refuses: &[PAY_UNSPECIFIED_ERROR, INTAKE_CLOSED],
    does: "checks the plan against graph, node and budget; makes its routes parts in one record, \
           or drops it and counts a round",
};

/// A payment with a plan.
#[derive(QueryData, Debug)]
pub(crate) struct Dispatching {
    id: &'static Id,
    systems: &'static Systems,
    plan: &'static Planned,
    remaining: &'static Remaining,
    reservation: &'static Reservation,
    attempt: Option<&'static Attempt>,
    open: Option<&'static PartsOpen>,
    target: Target,
}

/// What a plan is checked against.
type Against<'w> =
    (Res<'w, GraphView>, Res<'w, NodeView>, Res<'w, Books>, Res<'w, Policy>, Res<'w, Inputs>);

pub(crate) fn dispatch(
    In(entity): On,
    payments: Query<Dispatching>,
    (entities, intake): (Res<Entities>, Res<Intake>),
    (graph, node, books, policy, inputs): Against<'_>,
) -> Answer {
    let payment = payments.get(entity)?;
    intake.check_claimed()?;
    let mut facts = payment.reservation.0;
    facts.rounds += 1;
    match payment.sound_amount(&graph.0, &node, &books, &inputs) {
        Ok(planned) => payment.send_off(planned, facts, node.height, &entities),
        Err(why) => {
            tracing::warn!(target: "payflow::send", entity = %payment.id.0, why, "plan dropped");
            drop_plan(&facts, &policy)
        }
    }
}

fn drop_plan(facts: &ReservationFacts, policy: &Policy) -> Answer {
    if facts.rounds >= policy.rounds_max {
        return Err(rounds_used_up(facts.rounds));
    }
    Ok(Step::advance()
        .attach(&Reservation(*facts))
        .detach::<Planned>()
        .detach::<Attempt>()
        .detach::<PlanningEntity>())
}

impl DispatchingItem<'_, '_> {
    /// What the plan delivers, if every route of it holds now; or why it does not.
    fn sound_amount(
        &self,
        graph: &Graph,
        node: &NodeView,
        books: &Books,
        inputs: &Inputs,
    ) -> Result<Msat, String> {
        let plan = self.plan.plan();
        let amount_msat = plan.amount().ok_or("its amounts overflow")?;
        if amount_msat > self.remaining.0 {
            return Err(format!("it delivers {amount_msat} of {} that remain", self.remaining.0));
        }
        let attempt = self.attempt.ok_or("no attempt is under way")?.0;
        let round = Round {
            amount_msat,
            fee_left_msat: attempt.fee_left_msat,
            delay_left_blocks: attempt.delay_left_blocks,
            parts_left: attempt.parts_left,
        };
        let hops = || plan.routes.iter().flat_map(|route| &route.hops);
        let used = |channel| hops().any(|hop| hop.short_channel_id_dir.scid == channel);
        let local = node.channels_in(books, used);
        let question = self.target.question(&round, node, local, inputs);
        check(graph, &question, plan).map_err(|flaw| flaw.to_string())?;
        Ok(amount_msat)
    }

    /// One record: the parts, their share of the reservation, and what remains.
    fn send_off(
        &self,
        planned: Msat,
        mut facts: ReservationFacts,
        height: BlockHeight,
        entities: &Entities,
    ) -> Answer {
        let claim = &self.target.claim.0;
        let mut open = self.open.map(|open| open.0.clone()).unwrap_or_default();
        let mut holds = Vec::with_capacity(self.plan.plan().routes.len());
        let mut step = Step::advance();
        for (route, number) in self.plan.plan().routes.iter().zip(entities.free()) {
            let part_id = facts.next_part;
            facts.next_part = PartId(part_id.0 + 1);
            open.push(opened(number, part_id, route));
            holds.push(hold(part_id, route)?);
            let part = self.part(part_id, route, height);
            step = step.write(self.part_entity(number, &part)).wake(number);
        }
        let step = step
            .attach(&Reservation(facts))
            .attach(&PartsOpen(open))
            .attach(&Status::sending())
            .detach::<Planned>()
            .detach::<Attempt>()
            .detach::<PlanningEntity>()
            .keep(&LedgerEntry::Dispatch { payment: claim.claim.payment, parts: holds });
        let left = self.remaining.0.checked_sub(planned);
        Ok(match left.expect("a sound plan delivers at most what remains") {
            Msat::ZERO => step.detach::<Remaining>(),
            left => step.attach(&Remaining(left)),
        })
    }

    fn part(&self, part_id: PartId, route: &Route, height: BlockHeight) -> Part {
        let claim = &self.target.claim.0;
        let (payment_hash, group_id) = (claim.payment_hash(), claim.group_id());
        Part(PartFacts {
            key: PartKey { payment_hash, group_id, part_id },
            route: route.clone(),
            height,
            total_msat: self.target.total_msat(),
        })
    }

    fn part_entity(&self, number: EntityId, part: &Part) -> Write {
        Write::to(number)
            .attach(part)
            .attach(&Parent(self.id.0))
            .attach(self.systems)
            .attach(&Amount(part.0.route.amount()))
    }
}

fn opened(entity: EntityId, part_id: PartId, route: &Route) -> OpenPart {
    OpenPart { entity, part_id, amount_msat: route.amount(), fee_msat: route.fee() }
}

fn hold(part_id: PartId, route: &Route) -> Result<PartHold, Refusal> {
    let first = route.hops.first().ok_or_else(|| Refusal::invalid("a route without a hop"))?;
    Ok(PartHold {
        part_id,
        short_channel_id: first.short_channel_id_dir.scid,
        amount_msat: route.amount(),
        fee_msat: route.fee(),
    })
}

#[cfg(test)]
mod tests;
