//! Row 28b.

use crate::components::{
    Cancel, Exposure, ExposureFacts, OpenPart, Part, PartSent, PartsOpen, PlanningEntity, SelfAsked,
};
use bevy_ecs::prelude::{Has, In, Query, Res, With};
use ecs_core::{Answer, Entities, EntityId, On, Step, SystemSpec, Systems, Write};
use payecs_units::Msat;

/// Says what of a cancelled payment can still settle, and passes the cancel on.
pub const TELL_EXPOSURE: SystemSpec = SystemSpec {
    name: "lightningd:tell_exposure",
    required: &["lightningd:main-payment", "lightningd:cancel"],
    disallowed: &["lightningd:exposure"],
    attaches: &["lightningd:exposure"],
    detaches: &[],
    refuses: &[],
    does: "says what of a cancelled payment can still settle, which each part that ends says anew, \
           and attaches `cancel` to its plan, its parts and the set it pays itself by, where they \
           have not ended",
};

/// What a payment says of those that work for it.
type Reads<'w> = (Option<&'w PartsOpen>, Option<&'w PlanningEntity>, Option<&'w SelfAsked>);

/// The parts of payments, and whether they have left, or may have.
pub(crate) type Parts<'w, 's, 'q> = Query<'w, 's, (&'q Part, Has<PartSent>)>;

pub(crate) fn tell_exposure(
    In(entity): On,
    payments: Query<Reads<'_>>,
    parts: Parts<'_, '_, '_>,
    running: Query<(), With<Systems>>,
    entities: Res<Entities>,
) -> Answer {
    let (open, plan, set) = payments.get(entity)?;
    let open = open.map_or(&[][..], |open| &open.0);
    let told = Step::advance().attach(&exposure(open, &parts, &entities));
    // A plan that was handed over is named until it is dispatched; a write would make it anew.
    let runs = |id: &EntityId| entities.get(*id).is_some_and(|it| running.contains(it));
    let children = open.iter().map(|part| part.entity);
    let children = children.chain(plan.map(|plan| plan.0)).chain(set.map(|set| set.0));
    let cancel = |step: Step, id| step.write(Write::to(id).attach(&Cancel)).wake(id);
    Ok(children.filter(runs).fold(told, cancel))
}

/// What of these parts can still settle: those that have left.
pub(crate) fn exposure(
    open: &[OpenPart],
    parts: &Parts<'_, '_, '_>,
    entities: &Entities,
) -> Exposure {
    let mut facts = ExposureFacts::default();
    for part in open {
        let known = entities.get(part.entity).and_then(|part| parts.get(part).ok());
        let Some((Part(sent), true)) = known else { continue };
        // What is out is at most what is reserved, which fits.
        let sum = |left: Msat, right: Msat| Msat(left.0.saturating_add(right.0));
        facts.htlcs = facts.htlcs.saturating_add(1);
        facts.amount_msat = sum(facts.amount_msat, part.amount_msat);
        facts.sent_msat = sum(facts.sent_msat, sum(part.amount_msat, part.fee_msat));
        let expires_at = sent.height.checked_add(sent.route.delay());
        facts.until_height = facts.until_height.max(expires_at);
    }
    Exposure(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{MainPayment, PaidPreimage},
        fixture::{Bench, PREIMAGE, Ran, child, here, open_part, part, payment},
    };
    use ecs_core::{ErrorObject, Failing, Json};

    fn told(sent: bool, more: Write) -> (ExposureFacts, Ran) {
        let write = Write::to(child()).attach(&Part(part()));
        let mut bench =
            Bench::new().with(child(), write.attach_some(sent.then_some(PartSent).as_ref()));
        let cancelled = more
            .attach(&MainPayment(Json::yes()))
            .attach(&Cancel)
            .attach(&PartsOpen(vec![open_part()]));
        let ran = bench.run(&TELL_EXPOSURE, cancelled);
        let told = bench.app.get::<Exposure>(payment()).expect("it was cancelled").0;
        (told, ran)
    }

    #[test]
    fn what_has_left_can_still_settle() {
        let (exposed, ran) = told(true, here());
        assert_eq!((exposed, ran.names()), (crate::fixture::exposure(), vec!["exposure"]));
        assert_eq!(told(false, here()).0, ExposureFacts::default());
    }

    #[test]
    fn what_fails_or_is_paid_is_told_it_too() {
        let failing = Failing(ErrorObject::new(203, "no"));
        for more in [here().attach(&failing), here().attach(&PaidPreimage(PREIMAGE))] {
            assert_eq!(told(true, more).0.htlcs, 1);
        }
    }

    /// A cancelled payment, with this on it, and this on the Entity that works for it.
    fn passed_on(more: Write, worker: Write) -> (Bench, Ran) {
        let mut bench = Bench::new().with(child(), worker);
        let ran = bench.run(&TELL_EXPOSURE, more.attach(&MainPayment(Json::yes())).attach(&Cancel));
        (bench, ran)
    }

    #[test]
    fn whoever_works_for_the_payment_is_told_of_the_cancel_and_woken() {
        let list = Systems::listing([TELL_EXPOSURE.name]);
        for names_it in [
            here().attach(&PartsOpen(vec![open_part()])),
            here().attach(&PlanningEntity(child())),
            here().attach(&SelfAsked(child())),
        ] {
            let (mut bench, ran) = passed_on(names_it, here().attach(&list));
            assert_eq!(ran.names_on(child()), ["cancel"]);
            assert!(bench.woken().contains(&child()));
        }
    }

    #[test]
    fn what_has_ended_is_told_nothing_and_what_is_gone_is_not_made_anew() {
        let names_it = || here().attach(&PlanningEntity(child()));
        let (_, ran) = passed_on(names_it(), here().attach_json("acme:left", Json::yes()));
        assert!(ran.names_on(child()).is_empty());
        let (bench, ran) = passed_on(names_it(), here());
        assert!(ran.names_on(child()).is_empty());
        assert_eq!(bench.app.entities(), [payment()]);
    }
}
