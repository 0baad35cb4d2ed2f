//! Rows R9b and R10.

use crate::{
    components::{PaidPreimage, Parent, Refused, Refusing, SelfAsked, Set, SetHeld, SetReceived},
    effects::{HOLD_TIMER, RefuseHtlcs, SET_TIMER},
    port::{LedgerEntry, PayeeFailure},
    records::{ReceiptLine, RecordEntry},
    refusal::PAY_DESTINATION_PERM_FAIL,
};
use bevy_ecs::{
    prelude::{Has, In, Query, Res},
    query::QueryData,
};
use ecs_core::{
    Answer, EffectRequest, Entities, Failing, Id, On, Refusal, Step, SystemSpec, Systems, Write,
};

/// Gives a set back.
pub const REFUSE_SET: SystemSpec = SystemSpec {
    name: "lightningd:refuse_set",
    required: &["lightningd:set", "lightningd:refusing"],
    disallowed: &["lightningd:set:settling", "lightningd:settled", "lightningd:refused"],
    attaches: &["lightningd:refused"],
    detaches: &["lightningd:systems", "lightningd:preimage"],
    refuses: &[],
    does: "fails every HTLC of the set and voids what was held; a payment to ourselves that \
           crosses no channel fails; the receipt stays payable",
};

/// A set that is refused.
#[derive(QueryData, Debug)]
pub(crate) struct Refusable {
    id: &'static Id,
    set: &'static Set,
    refusing: &'static Refusing,
    parent: Option<&'static Parent>,
    received: Option<&'static SetReceived>,
    held: Has<SetHeld>,
    /// It was to be settled, and nothing of it has left.
    released: Has<PaidPreimage>,
}

pub(crate) fn refuse_set(
    In(entity): On,
    sets: Query<Refusable>,
    failing: Query<&Failing>,
    entities: Res<Entities>,
) -> Answer {
    let set = sets.get(entity)?;
    let Refusing(failure) = *set.refusing;
    let mut step = Step::stop()
        .attach(&Refused(failure))
        .detach::<Systems>()
        .cancel_timers(SET_TIMER)
        .cancel_timers(HOLD_TIMER);
    if let Some(Parent(parent)) = set.parent {
        let mut write = Write::to(*parent).detach::<SelfAsked>();
        if set.received.is_none() {
            // What failed the payment first stays.
            let earlier = entities.get(*parent).and_then(|it| failing.get(it).ok().cloned());
            write = write.attach(&earlier.unwrap_or_else(|| Failing(refused_by_us())));
        }
        step = step.write(write).wake(*parent);
    }
    let Some(SetReceived(received)) = set.received else { return Ok(step) };
    for htlc in &received.htlcs {
        step = step.write(Write::to(htlc.entity).attach(&Refused(failure)));
    }
    let htlcs = received.htlcs.iter().map(|htlc| htlc.htlc).collect();
    step = step.effect(EffectRequest::notice(&RefuseHtlcs { htlcs }));
    if set.released {
        let payment_hash = set.set.0.payment_hash;
        step = step.detach::<PaidPreimage>().receipt(&ReceiptLine::Restore { payment_hash });
    }
    if set.held || set.released {
        step = step.keep(&LedgerEntry::VoidSet { set: set.set.reference(set.id.0) });
    }
    Ok(step)
}

fn refused_by_us() -> Refusal {
    let name = PayeeFailure::DETAILS.code().name();
    Refusal::new(PAY_DESTINATION_PERM_FAIL, format!("The destination refused the payment: {name}"))
}

