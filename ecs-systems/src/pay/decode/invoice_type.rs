//! Rows 3 and 4.

use crate::components::{CheckTypeRan, InvoiceType, PromoteInvoiceTypeRan};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, Json, On, Refusal, Step, SystemSpec};

/// The kinds of invoice that can be paid.
const PAYABLE: [&str; 2] = ["bolt11 invoice", "bolt12 invoice"];

/// Makes the kind of invoice a Component of its own, so that Systems can match on it.
pub const PROMOTE_INVOICE_TYPE: SystemSpec = SystemSpec {
    name: "lightningd:promote_invoice_type",
    required: &["lightningd:invoice:type"],
    disallowed: &[
        "lightningd:promote_invoice_type:ran",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:promote_invoice_type:ran", "lightningd:invoice:type:TYPE"],
    detaches: &[],
    refuses: &[],
    does: "attaches `lightningd:invoice:type:TYPE`",
};

pub(crate) fn promote_invoice_type(In(entity): On, types: Query<&InvoiceType>) -> Answer {
    let InvoiceType(json) = types.get(entity)?;
    let name = format!("{}:{}", "lightningd:invoice:type", json.as_str().unwrap_or_default());
    let promoted = Step::advance().attach(&PromoteInvoiceTypeRan);
    match ecs_core::check_name(&name) {
        Ok(()) => Ok(promoted.attach_json(name, Json::yes())),
        Err(_) => Ok(promoted),
    }
}

/// Lets only kinds pass that can be paid.
pub const CHECK_TYPE: SystemSpec = SystemSpec {
    name: "lightningd:check_type",
    required: &["lightningd:invoice:type"],
    disallowed: &["lightningd:check_type:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:check_type:ran"],
    detaches: &[],
    refuses: &[-32602],
    does: "lets only kinds of invoice pass that can be paid",
};

pub(crate) fn check_type(In(entity): On, types: Query<&InvoiceType>) -> Answer {
    let InvoiceType(json) = types.get(entity)?;
    let kind = json.as_str().unwrap_or_default();
    if PAYABLE.contains(&&*kind) {
        return Ok(Step::advance().attach(&CheckTypeRan));
    }
    Err(Refusal::invalid(format!("A `{kind}` cannot be paid; ask its issuer for an invoice")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run};

    #[test]
    fn the_kind_of_invoice_becomes_a_component_where_it_is_a_name() {
        let long = "x".repeat(1_000);
        for (kind, promoted) in [
            ("bolt11 invoice", Some("invoice:type:bolt11 invoice")),
            ("bolt12 offer", Some("invoice:type:bolt12 offer")),
            ("acme bill", Some("invoice:type:acme bill")),
            ("with a \"", None),
            (&long, None),
        ] {
            let ran = run(&PROMOTE_INVOICE_TYPE, here().attach(&InvoiceType(Json::of(kind))));
            assert_eq!(ran.attached("promote_invoice_type:ran"), Some("true"), "{kind}");
            assert_eq!(promoted.and_then(|name| ran.attached(name)), promoted.map(|_| "true"));
            assert_eq!(ran.names().len(), 1 + usize::from(promoted.is_some()), "{kind}");
        }
    }

    #[test]
    fn only_invoices_can_be_paid() {
        for (kind, payable) in [
            ("bolt11 invoice", true),
            ("bolt12 invoice", true),
            ("bolt12 offer", false),
            ("bolt12 invoice_request", false),
            ("Bolt11 invoice", false),
            ("rune", false),
        ] {
            let ran = run(&CHECK_TYPE, here().attach(&InvoiceType(Json::of(kind))));
            let expected = if payable { "check_type:ran" } else { "failing" };
            assert_eq!(ran.names(), [expected], "{kind}");
            assert_eq!(ran.code(), (!payable).then_some(-32602), "{kind}");
            assert_eq!(ran.message().contains(kind), !payable, "the kind is named");
        }
    }
}
