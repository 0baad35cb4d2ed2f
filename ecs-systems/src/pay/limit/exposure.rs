//! Row 28b.

use crate::components::{Exposure, ExposureFacts, OpenPart, Part, PartSent, PartsOpen};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{Answer, Entities, On, Step, SystemSpec};
use payecs_units::Msat;

/// Says what of a cancelled payment can still settle.
pub const TELL_EXPOSURE: SystemSpec = SystemSpec {
    name: "lightningd:tell_exposure",
    required: &["lightningd:main-payment", "lightningd:cancel"],
    disallowed: &["lightningd:exposure"],
    attaches: &["lightningd:exposure"],
    detaches: &[],
    refuses: &[],
    does: "says what of a cancelled payment can still settle; each part that ends says it anew",
};

/// The parts of payments, and whether they have left, or may have.
pub(crate) type Parts<'w, 's, 'q> = Query<'w, 's, (&'q Part, Has<PartSent>)>;

pub(crate) fn tell_exposure(
    In(entity): On,
    payments: Query<Option<&PartsOpen>>,
    parts: Parts<'_, '_, '_>,
    entities: Res<Entities>,
) -> Answer {
    let open = payments.get(entity)?.map_or(&[][..], |open| &open.0);
    Ok(Step::advance().attach(&exposure(open, &parts, &entities)))
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
        components::{Cancel, MainPayment, PaidPreimage},
        fixture::{Bench, PREIMAGE, Ran, child, here, open_part, part, payment},
    };
    use ecs_core::{ErrorObject, Failing, Json, Write};

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
}
