//! Row 10.

use super::description::matching;
use crate::components::{
    CheckDescriptionRan, Description, InvoiceDescriptionHash, InvoiceUnchecked,
};
use bevy_ecs::prelude::{Has, In, Query};
use ecs_core::{Answer, On, Step, SystemSpec};

/// Ends the checks of an invoice.
pub const ACCEPT_INVOICE: SystemSpec = SystemSpec {
    name: "lightningd:accept_invoice",
    required: &[
        "lightningd:invoice:unchecked",
        "lightningd:promote_invoice_type:ran",
        "lightningd:check_type:ran",
        "lightningd:check_currency:ran",
        "lightningd:check_expiry:ran",
        "lightningd:promote_target:ran",
    ],
    disallowed: &["lightningd:failing", "lightningd:preimage"],
    attaches: &[],
    detaches: &["lightningd:invoice:unchecked"],
    refuses: &[-32602],
    does: "ends the checks of an invoice once all have passed; a description that no System before \
           has checked is checked here",
};

type Described<'w> =
    (Option<&'w InvoiceDescriptionHash>, Option<&'w Description>, Has<CheckDescriptionRan>);

pub(crate) fn accept_invoice(In(entity): On, described: Query<Described<'_>>) -> Answer {
    if let (Some(hash), Some(description), false) = described.get(entity)? {
        matching(hash, description)?;
    }
    Ok(Step::advance().detach::<InvoiceUnchecked>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{DESCRIPTION, here, run, sample};
    use ecs_core::Json;

    #[test]
    fn the_last_check_that_passed_ends_the_checks() {
        let all = ACCEPT_INVOICE.required.iter();
        let ran =
            run(&ACCEPT_INVOICE, all.fold(here(), |w, name| w.attach_json(*name, sample(name))));
        assert_eq!(ran.names(), ["invoice:unchecked"]);
        assert!(ran.detached("invoice:unchecked"));
    }

    #[test]
    fn a_description_that_nobody_has_checked_is_checked_before_the_invoice_is_accepted() {
        let hash = "lightningd:invoice:description_hash";
        for (text, passes) in [(DESCRIPTION, true), ("another", false)] {
            let all = ACCEPT_INVOICE.required.iter();
            let write = all
                .fold(here(), |w, name| w.attach_json(*name, sample(name)))
                .attach_json(hash, sample(hash))
                .attach(&Description(Json::of(text)));
            let code = run(&ACCEPT_INVOICE, write).code();
            assert_eq!(code, (!passes).then_some(-32602), "{text}");
        }
    }
}
