//! Row S1.

use crate::{
    components::{
        Cancel, Claimed, Deadline, Invoice, InvoiceExpiresAt, InvoiceMetadata, PaidPreimage,
        Parent, Part, PartFailure, PartSent,
    },
    effects::{Learn, OfferPart, PartStarted},
    port::{Failure, FailureCode, Lesson, SendPart},
};
use bevy_ecs::{
    prelude::{Has, In, Query, Res},
    query::QueryData,
};
use ecs_core::{
    Answer, EffectRequest, Engine, Entities, EntityId, Failing, Inputs, On, Refusal, Step,
    SystemSpec,
};
use std::borrow::Cow;

/// Offers the HTLC.
pub const SEND_PART: SystemSpec = SystemSpec {
    name: "lightningd:send_part",
    required: &["lightningd:part"],
    disallowed: &[
        "lightningd:part:sent",
        "lightningd:part:failure",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:part:sent", "lightningd:part:failure"],
    detaches: &[],
    refuses: &[],
    does: "offers the HTLC once the record of it is durable; where its payment has failed, is \
           paid, cancelled or out of time, the part counts as failed",
};

/// What decides whether a part may still leave.
#[derive(QueryData, Debug)]
pub(crate) struct Wanted {
    failing: Has<Failing>,
    paid: Has<PaidPreimage>,
    cancelled: Has<Cancel>,
    deadline: Option<&'static Deadline>,
    expiry: Option<&'static InvoiceExpiresAt>,
}

impl WantedItem<'_, '_> {
    fn may_leave(&self, now_ms: u64) -> bool {
        let over = self.failing || self.paid || self.cancelled;
        let in_time = self.deadline.is_none_or(|deadline| now_ms < deadline.0.0);
        let holds = self.expiry.is_none_or(|at| now_ms < at.0.saturating_mul(1_000));
        !over && in_time && holds
    }
}

/// Whether a part that never left may still be offered: its payment goes on and is in time.
#[must_use]
pub fn may_still_leave(engine: &Engine, part: EntityId, now_ms: u64) -> bool {
    let Some(&Parent(payment)) = engine.get::<Parent>(part) else { return false };
    let wanted = WantedItem {
        failing: engine.get::<Failing>(payment).is_some(),
        paid: engine.get::<PaidPreimage>(payment).is_some(),
        cancelled: engine.get::<Cancel>(payment).is_some(),
        deadline: engine.get::<Deadline>(payment),
        expiry: engine.get::<InvoiceExpiresAt>(payment),
    };
    wanted.may_leave(now_ms)
}

type Payment<'w> = (&'w Claimed, Option<&'w Invoice>, Option<&'w InvoiceMetadata>, Wanted);

pub(crate) fn send_part(
    In(entity): On,
    parts: Query<(&Part, &Parent)>,
    payments: Query<Payment<'_>>,
    entities: Res<Entities>,
    inputs: Res<Inputs>,
) -> Answer {
    let (Part(part), Parent(parent)) = parts.get(entity)?;
    let orphan = || Refusal::invalid(format!("payment {parent} of this part is gone"));
    let payment = entities.get(*parent).and_then(|parent| payments.get(parent).ok());
    let (Claimed(claim), invoice, metadata, wanted) = payment.ok_or_else(orphan)?;
    if !wanted.may_leave(inputs.now_ms) {
        let first = part.route.hops.first();
        let kept = Failure::local(first, FailureCode::TemporaryNodeFailure);
        return Ok(Step::advance().attach(&PartFailure(kept)));
    }
    let offer = SendPart {
        key: part.key,
        route: part.route.clone(),
        height: part.height,
        total_msat: part.total_msat,
        payment_secret: claim.payment_secret,
        payment_metadata: metadata.and_then(|hex| hex.0.as_str().map(Cow::into_owned)),
        invoice: invoice.map(|invoice| invoice.text().into_owned()),
    };
    let started = PartStarted {
        entity: *parent,
        key: part.key,
        total_payment_msat: part.total_msat,
        attempt_msat: part.route.amount(),
        fee_msat: part.route.fee(),
        hops: u32::try_from(part.route.hops.len()).unwrap_or(u32::MAX),
    };
    Ok(Step::wait()
        .attach(&PartSent)
        .effect(EffectRequest::notice(&Learn(Lesson::Sent(part.route.clone()))))
        .effect(EffectRequest::with_reply(&OfferPart(offer)))
        .effect(EffectRequest::notice(&started)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Bench, SECRET, child, claim, here, part, payment};
    use ecs_core::{EffectClass, Json, Write};

    fn part_entity() -> Write {
        here().attach(&Part(part())).attach(&Parent(payment()))
    }

    #[test]
    fn a_part_leaves_once_with_all_that_the_payee_wants() {
        for (invoice, metadata) in [(None, None), (Some("lnbc1text"), Some("01fafaf0"))] {
            let parent = here()
                .attach(&Claimed(claim()))
                .attach_some(invoice.map(|text| Invoice(Json::of(text))).as_ref())
                .attach_some(metadata.map(|hex| InvoiceMetadata(Json::of(hex))).as_ref());
            let mut bench = Bench::new().with(payment(), parent);
            let ran = bench.run_on(child(), &SEND_PART, part_entity());
            assert_eq!(ran.names_on(child()), ["part:sent"]);
            assert_eq!(ran.kinds(), ["planner:learn", "node:send_part", "pay_part_start"]);
            let OfferPart(offer) = ran.effects[1].read().unwrap();
            assert_eq!(ran.effects[1].class, EffectClass::Reply, "busy until its outcome");
            assert_eq!((offer.key, offer.route), (part().key, part().route));
            assert_eq!((offer.height, offer.total_msat), (part().height, part().total_msat));
            assert_eq!(offer.payment_secret, Some(SECRET));
            assert_eq!(offer.payment_metadata.as_deref(), metadata);
            assert_eq!(offer.invoice.as_deref(), invoice);
            assert_eq!(ran.effects[0].read(), Some(Learn(Lesson::Sent(part().route))));
            let started: PartStarted = ran.effects[2].read().unwrap();
            assert_eq!((started.entity, started.hops), (payment(), 2));
            assert_eq!(started.fee_msat, part().route.fee());

            assert!(!bench.step(child(), &SEND_PART).matched, "never a second time");
        }
    }

    #[test]
    fn a_part_without_a_payment_does_not_leave() {
        let ran = Bench::new().run_on(child(), &SEND_PART, part_entity());
        assert_eq!(ran.code(), Some(-32602));
        assert!(ran.effects.is_empty());
    }
}
