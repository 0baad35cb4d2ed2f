//! Rows R9b and R10.

use crate::{
    components::{Parent, Refused, Refusing, SelfAsked},
    refusal::PAY_DESTINATION_PERM_FAIL,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Entities, Failing, On, Refusal, Step, SystemSpec, Systems, Write};

/// Gives a set back.
pub const REFUSE_SET: SystemSpec = SystemSpec {
    name: "lightningd:refuse_set",
    required: &["lightningd:set", "lightningd:refusing"],
    disallowed: &["lightningd:set:settling", "lightningd:settled", "lightningd:refused"],
    attaches: &["lightningd:refused"],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "gives every part back and fails our own payment; the receipt stays payable",
};

pub(crate) fn refuse_set(
    In(entity): On,
    sets: Query<&Parent>,
    failing: Query<&Failing>,
    entities: Res<Entities>,
) -> Answer {
    let Parent(parent) = sets.get(entity)?;
    let why = Refusal::new(
        PAY_DESTINATION_PERM_FAIL,
        "The destination refused the payment: incorrect_or_unknown_payment_details",
    );
    // What failed the payment first stays.
    let earlier = entities.get(*parent).and_then(|parent| failing.get(parent).ok().cloned());
    let failing = earlier.unwrap_or(Failing(why));
    let failed = Write::to(*parent).attach(&failing).detach::<SelfAsked>();
    Ok(Step::stop().attach(&Refused).detach::<Systems>().write(failed).wake(*parent))
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
    Ok(Step::advance().attach(&Refusing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::Set,
        fixture::{Bench, child, here, payment, set},
    };
    use ecs_core::{ErrorObject, Json};

    #[test]
    fn a_refused_set_ends_and_fails_its_payment() {
        let parent = here().attach(&SelfAsked(child())).attach(&Systems::listing(["acme:none"]));
        let mut bench = Bench::new().with(payment(), parent);
        let write = here().attach(&Set(set())).attach(&Parent(payment())).attach(&Refusing);
        let ran = bench.run_on(child(), &REFUSE_SET, write);
        assert_eq!(ran.names_on(child()), ["refused", "systems"]);
        assert!(ran.detached_from(child(), "systems"));
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
        let write = here().attach(&Set(set())).attach(&Parent(payment())).attach(&Refusing);
        let ran = bench.run_on(child(), &REFUSE_SET, write);
        assert_eq!(ran.names_on(payment()), ["self:asked"]);
        assert_eq!(bench.app.get::<Failing>(payment()), Some(&cancelled));
    }

    #[test]
    fn a_set_that_a_system_failed_is_refused() {
        let failing = Failing(ErrorObject::new(203, "no"));
        let write = here().attach(&Set(set())).attach(&failing);
        let ran = Bench::new().run_on(child(), &FAIL_TO_REFUSE, write);
        assert_eq!(ran.names_on(child()), ["refusing"]);
    }
}
