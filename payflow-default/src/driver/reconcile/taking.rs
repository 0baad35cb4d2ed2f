//! Taking the payments of a backup out of the flow.

use crate::driver::Driver;
use ecs_core::{EntityId, Failing, Join, Refusal, Systems, WakeAt, Write};
use ecs_systems::{
    components::{
        Attempt, Claimed, MainPayment, OpenPart, Parent, Part, PartsFailed, PartsOpen, Planned,
        Planning, PlanningEntity, Remaining, SameAs, SelfAsked, Set, SetReceived, SetSettling,
    },
    pay::settle::finish_error::FINISH_ERROR,
    port::{HoldState, OpenPayment},
    refusal::RESTORED,
};

impl Driver {
    /// Takes every payment of the backup that has not ended out of the hands of its Systems: what
    /// was in flight is followed by the books, and nothing else is done for it.
    pub(super) fn take_over(&mut self) {
        for payment in self.open_payments() {
            let entity = payment.claim.entity;
            if self.engine.get::<Claimed>(entity).is_none() || self.is_settling(entity) {
                continue;
            }
            let mut writes: Vec<Write> = self.workers_of(entity).map(Write::end).collect();
            let virtual_set = self.engine.get::<SelfAsked>(entity).map(|set| set.0);
            let set_ends = virtual_set.is_none_or(|set| writes.contains(&Write::end(set)));
            let mut write = Write::to(entity)
                .attach(&Systems::listing::<&str>([]))
                .attach(&PartsOpen(open_parts(&payment)))
                .detach::<PartsFailed>()
                .detach::<Planned>()
                .detach::<Attempt>()
                .detach::<PlanningEntity>()
                .detach::<Remaining>();
            if set_ends {
                write = write.detach::<SelfAsked>();
            }
            writes.push(write);
            self.write(&writes);
            self.withdraw(entity);
        }
        self.end_drafts();
    }

    /// Ends the payments of the backup that have not claimed a hash: whoever wanted them may have
    /// been told long ago what became of them. Those that wait for another end as it does.
    fn end_drafts(&mut self) {
        let engine = &self.engine;
        let is_draft = |id: &EntityId| {
            engine.get::<MainPayment>(*id).is_some()
                && engine.get::<Systems>(*id).is_some()
                && engine.get::<Claimed>(*id).is_none()
                && engine.get::<SameAs>(*id).is_none()
        };
        let drafts: Vec<EntityId> = engine.entities().into_iter().filter(is_draft).collect();
        for entity in drafts {
            let why = "It had not begun when the backup was made that the engine was restored \
                       from, and is not gone on with";
            let write = Write::to(entity)
                .detach::<WakeAt>()
                .detach::<Join>()
                .attach(&Failing(Refusal::new(RESTORED, why)))
                .attach(&Systems::listing([FINISH_ERROR.name]));
            self.write(&[write]);
            self.withdraw(entity);
            self.engine.wake(entity);
        }
        self.engine.run();
    }

    /// The answer of an external System that is at work on an Entity is no longer waited for.
    fn withdraw(&mut self, entity: EntityId) {
        let number = self.engine.invocation(entity).and_then(|it| it.invocation);
        if number.is_some() {
            // What it comes to is seen in the Entity.
            let _advanced = self.engine.advance(entity, number);
        }
    }

    /// Whether a payment to ourselves waits for a set whose preimage has left: nothing more is sent
    /// for it, and its own Systems end it.
    fn is_settling(&self, payment: EntityId) -> bool {
        let set = self.engine.get::<SelfAsked>(payment);
        set.is_some_and(|set| self.engine.get::<SetSettling>(set.0).is_some())
    }

    /// The plans and parts of a payment, and the set by which it pays us without a channel.
    fn workers_of(&self, payment: EntityId) -> impl Iterator<Item = EntityId> {
        let engine = &self.engine;
        let works = move |id: &EntityId| {
            let plans = engine.get::<Planning>(*id).is_some() || engine.get::<Part>(*id).is_some();
            let is_set = engine.get::<Set>(*id).is_some();
            let virtual_set = is_set && engine.get::<SetReceived>(*id).is_none();
            engine.get::<Parent>(*id).is_some_and(|parent| parent.0 == payment)
                && (plans || virtual_set)
        };
        engine.entities().into_iter().filter(works)
    }
}

fn open_parts(payment: &OpenPayment) -> Vec<OpenPart> {
    let held = payment.parts.iter().filter(|(_, state)| *state == HoldState::Held);
    held.map(|(hold, _)| OpenPart {
        entity: payment.claim.entity,
        part_id: hold.part_id,
        amount_msat: hold.amount_msat,
        fee_msat: hold.fee_msat,
    })
    .collect()
}
