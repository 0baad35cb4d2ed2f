//! Row 20.

use ecs_core::{Answer, On, Refusal, Step, SystemSpec};

/// An invoice without an amount needs one from the caller.
pub const REQUIRE_AMOUNT: SystemSpec = SystemSpec {
    name: "lightningd:require_amount",
    required: &["lightningd:main-payment", "lightningd:invoice:type"],
    disallowed: &[
        "lightningd:amount",
        "lightningd:invoice:amount_msat",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &[],
    detaches: &[],
    refuses: &[-32602],
    does: "refuses an invoice without an amount where the caller gives none",
};

pub(crate) fn require_amount(_: On) -> Answer {
    Err::<Step, _>(Refusal::invalid("msatoshi parameter required"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run, sample};

    #[test]
    fn an_invoice_without_an_amount_and_none_given_is_refused() {
        let all = REQUIRE_AMOUNT.required.iter();
        let ran =
            run(&REQUIRE_AMOUNT, all.fold(here(), |w, name| w.attach_json(*name, sample(name))));
        assert_eq!((ran.code(), ran.message()), (Some(-32602), "msatoshi parameter required"));
        assert_eq!(ran.names(), ["failing"]);
    }
}
