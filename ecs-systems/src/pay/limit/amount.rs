//! Rows 11 to 13.

use crate::components::{Amount, InvoiceAmount, InvoiceType};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};
use payecs_units::Msat;

/// Moves the invoice's amount to the payment.
pub const INVOICE_AMOUNT_MSAT: SystemSpec = SystemSpec {
    name: "lightningd:invoice_amount_msat",
    required: &["lightningd:invoice:amount_msat"],
    disallowed: &["lightningd:amount", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:amount"],
    detaches: &["lightningd:invoice:amount_msat"],
    refuses: &[-32602],
    does: "moves the invoice's amount to `lightningd:amount`",
};

type Reads<'w> = (&'w InvoiceAmount, Option<&'w InvoiceType>);

pub(crate) fn invoice_amount_msat(In(entity): On, amounts: Query<Reads<'_>>) -> Answer {
    let (InvoiceAmount(amount), kind) = amounts.get(entity)?;
    if *amount == Msat::ZERO {
        let kind = kind.and_then(|kind| kind.0.as_str());
        let kind = kind.as_deref().unwrap_or("an invoice");
        return Err(Refusal::invalid(format!("Cannot pay {kind} with zero amount")));
    }
    Ok(Step::advance().attach(&Amount(*amount)).detach::<InvoiceAmount>())
}

/// Lets an amount above the invoice's pass if the caller says so.
pub const ALLOW_OVERPAY: SystemSpec = SystemSpec {
    name: "lightningd:allow_overpay",
    required: &["lightningd:invoice:amount_msat", "lightningd:amount", "lightningd:overpay"],
    disallowed: &["lightningd:failing", "lightningd:preimage"],
    attaches: &[],
    detaches: &["lightningd:invoice:amount_msat"],
    refuses: &[-32602],
    does: "lets an amount from the invoice's to twice that pass",
};

pub(crate) fn allow_overpay(In(entity): On, amounts: Query<(&InvoiceAmount, &Amount)>) -> Answer {
    let (InvoiceAmount(asked), Amount(given)) = amounts.get(entity)?;
    if within_twice(*given, *asked) {
        return Ok(Step::advance().detach::<InvoiceAmount>());
    }
    Err(Refusal::invalid(format!(
        "Amount {given} is outside the invoice's {asked} to twice that, which is all a payee takes"
    )))
}

/// BOLT 4: a payee takes from what it asked for to twice that; no upper bound where twice
/// overflows.
pub(crate) fn within_twice(given: Msat, asked: Msat) -> bool {
    given >= asked && asked.checked_mul(2).is_none_or(|twice| given <= twice)
}

/// Two amounts, and no word on which is meant.
pub const FAIL_INVOICE_AMOUNT_AND_AMOUNT: SystemSpec = SystemSpec {
    name: "lightningd:fail_invoice_amount_and_amount",
    required: &["lightningd:invoice:amount_msat", "lightningd:amount"],
    disallowed: &["lightningd:overpay", "lightningd:failing", "lightningd:preimage"],
    attaches: &[],
    detaches: &[],
    refuses: &[-32602],
    does: "refuses an amount where the invoice has one",
};

pub(crate) fn fail_invoice_amount_and_amount(_: On) -> Answer {
    Err(Refusal::invalid("msatoshi parameter unnecessary"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::Overpay,
        fixture::{here, run},
    };

    #[test]
    fn the_invoices_amount_moves_unless_it_is_zero() {
        for (amount, moved) in
            [(0, None), (1, Some("\"1msat\"")), (u64::MAX, Some("\"18446744073709551615msat\""))]
        {
            let ran = run(&INVOICE_AMOUNT_MSAT, here().attach(&InvoiceAmount(Msat(amount))));
            assert_eq!(ran.attached("amount"), moved);
            assert_eq!(ran.detached("invoice:amount_msat"), moved.is_some());
            assert_eq!(ran.code(), moved.is_none().then_some(-32602), "{amount}");
        }
    }

    #[test]
    fn an_amount_from_the_invoices_to_twice_that_is_allowed() {
        const HALF: u64 = u64::MAX / 2;
        for (asked, given, allowed) in [
            (100, 99, false),
            (100, 100, true),
            (100, 200, true),
            (100, 201, false),
            (1, 1, true),
            (1, 2, true),
            (1, 3, false),
            (0, 1, false),
            (HALF, u64::MAX - 1, true),
            (HALF, u64::MAX, false),
            (HALF + 1, u64::MAX, true),
            (u64::MAX, u64::MAX, true),
            (u64::MAX, u64::MAX - 1, false),
        ] {
            let write = here()
                .attach(&InvoiceAmount(Msat(asked)))
                .attach(&Amount(Msat(given)))
                .attach(&Overpay);
            let ran = run(&ALLOW_OVERPAY, write);
            assert_eq!(ran.code(), (!allowed).then_some(-32602), "{asked} {given}");
            assert_eq!(ran.detached("invoice:amount_msat"), allowed, "{asked} {given}");
            assert_eq!(ran.names().len(), 1);
        }
    }

    #[test]
    fn two_amounts_without_overpay_are_refused() {
        let write = here().attach(&InvoiceAmount(Msat(5))).attach(&Amount(Msat(5)));
        let ran = run(&FAIL_INVOICE_AMOUNT_AND_AMOUNT, write);
        assert_eq!(ran.code(), Some(-32602));
        assert_eq!(ran.message(), "msatoshi parameter unnecessary");
        assert_eq!(ran.names(), ["failing"]);
    }
}