/// A System that fails a set refuses it.
pub const FAIL_TO_REFUSE: SystemSpec = SystemSpec {
    name: "lightningd:fail_to_refuse",
    required: &["lightningd:set", "lightningd:failing"],
    disallowed: &["lightningd:refusing", "lightningd:set:settling", "lightningd:settled"],
    attaches: &["lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "refuses a set that a System failed",
};

pub(crate) fn fail_to_refuse(_: On) -> Answer {
    Ok(Step::advance().attach(&Refusing(PayeeFailure::DETAILS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{AMOUNT, Bench, PREIMAGE, child, here, payment, set},
        port::{Receipt, ReceiptState},
        receive::fixture::{bare_set, receipt, received, set_entity},
    };
    use ecs_core::{EntityId, ErrorObject, Json};

    fn refusing() -> Refusing {
        Refusing(PayeeFailure::DETAILS)
    }

    fn without_channel() -> Write {
        here().attach(&Set(set())).attach(&Parent(payment())).attach(&refusing())
    }

    #[test]
    fn a_refused_set_without_a_channel_ends_and_fails_its_payment() {
        let parent = here().attach(&SelfAsked(child())).attach(&Systems::listing(["acme:none"]));
        let mut bench = Bench::new().with(payment(), parent);
        let ran = bench.run_on(child(), &REFUSE_SET, without_channel());
        assert_eq!(ran.names(), ["refused", "systems"]);
        assert!(ran.detached_from(payment(), "self:asked"));
        let failing: ErrorObject =
            Json::parse(ran.attached_to(payment(), "failing").unwrap()).unwrap().decode().unwrap();
        assert_eq!(failing.code, PAY_DESTINATION_PERM_FAIL);
        assert!(failing.message.ends_with("incorrect_or_unknown_payment_details"));
        assert!(ran.entries.is_empty(), "nothing was booked, nothing is voided");
        assert!(bench.shelf.0.lock().unwrap().settled.is_empty(), "the receipt stays payable");
        assert_eq!(bench.woken()[0], payment());
    }

    #[test]
    fn what_failed_the_payment_before_its_set_was_refused_stays() {
        let cancelled = Failing(ErrorObject::new(210, "cancelled"));
        let parent = here().attach(&SelfAsked(child())).attach(&cancelled);
        let mut bench = Bench::new().with(payment(), parent);
        let ran = bench.run_on(child(), &REFUSE_SET, without_channel());
        assert_eq!(ran.names_on(payment()), ["self:asked"]);
        assert_eq!(bench.app.get::<Failing>(payment()), Some(&cancelled));
    }

    #[test]
    fn every_htlc_of_a_refused_set_is_failed_with_the_sets_words() {
        let write = bare_set().attach(&received(1)).attach(&Refusing(PayeeFailure::TIMEOUT));
        let ran = Bench::new().run_on(set_entity(), &REFUSE_SET, write);
        assert_eq!(ran.names(), ["refused", "systems"]);
        for entity in [set_entity(), payment()] {
            assert_eq!(ran.attached_to(entity, "refused"), Some("\"mpp_timeout\""));
        }
        let RefuseHtlcs { htlcs } = ran.effects[0].read().unwrap();
        assert_eq!(htlcs, [received(1).0.htlcs[0].htlc]);
        assert!(ran.entries.is_empty(), "an open set is not in the books");
    }

    #[test]
    fn a_held_set_is_voided() {
        let write = bare_set().attach(&received(AMOUNT.0)).attach(&SetHeld).attach(&refusing());
        let ran = Bench::new().run_on(set_entity(), &REFUSE_SET, write);
        let set = crate::receive::fixture::set().reference(set_entity());
        assert_eq!(ran.entries, [LedgerEntry::VoidSet { set }]);
    }

    #[test]
    fn a_set_whose_preimage_did_not_leave_is_voided_and_its_receipt_payable_again() {
        let payer = EntityId::new(9).unwrap();
        let asking = here().attach(&SelfAsked(set_entity()));
        let mut bench = Bench::new()
            .receipt(Receipt { state: ReceiptState::Settling, ..receipt() })
            .with(payer, asking.attach(&Systems::listing(["acme:none"])));
        let write = bare_set().attach(&received(AMOUNT.0)).attach(&PaidPreimage(PREIMAGE));
        let write = write.attach(&Parent(payer)).attach(&refusing());
        let ran = bench.run_on(set_entity(), &REFUSE_SET, write);
        assert_eq!(ran.names(), ["preimage", "refused", "systems"]);
        assert_eq!(ran.names_on(payer), ["self:asked"], "its parts fail by themselves");
        let set = crate::receive::fixture::set().reference(set_entity());
        assert_eq!(ran.entries, [LedgerEntry::VoidSet { set }]);
        let shelved = bench.shelf.0.lock().unwrap();
        assert_eq!(shelved.receipt.as_ref().unwrap().state, ReceiptState::Unpaid);
    }

    #[test]
    fn a_set_that_a_system_failed_is_refused() {
        let failing = Failing(ErrorObject::new(203, "no"));
        let write = here().attach(&Set(set())).attach(&failing);
        let ran = Bench::new().run_on(child(), &FAIL_TO_REFUSE, write);
        assert_eq!(ran.names(), ["refusing"]);
    }
}
