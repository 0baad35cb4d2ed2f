//! Row 10.

use crate::components::InvoiceUnchecked;
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
    refuses: &[],
    does: "ends the checks of an invoice once all have passed",
};

pub(crate) fn accept_invoice(_: On) -> Answer {
    Ok(Step::advance().detach::<InvoiceUnchecked>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run, sample};

    #[test]
    fn the_last_check_that_passed_ends_the_checks() {
        let all = ACCEPT_INVOICE.required.iter();
        let ran =
            run(&ACCEPT_INVOICE, all.fold(here(), |w, name| w.attach_json(*name, sample(name))));
        assert_eq!(ran.names(), ["invoice:unchecked"]);
        assert!(ran.detached("invoice:unchecked"));
    }
}
